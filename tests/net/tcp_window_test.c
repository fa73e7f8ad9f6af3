/* SPDX-License-Identifier: ISC */
/* The receive window: what is offered and when, how it grows, and whose memory it is. */
#include "net/tcp_window.h"

#include <string.h>

#include "net/tcp_core_segment.h"
#include "tests/host/unit.h"

#define MIB (1u << 20)
#define MS 1000000ull

static struct tcp_window_budget budget;
static struct tcp_window window;

static void begin(uint32_t initial, uint32_t max, uint8_t scale, uint16_t mss, uint32_t next)
{
	budget = (struct tcp_window_budget){ .total = 1ull << 30 };
	tcp_window_init(&window, &budget, initial, max, scale, mss, next);
}

START_TEST(rfc7323_2_3_the_smallest_scale_that_will_do)
{
	ck_assert_uint_eq(tcp_window_scale(0), 0);
	ck_assert_uint_eq(tcp_window_scale(65535), 0);
	ck_assert_uint_eq(tcp_window_scale(65536), 1);
	ck_assert_uint_eq(tcp_window_scale(2 * 65535), 1);
	ck_assert_uint_eq(tcp_window_scale(MIB), 5);
	ck_assert_uint_eq(tcp_window_scale(TCP_WINDOW_MAX), 14);
	ck_assert_uint_eq(tcp_window_scale(UINT32_MAX), 14);
}
END_TEST

START_TEST(rfc7323_2_2_no_scale_in_a_syn)
{
	begin(100000, MIB, 5, 1460, 1000);
	ck_assert_uint_eq(tcp_window_offer(&window, 1000, 0, true), 65535);
	ck_assert_uint_eq(tcp_window_right(&window), 1000 + 65535);
	ck_assert_uint_eq(tcp_window_offer(&window, 1000, 0, false), 100000 / 32);
	ck_assert_uint_eq(tcp_window_right(&window), 1000 + 100000);
}
END_TEST

START_TEST(rfc7323_2_2_without_scaling_at_most_65535)
{
	begin(MIB, MIB, 0, 1460, 0);
	ck_assert_uint_eq(window.limit, 65535);
	ck_assert_uint_eq(tcp_window_offer(&window, 0, 0, false), 65535);
}
END_TEST

START_TEST(rfc9293_3_8_6_the_right_edge_stays_while_nothing_is_read)
{
	begin(10000, 10000, 0, 1000, 0);
	ck_assert_uint_eq(tcp_window_offer(&window, 0, 0, false), 10000);
	for (uint32_t next = 1000; next <= 10000; next += 1000) {
		ck_assert_uint_eq(tcp_window_offer(&window, next, next, false), 10000 - next);
		ck_assert_uint_eq(tcp_window_right(&window), 10000);
	}
}
END_TEST

START_TEST(rfc9293_3_8_6_2_2_a_closed_window_opens_by_a_segment)
{
	begin(10000, 10000, 0, 1000, 0);
	(void)tcp_window_offer(&window, 0, 0, false);
	(void)tcp_window_offer(&window, 10000, 10000, false);
	for (uint32_t read = 0; read < 1000; read += 100) {
		ck_assert(!tcp_window_wants_update(&window, 10000, 10000 - read));
		ck_assert_uint_eq(tcp_window_offer(&window, 10000, 10000 - read, false), 0);
	}
	ck_assert(tcp_window_wants_update(&window, 10000, 9000));
	ck_assert_uint_eq(tcp_window_offer(&window, 10000, 9000, false), 1000);
	ck_assert(!tcp_window_wants_update(&window, 10000, 9000));
}
END_TEST

START_TEST(rfc9293_3_8_6_2_2_or_by_half_of_a_small_buffer)
{
	begin(1000, 1000, 0, 1000, 0);
	(void)tcp_window_offer(&window, 0, 0, false);
	ck_assert_uint_eq(tcp_window_offer(&window, 1000, 501, false), 0);
	ck_assert(!tcp_window_wants_update(&window, 1000, 501));
	ck_assert(tcp_window_wants_update(&window, 1000, 500));
	ck_assert_uint_eq(tcp_window_offer(&window, 1000, 500, false), 500);
}
END_TEST

START_TEST(rfc9293_3_8_6_2_2_an_open_window_is_not_moved_for_each_read)
{
	begin(100000, 100000, 1, 1000, 0);
	(void)tcp_window_offer(&window, 0, 0, false);
	/* 10,000 have come and been read: 90,000 are still offered. */
	ck_assert(!tcp_window_wants_update(&window, 10000, 0));
	ck_assert(tcp_window_wants_update(&window, 25000, 0)); /* a quarter */
	/* Little is left: two segments are enough. */
	ck_assert(!tcp_window_wants_update(&window, 95000, 95000 - 1000));
	ck_assert(tcp_window_wants_update(&window, 95000, 95000 - 2000));
}
END_TEST

/* RFC 7323, 2.4: what is left is no multiple of the unit. */
START_TEST(rfc7323_2_4_what_was_offered_is_taken_even_if_it_cannot_be_said)
{
	begin(128000, 128000, 7, 1000, 0);
	ck_assert_uint_eq(tcp_window_offer(&window, 0, 0, false), 1000);
	ck_assert_uint_eq(tcp_window_offer(&window, 1, 1, false), 999);
	ck_assert_uint_eq(tcp_window_right(&window), 128000);
	/* With room behind it, it is rounded up and nothing seems to shrink. */
	ck_assert_uint_eq(tcp_window_offer(&window, 200, 0, false), 999);
	ck_assert_uint_eq(tcp_window_right(&window), 200 + 999 * 128);
}
END_TEST

START_TEST(budget_is_shared_and_comes_back)
{
	struct tcp_window others[100];

	budget = (struct tcp_window_budget){ .total = 100000 };
	for (unsigned int i = 0; i < 100; i++)
		tcp_window_init(&others[i], &budget, 4000, MIB, 0, 500, 0);
	ck_assert_uint_eq(others[0].limit, 4000);
	ck_assert_uint_eq(others[24].limit, 4000);
	ck_assert_uint_eq(others[25].limit, 500); /* a segment, so that it works */
	ck_assert_uint_eq(budget.used, 25 * 4000 + 75 * 500);
	for (unsigned int i = 0; i < 100; i++)
		tcp_window_release(&others[i]);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(a_scale_never_makes_the_window_unspeakable)
{
	budget = (struct tcp_window_budget){ .total = 0 };
	tcp_window_init(&window, &budget, 100, TCP_WINDOW_MAX, 14, 536, 0);
	ck_assert_uint_eq(tcp_window_offer(&window, 0, 0, false), 1);
	ck_assert_uint_eq(tcp_window_offer(&window, 16384, 16384, false), 0);
	ck_assert(tcp_window_wants_update(&window, 16384, 0));
	ck_assert_uint_eq(tcp_window_offer(&window, 16384, 0, false), 1);
}
END_TEST

/* Reads `rate` bytes in each of `rounds` round trips of 10 ms, in ten parts. */
static uint64_t read_for(unsigned int rounds, uint32_t rate, uint64_t now)
{
	for (unsigned int i = 0; i < 10 * rounds; i++)
		tcp_window_read(&window, rate / 10, 10 * MS, now += MS);
	return now;
}

START_TEST(the_limit_follows_what_is_read_in_a_round_trip)
{
	uint64_t now = 1;

	begin(65536, 4 * MIB, 7, 1460, 0);
	now = read_for(5, 15000, now);
	ck_assert_uint_eq(window.limit, 65536); /* it is enough */
	now = read_for(5, 65000, now);
	ck_assert_uint_ge(window.limit, 2 * 65000);
	ck_assert_uint_le(window.limit, 2 * 75000 + 16 * 1460);
	now = read_for(5, MIB, now);
	ck_assert_uint_ge(window.limit, 2 * MIB);
	now = read_for(5, 4 * MIB, now);
	ck_assert_uint_eq(window.limit, 4 * MIB);
	ck_assert_uint_eq(budget.used, 4 * MIB);
	(void)read_for(5, 10, now);
	ck_assert_uint_eq(window.limit, 4 * MIB); /* by itself it does not shrink */
}
END_TEST

START_TEST(long_silence_is_not_taken_for_one_round_trip)
{
	begin(65536, 4 * MIB, 7, 1460, 0);
	tcp_window_read(&window, 1, 10 * MS, 1);
	tcp_window_read(&window, 60000, 10 * MS, 1 + 1000 * MS);
	tcp_window_read(&window, 60000, 10 * MS, 1 + 2000 * MS);
	ck_assert_uint_eq(window.limit, 65536);
}
END_TEST

START_TEST(growing_leaves_a_quarter_of_the_budget)
{
	begin(65536, 64 * MIB, 14, 1460, 0);
	budget.total = MIB;
	(void)read_for(10, 16 * MIB, 1);
	ck_assert_uint_eq(budget.used, MIB - MIB / 4);
	ck_assert_uint_eq(window.limit, MIB - MIB / 4);
}
END_TEST

/* The handshake took a moment, but the path has queues: what is read in 50 ms counts. */
START_TEST(the_round_trip_is_that_of_timestamps_rather_than_of_the_handshake)
{
	uint64_t now = 1000 * MS;

	begin(65535, MIB, 5, 1400, 0);
	(void)tcp_window_offer(&window, 0, 0, false);
	tcp_window_received(&window, 1400, 50 * MS, now);
	(void)tcp_window_offer(&window, 1400, 0, false);
	tcp_window_received(&window, 65535, 50 * MS, now += 50 * MS);
	ck_assert_uint_eq(window.rtt_ns, 50 * MS);
	tcp_window_read(&window, 1, MS / 100, now);
	tcp_window_read(&window, 60000, MS / 100, now += 51 * MS);
	ck_assert_uint_ge(window.limit, 120000);
}
END_TEST

START_TEST(the_round_trip_is_measured_by_windows)
{
	uint32_t next = 0;
	uint64_t now = 1000;

	begin(10000, MIB, 4, 1000, 0);
	for (unsigned int i = 0; i < 200; i++) { /* ten segments each 20 ms */
		(void)tcp_window_offer(&window, next, 0, false);
		tcp_window_received(&window, next, 0, now);
		next += 1000;
		if (i % 10 == 9)
			now += 20 * MS;
	}
	ck_assert_uint_ge(window.rtt_ns, 20 * MS);
	ck_assert_uint_le(window.rtt_ns, 41 * MS);
	/* And that is what growing goes by. */
	tcp_window_read(&window, 10000, 0, now);
	tcp_window_read(&window, 10000, 0, now + 41 * MS);
	ck_assert_uint_gt(window.limit, 10000);
}
END_TEST

START_TEST(trimming_breaks_no_promise)
{
	begin(10000, MIB, 4, 1000, 0);
	(void)read_for(5, 100000, 1);
	ck_assert_uint_gt(window.limit, 200000);
	(void)tcp_window_offer(&window, 0, 0, false);
	ck_assert_uint_le(tcp_window_trim(&window, 0, 0), 15); /* all is promised */
	(void)tcp_window_trim(&window, 150000, 20000);
	ck_assert_uint_ge(window.limit, tcp_window_right(&window) - 130000);
	ck_assert_uint_gt(tcp_window_trim(&window, tcp_window_right(&window), 0), 0);
	ck_assert_uint_eq(window.limit, 10000);
	ck_assert_uint_eq(budget.used, 10000);
}
END_TEST

/* ---- random ---- */

struct stream {
	uint32_t next, queued, offered; /* offered: the right edge as the peer knows it */
	uint64_t now;
};

/* What must hold after each offer. */
static void offer(struct stream *stream)
{
	uint32_t before = tcp_window_right(&window), room = window.limit - stream->queued;
	uint32_t field = tcp_window_offer(&window, stream->next, stream->queued, false);
	uint32_t said = stream->next + (field << window.scale);

	if (tcp_before(tcp_window_right(&window), before))
		ck_abort_msg("the right edge went back");
	if (tcp_after(said, tcp_window_right(&window)))
		ck_abort_msg("more was said than is taken");
	if (tcp_before(said + (1u << window.scale) - 1, before) && field < 65535)
		ck_abort_msg("more than a unit was taken back");
	if (tcp_after(tcp_window_right(&window), stream->next + room))
		ck_abort_msg("more was promised than there is room for");
	stream->offered = said;
}

static void random_step(struct stream *stream, uint64_t *state, uint16_t mss)
{
	uint64_t dice = unit_random(state) % 10;
	uint32_t left = stream->offered - stream->next, bytes;

	stream->now += unit_random(state) % (20 * MS);
	if (dice < 5 && !tcp_after(stream->next, stream->offered) && left) {
		bytes = 1 + (uint32_t)(unit_random(state) % (left < mss ? left : mss));
		stream->next += bytes;
		stream->queued += bytes;
		tcp_window_received(&window, stream->next, dice % 3 ? 7 * MS : 0, stream->now);
		offer(stream);
	} else if (dice < 9 && stream->queued) {
		bytes = 1 + (uint32_t)(unit_random(state) % stream->queued);
		stream->queued -= bytes;
		tcp_window_read(&window, bytes, dice % 2 ? 10 * MS : 0, stream->now);
		if (tcp_window_wants_update(&window, stream->next, stream->queued))
			offer(stream);
	} else if (unit_random(state) % 20 == 0) {
		(void)tcp_window_trim(&window, stream->next, stream->queued);
	}
	if (window.limit > window.max || window.limit < window.min ||
	    stream->queued > window.limit || budget.used != window.limit)
		ck_abort_msg("limit %u, queued %u", window.limit, stream->queued);
}

START_TEST(random_streams_never_stall_and_never_shrink)
{
	uint64_t state = unit_seed() * 2 + 1;

	for (unsigned int round = 0; round < 300; round++) {
		uint8_t scale = (uint8_t)(unit_random(&state) % 15);
		uint16_t mss = (uint16_t)(48 + unit_random(&state) % 9000);
		struct stream stream = { .next = (uint32_t)unit_random(&state), .now = 1 };

		begin((uint32_t)(unit_random(&state) % 200000),
		      (uint32_t)(unit_random(&state) % (8 * MIB)), scale, mss, stream.next);
		offer(&stream);
		for (unsigned int step = 0; step < 2000; step++)
			random_step(&stream, &state, mss);
		/* When all has been read, there is room for a segment, said or to be said. */
		tcp_window_read(&window, stream.queued, 0, stream.now);
		stream.queued = 0;
		if (tcp_window_wants_update(&window, stream.next, 0))
			offer(&stream);
		ck_assert(tcp_after(stream.offered, stream.next));
		ck_assert_uint_ge(stream.offered - stream.next,
				  mss < window.limit / 2 ? mss / 2 : window.limit / 4);
		tcp_window_release(&window);
		ck_assert_uint_eq(budget.used, 0);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc7323_2_3_the_smallest_scale_that_will_do);
	tcase_add_test(cases, rfc7323_2_2_no_scale_in_a_syn);
	tcase_add_test(cases, rfc7323_2_2_without_scaling_at_most_65535);
	tcase_add_test(cases, rfc9293_3_8_6_the_right_edge_stays_while_nothing_is_read);
	tcase_add_test(cases, rfc9293_3_8_6_2_2_a_closed_window_opens_by_a_segment);
	tcase_add_test(cases, rfc9293_3_8_6_2_2_or_by_half_of_a_small_buffer);
	tcase_add_test(cases, rfc9293_3_8_6_2_2_an_open_window_is_not_moved_for_each_read);
	tcase_add_test(cases, rfc7323_2_4_what_was_offered_is_taken_even_if_it_cannot_be_said);
	tcase_add_test(cases, budget_is_shared_and_comes_back);
	tcase_add_test(cases, a_scale_never_makes_the_window_unspeakable);
	tcase_add_test(cases, the_limit_follows_what_is_read_in_a_round_trip);
	tcase_add_test(cases, long_silence_is_not_taken_for_one_round_trip);
	tcase_add_test(cases, growing_leaves_a_quarter_of_the_budget);
	tcase_add_test(cases, the_round_trip_is_that_of_timestamps_rather_than_of_the_handshake);
	tcase_add_test(cases, the_round_trip_is_measured_by_windows);
	tcase_add_test(cases, trimming_breaks_no_promise);
	tcase_add_test(cases, random_streams_never_stall_and_never_shrink);
}

int main(void)
{
	return unit_main("net/tcp_window", add_cases);
}
