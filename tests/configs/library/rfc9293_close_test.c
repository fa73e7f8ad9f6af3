/* SPDX-License-Identifier: ISC */
/* RFC 9293: how connections end (3.6, 3.10.4, 3.10.5, and FIN and RST in 3.10.7.4). */
#include "tests/configs/library/rw_script.h"

static struct script *begin_established(int i)
{
	struct script *s = script_begin(version_of(i));

	script_passive(s, "mss 1000");
	return s;
}

/* Case 1, Figure 12, from the side that closes first */
START_TEST(rfc9293_3_6_we_close_first)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	expect_state(s, STATE_FIN_WAIT_1);
	peer_sends(s, ". 1:1(0) ack 2");
	expect_nothing(s);
	expect_state(s, STATE_FIN_WAIT_2);
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, ". 2:2(0) ack 2");
	script_receive_end(s);
	script_close(s);
	expect_nothing_for_ms(s, 1000);
	script_end(s);
}
END_TEST

/* Case 2 */
START_TEST(rfc9293_3_6_the_peer_closes_first)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 1:1(0) ack 2");
	expect_state(s, STATE_CLOSE_WAIT);
	ck_assert_int_ne(script_poll(s) & POLLIN, 0);
	script_receive_end(s);
	script_close(s);
	expect(s, "F. 1:1(0) ack 2");
	peer_sends(s, ". 2:2(0) ack 2");
	expect_nothing(s);
	/* Nothing is left of it. */
	peer_sends(s, ". 2:2(0) ack 2");
	expect(s, "R 2:2(0)");
	script_end(s);
}
END_TEST

/* Case 3, Figure 13 */
START_TEST(rfc9293_3_6_both_close_at_once)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 2:2(0) ack 2");
	expect_state(s, STATE_CLOSING);
	peer_sends(s, ". 2:2(0) ack 2");
	expect_nothing(s);
	script_close(s);
	/* TIME-WAIT: a late FIN is acknowledged. */
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, ". 2:2(0) ack 2");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_6_fin_and_its_acknowledgement_in_one)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, ". 2:2(0) ack 2");
	script_receive_end(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_6_what_was_written_goes_before_the_fin)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->peer_window = 2000;
	script_passive(s, "mss 1000");
	script_send(s, 2500);
	script_close(s);
	expect(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1001:2001(1000) ack 1");
	peer_sends(s, ". 1:1(0) ack 2001");
	expect(s, "PF. 2001:2501(500) ack 1");
	peer_sends(s, "F. 1:1(0) ack 2502");
	expect(s, ". 2502:2502(0) ack 2");
	script_end(s);
}
END_TEST

/* MUST-15 and half-closed connections: the peer may go on. */
START_TEST(rfc9293_3_6_data_comes_in_fin_wait_2)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "P. 1:1001(1000) ack 2");
	peer_sends(s, "P. 1001:2001(1000) ack 2");
	(void)script_skip(s, NULL);
	expect_state(s, STATE_FIN_WAIT_2);
	script_receive(s, 2000);
	peer_sends(s, "PF. 2001:2501(500) ack 2");
	expect(s, ". 2:2(0) ack 2502");
	script_receive(s, 500);
	script_receive_end(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_6_data_comes_before_our_fin_is_acknowledged)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "P. 1:101(100) ack 1");
	expect_state(s, STATE_FIN_WAIT_1);
	script_receive(s, 100);
	after_ms(s, 60);
	expect(s, ". 2:2(0) ack 101");
	peer_sends(s, "F. 101:101(0) ack 2");
	expect(s, ". 2:2(0) ack 102");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_6_we_go_on_in_close_wait)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 1:1(0) ack 2");
	script_send(s, 300);
	expect(s, "P. 1:301(300) ack 2");
	peer_sends(s, ". 2:2(0) ack 301");
	expect_state(s, STATE_CLOSE_WAIT);
	script_shutdown(s);
	expect(s, "F. 301:301(0) ack 2");
	expect_state(s, STATE_LAST_ACK);
	peer_sends(s, ". 2:2(0) ack 302");
	expect_state(s, STATE_CLOSED);
	ck_assert_int_eq(script_error(s), 0);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_fin_waits_for_the_data_before_it)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 1001:1501(500) ack 1");
	expect(s, ". 1:1(0) ack 1");
	expect_state(s, STATE_ESTABLISHED);
	script_receive_nothing(s);
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1502");
	expect_state(s, STATE_CLOSE_WAIT);
	script_receive(s, 1500);
	script_receive_end(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_nothing_counts_behind_a_fin)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 1:11(10) ack 1");
	expect(s, ". 1:1(0) ack 12");
	peer_sends(s, "P. 12:22(10) ack 1 junk");
	(void)script_skip(s, NULL);
	script_receive(s, 10);
	script_receive_end(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_fin_again_is_acknowledged_again)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 1:1(0) ack 2");
	after_ms(s, 1000);
	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 1:1(0) ack 2");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_our_fin_is_sent_again)
{
	struct script *s = begin_established(_i);

	script_close(s);
	expect(s, "F. 1:1(0) ack 1");
	expect_within_ms(s, 10, 1100, "F. 1:1(0) ack 1");
	expect_within_ms(s, 300, 2500, "F. 1:1(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 2");
	expect_nothing_for_ms(s, 10000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_our_fin_is_sent_again_in_last_ack)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 1:1(0) ack 2");
	script_close(s);
	expect(s, "F. 1:1(0) ack 2");
	expect_within_ms(s, 10, 1100, "F. 1:1(0) ack 2");
	peer_sends(s, ". 2:2(0) ack 2");
	expect_nothing_for_ms(s, 10000);
	script_end(s);
}
END_TEST

/* TIME-WAIT lasts 2 MSL, and begins anew with a FIN that comes again. */
START_TEST(rfc9293_3_10_7_4_time_wait_restarts_with_a_fin)
{
	struct script *s = begin_established(_i);

	script_close(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, ". 2:2(0) ack 2");
	after_ms(s, 50000);
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, ". 2:2(0) ack 2");
	after_ms(s, 50000);
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, ". 2:2(0) ack 2");
	after_ms(s, 61000);
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, "R 2:2(0)");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_6_1_nobody_waits_for_ever_in_fin_wait_2)
{
	struct script *s = begin_established(_i);

	script_close(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 2");
	expect_nothing_for_ms(s, 70000);
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, "R 2:2(0)");
	script_end(s);
}
END_TEST

/* While somebody may still read there is no such limit. */
START_TEST(rfc9293_3_6_1_a_half_closed_connection_stays)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 2");
	expect_nothing_for_ms(s, 600000);
	peer_sends(s, "PF. 1:11(10) ack 2");
	expect(s, ". 2:2(0) ack 12");
	script_receive(s, 10);
	script_receive_end(s);
	script_end(s);
}
END_TEST

/* RFC 2525, 2.17; RFC 1122, 4.2.2.13 */
START_TEST(rfc9293_3_6_1_unread_data_make_a_close_a_reset)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:101(100) ack 1");
	script_close(s);
	expect(s, "R. 1:1(0) ack 101");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_6_1_data_that_nobody_can_read_are_reset)
{
	struct script *s = begin_established(_i);

	script_close(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "P. 1:101(100) ack 2");
	expect(s, "R. 2:2(0) ack *");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_5_abort_resets_and_forgets)
{
	struct script *s = begin_established(_i);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	script_abort(s);
	expect(s, "R. 101:101(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 101");
	expect(s, "R 101:101(0)");
	expect_nothing_for_ms(s, 10000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_5_abort_in_syn_sent_says_nothing)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	script_abort(s);
	expect_nothing_for_ms(s, 10000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_4_close_in_syn_sent_says_nothing)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	script_close(s);
	expect_nothing_for_ms(s, 10000);
	peer_sends(s, "S. 0:0(0) ack 1");
	expect(s, "R 1:1(0)");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_5_abort_in_each_later_state)
{
	struct script *s = script_begin(version_of(_i));

	/* FIN-WAIT-2 */
	script_passive(s, "");
	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 2");
	script_abort(s);
	expect(s, "R. 2:2(0) ack 1");
	/* CLOSE-WAIT */
	script_choose(s, 1);
	script_passive(s, "");
	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 1:1(0) ack 2");
	script_abort(s);
	expect(s, "R. 1:1(0) ack 2");
	/* CLOSING: the connection just ends. */
	script_choose(s, 2);
	script_passive(s, "");
	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 2:2(0) ack 2");
	script_abort(s);
	expect_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_reset_ends_what_both_wanted)
{
	struct script *s = begin_established(_i);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	peer_sends(s, "P. 1:11(10) ack 1");
	peer_sends(s, "R 11:11(0)");
	expect_nothing(s);
	ck_assert_int_ne(script_poll(s) & POLLERR, 0);
	script_receive_error(s, ECONNRESET);
	script_receive_end(s);
	script_send_error(s, EPIPE);
	expect_nothing_for_ms(s, 10000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_reset_in_last_ack_is_no_error)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 1:1(0) ack 2");
	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 2");
	peer_sends(s, "R 2:2(0)");
	expect_state(s, STATE_CLOSED);
	ck_assert_int_eq(script_error(s), 0);
	expect_nothing_for_ms(s, 10000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_reset_in_fin_wait_2_is_told)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 2");
	peer_sends(s, "R 1:1(0)");
	ck_assert_int_eq(script_error(s), ECONNRESET);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_2_no_send_after_the_end)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	script_send_error(s, EPIPE);
	ck_assert_int_eq(rw_shutdown(s->stack, s->flow->fd, SHUT_WR), 0);
	expect_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_6_a_fin_beyond_the_window_is_not_taken)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 70000:70000(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	expect_state(s, STATE_ESTABLISHED);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_6_only_what_was_acknowledged_is_gone)
{
	struct script *s = begin_established(_i);

	script_send(s, 1000);
	expect(s, "P. 1:1001(1000) ack 1");
	script_shutdown(s);
	expect(s, "F. 1001:1001(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1001");
	expect_state(s, STATE_FIN_WAIT_1);
	peer_sends(s, ". 1:1(0) ack 1002");
	expect_state(s, STATE_FIN_WAIT_2);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_6_we_close_first, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_the_peer_closes_first, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_both_close_at_once, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_fin_and_its_acknowledgement_in_one, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_what_was_written_goes_before_the_fin, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_data_comes_in_fin_wait_2, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_data_comes_before_our_fin_is_acknowledged, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_we_go_on_in_close_wait, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_fin_waits_for_the_data_before_it, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_nothing_counts_behind_a_fin, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_fin_again_is_acknowledged_again, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_our_fin_is_sent_again, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_our_fin_is_sent_again_in_last_ack, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_time_wait_restarts_with_a_fin, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_1_nobody_waits_for_ever_in_fin_wait_2, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_1_a_half_closed_connection_stays, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_1_unread_data_make_a_close_a_reset, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_1_data_that_nobody_can_read_are_reset, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_5_abort_resets_and_forgets, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_5_abort_in_syn_sent_says_nothing, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_4_close_in_syn_sent_says_nothing, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_5_abort_in_each_later_state, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_reset_ends_what_both_wanted, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_reset_in_last_ack_is_no_error, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_reset_in_fin_wait_2_is_told, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_2_no_send_after_the_end, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_a_fin_beyond_the_window_is_not_taken, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_only_what_was_acknowledged_is_gone, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc9293_close", add_cases);
}
