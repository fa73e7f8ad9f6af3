/* SPDX-License-Identifier: ISC */
/*
 * RFC 5681, 6582, 6928 and 9438: how much is under way, and what a loss does to it, for peers
 * with and without SACK.
 */
#include "tests/configs/library/rw_script_sender.h"

#define SACK "mss 1000,sackOK"
#define PLAIN "mss 1000"

/*
 * A stream that never runs dry: acknowledges each segment a round trip later, until so many ms
 * have passed. One flight is under way then.
 */
static void stream(struct script *s, uint32_t *acked, unsigned int until)
{
	(void)!script_send_some(s, 60000);
	while (script_ms(s) < until) {
		uint32_t bytes = 0;

		after_ms(s, 100);
		script_skip(s, &bytes);
		for (; bytes; bytes -= bytes < 1000 ? bytes : 1000) {
			*acked += bytes < 1000 ? bytes : 1000;
			peer_sends(s, ". 1:1(0) ack %u", *acked);
		}
		(void)!script_send_some(s, 60000);
	}
	after_ms(s, 100);
	script_skip(s, NULL);
}

START_TEST(rfc6928_2_ten_segments_at_first)
{
	struct script *s = script_sender(version_of(_i), "mss 1460,sackOK", 100);
	uint32_t bytes = 0;
	uint32_t mss = _i ? 1440 : 1460;

	script_send(s, 60000);
	after_ms(s, 99);
	ck_assert_uint_eq(script_skip(s, &bytes), 10);
	ck_assert_uint_eq(bytes, 10 * mss);
	script_end(s);
}
END_TEST

START_TEST(rfc6928_2_of_small_segments_no_more_either)
{
	struct script *s = script_sender(version_of(_i), "mss 500,sackOK", 100);

	script_send(s, 60000);
	after_ms(s, 99);
	ck_assert_uint_eq(script_skip(s, NULL), 10);
	script_end(s);
}
END_TEST

START_TEST(rfc5681_3_1_slow_start_doubles_it_in_a_round_trip)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t acked = 1, before;

	stream(s, &acked, 150);
	before = script_info(s).congestion_window;
	for (uint32_t left = script_info(s).unacknowledged; left >= 1000; left -= 1000)
		peer_sends(s, ". 1:1(0) ack %u", acked += 1000);
	ck_assert_uint_ge(before, 10000);
	ck_assert_uint_ge(script_info(s).congestion_window, 2 * before - 1000);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5681_3_1_acknowledgements_of_single_bytes_gain_no_more)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t before;

	script_send(s, 50000);
	after_ms(s, 99);
	script_skip(s, NULL);
	before = script_info(s).congestion_window;
	/* A receiver that divides its acknowledgements: 1,000 of one byte each. */
	for (uint32_t i = 1; i <= 1000; i++)
		peer_sends(s, ". 1:1(0) ack %u", 1 + i);
	ck_assert_uint_le(script_info(s).congestion_window, before + 1000);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5681_3_1_it_does_not_grow_while_the_application_is_the_limit)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t before = 0;

	for (uint32_t i = 0; i < 30; i++) {
		script_send(s, 1000);
		script_skip(s, NULL);
		after_ms(s, 100);
		peer_sends(s, ". 1:1(0) ack %u", 1001 + i * 1000);
		if (i == 2)
			before = script_info(s).congestion_window;
	}
	ck_assert_uint_le(script_info(s).congestion_window, before);
	script_end(s);
}
END_TEST

START_TEST(rfc5681_3_2_the_third_duplicate_sends_it_again)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_sends_in(s, 10000, 99);
	peer_sends(s, ". 1:1(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	expect_nothing_for_ms(s, 20);
	peer_sends(s, ". 1:1(0) ack 1");
	expect_within_ms(s, 0, 5, ". 1:1001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc5681_2_with_data_it_is_no_duplicate)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_sends_in(s, 10000, 99);
	for (uint32_t i = 0; i < 5; i++)
		peer_sends(s, "P. %u:%u(10) ack 1", 1 + i * 10, 11 + i * 10);
	after_ms(s, 60);
	ck_assert_uint_eq(script_info(s).retransmissions, 0);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5681_2_with_another_window_it_is_none)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_sends_in(s, 10000, 99);
	for (uint32_t i = 0; i < 5; i++)
		peer_sends(s, ". 1:1(0) ack 1 win %u", 60000 - i * 100);
	after_ms(s, 60);
	ck_assert_uint_eq(script_info(s).retransmissions, 0);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc6582_3_2_a_partial_acknowledgement_sends_the_next_one)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	/* 1 and 4001 are lost. */
	script_sends_in(s, 10000, 99);
	for (int i = 0; i < 3; i++)
		peer_sends(s, ". 1:1(0) ack 1");
	expect_within_ms(s, 0, 5, ". 1:1001(1000) ack 1");
	after_ms(s, 50);
	peer_sends(s, ". 1:1(0) ack 4001");
	expect_within_ms(s, 0, 50, ". 4001:5001(1000) ack 1");
	after_ms(s, 50);
	peer_sends(s, ". 1:1(0) ack 10001");
	expect_nothing_for_ms(s, 1000);
	script_end(s);
}
END_TEST

START_TEST(rfc6582_3_2_only_once_in_a_window)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_sends_in(s, 10000, 99);
	for (int i = 0; i < 9; i++)
		peer_sends(s, ". 1:1(0) ack 1");
	expect_within_ms(s, 0, 5, ". 1:1001(1000) ack 1");
	after_ms(s, 30);
	ck_assert_uint_eq(script_info(s).retransmissions, 1);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9438_4_6_a_loss_leaves_seven_tenths)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t acked = 1, out;

	stream(s, &acked, 400);
	out = script_info(s).unacknowledged;
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", acked, acked + 1000, acked + 5000);
	after_ms(s, 1);
	script_skip(s, NULL);
	ck_assert_uint_le(script_info(s).slow_start_threshold, out * 7 / 10 + 1000);
	ck_assert_uint_ge(script_info(s).slow_start_threshold, out * 7 / 10 - 2000);
	script_end(s);
}
END_TEST

START_TEST(rfc9438_4_6_many_losses_of_one_window_count_once)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t acked = 1, threshold;

	stream(s, &acked, 400);
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", acked, acked + 1000, acked + 5000);
	after_ms(s, 1);
	threshold = script_info(s).slow_start_threshold;
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u %u:%u>", acked, acked + 6000, acked + 9000,
		   acked + 1000, acked + 5000);
	after_ms(s, 5);
	peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", acked + 5000, acked + 6000, acked + 12000);
	after_ms(s, 1);
	ck_assert_uint_eq(script_info(s).slow_start_threshold, threshold);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5681_3_1_a_timeout_leaves_one_segment)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_sends_in(s, 10000, 99);
	expect_within_ms(s, 0, 400, ". 1:1001(1000) ack 1");
	ck_assert_uint_eq(script_info(s).congestion_window, 1000);
	ck_assert_uint_ge(script_info(s).slow_start_threshold, 2000);
	script_end(s);
}
END_TEST

START_TEST(rfc5681_4_1_after_a_long_pause_it_begins_anew)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t acked = 1, bytes = 0;

	stream(s, &acked, 400);
	ck_assert_uint_ge(script_info(s).congestion_window, 20000);
	for (int round = 0; round < 20; round++) {
		acked += script_info(s).unacknowledged;
		peer_sends(s, ". 1:1(0) ack %u", acked);
		after_ms(s, 100);
		script_skip(s, NULL);
	}
	ck_assert_uint_eq(acked, 1 + s->flow->written);
	after_ms(s, 30000);
	script_skip(s, NULL);
	script_send(s, 60000);
	after_ms(s, 60);
	script_skip(s, &bytes);
	ck_assert_uint_ge(bytes, 1000);
	ck_assert_uint_le(bytes, 10000);
	script_end(s);
}
END_TEST

START_TEST(rfc6937_3_recovery_sends_less_than_arrives_and_never_bursts)
{
	struct script *s = script_sender(version_of(_i), SACK ",wscale 7", 100);
	uint32_t acked = 1, end, arrived = 0, sent = 0;

	stream(s, &acked, 400);
	end = acked + script_info(s).unacknowledged;
	for (uint32_t at = acked + 1000; at + 1000 <= end; at += 1000) {
		uint32_t bytes = 0;

		peer_sends(s, ". 1:1(0) ack %u <sack %u:%u>", acked, acked + 1000, at + 1000);
		arrived += 1000;
		after_ms(s, 1);
		script_skip(s, &bytes);
		sent += bytes;
		ck_assert_uint_le(sent, arrived + 4000);
	}
	ck_assert_uint_ge(arrived, 20000);
	ck_assert_uint_ge(sent, arrived / 4);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc5681_2_with_another_window_it_is_none);
	ADD(rfc5681_2_with_data_it_is_no_duplicate);
	ADD(rfc5681_3_1_a_timeout_leaves_one_segment);
	ADD(rfc5681_3_1_acknowledgements_of_single_bytes_gain_no_more);
	ADD(rfc5681_3_1_it_does_not_grow_while_the_application_is_the_limit);
	ADD(rfc5681_3_1_slow_start_doubles_it_in_a_round_trip);
	ADD(rfc5681_3_2_the_third_duplicate_sends_it_again);
	ADD(rfc5681_4_1_after_a_long_pause_it_begins_anew);
	ADD(rfc6582_3_2_a_partial_acknowledgement_sends_the_next_one);
	ADD(rfc6582_3_2_only_once_in_a_window);
	ADD(rfc6928_2_of_small_segments_no_more_either);
	ADD(rfc6928_2_ten_segments_at_first);
	ADD(rfc6937_3_recovery_sends_less_than_arrives_and_never_bursts);
	ADD(rfc9438_4_6_a_loss_leaves_seven_tenths);
	ADD(rfc9438_4_6_many_losses_of_one_window_count_once);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/rfc5681", add_cases);
}
