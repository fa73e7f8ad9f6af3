/* SPDX-License-Identifier: ISC */
/*
 * What small segments wait for (RFC 896, RFC 1122 4.2.3, RFC 9293 3.7.4 and 3.8.6), closed and
 * silly windows, keep-alive (RFC 9293, 3.8.4) and the user time-out (RFC 5482).
 */
#include "tests/configs/library/rw_script_sender.h"

#define SACK "mss 1000,sackOK"

/* ---- Nagle ---- */

START_TEST(rfc896_a_small_segment_waits_for_the_acknowledgement_of_another)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_send(s, 10);
	script_send(s, 10);
	expect_nothing_for_ms(s, 90);
	peer_sends(s, ". 1:1(0) ack 11");
	expect(s, "P. 11:31(20) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc896_full_segments_do_not_wait)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_send(s, 1000);
	expect_within_ms(s, 0, 10, ". 11:1011(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_4_no_delay_turns_it_off)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_send(s, 10);
	expect_within_ms(s, 0, 20, "P. 11:21(10) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_4_turning_it_off_lets_what_waits_go)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_send(s, 10);
	expect_nothing_for_ms(s, 30);
	script_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	expect(s, "P. 11:21(10) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc896_the_end_does_not_wait)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_send(s, 10);
	expect_nothing_for_ms(s, 10);
	script_shutdown(s);
	expect_within_ms(s, 0, 20, "FP. 11:21(10) ack 1");
	script_end(s);
}
END_TEST

/* ---- delayed acknowledgements ---- */

START_TEST(rfc9293_3_8_6_3_an_acknowledgement_waits_less_than_half_a_second)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	peer_sends(s, "P. 1:11(10) ack 1");
	peer_sends(s, "P. 11:16(5) ack 1");
	script_skip(s, NULL);
	after_ms(s, 100);
	script_skip(s, NULL);
	peer_sends(s, "P. 16:19(3) ack 1");
	expect_nothing(s);
	expect_within_ms(s, 10, 200, ". 1:1(0) ack 19");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_3_each_second_full_segment_is_answered_at_once)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t next = 1, answers = 0;

	for (int i = 0; i < 60; i++, next += 1000) {
		peer_sends(s, ". %u:%u(1000) ack 1", next, next + 1000);
		if (i >= 40)
			answers += script_skip(s, NULL);
		else
			script_skip(s, NULL);
	}
	ck_assert_uint_ge(answers, 10);
	ck_assert_uint_le(answers, 11);
	after_ms(s, 100);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5681_4_2_out_of_order_is_answered_at_once)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	for (uint32_t i = 2; i < 6; i++) {
		peer_sends(s, ". %u:%u(100) ack 1", 1 + i * 100, 101 + i * 100);
		expect(s, ". 1:1(0) ack 1 <sack 201:%u>", 101 + i * 100);
	}
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_3_data_takes_the_acknowledgement_along)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	peer_sends(s, "P. 1:11(10) ack 1");
	script_skip(s, NULL);
	after_ms(s, 100);
	script_skip(s, NULL);
	peer_sends(s, "P. 11:14(3) ack 1");
	expect_nothing(s);
	script_receive(s, 13);
	script_send(s, 20);
	expect(s, "P. 1:21(20) ack 14");
	expect_nothing_for_ms(s, 150);
	script_end(s);
}
END_TEST

/* ---- a closed window ---- */

START_TEST(rfc9293_3_8_6_1_a_closed_window_is_probed_and_probes_back_off)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	unsigned int last, gaps[5];

	peer_sends(s, ". 1:1(0) ack 1 win 0");
	script_send(s, 100);
	expect_nothing_for_ms(s, 50);
	last = script_ms(s);
	for (unsigned int i = 0; i < 5; i++) {
		while (!script_skip(s, NULL))
			after_ms(s, 10);
		gaps[i] = script_ms(s) - last;
		last = script_ms(s);
		peer_sends(s, ". 1:1(0) ack 1 win 0");
	}
	for (unsigned int i = 2; i < 5; i++) {
		ck_assert_uint_ge(gaps[i], gaps[i - 1] * 18 / 10);
		ck_assert_uint_le(gaps[i], gaps[i - 1] * 22 / 10 + 20);
	}
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_1_it_may_stay_closed_for_hours)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	peer_sends(s, ". 1:1(0) ack 1 win 0");
	script_send(s, 100);
	for (int minute = 0; minute < 180; minute++) {
		after_ms(s, 60000);
		if (script_skip(s, NULL))
			peer_sends(s, ". 1:1(0) ack 1 win 0");
	}
	expect_state(s, STATE_ESTABLISHED);
	peer_sends(s, ". 1:1(0) ack 1 win 5000");
	expect_within_ms(s, 0, 50, "P. 1:101(100) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_1_a_peer_that_does_not_answer_probes_is_gone)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000);
	peer_sends(s, ". 1:1(0) ack 1 win 0");
	script_send(s, 100);
	for (int i = 0; i < 20; i++) {
		after_ms(s, 10000);
		script_skip(s, NULL);
	}
	script_receive_error(s, ETIMEDOUT);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_1_our_own_closed_window_opens_with_an_update)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t next = 1, window = 65535;

	/* Nobody reads: the window closes. */
	for (int i = 0; i < 200 && window >= 1000; i++, next += 1000) {
		peer_sends(s, ". %u:%u(1000) ack 1", next, next + 1000);
		after_ms(s, 50);
		script_skip(s, NULL);
		window = script_info(s).receive_window;
	}
	ck_assert_uint_lt(window, 1000);
	script_receive(s, next - 1);
	expect_within_ms(s, 0, 10, ". 1:1(0) ack %u", next);
	ck_assert_uint_ge(script_info(s).receive_window, 30000);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_1_a_probe_of_the_peers_is_always_answered)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t next = 1;

	for (int i = 0; i < 200 && script_info(s).receive_window >= 1000; i++, next += 1000)
		peer_sends(s, ". %u:%u(1000) ack 1", next, next + 1000);
	peer_sends(s, ". %u:%u(500) ack 1", next, next + 500);
	after_ms(s, 1000);
	script_skip(s, NULL);
	for (int i = 0; i < 4; i++) {
		after_ms(s, 1000);
		peer_sends(s, ". %u:%u(0) ack 1", next - 1, next - 1);
		ck_assert_uint_eq(script_skip(s, NULL), 1);
	}
	script_end(s);
}
END_TEST

/* ---- silly windows ---- */

START_TEST(rfc9293_3_8_6_2_1_a_sliver_of_a_window_is_not_used_at_once)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_sends_in(s, 10000, 99);
	peer_sends(s, ". 1:1(0) ack 10001 win 50");
	script_send(s, 3000);
	expect_nothing_for_ms(s, 50);
	peer_sends(s, ". 1:1(0) ack 10001 win 3000");
	expect_within_ms(s, 0, 60, ". 10001:11001(1000) ack 1");
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_2_1_but_in_the_end_it_is)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_sends_in(s, 10000, 99);
	peer_sends(s, ". 1:1(0) ack 10001 win 50");
	script_send(s, 3000);
	expect_within_ms(s, 100, 1000, ". 10001:10051(50) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_2_2_the_window_does_not_move_by_slivers)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t next = 1;

	for (int i = 0; i < 200 && script_info(s).receive_window >= 1000; i++, next += 1000) {
		peer_sends(s, ". %u:%u(1000) ack 1", next, next + 1000);
		after_ms(s, 50);
		script_skip(s, NULL);
	}
	/* Ten bytes read open nothing. */
	script_receive(s, 10);
	expect_nothing_for_ms(s, 100);
	script_receive(s, 10);
	expect_nothing_for_ms(s, 100);
	script_end(s);
}
END_TEST

/* ---- keep-alive ---- */

static struct script *kept_alive(int i)
{
	struct script *s = script_sender(version_of(i), SACK, 100);

	script_set(s, SOL_SOCKET, SO_KEEPALIVE, 1);
	script_set(s, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	script_set(s, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	script_set(s, IPPROTO_TCP, TCP_KEEPCNT, 3);
	return s;
}

START_TEST(rfc9293_3_8_4_keep_alive_is_off_at_first)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	expect_nothing_for_ms(s, 24u * 3600 * 1000);
	expect_state(s, STATE_ESTABLISHED);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_4_a_silent_peer_is_probed)
{
	struct script *s = kept_alive(_i);

	expect_nothing_for_ms(s, 59000);
	expect_within_ms(s, 500, 1500, ". 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	expect_nothing_for_ms(s, 59000);
	expect_within_ms(s, 500, 1500, ". 0:0(0) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_4_three_unanswered_probes_end_it)
{
	struct script *s = kept_alive(_i);

	expect_within_ms(s, 59000, 61000, ". 0:0(0) ack 1");
	expect_within_ms(s, 9500, 10500, ". 0:0(0) ack 1");
	expect_within_ms(s, 9500, 10500, ". 0:0(0) ack 1");
	after_ms(s, 15000);
	script_skip(s, NULL);
	script_receive_error(s, ETIMEDOUT);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_4_a_peer_that_has_forgotten_us_ends_it)
{
	struct script *s = kept_alive(_i);

	expect_within_ms(s, 59000, 61000, ". 0:0(0) ack 1");
	peer_sends(s, "R 1:1(0)");
	script_receive_error(s, ECONNRESET);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_4_the_peers_probe_is_answered)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	peer_sends(s, ". 0:0(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	after_ms(s, 2000);
	/* Or with a byte of garbage, as some do. */
	peer_sends(s, ". 0:1(1) ack 1 junk");
	expect(s, ". 1:1(0) ack 1");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

/* ---- the user time-out ---- */

START_TEST(rfc5482_data_without_progress_ends_it)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	unsigned int begin = script_ms(s);

	script_set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000);
	script_send(s, 100);
	while (script_error(s) == 0 && script_ms(s) < 200000)
		after_ms(s, 500);
	ck_assert_uint_ge(script_ms(s) - begin, 10000);
	/* It is noticed when something is due to be sent again. */
	ck_assert_uint_le(script_ms(s) - begin, 30000);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5482_progress_begins_it_anew)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);

	script_set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000);
	script_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	for (uint32_t i = 0; i < 10; i++) {
		script_send(s, 10);
		after_ms(s, 5000);
		script_skip(s, NULL);
		peer_sends(s, ". 1:1(0) ack %u", 11 + i * 10);
	}
	expect_state(s, STATE_ESTABLISHED);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc896_a_small_segment_waits_for_the_acknowledgement_of_another);
	ADD(rfc896_full_segments_do_not_wait);
	ADD(rfc896_the_end_does_not_wait);
	ADD(rfc9293_3_7_4_no_delay_turns_it_off);
	ADD(rfc9293_3_7_4_turning_it_off_lets_what_waits_go);
	ADD(rfc9293_3_8_6_3_an_acknowledgement_waits_less_than_half_a_second);
	ADD(rfc9293_3_8_6_3_data_takes_the_acknowledgement_along);
	ADD(rfc9293_3_8_6_3_each_second_full_segment_is_answered_at_once);
	ADD(rfc5681_4_2_out_of_order_is_answered_at_once);
	ADD(rfc9293_3_8_6_1_a_closed_window_is_probed_and_probes_back_off);
	ADD(rfc9293_3_8_6_1_a_peer_that_does_not_answer_probes_is_gone);
	ADD(rfc9293_3_8_6_1_a_probe_of_the_peers_is_always_answered);
	ADD(rfc9293_3_8_6_1_it_may_stay_closed_for_hours);
	ADD(rfc9293_3_8_6_1_our_own_closed_window_opens_with_an_update);
	ADD(rfc9293_3_8_6_2_1_a_sliver_of_a_window_is_not_used_at_once);
	ADD(rfc9293_3_8_6_2_1_but_in_the_end_it_is);
	ADD(rfc9293_3_8_6_2_2_the_window_does_not_move_by_slivers);
	ADD(rfc9293_3_8_4_a_peer_that_has_forgotten_us_ends_it);
	ADD(rfc9293_3_8_4_a_silent_peer_is_probed);
	ADD(rfc9293_3_8_4_keep_alive_is_off_at_first);
	ADD(rfc9293_3_8_4_the_peers_probe_is_answered);
	ADD(rfc9293_3_8_4_three_unanswered_probes_end_it);
	ADD(rfc5482_data_without_progress_ends_it);
	ADD(rfc5482_progress_begins_it_anew);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/timers", add_cases);
}
