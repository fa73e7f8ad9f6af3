/* SPDX-License-Identifier: ISC */
/* RFC 9293: how connections begin (3.5, 3.10.1, and 3.10.7 in CLOSED, LISTEN, SYN-SENT and
 * SYN-RECEIVED). */
#include "tests/configs/library/rw_script.h"

START_TEST(rfc9293_3_5_a_passive_open_in_three_steps)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) win 65535 <" SCRIPT_FULL ">");
	expect(s, "S. 0:0(0) ack 1 win 65535 <mss %u,sackOK,TS val 0 ecr 1000,wscale *>",
	       _i ? 1440 : 1460);
	script_accept_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1");
	expect_nothing(s);
	script_accept(s);
	expect_state(s, STATE_ESTABLISHED);
	ck_assert_int_eq(script_poll(s), POLLOUT);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_5_an_active_open_in_three_steps)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0) win 65535 <mss %u,sackOK,TS val 0 ecr 0,wscale *>", _i ? 1440 : 1460);
	expect_state(s, STATE_SYN_SENT);
	ck_assert_int_eq(script_poll(s), 0);
	after_ms(s, 20);
	peer_sends(s, "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 1020 ecr 0,wscale 7>");
	expect(s, ". 1:1(0) ack 1 <TS val 20 ecr 1020>");
	expect_state(s, STATE_ESTABLISHED);
	ck_assert_int_eq(script_poll(s), POLLOUT);
	ck_assert_int_eq(script_error(s), 0);
	script_end(s);
}
END_TEST

/* Figure 7 */
START_TEST(rfc9293_3_5_both_open_at_once)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	expect_state(s, STATE_SYN_RECEIVED);
	peer_sends(s, "S. 0:0(0) ack 1 <mss 1000>");
	expect_state(s, STATE_ESTABLISHED);
	(void)script_skip(s, NULL); /* an acknowledgement may follow */
	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	peer_sends(s, "P. 1:6(5) ack 11");
	script_receive(s, 5);
	after_ms(s, 100);
	expect(s, ". 11:11(0) ack 6");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_5_both_open_at_once_and_a_bare_ack_is_enough)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	expect_state(s, STATE_ESTABLISHED);
	ck_assert_int_eq(script_poll(s), POLLOUT);
	script_end(s);
}
END_TEST

/* Figure 8 */
START_TEST(rfc9293_3_5_an_old_syn_is_reset_by_its_sender)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, "R 1:1(0)");
	expect_nothing(s);
	script_accept_nothing(s);
	script_again(s, 77000);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_end(s);
}
END_TEST

/* Figure 9, seen from the side that has a connection still: the peer has forgotten it. */
START_TEST(rfc9293_3_5_1_a_peer_that_has_started_anew_resets)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, "mss 1460");
	peer_sends(s, "S 5000:5000(0)");
	expect(s, ". 1:1(0) ack 1");
	peer_sends(s, "R 1:1(0)");
	expect_nothing(s);
	ck_assert_int_eq(script_error(s), ECONNRESET);
	script_end(s);
}
END_TEST

/* Figures 10 and 11 */
START_TEST(rfc9293_3_5_1_data_for_nothing_is_reset)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "P. 1:101(100) ack 300");
	expect(s, "R 300:300(0)");
	script_accept_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_1_a_closed_port_answers_a_syn_with_a_reset)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->our_port = 81;
	peer_sends(s, "S 0:0(0) <mss 1460>");
	expect(s, "R. 0:0(0) ack 1 win 0");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_1_a_closed_port_takes_the_sequence_of_what_acknowledges)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->our_port = 81;
	peer_sends(s, ". 0:0(0) ack 4711");
	expect(s, "R 4711:4711(0)");
	peer_sends(s, "F. 0:10(10) ack 4711");
	expect(s, "R 4711:4711(0)");
	peer_sends(s, "S. 0:0(0) ack 4711");
	expect(s, "R 4711:4711(0)");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_1_a_closed_port_acknowledges_all_that_a_segment_has)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->our_port = 81;
	peer_sends(s, "P 0:100(100)");
	expect(s, "R. 0:0(0) ack 100");
	peer_sends(s, "S 0:100(100)");
	expect(s, "R. 0:0(0) ack 101");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_1_a_reset_to_a_closed_port_is_dropped)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->our_port = 81;
	peer_sends(s, "R 0:0(0)");
	peer_sends(s, "R. 0:0(0) ack 1");
	expect_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_2_listen_ignores_a_reset)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "R 0:0(0)");
	peer_sends(s, "R. 0:0(0) ack 1");
	expect_nothing(s);
	script_passive(s, "");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_2_listen_resets_an_acknowledgement)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, ". 0:0(0) ack 99");
	expect(s, "R 99:99(0)");
	peer_sends(s, "S. 0:0(0) ack 99");
	expect(s, "R 99:99(0)");
	peer_sends(s, "F. 0:0(0) ack 99");
	expect(s, "R 99:99(0)");
	script_accept_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_2_listen_drops_what_has_neither_syn_nor_ack)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "P 0:10(10)");
	peer_sends(s, "F 0:0(0)");
	peer_sends(s, "SF 0:0(0)");
	expect_nothing(s);
	script_end(s);
}
END_TEST

/* Data with the SYN may be kept until the connection is established, or be sent again. */
START_TEST(rfc9293_3_10_7_2_data_with_a_syn_is_not_lost)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:20(20) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:21(20) ack 1");
	script_accept(s);
	script_receive(s, 20);
	after_ms(s, 300);
	expect(s, ". 1:1(0) ack 21");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_3_syn_sent_resets_an_unacceptable_ack)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "S. 0:0(0) ack 0");
	expect(s, "R 0:0(0)");
	peer_sends(s, "S. 0:0(0) ack 2");
	expect(s, "R 2:2(0)");
	peer_sends(s, ". 0:0(0) ack 500");
	expect(s, "R 500:500(0)");
	expect_state(s, STATE_SYN_SENT);
	peer_sends(s, "S. 0:0(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_3_syn_sent_drops_a_reset_without_a_good_ack)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "R 0:0(0)");
	peer_sends(s, "R. 0:0(0) ack 0");
	peer_sends(s, "R. 0:0(0) ack 2");
	expect_nothing(s);
	expect_state(s, STATE_SYN_SENT);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_3_syn_sent_is_refused_by_a_reset)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "R. 0:0(0) ack 1");
	expect_nothing(s);
	ck_assert_int_ne(script_poll(s) & POLLERR, 0);
	ck_assert_int_eq(script_error(s), ECONNREFUSED);
	ck_assert_int_eq(script_error(s), 0);
	script_receive_end(s);
	script_send_error(s, EPIPE);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_3_syn_sent_drops_what_has_no_syn)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, ". 1:1(0) ack 1");
	peer_sends(s, "P. 1:11(10) ack 1");
	expect_nothing(s);
	expect_state(s, STATE_SYN_SENT);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_3_data_with_the_answer_is_taken)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "S. 0:30(30) ack 1");
	expect(s, ". 1:1(0) ack 31");
	script_receive(s, 30);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_syn_again_in_syn_received_is_answered_again)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	after_ms(s, 200);
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_syn_received_resets_an_unacceptable_ack)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 2");
	expect(s, "R 2:2(0)");
	peer_sends(s, ". 1:1(0) ack 0");
	expect(s, "R 0:0(0)");
	script_accept_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_end(s);
}
END_TEST

/* The peer has begun anew before it was answered. */
START_TEST(rfc9293_3_10_7_4_another_syn_in_syn_received_returns_to_listen)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, "S 100:100(0) <mss 1000>");
	(void)script_skip(s, NULL);
	script_again(s, s->flow->peer_iss + 100);
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_end(s);
}
END_TEST

/* Nothing of a connection is delivered before the handshake is complete (MUST-10 of 3.5). */
START_TEST(rfc9293_3_5_nothing_is_delivered_before_both_have_agreed)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "S 0:50(50) <mss 1000>");
	expect(s, "S. 0:0(0) ack *");
	ck_assert_int_eq(script_poll(s) & POLLIN, 0);
	peer_sends(s, "P. 1:51(50) ack 1");
	script_receive(s, 50);
	after_ms(s, 100);
	expect(s, ". 1:1(0) ack 51");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_reset_in_syn_received_of_both_refuses)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, "R 1:1(0)");
	expect_nothing(s);
	ck_assert_int_eq(script_error(s), ECONNREFUSED);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_the_third_step_may_carry_data_and_fin)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, "PF. 1:41(40) ack 1");
	expect(s, ". 1:1(0) ack 42");
	script_accept(s);
	expect_state(s, STATE_CLOSE_WAIT);
	script_receive(s, 40);
	script_receive_end(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_1_a_syn_is_sent_again_ever_later)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	expect_within_ms(s, 900, 1100, "SEW 0:0(0)");
	expect_within_ms(s, 1900, 2100, "S 0:0(0)");
	expect_within_ms(s, 3900, 4100, "S 0:0(0)");
	expect_within_ms(s, 7900, 8100, "S 0:0(0)");
	peer_sends(s, "S. 0:0(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_1_the_answer_to_a_syn_is_sent_again)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	expect_within_ms(s, 900, 1100, "S. 0:0(0) ack 1");
	expect_within_ms(s, 1900, 2100, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_end(s);
}
END_TEST

/* R2 of a SYN is at least three minutes (MUST-23). */
START_TEST(rfc9293_3_8_3_a_syn_without_answer_is_given_up_after_three_minutes)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	at_ms(s, 179000);
	ck_assert_uint_ge(script_skip(s, NULL), 7);
	expect_state(s, STATE_SYN_SENT);
	ck_assert_int_eq(script_error(s), 0);
	at_ms(s, 400000);
	ck_assert_int_eq(script_error(s), ETIMEDOUT);
	(void)script_skip(s, NULL);
	expect_nothing_for_ms(s, 100000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_one_pair_of_sockets_has_one_connection)
{
	struct script *s = script_begin(version_of(_i));
	struct sockaddr_storage own, peer;
	socklen_t bytes = script_own_address(s, 5555, &own);
	int fds[2];

	script_peer_address(s, SCRIPT_PEER_PORT, &peer);
	for (unsigned int i = 0; i < 2; i++) {
		fds[i] = rw_socket(s->stack, own.ss_family, SOCK_STREAM);
		ck_assert_int_ge(fds[i], 0);
		ck_assert_int_eq(rw_bind(s->stack, fds[i], (struct sockaddr *)&own, bytes), 0);
	}
	s->flow->our_port = 5555;
	ck_assert_int_eq(rw_connect(s->stack, fds[0], (struct sockaddr *)&peer, bytes),
			 -EINPROGRESS);
	ck_assert_int_eq(rw_connect(s->stack, fds[0], (struct sockaddr *)&peer, bytes), -EALREADY);
	ck_assert_int_eq(rw_connect(s->stack, fds[1], (struct sockaddr *)&peer, bytes),
			 -EADDRINUSE);
	after_ms(s, 1);
	expect(s, "SEW 0:0(0)");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_two_listeners_at_one_port)
{
	struct script *s = script_begin(version_of(_i));
	struct sockaddr_storage own;
	socklen_t bytes = script_own_address(s, SCRIPT_PORT, &own);
	int fd = rw_socket(s->stack, own.ss_family, SOCK_STREAM);

	script_listen(s, 5);
	ck_assert_int_eq(rw_bind(s->stack, fd, (struct sockaddr *)&own, bytes), 0);
	ck_assert_int_eq(rw_listen(s->stack, fd, 5), -EADDRINUSE);
	ck_assert_int_eq(rw_close(s->stack, s->listener), 0);
	ck_assert_int_eq(rw_listen(s->stack, fd, 5), 0);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_9_1_1_a_listener_takes_many_peers)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 16);
	for (unsigned int i = 0; i < 8; i++) {
		script_choose(s, i);
		peer_sends(s, "S 0:0(0)");
		expect(s, "S. 0:0(0) ack 1");
	}
	for (unsigned int i = 0; i < 8; i++) {
		script_choose(s, i);
		peer_sends(s, ". 1:1(0) ack 1");
		script_accept(s);
		script_send(s, 10 + i);
		expect(s, "P. 1:%u(%u) ack 1", 11 + i, 10 + i);
	}
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_5_a_passive_open_in_three_steps, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_5_an_active_open_in_three_steps, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_5_both_open_at_once, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_5_both_open_at_once_and_a_bare_ack_is_enough, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_5_an_old_syn_is_reset_by_its_sender, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_5_1_a_peer_that_has_started_anew_resets, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_5_1_data_for_nothing_is_reset, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_1_a_closed_port_answers_a_syn_with_a_reset, 0, 2);
	tcase_add_loop_test(cases,
			    rfc9293_3_10_7_1_a_closed_port_takes_the_sequence_of_what_acknowledges,
			    0, 2);
	tcase_add_loop_test(
		cases, rfc9293_3_10_7_1_a_closed_port_acknowledges_all_that_a_segment_has, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_1_a_reset_to_a_closed_port_is_dropped, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_2_listen_ignores_a_reset, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_2_listen_resets_an_acknowledgement, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_2_listen_drops_what_has_neither_syn_nor_ack, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_2_data_with_a_syn_is_not_lost, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_3_syn_sent_resets_an_unacceptable_ack, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_3_syn_sent_drops_a_reset_without_a_good_ack, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_3_syn_sent_is_refused_by_a_reset, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_3_syn_sent_drops_what_has_no_syn, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_3_data_with_the_answer_is_taken, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_syn_again_in_syn_received_is_answered_again,
			    0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_syn_received_resets_an_unacceptable_ack, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_another_syn_in_syn_received_returns_to_listen,
			    0, 2);
	tcase_add_loop_test(cases, rfc9293_3_5_nothing_is_delivered_before_both_have_agreed, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_reset_in_syn_received_of_both_refuses, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_the_third_step_may_carry_data_and_fin, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_1_a_syn_is_sent_again_ever_later, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_1_the_answer_to_a_syn_is_sent_again, 0, 2);
	tcase_add_loop_test(
		cases, rfc9293_3_8_3_a_syn_without_answer_is_given_up_after_three_minutes, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_one_pair_of_sockets_has_one_connection, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_two_listeners_at_one_port, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_9_1_1_a_listener_takes_many_peers, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc9293_open", add_cases);
}
