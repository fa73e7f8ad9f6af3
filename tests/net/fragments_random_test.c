/* SPDX-License-Identifier: ISC */
/*
 * Random streams of fragments, compared step by step with a reassembler that knows
 * nothing but a map of bytes; and headers described from packets.
 */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/fragment_model.h"

#define KEYS 6u /* the even ones are IPv4 */

static struct fragment_model naive[KEYS];

/* Pieces of 64 bytes for the most part, so that some streams are whole; and all else. */
static struct test_fragment random_fragment(uint64_t *state, uint32_t key)
{
	struct test_fragment f = { .version = key % 2 ? 6 : 4, .id = key };
	uint64_t dice = unit_random(state) % 40;
	uint32_t pieces = 3 + key; /* of this datagram */
	uint32_t piece = (uint32_t)(unit_random(state) % pieces);

	f.protocol = key % 3 ? IP_PROTOCOL_UDP : IP_PROTOCOL_TCP;
	f.offset = piece * 64;
	f.length = 64;
	f.more = piece + 1 < pieces;
	if (dice == 0)
		f.length = (uint32_t)(unit_random(state) % 130);
	else if (dice == 1)
		f.offset = (uint32_t)(unit_random(state) % 80) * 8;
	else if (dice == 2)
		f.more = !f.more;
	else if (dice == 3)
		f.offset = 65440 + (uint32_t)(unit_random(state) % 12) * 8;
	else if (dice == 4 && unit_random(state) % 2)
		f.offset = 8 + 8 * (uint32_t)(unit_random(state) % 2);
	return f;
}

START_TEST(random_streams)
{
	uint64_t state = unit_seed() * 2 + 1;
	uint32_t results[FRAGMENT_WHOLE + 1] = { 0 };
	struct test_fragments *box = test_fragments_begin(NULL);

	for (unsigned int round = 0; round < 600; round++) {
		for (unsigned int key = 0; key < KEYS; key++)
			fragment_model_clear(&naive[key]);
		for (uint64_t n = 20 + unit_random(&state) % 60; n > 0; n--) {
			uint32_t key = (uint32_t)(unit_random(&state) % KEYS);
			struct test_fragment f = random_fragment(&state, key);
			enum fragment_result result;

			box->pass = unit_random(&state) % 5 != 0;
			box->log_count = 0;
			result = test_send(box, &f);
			results[result]++;
			fragment_model_step(box, &naive[key], &f, result);
			ck_assert(fragments_check(&box->table));
		}
		test_wait_ns(box, 16000000000ull);
		ck_assert_uint_eq(box->table.used, 0);
	}
	for (unsigned int i = 0; i <= FRAGMENT_WHOLE; i++)
		ck_assert_uint_gt(results[i], 20);
	test_fragments_end(box);
}
END_TEST

/* Shares so small that all evict all the time, and one sender who keeps within its own. */
START_TEST(random_streams_in_little_room)
{
	static const struct fragments_config little = {
		.entries = 16,
		.owners = TEST_OWNERS,
		.held_packets = 20,
		.held_bytes = 4000,
		.owner_entries = 4,
		.owner_held_packets = 5,
		.owner_held_bytes = 1000,
	};
	uint64_t state = unit_seed() * 2 + 1;
	struct test_fragments *box = test_fragments_begin(&little);

	for (uint32_t i = 0; i < 20000; i++) {
		struct test_fragment f =
			random_fragment(&state, (uint32_t)(unit_random(&state) % 5));

		f.owner = (uint8_t)(1 + unit_random(&state) % (TEST_OWNERS - 1));
		f.id = (uint32_t)(unit_random(&state) % 40);
		box->log_count = 0;
		(void)test_send(box, &f);
		test_wait_ns(box, unit_random(&state) % 100000000);
		if (i % 10 == 0) { /* the last first, so that they wait */
			box->log_count = 0;
			box->pass = true;
			for (uint32_t piece = 3; piece > 0; piece--) {
				f = udp_fragment(6, 1000 + i, (piece - 1) * 16, 16, piece < 3);
				ck_assert_uint_eq(test_send(box, &f),
						  piece > 1 ? FRAGMENT_HOLD : FRAGMENT_JUDGE);
			}
			ck_assert_uint_eq(box->log_count, 3);
		}
		ck_assert(fragments_check(&box->table));
	}
	test_fragments_end(box);
}
END_TEST

static uint8_t bytes[128];

static struct packet packet_of(uint32_t length)
{
	memset(bytes, 0, sizeof(bytes));
	return (struct packet){ .data = bytes, .length = length, .head_length = (uint16_t)length };
}

START_TEST(described_from_ip4)
{
	struct packet packet = packet_of(14 + 20 + 24);
	struct ip4_header *ip = (struct ip4_header *)(bytes + 14);
	struct fragment_info info;

	packet.l3_offset = 14;
	ip->source = be32_of(0x0a000001);
	ip->destination = be32_of(0x0a000002);
	ip->id = be16_of(0xbeef);
	ip->protocol = IP_PROTOCOL_UDP;
	ip->fragment = be16_of(IP4_MORE_FRAGMENTS | 185);
	fragments_describe_ip4(&packet, 3, &info);
	ck_assert_uint_eq(info.offset, 1480);
	ck_assert_uint_eq(info.length, 24);
	ck_assert_uint_eq(info.overhead, 20);
	ck_assert(info.more);
	ck_assert_uint_eq(info.protocol, IP_PROTOCOL_UDP);
	ck_assert_uint_eq(info.key.protocol, IP_PROTOCOL_UDP);
	ck_assert_uint_eq(info.key.id, 0xbeef);
	ck_assert_uint_eq(info.key.interface, 3);
	ck_assert_uint_eq(info.key.ip_version, 4);
	ck_assert(be32_equal(info.key.source.ip4, be32_of(0x0a000001)));
	ck_assert(be32_equal(info.key.destination.ip4, be32_of(0x0a000002)));
	ip->fragment = be16_of(IP4_DONT_FRAGMENT | IP4_OFFSET_MASK);
	fragments_describe_ip4(&packet, 3, &info);
	ck_assert_uint_eq(info.offset, 65528);
	ck_assert(!info.more);
}
END_TEST

START_TEST(described_from_ip6)
{
	struct packet packet = packet_of(54 + 8 + 8 + 8 + 16);
	struct packet_info parsed;
	struct fragment_info info;
	enum drop_reason reason;

	bytes[14] = 0x60;
	bytes[19] = 40;
	bytes[20] = IP6_DESTINATION_OPTIONS;
	bytes[22] = 0xfd;
	bytes[38] = 0xfc;
	bytes[54] = IP6_FRAGMENT;
	bytes[62] = IP6_DESTINATION_OPTIONS;
	bytes[65] = IP6_MORE_FRAGMENTS;
	bytes[69] = 5;
	bytes[70] = IP_PROTOCOL_UDP;
	bytes[81] = 53;
	bytes[83] = 200;
	ck_assert(parse_ip6(&packet, 3, &parsed, &reason));
	fragments_describe_ip6(&packet, &parsed, &info);
	ck_assert_uint_eq(info.offset, 0);
	ck_assert(info.more);
	ck_assert_uint_eq(info.length, 24); /* the options behind are of the datagram */
	ck_assert_uint_eq(info.overhead, 8);
	ck_assert_uint_eq(info.protocol, IP_PROTOCOL_UDP);
	ck_assert_uint_eq(info.key.protocol, 0);
	ck_assert_uint_eq(info.key.id, 5);
	ck_assert_uint_eq(info.key.ip_version, 6);
	ck_assert_uint_eq(info.key.source.ip6.bytes[0], 0xfd);
	ck_assert_uint_eq(info.key.destination.ip6.bytes[0], 0xfc);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, random_streams);
	tcase_add_test(cases, random_streams_in_little_room);
	tcase_add_test(cases, described_from_ip4);
	tcase_add_test(cases, described_from_ip6);
}

int main(void)
{
	return unit_main("fragments-random", add_cases);
}
