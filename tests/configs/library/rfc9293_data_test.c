/* SPDX-License-Identifier: ISC */
/* RFC 9293: bytes that come (3.4, 3.8.5, 3.10.7.4 first, fifth and seventh). */
#include "tests/configs/library/rw_script.h"

static struct script *begin_established(int i)
{
	struct script *s = script_begin(version_of(i));

	script_passive(s, "mss 1000");
	return s;
}

START_TEST(rfc9293_3_10_7_4_what_comes_in_order_is_delivered)
{
	struct script *s = begin_established(_i);

	for (unsigned int i = 0; i < 10; i++)
		peer_sends(s, "P. %u:%u(1000) ack 1", 1 + 1000 * i, 1001 + 1000 * i);
	script_receive(s, 10000);
	script_receive_nothing(s);
	after_ms(s, 100);
	ck_assert_uint_ge(script_skip(s, NULL), 5);
	expect_nothing_for_ms(s, 10000);
	script_end(s);
}
END_TEST

/* Numbers wrap in the middle of it. */
START_TEST(rfc9293_3_4_sequence_numbers_wrap)
{
	struct script *s = script_begin_with(
		&(struct script_how){ .version = version_of(_i), .peer_iss = 0xffffffffu - 1500 });

	script_passive(s, "mss 1000");
	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1");
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 2001");
	script_receive(s, 2000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_what_is_too_early_waits)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 2001:3001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1");
	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1");
	script_receive_nothing(s);
	ck_assert_int_eq(script_poll(s), POLLOUT);
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 3001");
	script_receive(s, 3000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_what_came_before_is_acknowledged_at_once)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 1:1001(1000) ack 1");
	(void)script_skip(s, NULL);
	script_receive(s, 1000);
	after_ms(s, 1000);
	(void)script_skip(s, NULL);
	peer_sends(s, ". 1:1001(1000) ack 1 junk");
	expect(s, ". 1:1(0) ack 1001");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_what_overlaps_is_cut_on_the_left)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:601(600) ack 1");
	peer_sends(s, "P. 301:1301(1000) ack 1");
	script_receive(s, 1300);
	after_ms(s, 100);
	ck_assert_uint_ge(script_skip(s, NULL), 1);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_bytes_that_are_there_are_not_written_again)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1");
	peer_sends(s, ". 1001:2001(1000) ack 1 junk");
	expect(s, ". 1:1(0) ack 1");
	peer_sends(s, ". 1501:1801(300) ack 1 junk");
	expect(s, ". 1:1(0) ack 1");
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 2001");
	script_receive(s, 2000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_one_segment_fills_several_holes)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 1001:1101(100) ack 1");
	peer_sends(s, ". 2001:2101(100) ack 1");
	peer_sends(s, ". 3001:3101(100) ack 1");
	ck_assert_uint_eq(script_skip(s, NULL), 3);
	peer_sends(s, ". 1:3001(3000) ack 1");
	expect(s, ". 1:1(0) ack 3101");
	script_receive(s, 3100);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_4_what_lies_beyond_the_window_is_not_taken)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 65536:66536(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 win 65535");
	after_ms(s, 1000);
	peer_sends(s, ". 200001:201001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 win 65535");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_4_what_crosses_the_edge_of_the_window_is_cut)
{
	struct script *s = begin_established(_i);

	for (unsigned int i = 0; i < 65; i++)
		peer_sends(s, ". %u:%u(1000) ack 1", 1 + 1000 * i, 1001 + 1000 * i);
	(void)script_skip(s, NULL);
	/* 535 are left. */
	peer_sends(s, ". 65001:66001(1000) ack 1");
	expect(s, ". 1:1(0) ack 65536 win 0");
	script_receive(s, 65535);
	(void)script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_without_an_acknowledgement_data_do_not_count)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P 1:101(100)");
	expect_nothing_for_ms(s, 1000);
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_an_acknowledgement_of_the_future_is_answered)
{
	struct script *s = begin_established(_i);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	peer_sends(s, ". 1:1(0) ack 102");
	expect(s, ". 101:101(0) ack 1");
	after_ms(s, 1000);
	(void)script_skip(s, NULL);
	peer_sends(s, "P. 1:11(10) ack 5000");
	expect(s, ". 101:101(0) ack 1");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_part_of_a_segment_is_acknowledged)
{
	struct script *s = begin_established(_i);

	script_send(s, 1000);
	expect(s, "P. 1:1001(1000) ack 1");
	peer_sends(s, ". 1:1(0) ack 401");
	ck_assert_uint_eq(script_info(s).unacknowledged, 600);
	expect_within_ms(s, 1, 1500, "P. 401:1001(600) ack 1");
	peer_sends(s, ". 1:1(0) ack 1001");
	expect_nothing_for_ms(s, 5000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_an_old_acknowledgement_does_nothing)
{
	struct script *s = begin_established(_i);

	script_send(s, 1000);
	script_send(s, 1000);
	(void)script_skip(s, NULL);
	peer_sends(s, ". 1:1(0) ack 2001");
	peer_sends(s, ". 1:1(0) ack 1001");
	peer_sends(s, ". 1:1(0) ack 1");
	expect_nothing_for_ms(s, 5000);
	ck_assert_uint_eq(script_info(s).unacknowledged, 0);
	script_end(s);
}
END_TEST

/* MUST-31 asks for urgent data; the bytes are delivered in line, where they stand. */
START_TEST(rfc9293_3_8_5_urgent_bytes_are_bytes)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "PU. 1:101(100) ack 1 urg 50");
	peer_sends(s, "PU. 101:201(100) ack 1 urg 65535");
	peer_sends(s, "U. 201:201(0) ack 1 urg 1");
	script_receive(s, 200);
	after_ms(s, 100);
	(void)script_skip(s, NULL);
	expect_state(s, STATE_ESTABLISHED);
	script_end(s);
}
END_TEST

/* MUST-61: what has PSH is not kept back, nor is what has none. */
START_TEST(rfc9293_3_9_1_2_bytes_are_readable_without_push)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 1:2(1) ack 1");
	ck_assert_int_eq(script_poll(s), POLLIN | POLLOUT);
	script_receive(s, 1);
	after_ms(s, 100);
	expect(s, ". 1:1(0) ack 2");
	script_end(s);
}
END_TEST

/* MUST-60: PSH on the last byte of what was written. */
START_TEST(rfc9293_3_9_1_2_the_last_of_what_was_written_is_pushed)
{
	struct script *s = begin_established(_i);

	script_send(s, 2300);
	expect(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1001:2001(1000) ack 1");
	expect(s, "P. 2001:2301(300) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_3_the_end_comes_behind_all_bytes)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "PF. 1:501(500) ack 1");
	expect(s, ". 1:1(0) ack 502");
	script_receive(s, 200);
	script_receive(s, 300);
	script_receive_end(s);
	script_receive_end(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_an_adversary_may_send_every_second_byte)
{
	struct script *s = begin_established(_i);

	for (unsigned int i = 0; i < 500; i++)
		peer_sends(s, ". %u:%u(1) ack 1", 2 + 2 * i, 3 + 2 * i);
	(void)script_skip(s, NULL);
	script_receive_nothing(s);
	peer_sends(s, ". 1:1001(1000) ack 1");
	(void)script_skip(s, NULL);
	script_receive(s, 1000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_a_segment_of_64_kib_is_one_segment)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:60001(60000) ack 1");
	expect(s, ". 1:1(0) ack 60001");
	script_receive(s, 60000);
	(void)script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_bytes_go_both_ways)
{
	struct script *s = begin_established(_i);

	for (unsigned int i = 0; i < 20; i++) {
		peer_sends(s, "P. %u:%u(100) ack %u", 1 + 100 * i, 101 + 100 * i, 1 + 50 * i);
		script_receive(s, 100);
		script_send(s, 50);
		expect(s, "P. %u:%u(50) ack %u", 1 + 50 * i, 51 + 50 * i, 101 + 100 * i);
	}
	script_end(s);
}
END_TEST

/* MUST-34 and 3.8.1: a byte that nobody acknowledges is never lost. */
START_TEST(rfc9293_3_8_1_a_lost_segment_is_sent_again_until_it_arrives)
{
	struct script *s = begin_established(_i);

	script_send(s, 500);
	expect(s, "P. 1:501(500) ack 1");
	for (unsigned int i = 0; i < 5; i++)
		expect_within_ms(s, 1, 40000, "P. 1:501(500) ack 1");
	peer_sends(s, ". 1:1(0) ack 501");
	expect_nothing_for_ms(s, 60000);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_8_3_what_never_arrives_ends_the_connection)
{
	struct script *s = begin_established(_i);

	script_send(s, 700);
	at_ms(s, 60000);
	ck_assert_uint_ge(script_skip(s, NULL), 4);
	expect_state(s, STATE_ESTABLISHED);
	at_ms(s, 2000000);
	(void)script_skip(s, NULL);
	ck_assert_int_eq(script_error(s), ETIMEDOUT);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_what_comes_in_order_is_delivered, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_4_sequence_numbers_wrap, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_what_is_too_early_waits, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_what_came_before_is_acknowledged_at_once, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_what_overlaps_is_cut_on_the_left, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_bytes_that_are_there_are_not_written_again, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_one_segment_fills_several_holes, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_4_what_lies_beyond_the_window_is_not_taken, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_4_what_crosses_the_edge_of_the_window_is_cut, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_without_an_acknowledgement_data_do_not_count, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_an_acknowledgement_of_the_future_is_answered, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_part_of_a_segment_is_acknowledged, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_an_old_acknowledgement_does_nothing, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_5_urgent_bytes_are_bytes, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_9_1_2_bytes_are_readable_without_push, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_9_1_2_the_last_of_what_was_written_is_pushed, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_3_the_end_comes_behind_all_bytes, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_an_adversary_may_send_every_second_byte, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_a_segment_of_64_kib_is_one_segment, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_bytes_go_both_ways, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_8_1_a_lost_segment_is_sent_again_until_it_arrives, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_8_3_what_never_arrives_ends_the_connection, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc9293_data", add_cases);
}
