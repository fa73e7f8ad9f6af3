/* SPDX-License-Identifier: ISC */
/* RFC 9293: which segments are acceptable (3.4, table 6), and what each later state makes of them
 * (3.10.7.4). */
#include "tests/configs/library/rw_script.h"

static struct script *begin_established(int i)
{
	struct script *s = script_begin(version_of(i));

	script_passive(s, "mss 1000");
	return s;
}

/* Our receive window is closed: 65535 bytes wait to be read. */
static struct script *begin_closed_window(int i)
{
	struct script *s = begin_established(i);

	peer_sends(s, ". 1:60001(60000) ack 1");
	peer_sends(s, ". 60001:65536(5535) ack 1");
	(void)script_skip(s, NULL);
	after_ms(s, 1000);
	(void)script_skip(s, NULL);
	return s;
}

START_TEST(rfc9293_3_4_nothing_in_a_closed_window_is_acceptable_at_its_edge)
{
	struct script *s = begin_closed_window(_i);

	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 65536 win 0");
	peer_sends(s, ". 65536:65536(0) ack 11");
	ck_assert_uint_eq(script_info(s).unacknowledged, 0);
	expect_nothing(s);
	peer_sends(s, ". 65537:65537(0) ack 11");
	expect(s, ". 11:11(0) ack 65536 win 0");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_4_bytes_in_a_closed_window_are_never_acceptable)
{
	struct script *s = begin_closed_window(_i);

	peer_sends(s, ". 65536:65537(1) ack 1");
	expect(s, ". 1:1(0) ack 65536 win 0");
	peer_sends(s, ". 65536:66536(1000) ack 1");
	expect(s, ". 1:1(0) ack 65536 win 0");
	script_receive(s, 65535);
	(void)script_skip(s, NULL);
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_4_an_empty_segment_in_the_window_is_acceptable)
{
	struct script *s = begin_established(_i);

	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	peer_sends(s, ". 30000:30000(0) ack 11");
	expect_nothing(s);
	ck_assert_uint_eq(script_info(s).unacknowledged, 0);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_4_an_empty_segment_beyond_the_window_is_answered)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 70000:70000(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_4_one_byte_in_the_window_is_enough)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:101(100) ack 1");
	script_receive(s, 100);
	after_ms(s, 100);
	(void)script_skip(s, NULL);
	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 101");
	/* All but its last byte has come before. */
	peer_sends(s, "P. 2:102(100) ack 11");
	ck_assert_uint_eq(script_info(s).unacknowledged, 0);
	script_receive(s, 1);
	after_ms(s, 100);
	expect(s, ". 11:11(0) ack 102");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_fin_needs_its_place_in_the_window)
{
	struct script *s = begin_closed_window(_i);

	peer_sends(s, "F. 65536:65536(0) ack 1");
	expect(s, ". 1:1(0) ack * win 0");
	script_receive(s, 65535);
	(void)script_skip(s, NULL);
	after_ms(s, 1000);
	peer_sends(s, "F. 65536:65536(0) ack 1");
	expect(s, ". 1:1(0) ack 65537");
	script_receive_end(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_data_in_close_wait_do_not_count)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 1:1(0) ack 2");
	after_ms(s, 1000);
	peer_sends(s, "P. 2:12(10) ack 1 junk");
	(void)script_skip(s, NULL);
	script_receive_end(s);
	expect_state(s, STATE_CLOSE_WAIT);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_data_in_closing_do_not_count)
{
	struct script *s = begin_established(_i);

	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 1");
	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 2:2(0) ack 2");
	peer_sends(s, "P. 2:12(10) ack 1 junk");
	(void)script_skip(s, NULL);
	expect_state(s, STATE_CLOSING);
	script_receive_end(s);
	peer_sends(s, ". 2:2(0) ack 2");
	expect_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_an_acknowledgement_of_data_ends_nothing_in_closing)
{
	struct script *s = begin_established(_i);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	script_shutdown(s);
	expect(s, "F. 101:101(0) ack 1");
	peer_sends(s, "F. 1:1(0) ack 1");
	expect(s, ". 102:102(0) ack 2");
	peer_sends(s, ". 2:2(0) ack 101");
	expect_state(s, STATE_CLOSING);
	peer_sends(s, ". 2:2(0) ack 102");
	expect_nothing(s);
	/* TIME-WAIT */
	after_ms(s, 1000);
	peer_sends(s, "F. 1:1(0) ack 102");
	expect(s, ". 102:102(0) ack 2");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_window_update_in_fin_wait_1)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->peer_window = 1000;
	script_passive(s, "mss 1000");
	script_send(s, 2000);
	expect(s, ". 1:1001(1000) ack 1");
	script_shutdown(s);
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1001 win 1001");
	expect(s, "PF. 1001:2001(1000) ack 1");
	peer_sends(s, ". 1:1(0) ack 2002");
	expect_state(s, STATE_FIN_WAIT_2);
	script_end(s);
}
END_TEST

/* FIN waits as data do where there is no place for it. */
START_TEST(rfc9293_3_8_6_a_fin_needs_its_place_in_the_peers_window)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->peer_window = 1000;
	script_passive(s, "mss 1000");
	script_send(s, 1000);
	expect(s, "P. 1:1001(1000) ack 1");
	script_shutdown(s);
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1001");
	expect(s, "F. 1001:1001(0) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_half_open_takes_nothing_outside_of_its_window)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, "P. 100000:100010(10) ack 1 junk");
	(void)script_skip(s, NULL);
	script_accept_nothing(s);
	peer_sends(s, "R 100000:100000(0)");
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_reset_in_a_closed_window_counts)
{
	struct script *s = begin_closed_window(_i);

	peer_sends(s, "R 65536:65536(0)");
	expect_nothing(s);
	ck_assert_int_eq(script_error(s), ECONNRESET);
	script_end(s);
}
END_TEST

/* Both of our ends are ours to close, at any time, in any order. */
START_TEST(rfc9293_3_6_every_order_of_ends)
{
	for (unsigned int order = 0; order < 6; order++) {
		struct script *s = begin_established(_i);
		unsigned int ours = 1, theirs = 1;

		for (unsigned int step = 0; step < 2; step++) {
			if ((order >> step & 1) == 0 && ours == 1) {
				script_shutdown(s);
				ours = 2;
				expect(s, "F. 1:1(0) ack %u", theirs);
			} else if (theirs == 1) {
				peer_sends(s, "F. 1:1(0) ack %u", order > 3 ? ours : 1);
				theirs = 2;
				expect(s, ". %u:%u(0) ack 2", ours, ours);
			}
		}
		if (ours == 1) {
			script_shutdown(s);
			expect(s, "F. 1:1(0) ack %u", theirs);
		}
		if (theirs == 1) {
			peer_sends(s, "F. 1:1(0) ack 2");
			expect(s, ". 2:2(0) ack 2");
		} else {
			peer_sends(s, ". 2:2(0) ack 2");
		}
		script_receive_end(s);
		script_close(s);
		expect_nothing_for_ms(s, 100000);
		script_end(s);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_4_nothing_in_a_closed_window_is_acceptable_at_its_edge,
			    0, 2);
	tcase_add_loop_test(cases, rfc9293_3_4_bytes_in_a_closed_window_are_never_acceptable, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_4_an_empty_segment_in_the_window_is_acceptable, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_4_an_empty_segment_beyond_the_window_is_answered, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_4_one_byte_in_the_window_is_enough, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_fin_needs_its_place_in_the_window, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_data_in_close_wait_do_not_count, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_data_in_closing_do_not_count, 0, 2);
	tcase_add_loop_test(
		cases, rfc9293_3_10_7_4_an_acknowledgement_of_data_ends_nothing_in_closing, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_window_update_in_fin_wait_1, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_6_a_fin_needs_its_place_in_the_peers_window, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_half_open_takes_nothing_outside_of_its_window,
			    0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_reset_in_a_closed_window_counts, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_6_every_order_of_ends, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc9293_segment", add_cases);
}
