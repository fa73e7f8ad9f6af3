/* SPDX-License-Identifier: ISC */
/*
 * Segments in any order: the examples of RFC 2018 and RFC 2883, overlaps, limits, what it
 * costs, and random ones against a map of bytes.
 */
#include "net/tcp_reassembly.h"

#include <string.h>

#include "net/tcp_core_segment.h"
#include "tests/host/unit.h"
#include "tests/net/tcp_reassembly_model.h"

#define SPANS 4096u
#define BASE 0x7ffff000u /* so that signs change on the way */

static struct tcp_span spans[SPANS];
static struct tcp_span_pool pool;
static struct tcp_reassembly_model model;
static struct tcp_reassembly reassembly;

static uint32_t written, write_limit = UINT32_MAX;

static uint32_t count_bytes(void *context, uint32_t sequence, uint32_t offset, uint32_t bytes)
{
	(void)context;
	(void)sequence;
	(void)offset;
	if (bytes > write_limit)
		bytes = write_limit;
	write_limit -= bytes;
	written += bytes;
	return bytes;
}

static void begin(uint32_t count, uint16_t limit, uint32_t next)
{
	tcp_span_pool_init(&pool, spans, count);
	tcp_reassembly_init(&reassembly, &pool, limit, next);
	written = 0;
	write_limit = UINT32_MAX;
}

/* A segment [from, to) in a window of 1 MiB. */
static struct tcp_arrival come(uint32_t from, uint32_t to)
{
	struct tcp_arrival arrival = tcp_reassembly_add(
		&reassembly, from, to - from, reassembly.next + (1 << 20), count_bytes, NULL);

	ck_assert(tcp_reassembly_is_valid(&reassembly));
	return arrival;
}

/* An acknowledgement of `next` with these blocks, up to the first that is empty. */
static void expect(uint32_t next, uint32_t b0, uint32_t e0, uint32_t b1, uint32_t e1, uint32_t b2,
		   uint32_t e2)
{
	struct tcp_sack_block wanted[] = { { b0, e0 }, { b1, e1 }, { b2, e2 } }, blocks[3];
	unsigned int count = tcp_reassembly_sacks(&reassembly, blocks, 3), at = 0;

	ck_assert_uint_eq(reassembly.next, next);
	for (; at < 3 && wanted[at].begin != wanted[at].end; at++) {
		ck_assert_uint_lt(at, count);
		ck_assert_uint_eq(blocks[at].begin, wanted[at].begin);
		ck_assert_uint_eq(blocks[at].end, wanted[at].end);
	}
	ck_assert_uint_eq(count, at);
}

static void expect1(uint32_t next, uint32_t b0, uint32_t e0)
{
	expect(next, b0, e0, 0, 0, 0, 0);
}

START_TEST(rfc9293_3_10_7_4_in_order_needs_no_range)
{
	struct tcp_arrival arrival;

	begin(0, 0, UINT32_MAX - 100);
	for (uint32_t i = 0; i < 1000; i++) {
		arrival = come(reassembly.next, reassembly.next + 1448);
		ck_assert_uint_eq(arrival.fresh, 1448);
		ck_assert_uint_eq(arrival.advanced, 1448);
		ck_assert(!arrival.ack_now);
	}
	expect1(UINT32_MAX - 100 + 1448000, 0, 0);
	arrival = come(reassembly.next, reassembly.next);
	ck_assert(!arrival.ack_now);
}
END_TEST

/* Eight segments of 500 bytes from 5000. */
START_TEST(rfc2018_5_case_2_the_first_is_lost)
{
	begin(SPANS, 100, 5000);
	for (uint32_t i = 1; i < 8; i++) {
		ck_assert(come(5000 + 500 * i, 5500 + 500 * i).ack_now);
		expect1(5000, 5500, 5500 + 500 * i);
	}
}
END_TEST

START_TEST(rfc2018_5_case_3_every_second_is_lost)
{
	begin(SPANS, 100, 5000);
	come(5000, 5500);
	expect1(5500, 0, 0);
	come(6000, 6500);
	expect1(5500, 6000, 6500);
	come(7000, 7500);
	expect(5500, 7000, 7500, 6000, 6500, 0, 0);
	come(8000, 8500);
	expect(5500, 8000, 8500, 7000, 7500, 6000, 6500);
	come(6500, 7000);
	expect(5500, 6000, 7500, 8000, 8500, 0, 0);
	ck_assert_uint_eq(come(5500, 6000).advanced, 2000);
	expect1(7500, 8000, 8500);
}
END_TEST

START_TEST(rfc2018_4_blocks_are_repeated_and_the_newest_is_first)
{
	struct tcp_sack_block blocks[4];

	begin(SPANS, 100, 0);
	for (uint32_t i = 1; i <= 6; i++)
		come(i * 1000, i * 1000 + 100);
	expect(0, 6000, 6100, 5000, 5100, 4000, 4100);
	expect(0, 6000, 6100, 5000, 5100, 4000, 4100);
	come(2100, 2200); /* at an old one's end */
	expect(0, 2000, 2200, 6000, 6100, 5000, 5100);
	come(900, 1000); /* in front of one */
	expect(0, 900, 1100, 2000, 2200, 6000, 6100);
	ck_assert_uint_eq(tcp_reassembly_sacks(&reassembly, blocks, 1), 1);
	ck_assert_uint_eq(blocks[0].begin, 900);
}
END_TEST

START_TEST(rfc5681_4_2_acknowledge_at_once_what_touches_a_hole)
{
	begin(SPANS, 100, 0);
	ck_assert(!come(0, 100).ack_now);
	ck_assert(come(200, 300).ack_now);  /* above a hole */
	ck_assert(come(100, 150).ack_now);  /* a part of it */
	ck_assert(come(150, 200).ack_now);  /* all of it */
	ck_assert(!come(300, 400).ack_now); /* none is left */
	ck_assert(come(300, 400).ack_now);  /* twice */
	ck_assert(tcp_reassembly_add(&reassembly, 400, 10, 405, count_bytes, NULL).ack_now);
}
END_TEST

START_TEST(rfc2883_4_1_1_a_segment_twice)
{
	begin(SPANS, 100, 3000);
	come(3000, 3500);
	come(3500, 4000);
	ck_assert_uint_eq(come(3000, 3500).duplicate, 500);
	expect1(4000, 3000, 3500);
	expect1(4000, 0, 0); /* said once */
}
END_TEST

START_TEST(rfc2883_4_1_2_out_of_order_and_a_duplicate)
{
	begin(SPANS, 100, 3000);
	come(3000, 3500);
	come(4000, 4500);
	expect1(3500, 4000, 4500);
	come(4500, 5000);
	expect1(3500, 4000, 5000);
	come(3000, 3500);
	expect(3500, 3000, 3500, 4000, 5000, 0, 0);
	expect1(3500, 4000, 5000);
}
END_TEST

START_TEST(rfc2883_4_1_3_a_duplicate_of_what_was_out_of_order)
{
	begin(SPANS, 100, 3500);
	come(3500, 4000);
	come(4500, 5000);
	come(5000, 5500);
	come(5500, 6000);
	expect1(4000, 4500, 6000);
	come(7000, 7500);
	come(5000, 5500);
	expect(4000, 5000, 5500, 4500, 6000, 7000, 7500);
}
END_TEST

START_TEST(rfc2883_4_2_1_a_part_of_a_segment_twice)
{
	begin(SPANS, 100, 500);
	come(500, 1000);
	come(1500, 2000);
	come(2000, 2500);
	expect1(1000, 1500, 2500);
	come(1000, 2000); /* in place of a delayed 1000-1500 */
	expect1(2500, 1500, 2000);
	come(1000, 1500);
	expect1(2500, 1000, 1500);
}
END_TEST

START_TEST(rfc2883_4_2_2_only_the_first_of_two_parts)
{
	struct tcp_arrival arrival;

	begin(SPANS, 100, 500);
	come(500, 1000);
	come(1500, 2000);
	come(2500, 3000);
	arrival = come(500, 3500);
	ck_assert_uint_eq(arrival.duplicate, 1500);
	ck_assert_uint_eq(arrival.fresh, 1500);
	ck_assert_uint_eq(arrival.advanced, 2500);
	expect1(3500, 500, 1000);
}
END_TEST

START_TEST(rfc2883_4_2_3_two_parts_above_the_acknowledgement)
{
	begin(SPANS, 100, 1000);
	come(1500, 2000);
	come(2500, 3000);
	come(1500, 3500);
	expect(1000, 1500, 2000, 1500, 3500, 0, 0);
}
END_TEST

START_TEST(rfc2883_4_not_said_when_there_is_no_room)
{
	struct tcp_sack_block block;

	begin(SPANS, 100, 1000);
	come(900, 1000);
	ck_assert_uint_eq(tcp_reassembly_sacks(&reassembly, &block, 0), 0);
	ck_assert_uint_eq(tcp_reassembly_sacks(&reassembly, &block, 1), 1);
	ck_assert_uint_eq(block.begin, 900);
	ck_assert_uint_eq(tcp_reassembly_sacks(&reassembly, &block, 1), 0);
}
END_TEST

/* ---- the window ---- */

START_TEST(rfc9293_3_10_7_4_only_what_is_in_the_window)
{
	static const uint32_t nexts[] = { 0, 1000, 0x7fffff00, 0x80000000, UINT32_MAX - 10 };

	for (unsigned int i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
		uint32_t next = nexts[i];
		/* begin, bytes, fresh, duplicate, outside in a window of 100 */
		const uint32_t cases[][5] = {
			{ 0, 100, 100, 0, 0 },
			{ 0, 101, 100, 0, 1 },
			{ 99, 10, 1, 0, 9 },
			{ 100, 10, 0, 0, 10 },
			{ 5000, 10, 0, 0, 10 },
			{ 0x40000000, 10, 0, 0, 10 },
			{ 0x7fffffff, 10, 0, 0, 10 },
			{ 0x80000000, 10, 0, 10, 0 }, /* as far before as behind */
			{ 0x80000001, 10, 0, 10, 0 },
			{ (uint32_t)-1, 1, 0, 1, 0 },
			{ (uint32_t)-10, 200, 100, 10, 90 },
			{ (uint32_t)-10, 10, 0, 10, 0 },
			{ (uint32_t)-10, 11, 1, 10, 0 },
			{ (uint32_t)-10, 0, 0, 0, 0 },
			{ 50, 10, 10, 0, 0 },
		};

		for (unsigned int c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
			const uint32_t *wanted = cases[c];
			struct tcp_arrival arrival;

			begin(SPANS, 10, next);
			arrival = tcp_reassembly_add(&reassembly, next + wanted[0], wanted[1],
						     next + 100, count_bytes, NULL);
			ck_assert_uint_eq(arrival.fresh, wanted[2]);
			ck_assert_uint_eq(arrival.duplicate, wanted[3]);
			ck_assert_uint_eq(arrival.outside, wanted[4]);
			ck_assert_uint_eq(arrival.refused, 0);
			ck_assert_uint_eq(written, wanted[2]);
			ck_assert(tcp_reassembly_is_valid(&reassembly));
		}
	}
}
END_TEST

START_TEST(rfc9293_3_8_6_1_nothing_enters_a_closed_window)
{
	struct tcp_arrival arrival;

	begin(SPANS, 10, 1000);
	arrival = tcp_reassembly_add(&reassembly, 1000, 1, 1000, count_bytes, NULL);
	ck_assert_uint_eq(arrival.outside, 1);
	ck_assert(arrival.ack_now);
	ck_assert_uint_eq(written, 0);
}
END_TEST

/* ---- limits ---- */

START_TEST(a_connection_has_no_more_ranges_than_its_limit)
{
	struct tcp_arrival arrival;

	begin(SPANS, 8, 0);
	for (uint32_t i = 1; i <= 8; i++)
		ck_assert_uint_eq(come(i * 10, i * 10 + 5).refused, 0);
	arrival = come(200, 205);
	ck_assert_uint_eq(arrival.refused, 5);
	ck_assert(arrival.ack_now);
	ck_assert_uint_eq(come(85, 88).fresh, 3);   /* goes on */
	ck_assert_uint_eq(come(75, 80).fresh, 5);   /* joins two */
	ck_assert_uint_eq(come(200, 205).fresh, 5); /* so there is one again */
	ck_assert_uint_eq(come(0, 10).advanced, 15);
	ck_assert_uint_eq(reassembly.count, 7);
}
END_TEST

START_TEST(in_order_goes_on_without_any_memory_for_ranges)
{
	begin(0, 100, 0);
	ck_assert_uint_eq(come(10, 20).refused, 10);
	ck_assert_uint_eq(come(0, 10).advanced, 10);
	ck_assert_uint_eq(come(10, 20).advanced, 10);
}
END_TEST

START_TEST(no_connection_takes_the_last_range)
{
	static struct tcp_reassembly others[200];
	uint32_t greedy = 0;

	begin(256, 1000, 0);
	while (come(greedy * 10 + 10, greedy * 10 + 15).fresh)
		greedy++;
	ck_assert_uint_eq(greedy, 128); /* half of all */
	for (uint32_t i = 0; i < 128; i++) {
		tcp_reassembly_init(&others[i], &pool, 1000, 0);
		ck_assert_uint_eq(
			tcp_reassembly_add(&others[i], 10, 5, 100, count_bytes, NULL).fresh, 5);
	}
	ck_assert_uint_eq(pool.free_count, 0);
	tcp_reassembly_clear(&reassembly);
	ck_assert_uint_eq(pool.free_count, 128);
	for (uint32_t i = 0; i < 128; i++)
		tcp_reassembly_clear(&others[i]);
	ck_assert_uint_eq(pool.free_count, pool.total);
	ck_assert(tcp_reassembly_is_valid(&reassembly));
}
END_TEST

START_TEST(short_memory_for_bytes_keeps_what_was_written)
{
	struct tcp_arrival arrival;

	begin(SPANS, 100, 0);
	write_limit = 4;
	arrival = come(0, 10);
	ck_assert_uint_eq(arrival.fresh, 4);
	ck_assert_uint_eq(arrival.refused, 6);
	ck_assert_uint_eq(reassembly.next, 4);
	come(20, 30);
	expect1(4, 0, 0);
	write_limit = 4;
	come(20, 30);
	expect1(4, 20, 24);
	write_limit = 3;
	come(10, 20); /* does not reach what is behind it */
	expect(4, 10, 13, 20, 24, 0, 0);
	write_limit = 0;
	ck_assert_uint_eq(come(4, 40).refused, 36);
	ck_assert_uint_eq(reassembly.next, 4);
}
END_TEST

/* ---- cost ---- */

/* 1.4405 * log2(n + 2), rounded up, for n spans. */
static unsigned int height_bound(uint32_t n)
{
	unsigned int thousandths = 0;

	for (uint64_t power = 1; power < n + 2; power *= 2)
		thousandths += 1441;
	return (thousandths + 999) / 1000;
}

/* The i-th of n places in each of the orders that hurt trees. */
static uint32_t place_in(unsigned int order, uint32_t i, uint32_t n)
{
	switch (order) {
	case 0:
		return i;
	case 1:
		return n - 1 - i;
	case 2: /* from both ends inwards */
		return i % 2 ? n - 1 - i / 2 : i / 2;
	case 3: /* from the middle outwards */
		return i % 2 ? n / 2 + i / 2 : n / 2 - 1 - i / 2;
	default: /* far apart */
		return (uint32_t)((uint64_t)i * 2654435761u % n);
	}
}

START_TEST(any_order_keeps_the_tree_low)
{
	for (unsigned int order = 0; order < 5; order++) {
		for (unsigned int filling = 0; filling < 5; filling++) {
			begin(SPANS, UINT16_MAX, BASE);
			for (uint32_t i = 0; i < SPANS / 2; i++) {
				uint32_t at = place_in(order, i, SPANS / 2);

				tcp_reassembly_add(&reassembly, BASE + 2 * at + 1, 1,
						   BASE + (1 << 20), count_bytes, NULL);
				ck_assert_uint_le(reassembly.root->height, height_bound(i + 1));
			}
			ck_assert_uint_eq(reassembly.count, SPANS / 2);
			ck_assert(tcp_reassembly_is_valid(&reassembly));
			for (uint32_t i = 0; i < SPANS / 2; i++) {
				uint32_t at = place_in(filling, i, SPANS / 2);

				tcp_reassembly_add(&reassembly, BASE + 2 * at, 1, BASE + (1 << 20),
						   count_bytes, NULL);
				if (i % 64 == 0)
					ck_assert(tcp_reassembly_is_valid(&reassembly));
				if (reassembly.root)
					ck_assert_uint_le(reassembly.root->height,
							  height_bound(reassembly.count));
			}
			ck_assert_uint_eq(reassembly.next, BASE + SPANS);
			ck_assert_uint_eq(pool.free_count, pool.total);
		}
	}
}
END_TEST

START_TEST(one_segment_over_all_ranges)
{
	begin(SPANS, UINT16_MAX, 0);
	for (uint32_t i = 0; i < SPANS / 2; i++)
		come(2 * i + 1, 2 * i + 2);
	ck_assert_uint_eq(come(0, SPANS).fresh, SPANS / 2);
	ck_assert_uint_eq(reassembly.next, SPANS);
	ck_assert_uint_eq(pool.free_count, pool.total);
}
END_TEST

/* ---- random ---- */

static void random_round(uint64_t *state, uint32_t most, uint32_t window, bool short_memory)
{
	while (model.next < TCP_MODEL_BYTES && unit_random(state) % 400) {
		int32_t at =
			(int32_t)model.next - 40 + (int32_t)(unit_random(state) % (window + 60));
		uint32_t bytes = (uint32_t)(unit_random(state) % most);

		if (unit_random(state) % 8 == 0)
			at = (int32_t)model.next;
		model.memory = short_memory && unit_random(state) % 4 == 0
				       ? (uint32_t)(unit_random(state) % most)
				       : UINT32_MAX;
		tcp_reassembly_model_add(&model, at, bytes, window, (uint8_t)unit_random(state));
		if (unit_random(state) % 3)
			tcp_reassembly_model_sacks(&model, (unsigned int)(unit_random(state) % 5));
	}
}

START_TEST(random_segments)
{
	uint64_t state = unit_seed() * 2 + 1;
	uint32_t whole = 0;

	for (unsigned int round = 0; round < 60; round++) {
		static const uint16_t limits[] = { 0, 1, 3, 16, 200 };
		static const uint32_t pools[] = { 0, 2, 7, 64, SPANS };
		uint32_t most = 2 + (uint32_t)(unit_random(&state) % 200);

		tcp_span_pool_init(&pool, spans, pools[unit_random(&state) % 5]);
		tcp_reassembly_model_begin(&model, &pool, limits[unit_random(&state) % 5],
					   (uint32_t)unit_random(&state));
		if (round % 3 == 0)
			model.base = model.reassembly.next = UINT32_MAX - 500;
		random_round(&state, most, 30 + (uint32_t)(unit_random(&state) % 600),
			     round % 4 == 0);
		whole += model.next;
		tcp_reassembly_clear(&model.reassembly);
		ck_assert_uint_eq(pool.free_count, pool.total);
	}
	ck_assert_uint_gt(whole, 10000);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc9293_3_10_7_4_in_order_needs_no_range);
	tcase_add_test(cases, rfc2018_5_case_2_the_first_is_lost);
	tcase_add_test(cases, rfc2018_5_case_3_every_second_is_lost);
	tcase_add_test(cases, rfc2018_4_blocks_are_repeated_and_the_newest_is_first);
	tcase_add_test(cases, rfc5681_4_2_acknowledge_at_once_what_touches_a_hole);
	tcase_add_test(cases, rfc2883_4_1_1_a_segment_twice);
	tcase_add_test(cases, rfc2883_4_1_2_out_of_order_and_a_duplicate);
	tcase_add_test(cases, rfc2883_4_1_3_a_duplicate_of_what_was_out_of_order);
	tcase_add_test(cases, rfc2883_4_2_1_a_part_of_a_segment_twice);
	tcase_add_test(cases, rfc2883_4_2_2_only_the_first_of_two_parts);
	tcase_add_test(cases, rfc2883_4_2_3_two_parts_above_the_acknowledgement);
	tcase_add_test(cases, rfc2883_4_not_said_when_there_is_no_room);
	tcase_add_test(cases, rfc9293_3_10_7_4_only_what_is_in_the_window);
	tcase_add_test(cases, rfc9293_3_8_6_1_nothing_enters_a_closed_window);
	tcase_add_test(cases, a_connection_has_no_more_ranges_than_its_limit);
	tcase_add_test(cases, in_order_goes_on_without_any_memory_for_ranges);
	tcase_add_test(cases, no_connection_takes_the_last_range);
	tcase_add_test(cases, short_memory_for_bytes_keeps_what_was_written);
	tcase_add_test(cases, any_order_keeps_the_tree_low);
	tcase_add_test(cases, one_segment_over_all_ranges);
	tcase_add_test(cases, random_segments);
}

int main(void)
{
	return unit_main("net/tcp_reassembly", add_cases);
}
