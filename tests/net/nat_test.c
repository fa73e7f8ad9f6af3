/* SPDX-License-Identifier: ISC */
/*
 * Rewriting, of packets of both versions: what comes out is what would have been built
 * with the new addresses, byte for byte, and so with all checksums right.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_nat.h"

#define ROUNDS 20000u

static struct frame frame, expected, other;

/* Sends `arrives` through the flow in `direction`; it must come out as `leaves`. */
static void pass(const struct flow *flow, enum flow_direction direction, const struct spec *arrives,
		 const struct spec *leaves, uint32_t head)
{
	struct test_packet packet;
	struct spec leaving = *leaves;
	uint32_t least = spec_transport(arrives) + spec_header(arrives);

	spec_build(&frame, arrives);
	leaving.ttl = (uint8_t)(arrives->ttl - 1);
	spec_build(&expected, &leaving);
	test_packet_begin(&packet, &frame, head < least ? least : head);
	test_packet_parse(&packet, TEST_SIDE_IN);
	ck_assert(nat_may_translate(&packet.info));
	nat_rewrite(&packet.packet, &packet.info, flow, direction);
	test_packet_end(&packet, &frame);
	expect_same(&frame, &expected, "rewritten");
	ck_assert_uint_eq(packet.packet.flags, expected.flags);
}

START_TEST(rewrites_as_if_built_anew)
{
	uint64_t state = unit_seed() | 1;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct spec arrives = spec_random(&state, i % 100 ? 90 : 3000);
		struct spec leaves = spec_translate(&state, &arrives);
		struct spec answer = spec_mirror(&leaves), back = spec_mirror(&arrives);
		uint32_t head = (uint32_t)(unit_random(&state) % 200);
		struct flow *flow;

		flow = test_flow(0, &arrives, &leaves);
		pass(flow, FLOW_ORIGINAL, &arrives, &leaves, head);
		pass(flow, FLOW_REPLY, &answer, &back, head);
	}
}
END_TEST

/* Forth and back through two routers that undo each other: all but the TTL is the same. */
START_TEST(there_and_back_is_the_same)
{
	uint64_t state = unit_seed() | 1;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct spec arrives = spec_random(&state, 60);
		struct spec leaves = spec_translate(&state, &arrives);
		struct spec aged = arrives;
		struct flow *there, *back;
		struct test_packet packet;

		if (arrives.ttl < 3)
			continue;
		there = test_flow(0, &arrives, &leaves);
		back = test_flow(1, &leaves, &arrives);
		spec_build(&frame, &arrives);
		aged.ttl = (uint8_t)(arrives.ttl - 2);
		spec_build(&expected, &aged);
		test_packet_begin(&packet, &frame, frame.length);
		test_packet_parse(&packet, TEST_SIDE_IN);
		nat_rewrite(&packet.packet, &packet.info, there, FLOW_ORIGINAL);
		test_packet_parse(&packet, TEST_SIDE_IN);
		nat_rewrite(&packet.packet, &packet.info, back, FLOW_ORIGINAL);
		test_packet_end(&packet, &frame);
		expect_same(&frame, &expected, "there and back");
	}
}
END_TEST

START_TEST(without_translation_only_the_ttl_changes)
{
	uint64_t state = unit_seed() | 1;

	for (uint32_t i = 0; i < 2000; i++) {
		struct spec arrives = spec_random(&state, 60);
		struct flow *flow;

		flow = test_flow(0, &arrives, &arrives);
		ck_assert_uint_eq(flow->address_delta, 0);
		ck_assert_uint_eq(flow->transport_delta, 0);
		pass(flow, FLOW_ORIGINAL, &arrives, &arrives, 0);
		flow->flags = 0;
		pass(flow, FLOW_ORIGINAL, &arrives, &arrives, 0);
	}
}
END_TEST

/* Every checksum that a UDP packet can have, also those next to 0 and ffff. */
START_TEST(udp_checksums_never_become_zero)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct spec arrives = { .version = version,
					.protocol = UDP,
					.ttl = 9,
					.source = { 10, 1 },
					.destination = { 10, 2 },
					.source_port = 5 };
		uint32_t edges = 0;

		for (uint32_t port = 1; port < 65536; port++) {
			struct spec leaves;
			struct flow *flow;
			uint16_t checksum;

			arrives.destination_port = (uint16_t)port;
			leaves = arrives;
			leaves.source[1] ^= 0x5a;
			flow = test_flow(0, &arrives, &leaves);
			pass(flow, FLOW_ORIGINAL, &arrives, &leaves, 0);
			checksum = get16(frame.bytes + spec_transport(&arrives) + 6);
			if (checksum == 0)
				ck_abort_msg("port %u", port);
			edges += checksum == 0xffff;
		}
		ck_assert_uint_eq(edges, 1);
	}
}
END_TEST

/* IPv4 addresses say nothing to ICMP's checksum, IPv6's do. */
START_TEST(differences_cover_what_checksums_cover)
{
	struct spec arrives = { .version = 4, .protocol = 1, .ttl = 9, .source_port = 7 }, leaves;
	struct flow *flow;

	leaves = arrives;
	leaves.source[2] = 1;
	flow = test_flow(0, &arrives, &leaves);
	ck_assert_uint_eq(flow->address_delta, be16_of(0x0100).raw);
	ck_assert_uint_eq(flow->transport_delta, 0);
	leaves.source_port = 9;
	flow = test_flow(0, &arrives, &leaves);
	ck_assert_uint_eq(flow->transport_delta, be16_of(2).raw);
	arrives.version = leaves.version = 6;
	arrives.protocol = leaves.protocol = ICMP6;
	flow = test_flow(0, &arrives, &leaves);
	ck_assert_uint_eq(flow->address_delta, be16_of(0x0100).raw);
	ck_assert_uint_eq(flow->transport_delta, be16_of(0x0102).raw);
}
END_TEST

START_TEST(authenticated_addresses_stay)
{
	struct packet_info info = { .key = { .version = 4, .protocol = TCP } };

	ck_assert(nat_may_translate(&info));
	info.key.protocol = 51;
	ck_assert(!nat_may_translate(&info));
	info.key.version = 6;
	info.key.protocol = TCP;
	ck_assert(nat_may_translate(&info));
	info.authenticated = true;
	ck_assert(!nat_may_translate(&info));
}
END_TEST

/* ICMP that is no echo has no identifier: its other bytes are its own. */
START_TEST(only_echoes_have_an_identifier)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct spec arrives = { .version = version,
					.protocol = version == 4 ? 1 : ICMP6,
					.icmp_type = version == 4 ? 13 : 144,
					.ttl = 9,
					.source = { 10, 1 },
					.destination = { 10, 2 },
					.payload = 12 };
		struct spec leaves = arrives;
		struct test_packet packet;
		struct flow *flow;

		leaves.source[0] = 77;
		flow = test_flow(0, &arrives, &leaves);
		leaves.ttl--;
		spec_build(&frame, &arrives);
		spec_build(&expected, &leaves);
		test_packet_begin(&packet, &frame, frame.length);
		test_packet_parse(&packet, TEST_SIDE_IN);
		ck_assert_uint_eq(packet.info.kind, PACKET_ICMP_OTHER);
		nat_rewrite(&packet.packet, &packet.info, flow, FLOW_ORIGINAL);
		test_packet_end(&packet, &frame);
		expect_same(&frame, &expected, "no echo");
	}
}
END_TEST

/* ---- Fragments ---- */

/* Cuts bytes [from, to) behind the headers of `whole` into a fragment with `id`. */
static void cut(struct frame *fragment, const struct spec *spec, const struct frame *whole,
		uint32_t from, uint32_t to, bool more, uint32_t id)
{
	uint32_t at = spec_transport(spec), extra = spec->version == 6 ? 8 : 0;
	uint8_t *ip = fragment->bytes + ETH;

	fragment->length = at + extra + to - from;
	fragment->flags = 0;
	memcpy(fragment->bytes, whole->bytes, at);
	memcpy(fragment->bytes + at + extra, whole->bytes + at + from, to - from);
	if (spec->version == 4) {
		put16(ip + 2, (uint16_t)(fragment->length - ETH));
		put16(ip + 4, (uint16_t)id);
		put16(ip + 6, (uint16_t)(from / 8 | (more ? 0x2000 : 0)));
		put16(ip + 10, 0);
		put16(ip + 10, (uint16_t)~naive_sum(ip, 20, 0));
		return;
	}
	put16(ip + 4, (uint16_t)(fragment->length - ETH - 40));
	/* The header before it names it; it names what the whole has there. */
	ip[spec->options ? 40 + (spec->options - 1) * 8 : 6] = 44;
	fragment->bytes[at] = spec->protocol;
	fragment->bytes[at + 1] = 0;
	put16(fragment->bytes + at + 2, (uint16_t)(from | more));
	put32(fragment->bytes + at + 4, id);
}

static union fragment_address address_of(const struct spec *spec, const uint8_t *bytes)
{
	union fragment_address address = { 0 };

	memcpy(&address, bytes, spec->version == 4 ? 4 : 16);
	return address;
}

/* The first as a packet, the later ones by their headers: together the whole, translated. */
START_TEST(fragments_make_the_translated_whole)
{
	uint64_t state = unit_seed() | 1;

	for (uint32_t round = 0; round < 3000; round++) {
		struct spec arrives = spec_random(&state, 900), leaves;
		uint32_t total, step, id = (uint32_t)unit_random(&state);
		uint32_t new_id = (uint32_t)unit_random(&state);
		struct flow *flow;
		uint32_t header;

		arrives.blank = false;
		leaves = spec_translate(&state, &arrives);
		flow = test_flow(0, &arrives, &leaves);
		leaves.ttl = (uint8_t)(arrives.ttl - 1);
		header = spec_transport(&arrives);
		total = spec_header(&arrives) + arrives.payload;
		step = 24 + (uint32_t)(unit_random(&state) % 50) * 8;
		for (uint32_t from = 0; from < total; from += step) {
			uint32_t to = from + step < total ? from + step : total;
			union fragment_address source = address_of(&leaves, leaves.source);
			union fragment_address destination =
				address_of(&leaves, leaves.destination);
			struct test_packet packet;

			spec_build(&other, &arrives);
			cut(&frame, &arrives, &other, from, to, to < total, id);
			spec_build(&other, &leaves);
			cut(&expected, &leaves, &other, from, to, to < total, new_id);
			test_packet_begin(&packet, &frame, from ? header + 8 : frame.length);
			packet.packet.l3_offset = ETH;
			packet.packet.l4_offset =
				(uint16_t)(header + (arrives.version == 6 ? 8 : 0));
			packet.info.key.version = arrives.version;
			if (from == 0) {
				nat_rewrite(&packet.packet, &packet.info, flow, FLOW_ORIGINAL);
				nat_set_fragment_id(&packet.packet, arrives.version,
						    (uint16_t)header, new_id);
			} else {
				nat_rewrite_fragment(&packet.packet, arrives.version,
						     (uint16_t)header, &source, &destination,
						     new_id);
			}
			test_packet_end(&packet, &frame);
			expect_same(&frame, &expected, from ? "later fragment" : "first fragment");
		}
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rewrites_as_if_built_anew);
	tcase_add_test(cases, there_and_back_is_the_same);
	tcase_add_test(cases, without_translation_only_the_ttl_changes);
	tcase_add_test(cases, udp_checksums_never_become_zero);
	tcase_add_test(cases, differences_cover_what_checksums_cover);
	tcase_add_test(cases, authenticated_addresses_stay);
	tcase_add_test(cases, only_echoes_have_an_identifier);
	tcase_add_test(cases, fragments_make_the_translated_whole);
}

int main(void)
{
	return unit_main("net/nat", add_cases);
}
