/* SPDX-License-Identifier: ISC */
#include "tests/net/test_nat.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "net/parse.h"
#include "net/parse6.h"
#include "tests/host/unit.h"

static uint32_t fixed_header(const struct spec *spec)
{
	return spec->version == 4 ? 20 : 40;
}

static bool is_icmp(const struct spec *spec)
{
	return spec->protocol == (spec->version == 4 ? 1 : ICMP6);
}

uint32_t spec_transport(const struct spec *spec)
{
	return ETH + fixed_header(spec) + spec->options * (spec->version == 4 ? 4u : 8u);
}

uint32_t spec_header(const struct spec *spec)
{
	switch (spec->protocol) {
	case TCP:
		return 20;
	case DCCP:
	case SCTP:
		return 12;
	default:
		return 8;
	}
}

uint32_t spec_checksum(const struct spec *spec)
{
	if (is_icmp(spec))
		return 2;
	if (spec->protocol == TCP)
		return 16;
	return spec->protocol == UDP || spec->protocol == UDP_LITE || spec->protocol == DCCP ? 6
											     : 0;
}

static uint16_t pseudo_sum(const struct spec *spec, uint32_t length)
{
	uint8_t bytes[40] = { 0 };
	uint32_t size = spec->version == 4 ? 4 : 16;

	memcpy(bytes, spec->source, size);
	memcpy(bytes + size, spec->destination, size);
	put16(bytes + 2 * size, (uint16_t)length);
	bytes[2 * size + 3] = spec->protocol;
	return naive_sum(bytes, 2 * size + 4, 0);
}

static void build_ip4(uint8_t *ip, const struct spec *spec, uint32_t length)
{
	uint32_t header = 20 + spec->options * 4u;

	ip[0] = (uint8_t)(0x40 | header / 4);
	ip[1] = 0x28;
	put16(ip + 2, (uint16_t)length);
	put16(ip + 4, spec->id);
	put16(ip + 6, 0x4000);
	ip[8] = spec->ttl;
	ip[9] = spec->protocol;
	memcpy(ip + 12, spec->source, 4);
	memcpy(ip + 16, spec->destination, 4);
	memset(ip + 20, 1, header - 20); /* no operation */
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~naive_sum(ip, header, 0));
}

static void build_ip6(uint8_t *ip, const struct spec *spec, uint32_t length)
{
	uint8_t *next = ip + 6;

	put32(ip, 0x60b12345);
	put16(ip + 4, (uint16_t)(length - 40));
	ip[7] = spec->ttl;
	memcpy(ip + 8, spec->source, 16);
	memcpy(ip + 24, spec->destination, 16);
	for (uint32_t i = 0; i < spec->options; i++) {
		uint8_t *extension = ip + 40 + i * 8;

		*next = i == 0 ? 0 : 60; /* hop-by-hop, then destination options */
		memset(extension, 0, 8);
		extension[2] = 1; /* PadN */
		extension[3] = 4;
		next = extension;
	}
	*next = spec->protocol;
}

static void build_transport(uint8_t *at, const struct spec *spec, uint32_t length)
{
	switch (spec->protocol) {
	case TCP:
		at[12] = 0x50;
		at[13] = ACK;
		break;
	case UDP:
		put16(at + 4, (uint16_t)length);
		break;
	case UDP_LITE:
		put16(at + 4, 0); /* covers all */
		return;
	case 1:
	case ICMP6:
		at[1] = 0;
		at[0] = spec->icmp_type;
		if (spec->icmp_type)
			return;
		at[0] = spec->version == 4 ? (spec->reply ? 0 : 8) : (spec->reply ? 129 : 128);
		put16(at + 4, spec->reply ? spec->destination_port : spec->source_port);
		return;
	default:
		return;
	}
	put16(at, spec->source_port);
	put16(at + 2, spec->destination_port);
}

/* Over what begins at `at`, its own field being zero. */
static void build_checksum(uint8_t *at, const struct spec *spec, uint32_t length)
{
	uint32_t field = spec_checksum(spec);
	uint16_t pseudo = is_icmp(spec) && spec->version == 4 ? 0 : pseudo_sum(spec, length);
	uint16_t sum;

	if (!field)
		return;
	put16(at + field, 0);
	if (spec->blank) {
		put16(at + field, pseudo);
		return;
	}
	sum = (uint16_t)~naive_sum(at, length, pseudo);
	if (!sum && (spec->protocol == UDP || spec->protocol == UDP_LITE))
		sum = 0xffff;
	put16(at + field, spec->protocol == UDP && spec->no_checksum ? 0 : sum);
}

static void build_frame(struct frame *frame, const struct spec *spec, uint32_t bytes)
{
	uint32_t transport = spec_transport(spec);

	frame->length = transport + bytes;
	frame->flags = spec->blank ? PACKET_CSUM_BLANK : 0;
	frame->gso_type = 0;
	frame->gso_size = 0;
	memset(frame->bytes, 0x11, 12);
	put16(frame->bytes + 12, spec->version == 4 ? 0x0800 : 0x86dd);
	if (spec->version == 4)
		build_ip4(frame->bytes + ETH, spec, frame->length - ETH);
	else
		build_ip6(frame->bytes + ETH, spec, frame->length - ETH);
}

void spec_build(struct frame *frame, const struct spec *spec)
{
	uint32_t length = spec_header(spec) + spec->payload;
	uint8_t *at = frame->bytes + spec_transport(spec);

	build_frame(frame, spec, length);
	for (uint32_t i = 0; i < length; i++)
		at[i] = (uint8_t)(i * 7 + spec->seed);
	build_transport(at, spec, length);
	build_checksum(at, spec, length);
}

void spec_build_error(struct frame *frame, const struct spec *outer, uint8_t type, uint8_t code,
		      const struct frame *about, uint32_t bytes)
{
	uint8_t *at = frame->bytes + spec_transport(outer);

	build_frame(frame, outer, 8 + bytes);
	memset(at, 0, 8);
	at[0] = type;
	at[1] = code;
	put16(at + 6, 1300);
	memcpy(at + 8, about->bytes + ETH, bytes);
	build_checksum(at, outer, 8 + bytes);
}

struct spec spec_mirror(const struct spec *spec)
{
	struct spec mirror = *spec;

	memcpy(mirror.source, spec->destination, 16);
	memcpy(mirror.destination, spec->source, 16);
	mirror.source_port = spec->destination_port;
	mirror.destination_port = spec->source_port;
	mirror.reply = !spec->reply;
	return mirror;
}

static bool has_ports(const struct spec *spec)
{
	return spec->protocol == TCP || spec->protocol == UDP || is_icmp(spec);
}

struct flow_tuple spec_tuple(const struct spec *spec, uint8_t interface)
{
	struct flow_tuple tuple = { .key = { .protocol = spec->protocol,
					     .interface = interface,
					     .version = spec->version } };

	if (has_ports(spec)) {
		tuple.key.source_port = be16_of(spec->source_port);
		tuple.key.destination_port = be16_of(spec->destination_port);
	}
	if (spec->version == 4) {
		memcpy(&tuple.key.source, spec->source, 4);
		memcpy(&tuple.key.destination, spec->destination, 4);
	} else {
		flow_tuple_set_source6(&tuple, (const struct ip6_address *)spec->source);
		flow_tuple_set_destination6(&tuple, (const struct ip6_address *)spec->destination);
	}
	return tuple;
}

static void random_address(uint64_t *state, uint8_t version, uint8_t *address)
{
	for (uint32_t i = 0; i < (version == 4 ? 4u : 16u); i++) /* many of them extreme */
		address[i] = unit_random(state) % 4 ? (uint8_t)unit_random(state)
						    : (uint8_t) - (int)(unit_random(state) % 2);
}

struct spec spec_random(uint64_t *state, uint32_t longest)
{
	static const uint8_t protocols[] = { TCP,  TCP, UDP, UDP,  0,	    0,
					     DCCP, GRE, ESP, SCTP, UDP_LITE };
	struct spec spec = { .version = unit_random(state) % 2 ? 4 : 6 };

	spec.protocol = protocols[unit_random(state) % sizeof(protocols)];
	if (!spec.protocol)
		spec.protocol = spec.version == 4 ? 1 : ICMP6;
	random_address(state, spec.version, spec.source);
	random_address(state, spec.version, spec.destination);
	spec.source_port = (uint16_t)(unit_random(state) % 65535 + 1);
	spec.destination_port = (uint16_t)(unit_random(state) % 65535 + 1);
	if (is_icmp(&spec)) {
		spec.reply = unit_random(state) % 2;
		*(spec.reply ? &spec.source_port : &spec.destination_port) = 0;
	}
	spec.blank = (spec.protocol == TCP || spec.protocol == UDP) && unit_random(state) % 3 == 0;
	spec.no_checksum = spec.protocol == UDP && !spec.blank && unit_random(state) % 4 == 0;
	spec.ttl = (uint8_t)(unit_random(state) % 254 + 2);
	spec.options = spec.version == 6 ? (uint8_t)(unit_random(state) % 3) : 0;
	spec.id = (uint16_t)unit_random(state);
	spec.payload = (uint32_t)(unit_random(state) % (longest + 1));
	spec.seed = (uint8_t)unit_random(state);
	return spec;
}

struct spec spec_translate(uint64_t *state, const struct spec *spec)
{
	struct spec to = *spec;
	uint32_t what = (uint32_t)(unit_random(state) % 3 + 1);

	if (what & 1)
		random_address(state, to.version, to.source);
	if (what & 2)
		random_address(state, to.version, to.destination);
	if (!has_ports(spec))
		return to;
	if (what & 1 && to.source_port)
		to.source_port = (uint16_t)(unit_random(state) % 65535 + 1);
	if (what & 2 && to.destination_port)
		to.destination_port = (uint16_t)(unit_random(state) % 65535 + 1);
	return to;
}

struct flow *test_flow_create(struct flow_table *table, const struct flow_tuple *original,
			      const struct flow_tuple *reply)
{
	struct flow *flow;

	const struct flow_request request = {
		.original = original,
		.reply = reply,
		.owner = original->key.interface,
		.state = FLOW_OTHER,
		.quota = UINT32_MAX,
		.quota6 = UINT32_MAX,
	};

	return flow_create(table, &request, 0, &flow) ? NULL : flow;
}

struct flow *test_flow(unsigned int which, const struct spec *arrives, const struct spec *leaves)
{
	static struct flow_table tables[2];
	static struct wheel wheels[2];
	static uint64_t memory[2][256];
	const uint8_t seed[RANDOM_SEED_BYTES] = { 1 };
	const struct flow_tuple original = spec_tuple(arrives, TEST_SIDE_IN);
	const struct flow_tuple left = spec_tuple(leaves, 0);
	const struct flow_tuple reply = flow_tuple_reverse(&left, TEST_SIDE_OUT);
	struct flow_table *table = &tables[which];
	struct random random;
	struct flow *flow;

	if (!table->total) {
		ck_assert_uint_le(flow_table_bytes(1, 1), sizeof(memory[0]));
		random_init(&random, seed);
		wheel_init(&wheels[which], 0);
		flow_table_init(table, memory[which], 1, 1, &wheels[which], &random);
	}
	flow_purge_all(table);
	flow = test_flow_create(table, &original, &reply);
	ck_assert_ptr_nonnull(flow);
	nat_prepare(flow);
	return flow;
}

void test_packet_begin(struct test_packet *packet, const struct frame *frame, uint32_t head)
{
	if (head > frame->length)
		head = frame->length;
	*packet = (struct test_packet){ .packet = { .data = malloc(head),
						    .length = frame->length,
						    .head_length = (uint16_t)head,
						    .flags = frame->flags } };
	memcpy(packet->packet.data, frame->bytes, head);
}

void test_packet_parse(struct test_packet *packet, uint8_t interface)
{
	enum drop_reason reason = DROP_REASON_COUNT;
	bool good = packet->packet.data[12] == 8
			    ? parse_ip4(&packet->packet, interface, &packet->info, &reason)
			    : parse_ip6(&packet->packet, interface, &packet->info, &reason);

	ck_assert_msg(good, "not parsed: %s", drop_name(reason));
}

void test_packet_end(struct test_packet *packet, struct frame *frame)
{
	memcpy(frame->bytes, packet->packet.data, packet->packet.head_length);
	free(packet->packet.data);
}

void expect_same(const struct frame *got, const struct frame *expected, const char *what)
{
	ck_assert_uint_eq(got->length, expected->length);
	if (memcmp(got->bytes, expected->bytes, got->length) == 0)
		return;
	for (uint32_t i = 0; i < got->length; i++)
		ck_assert_msg(got->bytes[i] == expected->bytes[i],
			      "%s: byte %u of %u is %02x instead of %02x (IPv%u, protocol %u)",
			      what, i, got->length, got->bytes[i], expected->bytes[i],
			      got->bytes[14] >> 4,
			      got->bytes[14] >> 4 == 4 ? got->bytes[23] : got->bytes[20]);
}
