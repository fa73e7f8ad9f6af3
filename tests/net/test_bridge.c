/* SPDX-License-Identifier: ISC */
#include "tests/net/test_bridge.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/compiler.h"

#define HEAD_BYTES 192u /* that a frontend's driver copies */
#define QUOTE_BYTES 64u

struct test_bridge test_bridge;

static struct netdev *netdev_of(enum bridge_side side)
{
	return &box.link[side == BRIDGE_UPLINK ? 1 : 0];
}

void test_bridge_begin(const char *text, uint32_t flows)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 3, 1, 4 };
	struct bridge_filter_config config = { .flows = flows };
	struct rules_error error;

	box6_begin();
	memset(&test_bridge, 0, sizeof(test_bridge));
	strcpy(box.link[0].name, "client1.0");
	strcpy(box.link[1].name, "uplink0");
	if (text && ruleset_parse(text, strlen(text), &test_bridge.rules, &error))
		ck_abort_msg("rules, line %u: %s", error.line, error.message);
	random_init(&test_bridge.random, seed);
	test_bridge.memory = malloc(bridge_filter_memory_bytes(flows));
	config.rules = test_bridge.rules;
	config.memory = test_bridge.memory;
	config.random = &test_bridge.random;
	config.own = box.own;
	config.now_ns = box.now_ns;
	bridge_filter_init(&test_bridge.filter, &config);
}

void test_bridge_end(void)
{
	ck_assert(flow_table_is_valid(&test_bridge.filter.flows));
	ck_assert(fragments_check(&test_bridge.filter.fragments));
	bridge_filter_flush(&test_bridge.filter);
	ck_assert_uint_eq(test_bridge.filter.flows.used, 0);
	ck_assert_uint_eq(test_bridge.filter.fragments.used, 0);
	ck_assert_uint_eq(test_bridge.filter.wheel.armed, 0);
	ck_assert(list_is_empty(&test_bridge.filter.released));
	box6_end();
	ruleset_free(test_bridge.rules);
	free(test_bridge.memory);
}

void test_bridge_advance(uint64_t ns)
{
	uint64_t until = box.now_ns + ns;

	while (box.now_ns < until) {
		box.now_ns += 1ull << WHEEL_TICK_SHIFT;
		bridge_filter_set_now(&test_bridge.filter, box.now_ns);
		bridge_filter_run_timers(&test_bridge.filter);
	}
}

/* ---- what goes in and out ---- */

static void keep(struct packet *packet)
{
	struct box_frame *frame = &test_bridge.crossed[test_bridge.count++ % BRIDGE_KEEPS];

	ck_assert(packet_is_valid(packet));
	ck_assert_uint_le(packet->length, BOX_FRAME_MAX);
	ck_assert_uint_eq(packet->flags, test_bridge.flags);
	ck_assert_uint_eq(packet->gso_type, test_bridge.gso_type);
	ck_assert_uint_eq(packet->gso_size, test_bridge.gso_size);
	frame->length = packet->length;
	ck_assert_int_eq(packet_copy_out(packet, 0, frame->bytes, packet->length), 0);
	packet_free(packet);
}

static void collect(struct packet_vector *vector)
{
	for (uint32_t i = 0; i < vector->count; i++)
		keep(vector->packets[i]);
	vector->count = 0;
}

static struct packet *packet_of(enum bridge_side side, const struct box_frame *frame)
{
	uint32_t head = frame->length;
	struct packet *packet;

	if (side == BRIDGE_UPLINK && head > HEAD_BYTES && box.pages.free_count[IOPAGE_UPLINK_WRITE])
		head = HEAD_BYTES;
	packet = box6_packet(frame, head);
	packet->in = netdev_of(side);
	packet->flags = test_bridge.flags;
	packet->gso_type = test_bridge.gso_type;
	packet->gso_size = test_bridge.gso_size;
	return packet;
}

void test_bridge_send(enum bridge_side side, const struct box_frame *frames, uint32_t count)
{
	struct packet_vector vector = { .count = 0 };

	for (uint32_t i = 0; i < count; i++)
		packet_vector_add(&vector, packet_of(side, &frames[i]));
	bridge_filter_run(&test_bridge.filter, side, netdev_of(side), netdev_of(!side), &vector);
	do
		collect(&vector);
	while (bridge_filter_more(&test_bridge.filter, &vector));
	ck_assert_uint_le(test_bridge.count - test_bridge.taken, BRIDGE_KEEPS);
}

const struct box_frame *test_bridge_take(void)
{
	if (test_bridge.taken == test_bridge.count)
		return NULL;
	return &test_bridge.crossed[test_bridge.taken++ % BRIDGE_KEEPS];
}

void test_bridge_expect(const struct box_frame *frame)
{
	const struct box_frame *crossed = test_bridge_take();

	ck_assert_ptr_nonnull(crossed);
	ck_assert_uint_eq(crossed->length, frame->length);
	ck_assert_mem_eq(crossed->bytes, frame->bytes, frame->length);
}

/* What the packets' pool has counted, of this reason and in all. */
static uint64_t drops_in_all(void)
{
	uint64_t sum = 0;

	for (unsigned int r = 0; r < DROP_REASON_COUNT; r++)
		sum += box.packets.drops[r];
	return sum;
}

void test_bridge_crosses(enum bridge_side side, const struct box_frame *frame)
{
	uint64_t before[DROP_REASON_COUNT];

	memcpy(before, box.packets.drops, sizeof(before));
	test_bridge_send(side, frame, 1);
	for (unsigned int r = 0; r < DROP_REASON_COUNT; r++)
		if (box.packets.drops[r] != before[r])
			ck_abort_msg("dropped: %s", drop_name(r));
	test_bridge_expect(frame);
	ck_assert_ptr_null(test_bridge_take());
}

void test_bridge_stops(enum bridge_side side, const struct box_frame *frame,
		       enum drop_reason reason)
{
	uint64_t before[DROP_REASON_COUNT];

	memcpy(before, box.packets.drops, sizeof(before));
	test_bridge_send(side, frame, 1);
	for (unsigned int r = 0; r < DROP_REASON_COUNT; r++)
		if (r != reason && box.packets.drops[r] != before[r])
			ck_abort_msg("dropped: %s and not %s", drop_name(r), drop_name(reason));
	ck_assert_uint_eq(box.packets.drops[reason], before[reason] + 1);
	ck_assert_ptr_null(test_bridge_take());
}

void test_bridge_waits(enum bridge_side side, const struct box_frame *frame)
{
	uint64_t before = drops_in_all();
	uint32_t held = test_bridge.filter.fragments.held_packets;

	test_bridge_send(side, frame, 1);
	ck_assert_uint_eq(drops_in_all(), before);
	ck_assert_uint_gt(test_bridge.filter.fragments.held_packets, held); /* by pieces */
	ck_assert_ptr_null(test_bridge_take());
}

/* ---- frames ---- */

static bool is_ip4(const struct box_frame *frame)
{
	return get16(frame->bytes + 12) == 0x0800;
}

uint32_t bridge_start(const struct box_frame *frame)
{
	return is_ip4(frame) ? 34 : BOX_START;
}

static uint8_t protocol_of(const struct box_frame *frame)
{
	return frame->bytes[is_ip4(frame) ? 23 : 20];
}

void bridge_ip(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
	       uint8_t protocol)
{
	const uint8_t *mine = side == BRIDGE_CLIENTS ? box_peer_mac : box_other_mac;
	const uint8_t *other = side == BRIDGE_CLIENTS ? box_other_mac : box_peer_mac;

	if (strchr(from, ':')) {
		box6_frame(frame, mine, other, from, to, protocol);
		return;
	}
	memset(frame, 0, sizeof(*frame));
	memcpy(frame->bytes, other, 6);
	memcpy(frame->bytes + 6, mine, 6);
	put16(frame->bytes + 12, 0x0800);
	frame->bytes[14] = 0x45;
	frame->bytes[22] = 64;
	frame->bytes[23] = protocol;
	ck_assert_int_eq(inet_pton(AF_INET, from, frame->bytes + 26), 1);
	ck_assert_int_eq(inet_pton(AF_INET, to, frame->bytes + 30), 1);
	frame->length = 34;
}

static void finish_header4(struct box_frame *frame)
{
	put16(frame->bytes + 16, (uint16_t)(frame->length - 14));
	put16(frame->bytes + 24, 0);
	put16(frame->bytes + 24, (uint16_t)~naive_sum(frame->bytes + 14, 20, 0));
}

/* Nobody between two ends looks at a sum of TCP or UDP. */
void bridge_finish(struct box_frame *frame)
{
	uint8_t *icmp = frame->bytes + 34;

	if (!is_ip4(frame)) {
		box6_finish(frame);
		return;
	}
	finish_header4(frame);
	if (protocol_of(frame) != 1)
		return;
	put16(icmp + 2, 0);
	put16(icmp + 2, (uint16_t)~naive_sum(icmp, frame->length - 34, 0));
}

static void add_payload(struct box_frame *frame, uint32_t bytes)
{
	uint8_t *at = box6_add(frame, bytes);

	for (uint32_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(i * 5 + bytes);
}

void bridge_udp(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
		uint16_t source, uint16_t destination, uint32_t payload)
{
	uint8_t *udp;

	bridge_ip(frame, side, from, to, 17);
	udp = box6_add(frame, 8);
	put16(udp, source);
	put16(udp + 2, destination);
	put16(udp + 4, (uint16_t)(8 + payload));
	add_payload(frame, payload);
	bridge_finish(frame);
}

void bridge_tcp(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
		uint16_t source, uint16_t destination, uint8_t flags)
{
	uint8_t *tcp;

	bridge_ip(frame, side, from, to, 6);
	tcp = box6_add(frame, 20);
	put16(tcp, source);
	put16(tcp + 2, destination);
	put32(tcp + 4, flags & SYN ? 100 : 101);
	put32(tcp + 8, flags & ACK ? 101 : 0);
	tcp[12] = 0x50;
	tcp[13] = flags;
	put16(tcp + 14, 60000);
	bridge_finish(frame);
}

void bridge_echo(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
		 bool reply, uint16_t id)
{
	uint8_t *icmp;

	bridge_ip(frame, side, from, to, strchr(from, ':') ? 58 : 1);
	icmp = box6_add(frame, 8);
	if (is_ip4(frame))
		icmp[0] = reply ? 0 : 8;
	else
		icmp[0] = reply ? 129 : 128;
	put16(icmp + 4, id);
	add_payload(frame, 32);
	bridge_finish(frame);
}

void bridge_error(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
		  uint8_t type, uint8_t code, const struct box_frame *about)
{
	uint32_t quote = about->length - 14 < QUOTE_BYTES ? about->length - 14 : QUOTE_BYTES;
	uint8_t *icmp;

	bridge_ip(frame, side, from, to, strchr(from, ':') ? 58 : 1);
	icmp = box6_add(frame, 8);
	icmp[0] = type;
	icmp[1] = code;
	box6_append(frame, about->bytes + 14, quote);
	bridge_finish(frame);
}

void bridge_cut(struct box_frame *fragment, const struct box_frame *whole, uint32_t id,
		uint32_t offset, uint32_t length)
{
	uint32_t start = bridge_start(whole);
	bool more = start + offset + length < whole->length;
	uint8_t *header;

	*fragment = *whole;
	fragment->length = start;
	if (is_ip4(whole)) {
		put16(fragment->bytes + 18, (uint16_t)id);
		put16(fragment->bytes + 20, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
		box6_append(fragment, whole->bytes + start + offset, length);
		finish_header4(fragment);
		return;
	}
	fragment->bytes[20] = 44;
	header = box6_add(fragment, 8);
	header[0] = protocol_of(whole);
	put16(header + 2, (uint16_t)(offset | more));
	put32(header + 4, id);
	box6_append(fragment, whole->bytes + start + offset, length);
	put16(fragment->bytes + 18, (uint16_t)(fragment->length - BOX_START));
}
