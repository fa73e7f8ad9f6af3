/* SPDX-License-Identifier: ISC */
/* RFC 5961: blind attacks (resets, SYNs, data), and how answers to them are rationed. */
#include "tests/configs/library/rw_script.h"

static struct script *begin_established(int i)
{
	struct script *s = script_begin(version_of(i));

	script_passive(s, "mss 1000");
	return s;
}

START_TEST(rfc5961_3_2_a_reset_at_the_next_number_resets)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:101(100) ack 1");
	script_receive(s, 100);
	peer_sends(s, "R 101:101(0)");
	expect_nothing(s);
	ck_assert_int_eq(script_error(s), ECONNRESET);
	script_end(s);
}
END_TEST

START_TEST(rfc5961_3_2_a_reset_elsewhere_in_the_window_is_challenged)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "R 2:2(0)");
	expect(s, ". 1:1(0) ack 1");
	after_ms(s, 1000);
	peer_sends(s, "R 65535:65535(0)");
	expect(s, ". 1:1(0) ack 1");
	expect_state(s, STATE_ESTABLISHED);
	/* Who has really gone answers with the number that the challenge named. */
	peer_sends(s, "R 1:1(0)");
	ck_assert_int_eq(script_error(s), ECONNRESET);
	script_end(s);
}
END_TEST

START_TEST(rfc5961_3_2_a_reset_outside_of_the_window_is_dropped)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "R 0:0(0)");
	peer_sends(s, "R 65537:65537(0)");
	peer_sends(s, "R 2000000000:2000000000(0)");
	expect_nothing(s);
	expect_state(s, STATE_ESTABLISHED);
	script_end(s);
}
END_TEST

START_TEST(rfc5961_3_2_a_reset_in_the_window_in_each_later_state)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "R 100:100(0)");
	expect(s, ". 2:2(0) ack 1");
	expect_state(s, STATE_FIN_WAIT_1);
	peer_sends(s, ". 1:1(0) ack 2");
	after_ms(s, 1000);
	peer_sends(s, "R 100:100(0)");
	expect(s, ". 2:2(0) ack 1");
	expect_state(s, STATE_FIN_WAIT_2);
	script_end(s);
}
END_TEST

START_TEST(rfc5961_4_2_a_syn_in_the_window_is_challenged)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "S 100:100(0) <mss 1000>");
	expect(s, ". 1:1(0) ack 1");
	expect_state(s, STATE_ESTABLISHED);
	script_end(s);
}
END_TEST

START_TEST(rfc5961_4_2_a_syn_anywhere_is_challenged)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "S 2000000000:2000000000(0)");
	expect(s, ". 1:1(0) ack 1");
	after_ms(s, 1000);
	peer_sends(s, "S 0:0(0)");
	expect(s, ". 1:1(0) ack 1");
	after_ms(s, 1000);
	peer_sends(s, "S. 0:0(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	expect_state(s, STATE_ESTABLISHED);
	script_end(s);
}
END_TEST

START_TEST(rfc5961_4_2_data_with_a_syn_are_not_taken)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "SP. 1:101(100) ack 1 junk");
	expect(s, ". 1:1(0) ack 1");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

/* MAX.SND.WND is 2000: older acknowledgements than that are nobody's. */
START_TEST(rfc5961_5_2_data_with_too_old_an_acknowledgement_are_not_taken)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->peer_window = 2000;
	script_passive(s, "mss 1000");
	for (unsigned int i = 0; i < 5; i++) {
		script_send(s, 1000);
		(void)script_skip(s, NULL);
		peer_sends(s, ". 1:1(0) ack %u", 1001 + 1000 * i);
	}
	peer_sends(s, "P. 1:11(10) ack 3000 junk");
	expect(s, ". 5001:5001(0) ack 1");
	script_receive_nothing(s);
	/* Within it they are. */
	peer_sends(s, "P. 1:11(10) ack 3001");
	script_receive(s, 10);
	after_ms(s, 100);
	expect(s, ". 5001:5001(0) ack 11");
	script_end(s);
}
END_TEST

START_TEST(rfc5961_5_2_data_with_an_acknowledgement_of_the_future_are_not_taken)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:11(10) ack 2 junk");
	expect(s, ". 1:1(0) ack 1");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc5961_7_challenges_of_a_connection_are_rationed)
{
	struct script *s = begin_established(_i);

	for (unsigned int i = 0; i < 50; i++)
		peer_sends(s, "S %u:%u(0)", 100 * i, 100 * i);
	ck_assert_uint_le(script_skip(s, NULL), 2);
	after_ms(s, 600);
	for (unsigned int i = 0; i < 50; i++)
		peer_sends(s, "R %u:%u(0)", 100 + i, 100 + i);
	ck_assert_uint_eq(script_skip(s, NULL), 1);
	expect_state(s, STATE_ESTABLISHED);
	script_end(s);
}
END_TEST

/* Of unacceptable acknowledgements, too: two ends must not answer each other for ever. */
START_TEST(rfc5961_7_two_ends_do_not_argue_for_ever)
{
	struct script *s = begin_established(_i);

	for (unsigned int i = 0; i < 200; i++) {
		peer_sends(s, ". 100000:100000(0) ack 5000");
		after_ms(s, 1);
	}
	ck_assert_uint_le(script_skip(s, NULL), 3);
	script_end(s);
}
END_TEST

/* CVE-2016-5696: how many challenges there are in a second does not say who else got some. */
START_TEST(rfc5961_7_the_ration_of_all_is_not_the_same_everywhere)
{
	unsigned int counts[2];

	for (unsigned int run = 0; run < 2; run++) {
		struct script *s = script_begin_with(
			&(struct script_how){ .version = version_of(_i), .seed = 11 + run });

		script_passive(s, "");
		for (unsigned int i = 0; i < 3000; i++)
			peer_sends(s, "P. 100000:100001(1) ack 1 junk");
		counts[run] = script_skip(s, NULL);
		ck_assert_uint_lt(counts[run], 1600);
		script_end(s);
	}
	ck_assert_uint_ne(counts[0], counts[1]);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc5961_3_2_a_reset_at_the_next_number_resets, 0, 2);
	tcase_add_loop_test(cases, rfc5961_3_2_a_reset_elsewhere_in_the_window_is_challenged, 0, 2);
	tcase_add_loop_test(cases, rfc5961_3_2_a_reset_outside_of_the_window_is_dropped, 0, 2);
	tcase_add_loop_test(cases, rfc5961_3_2_a_reset_in_the_window_in_each_later_state, 0, 2);
	tcase_add_loop_test(cases, rfc5961_4_2_a_syn_in_the_window_is_challenged, 0, 2);
	tcase_add_loop_test(cases, rfc5961_4_2_a_syn_anywhere_is_challenged, 0, 2);
	tcase_add_loop_test(cases, rfc5961_4_2_data_with_a_syn_are_not_taken, 0, 2);
	tcase_add_loop_test(cases, rfc5961_5_2_data_with_too_old_an_acknowledgement_are_not_taken,
			    0, 2);
	tcase_add_loop_test(
		cases, rfc5961_5_2_data_with_an_acknowledgement_of_the_future_are_not_taken, 0, 2);
	tcase_add_loop_test(cases, rfc5961_7_challenges_of_a_connection_are_rationed, 0, 2);
	tcase_add_loop_test(cases, rfc5961_7_two_ends_do_not_argue_for_ever, 0, 2);
	tcase_add_loop_test(cases, rfc5961_7_the_ration_of_all_is_not_the_same_everywhere, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc5961", add_cases);
}
