/* SPDX-License-Identifier: ISC */
/* RFC 9293: windows (3.8.6, and how 3.10.7.4 takes them). */
#include "tests/configs/library/rw_script.h"

static struct script *begin_with_window(int i, uint16_t window)
{
	struct script *s = script_begin(version_of(i));

	s->flow->peer_window = window;
	script_passive(s, "mss 1000");
	return s;
}

START_TEST(rfc9293_3_8_6_no_more_is_sent_than_the_window_takes)
{
	struct script *s = begin_with_window(_i, 2500);

	script_send(s, 5000);
	expect(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1001:2001(1000) ack 1");
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1001");
	/* Its right edge is at 3501 now. */
	expect(s, ". 2001:3001(1000) ack 1");
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 3001 win 2000");
	expect(s, ". 3001:4001(1000) ack 1");
	expect(s, "P. 4001:5001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_window_update_lets_go_what_waits)
{
	struct script *s = begin_with_window(_i, 1000);

	script_send(s, 3000);
	expect(s, ". 1:1001(1000) ack 1");
	peer_sends(s, ". 1:1(0) ack 1001 win 0");
	expect_nothing(s);
	after_ms(s, 20);
	peer_sends(s, ". 1:1(0) ack 1001 win 4000");
	expect(s, ". 1001:2001(1000) ack 1");
	expect(s, "P. 2001:3001(1000) ack 1");
	script_end(s);
}
END_TEST

/* SND.WL1 and SND.WL2: an older segment does not bring an older window back. */
START_TEST(rfc9293_3_10_7_4_an_old_segment_does_not_change_the_window)
{
	struct script *s = begin_with_window(_i, 1000);

	/* They have overtaken one another on the way. */
	peer_sends(s, "P. 101:201(100) ack 1 win 5000");
	peer_sends(s, "P. 1:101(100) ack 1 win 100");
	(void)script_skip(s, NULL);
	ck_assert_uint_eq(script_info(s).send_window, 5000);
	script_send(s, 2000);
	expect(s, ". 1:1001(1000) ack 201");
	expect(s, "P. 1001:2001(1000) ack 201");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_an_old_acknowledgement_does_not_change_the_window)
{
	struct script *s = begin_with_window(_i, 5000);

	script_send(s, 2000);
	(void)script_skip(s, NULL);
	peer_sends(s, ". 1:1(0) ack 2001 win 3000");
	peer_sends(s, ". 1:1(0) ack 1001 win 60000");
	ck_assert_uint_eq(script_info(s).send_window, 3000);
	script_end(s);
}
END_TEST

/* MUST-34: a peer that takes its window back is odd, and nothing worse. */
START_TEST(rfc9293_3_8_6_a_window_that_shrinks_does_no_harm)
{
	struct script *s = begin_with_window(_i, 4000);

	script_send(s, 4000);
	ck_assert_uint_eq(script_skip(s, NULL), 4);
	peer_sends(s, ". 1:1(0) ack 1001 win 500");
	after_ms(s, 500);
	(void)script_skip(s, NULL);
	expect_state(s, STATE_ESTABLISHED);
	script_send(s, 1000);
	peer_sends(s, ". 1:1(0) ack 4001 win 4000");
	expect(s, "P. 4001:5001(1000) ack 1");
	script_end(s);
}
END_TEST

/* SHLD-14: ours never shrinks, whatever is read late. */
START_TEST(rfc9293_3_8_6_our_window_never_shrinks)
{
	struct script *s = begin_with_window(_i, 65535);

	peer_sends(s, ". 1:1001(1000) ack 1");
	after_ms(s, 100);
	expect(s, ". 1:1(0) ack 1001 win 64535");
	peer_sends(s, ". 1001:2001(1000) ack 1");
	after_ms(s, 100);
	expect(s, ". 1:1(0) ack 2001 win 63535");
	script_end(s);
}
END_TEST

/* MUST-35, MUST-37 */
START_TEST(rfc9293_3_8_6_1_a_closed_window_is_probed)
{
	struct script *s = begin_with_window(_i, 1000);

	script_send(s, 2000);
	expect(s, ". 1:1001(1000) ack 1");
	peer_sends(s, ". 1:1(0) ack 1001 win 0");
	for (unsigned int i = 0; i < 4; i++) {
		after_ms(s, 61000);
		ck_assert_uint_ge(script_skip(s, NULL), 1);
		peer_sends(s, ". 1:1(0) ack 1001 win 0");
	}
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1001 win 2000");
	expect(s, "P. 1001:2001(1000) ack 1");
	script_end(s);
}
END_TEST

/* MUST-36: for as long as the peer answers, whatever time-out there is. */
START_TEST(rfc9293_3_8_6_1_a_closed_window_may_stay_closed)
{
	struct script *s = begin_with_window(_i, 1000);

	script_send(s, 2000);
	expect(s, ". 1:1001(1000) ack 1");
	peer_sends(s, ". 1:1(0) ack 1001 win 0");
	for (unsigned int i = 0; i < 60; i++) {
		after_ms(s, 60000);
		if (script_skip(s, NULL))
			peer_sends(s, ". 1:1(0) ack 1001 win 0");
	}
	expect_state(s, STATE_ESTABLISHED);
	peer_sends(s, ". 1:1(0) ack 1001 win 2000");
	expect(s, "P. 1001:2001(1000) ack 1");
	script_end(s);
}
END_TEST

/* MUST-66: a closed window takes acknowledgements, resets and no bytes. */
START_TEST(rfc9293_3_10_7_4_a_closed_window_of_ours_takes_acknowledgements)
{
	struct script *s = begin_with_window(_i, 65535);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	for (unsigned int i = 0; i < 66; i++)
		peer_sends(s, ". %u:%u(1000) ack 1", 1 + 1000 * i, 1001 + 1000 * i);
	(void)script_skip(s, NULL);
	peer_sends(s, ". 65536:65536(0) ack 101");
	ck_assert_uint_eq(script_info(s).unacknowledged, 0);
	expect_nothing(s);
	/* A probe is answered, its byte not taken. */
	peer_sends(s, ". 65536:65537(1) ack 101");
	expect(s, ". 101:101(0) ack 65536 win 0");
	/* Also an acknowledgement in what is not acceptable otherwise counts. */
	script_send(s, 50);
	expect(s, "P. 101:151(50) ack 65536 win 0");
	peer_sends(s, ". 65536:65537(1) ack 151");
	ck_assert_uint_eq(script_info(s).unacknowledged, 0);
	(void)script_skip(s, NULL);
	peer_sends(s, "R 65536:65536(0)");
	ck_assert_int_eq(script_error(s), ECONNRESET);
	script_end(s);
}
END_TEST

/* MUST-39: the window opens by a segment or half the buffer, not by a byte. */
START_TEST(rfc9293_3_8_6_2_2_our_window_opens_by_much_or_not_at_all)
{
	struct script *s = begin_with_window(_i, 65535);

	for (unsigned int i = 0; i < 66; i++)
		peer_sends(s, ". %u:%u(1000) ack 1", 1 + 1000 * i, 1001 + 1000 * i);
	(void)script_skip(s, NULL);
	script_receive(s, 100);
	expect_nothing_for_ms(s, 1000);
	script_receive(s, 40000);
	expect(s, ". 1:1(0) ack 65536 win *");
	ck_assert_uint_ge(script_info(s).receive_window, 1000);
	script_receive(s, 65535 - 40100);
	(void)script_skip(s, NULL);
	script_end(s);
}
END_TEST

/* 3.8.6.2.1: nor do we send a little when the window is a little larger. */
START_TEST(rfc9293_3_8_6_2_1_a_small_opening_is_not_used)
{
	struct script *s = begin_with_window(_i, 4000);

	script_send(s, 6000);
	ck_assert_uint_eq(script_skip(s, NULL), 4);
	peer_sends(s, ". 1:1(0) ack 4001 win 300");
	expect_nothing(s);
	after_ms(s, 20);
	peer_sends(s, ". 1:1(0) ack 4001 win 1200");
	expect(s, ". 4001:5001(1000) ack 1");
	expect_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_6_2_1_half_of_the_largest_window_is_worth_a_segment)
{
	struct script *s = begin_with_window(_i, 800);

	script_send(s, 3000);
	expect(s, ". 1:801(800) ack 1");
	peer_sends(s, ". 1:1(0) ack 801 win 500");
	expect(s, ". 801:1301(500) ack 1");
	script_end(s);
}
END_TEST

/* MUST-6 of scaling is RFC 7323's; without the option windows are as they stand. */
START_TEST(rfc9293_3_1_without_scaling_windows_are_as_they_stand)
{
	struct script *s = begin_with_window(_i, 65535);

	ck_assert_uint_eq(script_info(s).send_window, 65535);
	peer_sends(s, ". 1:1(0) ack 1 win 1");
	ck_assert_uint_eq(script_info(s).send_window, 1);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_8_6_no_more_is_sent_than_the_window_takes, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_window_update_lets_go_what_waits, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_an_old_segment_does_not_change_the_window, 0,
			    2);
	tcase_add_loop_test(
		cases, rfc9293_3_10_7_4_an_old_acknowledgement_does_not_change_the_window, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_6_a_window_that_shrinks_does_no_harm, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_6_our_window_never_shrinks, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_6_1_a_closed_window_is_probed, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_6_1_a_closed_window_may_stay_closed, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_closed_window_of_ours_takes_acknowledgements,
			    0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_6_2_2_our_window_opens_by_much_or_not_at_all, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_6_2_1_a_small_opening_is_not_used, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_6_2_1_half_of_the_largest_window_is_worth_a_segment,
			    0, 2);
	tcase_add_loop_test(cases, rfc9293_3_1_without_scaling_windows_are_as_they_stand, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc9293_window", add_cases);
}
