/* SPDX-License-Identifier: ISC */
/* RFC 7323: window scaling, timestamps, and protection against wrapped sequence numbers. */
#include "tests/configs/library/rw_script.h"

START_TEST(rfc7323_2_2_scale_is_offered_and_agreed_by_both_syns)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, "mss 1000,wscale 3");
	/* 500 << 3 bytes: four segments and no more */
	peer_sends(s, ". 1:1(0) ack 1 win 500");
	script_send(s, 6000);
	expect(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 2001:3001(1000) ack 1");
	expect(s, ". 3001:4001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc7323_2_2_without_the_peers_offer_nothing_is_scaled)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, "mss 1000");
	peer_sends(s, ". 1:1(0) ack 1 win 2000");
	script_send(s, 6000);
	expect(s, ". 1:1001(1000) ack 1 win 65535");
	expect(s, ". 1001:2001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc7323_2_2_a_syn_ack_answers_scale_only_when_it_was_asked)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) win 65535 <mss 1460>");
	expect(s, "S. 0:0(0) ack 1 <mss %u>", _i ? 1440 : 1460);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_2_2_the_window_of_a_syn_is_never_scaled)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	/* If it were scaled, 20 bytes would be 2,560. */
	peer_sends(s, "S 0:0(0) win 20 <mss 1000,wscale 7>");
	expect(s, "S. 0:0(0) ack 1 <mss %u,wscale *>", _i ? 1440 : 1460);
	peer_sends(s, ". 1:1(0) ack 1 win 1");
	script_accept(s);
	script_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	ck_assert_uint_eq(script_info(s).send_window, 128);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_2_3_a_shift_above_14_counts_as_14)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, "mss 1000,wscale 200");
	peer_sends(s, ". 1:1(0) ack 1 win 1");
	ck_assert_uint_eq(script_info(s).send_window, 1u << 14);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_2_4_a_scaled_window_offers_more_than_64_kib)
{
	struct script *s = script_begin(version_of(_i));
	uint32_t next = 1;

	script_passive(s, SCRIPT_FULL);
	/* A reader that keeps up, over many round trips: the offer grows beyond 16 bits. */
	for (int round = 0; round < 60 && script_info(s).receive_window <= 65535; round++) {
		for (int i = 0; i < 45; i++, next += 1400)
			peer_sends(s, ". %u:%u(1400) ack 1", next, next + 1400);
		script_receive(s, 63000);
		after_ms(s, 50);
		script_skip(s, NULL);
	}
	ck_assert_uint_gt(script_info(s).receive_window, 65535);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_3_2_timestamps_are_in_every_segment_once_agreed)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	after_ms(s, 30);
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1 <TS val 30 ecr 1000>");
	after_ms(s, 12);
	peer_sends(s, ". 1:1(0) ack 101");
	script_shutdown(s);
	expect(s, "F. 101:101(0) ack 1 <TS val 42 ecr 1042>");
	script_end(s);
}
END_TEST

START_TEST(rfc7323_3_2_none_are_sent_when_the_peer_offered_none)
{
	struct script *s = script_begin(version_of(_i));

	script_active(s, "mss 1000,sackOK");
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	ck_assert(!s->flow->ours_has_ts || !s->flow->peers_has_ts);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_3_2_a_segment_without_the_agreed_timestamps_is_dropped)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	peer_sends(s, "P. 1:101(100) ack 1 <noTS>");
	expect_nothing_for_ms(s, 200);
	script_receive_nothing(s);
	peer_sends(s, "P. 1:101(100) ack 1");
	script_receive(s, 100);
	expect_within_ms(s, 0, 200, ". 1:1(0) ack 101");
	script_end(s);
}
END_TEST

START_TEST(rfc7323_3_2_a_reset_needs_no_timestamps)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	peer_sends(s, "R 1:1(0) <noTS>");
	script_receive_error(s, ECONNRESET);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_4_2_round_trips_are_measured_of_every_segment)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	for (uint32_t i = 0; i < 12; i++) {
		script_send(s, 1000);
		script_skip(s, NULL);
		after_ms(s, 80);
		peer_sends(s, ". 1:1(0) ack %u", 1 + (i + 1) * 1000);
	}
	ck_assert_uint_ge(script_info(s).rtt_us, 55000);
	ck_assert_uint_le(script_info(s).rtt_us, 82000);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_4_3_ts_recent_is_the_one_of_the_earliest_unacknowledged_segment)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	/* The first of it is answered segment by segment. */
	for (uint32_t i = 0; i < 20; i++)
		peer_sends(s, ". %u:%u(1000) ack 1 <TS val 2000 ecr 0>", 1 + i * 1000,
			   1001 + i * 1000);
	script_skip(s, NULL);
	peer_sends(s, ". 20001:21001(1000) ack 1 <TS val 2100 ecr 0>");
	expect_nothing(s);
	peer_sends(s, ". 21001:22001(1000) ack 1 <TS val 2101 ecr 0>");
	/* Delayed, so the echo is of the first of those that it answers. */
	expect(s, ". 1:1(0) ack 22001 <TS val * ecr 2100>");
	script_end(s);
}
END_TEST

START_TEST(rfc7323_4_3_a_hole_does_not_move_ts_recent)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	peer_sends(s, ". 1001:2001(1000) ack 1 <TS val 3000 ecr 0>");
	expect(s, ". 1:1(0) ack 1 <TS val * ecr 1000,nop,nop,sack 1001:2001>");
	peer_sends(s, ". 1:1001(1000) ack 1 <TS val 2990 ecr 0>");
	expect(s, ". 1:1(0) ack 2001 <TS val * ecr 2990>");
	script_end(s);
}
END_TEST

START_TEST(rfc7323_5_3_an_old_timestamp_is_answered_and_dropped)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	peer_sends(s, "P. 1:101(100) ack 1 <TS val 999 ecr 0>");
	expect(s, ". 1:1(0) ack 1");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_5_3_an_equal_timestamp_is_no_older)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	peer_sends(s, "P. 1:101(100) ack 1 <TS val 1000 ecr 0>");
	script_receive(s, 100);
	expect_within_ms(s, 0, 200, ". 1:1(0) ack 101");
	script_end(s);
}
END_TEST

START_TEST(rfc7323_5_3_timestamps_may_wrap)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) <mss 1460,sackOK,TS val 4294967290 ecr 0,nop,wscale 7>");
	script_skip(s, NULL);
	peer_sends(s, ". 1:1(0) ack 1 <TS val 4294967291 ecr 0>");
	script_accept(s);
	peer_sends(s, "P. 1:101(100) ack 1 <TS val 5 ecr 0>");
	script_receive(s, 100);
	expect_within_ms(s, 0, 200, ". 1:1(0) ack 101 <TS val * ecr 5>");
	peer_sends(s, "P. 101:201(100) ack 1 <TS val 4294967295 ecr 0>");
	expect(s, ". 1:1(0) ack 101 <TS val * ecr 5>");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_5_3_an_old_duplicate_of_a_former_wrap_is_refused)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	after_ms(s, 1000);
	peer_sends(s, "P. 1:101(100) ack 1 <TS val 2000 ecr 0>");
	script_receive(s, 100);
	expect_within_ms(s, 0, 200, ". 1:1(0) ack 101");
	/* In the window, but from long ago. */
	peer_sends(s, "P. 101:201(100) ack 1 junk <TS val 1500 ecr 0>");
	expect(s, ". 1:1(0) ack 101 <TS val * ecr 2000>");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_5_3_a_reset_is_not_judged_by_its_timestamp)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	peer_sends(s, "R. 1:1(0) ack 1 <TS val 1 ecr 0>");
	script_receive_error(s, ECONNRESET);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_5_5_after_24_days_ts_recent_is_not_believed)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	for (int day = 0; day < 25; day++)
		after_ms(s, 24u * 3600 * 1000);
	/* As far in the past as in the future: half of the circle and more. */
	peer_sends(s, "P. 1:101(100) ack 1 <TS val 2147485000 ecr 0>");
	script_receive(s, 100);
	expect_within_ms(s, 0, 200, ". 1:1(0) ack 101 <TS val * ecr 2147485000>");
	script_end(s);
}
END_TEST

START_TEST(rfc7323_5_5_before_that_it_is)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	for (int day = 0; day < 23; day++)
		after_ms(s, 24u * 3600 * 1000);
	peer_sends(s, "P. 1:101(100) ack 1 <TS val 2147485000 ecr 0>");
	expect(s, ". 1:1(0) ack 1");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_5_4_our_clock_ticks_each_millisecond)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	for (uint32_t i = 0; i < 5; i++) {
		after_ms(s, 7);
		script_send(s, 10);
		expect(s, "P. %u:%u(10) ack 1 <TS val %u ecr *>", 1 + i * 10, 11 + i * 10,
		       7 * (i + 1));
		peer_sends(s, ". 1:1(0) ack %u", 11 + i * 10);
	}
	script_end(s);
}
END_TEST

START_TEST(rfc7323_7_1_connections_have_clocks_of_their_own)
{
	struct script *s = script_begin(version_of(_i));
	uint32_t first;

	script_passive(s, SCRIPT_FULL);
	first = s->flow->our_first_ts;
	script_choose(s, 1);
	script_passive(s, SCRIPT_FULL);
	/* Equal would be one in four thousand million, and the seed is fixed. */
	ck_assert_uint_ne(first, s->flow->our_first_ts);
	script_end(s);
}
END_TEST

START_TEST(rfc7323_3_2_a_resent_segment_has_the_time_of_its_sending)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, SCRIPT_FULL);
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1 <TS val 0 ecr 1000>");
	expect_within_ms(s, 150, 1100, "P. 1:101(100) ack 1 <TS val * ecr 1000>");
	ck_assert_uint_eq(s->flow->our_last_ts - s->flow->our_first_ts, script_ms(s));
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc7323_2_2_scale_is_offered_and_agreed_by_both_syns);
	ADD(rfc7323_2_2_without_the_peers_offer_nothing_is_scaled);
	ADD(rfc7323_2_2_a_syn_ack_answers_scale_only_when_it_was_asked);
	ADD(rfc7323_2_2_the_window_of_a_syn_is_never_scaled);
	ADD(rfc7323_2_3_a_shift_above_14_counts_as_14);
	ADD(rfc7323_2_4_a_scaled_window_offers_more_than_64_kib);
	ADD(rfc7323_3_2_timestamps_are_in_every_segment_once_agreed);
	ADD(rfc7323_3_2_none_are_sent_when_the_peer_offered_none);
	ADD(rfc7323_3_2_a_segment_without_the_agreed_timestamps_is_dropped);
	ADD(rfc7323_3_2_a_reset_needs_no_timestamps);
	ADD(rfc7323_3_2_a_resent_segment_has_the_time_of_its_sending);
	ADD(rfc7323_4_2_round_trips_are_measured_of_every_segment);
	ADD(rfc7323_4_3_ts_recent_is_the_one_of_the_earliest_unacknowledged_segment);
	ADD(rfc7323_4_3_a_hole_does_not_move_ts_recent);
	ADD(rfc7323_5_3_an_old_timestamp_is_answered_and_dropped);
	ADD(rfc7323_5_3_an_equal_timestamp_is_no_older);
	ADD(rfc7323_5_3_timestamps_may_wrap);
	ADD(rfc7323_5_3_an_old_duplicate_of_a_former_wrap_is_refused);
	ADD(rfc7323_5_3_a_reset_is_not_judged_by_its_timestamp);
	ADD(rfc7323_5_4_our_clock_ticks_each_millisecond);
	ADD(rfc7323_5_5_after_24_days_ts_recent_is_not_believed);
	ADD(rfc7323_5_5_before_that_it_is);
	ADD(rfc7323_7_1_connections_have_clocks_of_their_own);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/rfc7323", add_cases);
}
