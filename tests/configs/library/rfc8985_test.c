/* SPDX-License-Identifier: ISC */
/* RFC 8985: RACK finds losses by time, and a probe finds those at the tail. */
#include "tests/configs/library/rw_script_sender.h"

#define SACK "mss 1000,sackOK"

/* A round trip of 100 ms, known by `rounds` of one segment; then ten segments under way. */
static struct script *ten(int i, uint32_t *next)
{
	struct script *s = script_sender(version_of(i), SACK, 100);

	*next = 1;
	for (int round = 0; round < 4; round++, *next += 1000) {
		script_send(s, 1000);
		script_skip(s, NULL);
		after_ms(s, 100);
		peer_sends(s, ". 1:1(0) ack %u", *next + 1000);
	}
	script_sends_in(s, 10000, 60);
	after_ms(s, 40);
	return s;
}

START_TEST(rfc8985_6_2_one_that_was_sent_later_and_time_are_enough)
{
	uint32_t n;
	struct script *s = ten(_i, &n);

	/* One SACK: two segments behind the hole. No three duplicates are needed, but time. */
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 2000);
	expect_within_ms(s, 5, 60, ". %u:%u(1000) ack 1", n, n + 1000);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_6_2_a_quarter_of_the_round_trip_is_left_for_reordering)
{
	uint32_t n;
	struct script *s = ten(_i, &n);

	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 2000);
	expect_nothing_for_ms(s, 10);
	/* It was only late. */
	peer_sends(s, ". 1:1(0) ack %u", n + 10000);
	expect_nothing_for_ms(s, 1000);
	ck_assert_uint_eq(script_info(s).retransmissions, 0);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_6_2_three_segments_behind_and_no_reordering_seen_is_at_once)
{
	uint32_t n;
	struct script *s = ten(_i, &n);

	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 4000);
	expect_within_ms(s, 0, 5, ". %u:%u(1000) ack 1", n, n + 1000);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_6_2_what_was_sent_again_can_be_lost_again)
{
	uint32_t n;
	struct script *s = ten(_i, &n);

	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 4000);
	expect_within_ms(s, 0, 5, ". %u:%u(1000) ack 1", n, n + 1000);
	script_send(s, 3000);
	after_ms(s, 50);
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 10000);
	after_ms(s, 60);
	script_skip(s, NULL);
	after_ms(s, 60);
	/* What left behind it has arrived, it has not: no timeout is needed. */
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 13000);
	expect_within_ms(s, 0, 60, ". %u:%u(1000) ack 1", n, n + 1000);
	peer_sends(s, ". 1:1(0) ack %u", n + 13000);
	expect_nothing_for_ms(s, 1000);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_6_2_after_reordering_was_seen_three_are_not_enough)
{
	uint32_t n;
	struct script *s = ten(_i, &n);

	/* The first arrives after the second, without having been sent again. */
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 2000);
	after_ms(s, 2);
	peer_sends(s, ". 1:1(0) ack %u", n + 2000);
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n + 2000, n + 3000, n + 6000);
	expect_nothing(s);
	expect_within_ms(s, 3, 80, ". %u:%u(1000) ack 1", n + 2000, n + 3000);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_6_2_all_holes_of_one_flight_are_found)
{
	uint32_t n;
	struct script *s = ten(_i, &n);
	unsigned int count = 0;

	/* Every other one is missing. */
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u %u:%u %u:%u>", n, n + 5000, n + 6000, n + 3000,
		   n + 4000, n + 1000, n + 2000);
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u %u:%u>", n, n + 9000, n + 10000, n + 7000,
		   n + 8000);
	for (int ms = 0; ms < 150; ms += 5) {
		after_ms(s, 5);
		count += script_skip(s, NULL);
	}
	ck_assert_uint_eq(count, 5);
	ck_assert_uint_eq(script_info(s).retransmissions, 5);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_7_2_a_probe_is_sent_after_two_round_trips)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_sends_in(s, 3000, 0);
	/* The last segment, well before the timeout of 300 ms and the peer's silence. */
	expect_within_ms(s, 190, 230, "P. 2001:3001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc8985_7_2_of_one_segment_the_answer_may_be_delayed)
{
	struct script *s = script_sender(version_of(_i), SACK, 20);
	uint32_t next = 1;

	for (int i = 0; i < 20; i++, next += 1000) {
		script_send(s, 1000);
		script_skip(s, NULL);
		after_ms(s, 20);
		peer_sends(s, ". 1:1(0) ack %u", next + 1000);
	}
	script_send(s, 1000);
	script_skip(s, NULL);
	/* Not after 40 ms, which a delayed acknowledgement may take. */
	expect_nothing_for_ms(s, 150);
	expect_within_ms(s, 0, 150, "P. %u:%u(1000) ack 1", next, next + 1000);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_7_3_new_data_is_the_better_probe)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	/* The initial window is ten segments; two more wait. */
	script_send(s, 12000);
	after_ms(s, 60);
	ck_assert_uint_eq(script_skip(s, NULL), 10);
	expect_within_ms(s, 130, 260, ". 10001:11001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc8985_7_3_one_probe_for_one_flight)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_sends_in(s, 2000, 0);
	expect_within_ms(s, 190, 230, "P. 1001:2001(1000) ack 1");
	/* And then only the timeout, of the first. */
	expect_within_ms(s, 90, 400, ". 1:1001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc8985_7_4_a_probe_that_repaired_the_tail_halves_the_window)
{
	uint32_t n;
	struct script *s = ten(_i, &n);
	uint32_t before;

	/* All but the last arrived. */
	peer_sends(s, ". 1:1(0) ack %u", n + 9000);
	expect_within_ms(s, 0, 300, "P. %u:%u(1000) ack 1", n + 9000, n + 10000);
	after_ms(s, 100);
	peer_sends(s, ". 1:1(0) ack %u", n + 10000);
	/* What comes behind it is acknowledged, and no D-SACK came: one was lost. */
	before = script_info(s).congestion_window;
	script_sends_in(s, 1000, 50);
	peer_sends(s, ". 1:1(0) ack %u", n + 11000);
	ck_assert_uint_lt(script_info(s).congestion_window, before);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_7_4_a_probe_in_vain_does_not)
{
	uint32_t n;
	struct script *s = ten(_i, &n);
	uint32_t before;

	peer_sends(s, ". 1:1(0) ack %u", n + 9000);
	before = script_info(s).congestion_window;
	expect_within_ms(s, 0, 300, "P. %u:%u(1000) ack 1", n + 9000, n + 10000);
	/* The peer had it, and says that it came twice. */
	peer_sends(s, ". 1:1(0) ack %u", n + 10000);
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n + 10000, n + 9000, n + 10000);
	ck_assert_uint_ge(script_info(s).congestion_window, before);
	script_end(s);
}
END_TEST

START_TEST(rfc8985_7_2_no_probe_without_sack)
{
	struct script *s = script_sender(version_of(_i), "mss 1000", 100);

	script_sends_in(s, 3000, 0);
	expect_within_ms(s, 290, 330, ". 1:1001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc8985_6_2_step_4_dsacks_widen_the_reordering_window)
{
	uint32_t n;
	struct script *s = ten(_i, &n);

	/* It was sent again in vain: the original was later than a quarter of a round trip. */
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 2000);
	expect_within_ms(s, 5, 60, ". %u:%u(1000) ack 1", n, n + 1000);
	peer_sends(s, ". 1:1(0) ack %u", n + 10000);
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n + 10000, n, n + 1000);
	n += 10000;
	script_sends_in(s, 8000, 60);
	after_ms(s, 40);
	/* The same once more: it waits longer now than the quarter. */
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", n, n + 1000, n + 2000);
	expect_nothing_for_ms(s, 35);
	expect_within_ms(s, 0, 80, ". %u:%u(1000) ack 1", n, n + 1000);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc8985_6_2_one_that_was_sent_later_and_time_are_enough);
	ADD(rfc8985_6_2_a_quarter_of_the_round_trip_is_left_for_reordering);
	ADD(rfc8985_6_2_three_segments_behind_and_no_reordering_seen_is_at_once);
	ADD(rfc8985_6_2_what_was_sent_again_can_be_lost_again);
	ADD(rfc8985_6_2_after_reordering_was_seen_three_are_not_enough);
	ADD(rfc8985_6_2_all_holes_of_one_flight_are_found);
	ADD(rfc8985_6_2_step_4_dsacks_widen_the_reordering_window);
	ADD(rfc8985_7_2_a_probe_is_sent_after_two_round_trips);
	ADD(rfc8985_7_2_of_one_segment_the_answer_may_be_delayed);
	ADD(rfc8985_7_2_no_probe_without_sack);
	ADD(rfc8985_7_3_new_data_is_the_better_probe);
	ADD(rfc8985_7_3_one_probe_for_one_flight);
	ADD(rfc8985_7_4_a_probe_that_repaired_the_tail_halves_the_window);
	ADD(rfc8985_7_4_a_probe_in_vain_does_not);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/rfc8985", add_cases);
}
