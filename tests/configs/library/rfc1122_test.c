/* SPDX-License-Identifier: ISC */
/* RFC 1122, chapters 3 and 4: what a host owes its links, ICMP and TCP. */
#include <string.h>

#include "tests/configs/library/rw_script.h"

static struct script *begin_established(int i)
{
	struct script *s = script_begin(version_of(i));

	script_passive(s, "mss 1000");
	return s;
}

/* MUST of 4.2.3.2: less than half a second */
START_TEST(rfc1122_4_2_3_2_an_acknowledgement_waits_less_than_half_a_second)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:11(10) ack 1");
	expect_within_ms(s, 0, 499, ". 1:1(0) ack 11");
	script_end(s);
}
END_TEST

START_TEST(rfc1122_4_2_3_2_every_second_full_segment_is_acknowledged)
{
	struct script *s = begin_established(_i);

	/* The first ones are answered one by one. */
	for (unsigned int i = 0; i < 20; i++)
		peer_sends(s, ". %u:%u(1000) ack 1", 1 + 1000 * i, 1001 + 1000 * i);
	after_ms(s, 100);
	(void)script_skip(s, NULL);
	script_receive(s, 20000);
	(void)script_skip(s, NULL);
	for (unsigned int i = 20; i < 40; i += 2) {
		peer_sends(s, ". %u:%u(1000) ack 1", 1 + 1000 * i, 1001 + 1000 * i);
		peer_sends(s, ". %u:%u(1000) ack 1", 1001 + 1000 * i, 2001 + 1000 * i);
		expect(s, ". 1:1(0) ack %u", 2001 + 1000 * i);
	}
	script_end(s);
}
END_TEST

START_TEST(rfc1122_4_2_3_2_an_acknowledgement_rides_on_data)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:11(10) ack 1");
	script_receive(s, 10);
	script_send(s, 20);
	expect(s, "P. 1:21(20) ack 11");
	peer_sends(s, ". 11:11(0) ack 21");
	expect_nothing_for_ms(s, 1000);
	script_end(s);
}
END_TEST

/* Both at once: 4.2.2.20 (f) and 4.2.2.21 */
START_TEST(rfc1122_4_2_2_21_queued_segments_are_acknowledged_together)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 1001:2001(1000) ack 1");
	peer_sends(s, ". 2001:3001(1000) ack 1");
	peer_sends(s, ". 3001:4001(1000) ack 1");
	ck_assert_uint_eq(script_skip(s, NULL), 3);
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 4001");
	script_end(s);
}
END_TEST

/* 4.2.3.1: Karn and Jacobson, with doubling */
START_TEST(rfc1122_4_2_3_1_the_time_out_doubles)
{
	struct script *s = begin_established(_i);
	uint64_t before = 0, last = 0;

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	last = s->now_ns;
	for (unsigned int i = 0; i < 6; i++) {
		expect_within_ms(s, 1, 60000, "P. 1:101(100) ack 1");
		if (before) {
			ck_assert_uint_ge(s->now_ns - last, before * 19 / 10);
			ck_assert_uint_le(s->now_ns - last, before * 21 / 10);
		}
		before = s->now_ns - last;
		last = s->now_ns;
	}
	peer_sends(s, ". 1:1(0) ack 101");
	script_end(s);
}
END_TEST

/* R2 of data is at least 100 s (4.2.3.5). */
START_TEST(rfc1122_4_2_3_5_data_are_tried_for_a_hundred_seconds)
{
	struct script *s = begin_established(_i);

	script_send(s, 100);
	at_ms(s, 100000);
	ck_assert_uint_ge(script_skip(s, NULL), 3);
	expect_state(s, STATE_ESTABLISHED);
	peer_sends(s, ". 1:1(0) ack 101");
	ck_assert_int_eq(script_error(s), 0);
	script_end(s);
}
END_TEST

/* 4.2.3.6: keep-alives are off at first, */
START_TEST(rfc1122_4_2_3_6_nobody_is_probed_unasked)
{
	struct script *s = begin_established(_i);

	expect_nothing_for_ms(s, 4 * 3600 * 1000);
	script_end(s);
}
END_TEST

/* and begin after two hours. */
START_TEST(rfc1122_4_2_3_6_keep_alives_wait_two_hours)
{
	struct script *s = begin_established(_i);

	script_set(s, SOL_SOCKET, SO_KEEPALIVE, 1);
	expect_nothing_for_ms(s, 7190 * 1000);
	expect_within_ms(s, 0, 20000, ". 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	expect_nothing_for_ms(s, 7190 * 1000);
	script_end(s);
}
END_TEST

/* 4.2.3.6: one that was lost does not end it. */
START_TEST(rfc1122_4_2_3_6_one_lost_answer_does_not_end_it)
{
	struct script *s = begin_established(_i);

	script_set(s, SOL_SOCKET, SO_KEEPALIVE, 1);
	script_set(s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	script_set(s, IPPROTO_TCP, TCP_KEEPINTVL, 5);
	script_set(s, IPPROTO_TCP, TCP_KEEPCNT, 3);
	expect_within_ms(s, 9900, 10300, ". 0:0(0) ack 1");
	expect_within_ms(s, 4900, 5300, ". 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	expect_within_ms(s, 9900, 10300, ". 0:0(0) ack 1");
	expect_within_ms(s, 4900, 5300, ". 0:0(0) ack 1");
	expect_within_ms(s, 4900, 5300, ". 0:0(0) ack 1");
	expect_within_ms(s, 4900, 5300, "R. 1:1(0) ack 1");
	ck_assert_int_eq(script_error(s), ETIMEDOUT);
	script_end(s);
}
END_TEST

/* 4.2.3.6: a peer's is answered. */
START_TEST(rfc1122_4_2_3_6_a_keep_alive_is_answered)
{
	struct script *s = begin_established(_i);

	peer_sends(s, ". 0:0(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	after_ms(s, 1000);
	peer_sends(s, ". 0:1(1) ack 1 junk");
	expect(s, ". 1:1(0) ack 1");
	script_receive_nothing(s);
	script_end(s);
}
END_TEST

/* 4.2.3.9: what may pass does not end a connection, */
START_TEST(rfc1122_4_2_3_9_soft_errors_end_nothing)
{
	static const enum script_icmp soft[] = { SCRIPT_NET_UNREACHABLE, SCRIPT_HOST_UNREACHABLE,
						 SCRIPT_TIME_EXCEEDED };
	struct script *s = begin_established(_i);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	for (unsigned int i = 0; i < 3; i++)
		peer_icmp(s, soft[i], 0);
	expect_state(s, STATE_ESTABLISHED);
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 101");
	expect_nothing_for_ms(s, 5000);
	script_end(s);
}
END_TEST

/* nor one that is about to begin (RFC 5461 would let it), */
START_TEST(rfc1122_4_2_3_9_soft_errors_do_not_end_an_open)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_icmp(s, SCRIPT_HOST_UNREACHABLE, 0);
	peer_icmp(s, SCRIPT_NET_UNREACHABLE, 0);
	expect_state(s, STATE_SYN_SENT);
	peer_sends(s, "S. 0:0(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	script_end(s);
}
END_TEST

/* what will not pass does. */
START_TEST(rfc1122_4_2_3_9_hard_errors_end_an_open)
{
	static const enum script_icmp hard[] = { SCRIPT_PORT_UNREACHABLE,
						 SCRIPT_PROTOCOL_UNREACHABLE };

	for (unsigned int i = 0; i < 2; i++) {
		struct script *s = script_begin(version_of(_i));

		script_connect(s);
		expect(s, "SEW 0:0(0)");
		peer_icmp(s, hard[i], 0);
		ck_assert_int_eq(script_poll(s) & POLLERR, POLLERR);
		ck_assert_int_ne(script_error(s), 0);
		expect_nothing_for_ms(s, 10000);
		script_end(s);
	}
}
END_TEST

/* RFC 5927, 5.2: an established connection is not ended by what anybody may forge. */
START_TEST(rfc1122_4_2_3_9_hard_errors_do_not_end_what_is_established)
{
	struct script *s = begin_established(_i);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	peer_icmp(s, SCRIPT_PORT_UNREACHABLE, 0);
	peer_icmp(s, SCRIPT_PROTOCOL_UNREACHABLE, 0);
	peer_icmp(s, SCRIPT_ADMIN_PROHIBITED, 0);
	expect_state(s, STATE_ESTABLISHED);
	peer_sends(s, ". 1:1(0) ack 101");
	expect_nothing_for_ms(s, 5000);
	script_end(s);
}
END_TEST

/* RFC 5927, 4: nor is anything done about what is not under way. */
START_TEST(rfc1122_4_2_3_9_errors_about_nothing_are_ignored)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_icmp_about(s, SCRIPT_PORT_UNREACHABLE, 0, 1);
	peer_icmp_about(s, SCRIPT_PORT_UNREACHABLE, 0, 5000);
	peer_icmp_about(s, SCRIPT_PORT_UNREACHABLE, 0, 0xffffffff);
	expect_state(s, STATE_SYN_SENT);
	expect_nothing(s);
	script_end(s);
}
END_TEST

/* RFC 6633 */
START_TEST(rfc1122_4_2_3_9_a_source_quench_is_ignored)
{
	struct script *s = begin_established(0);

	script_send(s, 5000);
	(void)script_skip(s, NULL);
	peer_icmp(s, SCRIPT_SOURCE_QUENCH, 0);
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 5001");
	script_send(s, 5000);
	ck_assert_uint_eq(script_skip(s, NULL), 5);
	script_end(s);
}
END_TEST

/* 4.2.2.13: a connection that both have ended leaves nothing to be told. */
START_TEST(rfc1122_4_2_2_13_a_reset_is_told_to_who_reads)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "R 1:1(0)");
	script_receive_error(s, ECONNRESET);
	script_receive_end(s);
	script_end(s);
}
END_TEST

/* 4.2.4.1: errors are told to who asks. */
START_TEST(rfc1122_4_2_4_1_an_error_is_told_once)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "R 1:1(0)");
	ck_assert_int_eq(script_poll(s), POLLIN | POLLOUT | POLLERR | POLLHUP);
	ck_assert_int_eq(script_error(s), ECONNRESET);
	ck_assert_int_eq(script_error(s), 0);
	ck_assert_int_eq(script_poll(s), POLLIN | POLLOUT | POLLHUP);
	script_end(s);
}
END_TEST

/* 4.2.2.6: how much we take, and how much we send. */
START_TEST(rfc1122_4_2_2_6_the_mss_that_we_offer_is_that_of_our_link)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0) <mss %u,sackOK,TS val 0 ecr 0,wscale *>", _i ? 1440 : 1460);
	script_end(s);
}
END_TEST

/* 3.2.1.3, 4.2.3.10: only from and to one host */
START_TEST(rfc1122_4_2_3_10_addresses_of_many_are_ignored)
{
	struct script *s = script_begin(version_of(_i));
	uint8_t packet[100];
	size_t source = _i ? 8 : 12, destination = _i ? 24 : 16;
	size_t bytes = _i ? 16 : 4;

	script_listen(s, 5);
	for (unsigned int i = 0; i < 4; i++) {
		size_t size = script_packet(s, packet, "S 0:0(0)");
		uint8_t *address = packet + (i & 1 ? destination : source);

		if (i & 2) { /* nobody */
			memset(address, 0, bytes);
		} else { /* a group */
			memset(address, 0, bytes);
			address[0] = _i ? 0xff : 224;
			address[1] = _i ? 2 : 0;
			address[bytes - 1] = 1;
		}
		script_fix(s, packet, size);
		ck_assert_int_eq(rw_packet_in(s->stack, packet, size), -EINVAL);
	}
	after_ms(s, 100);
	expect_nothing(s);
	script_end(s);
}
END_TEST

/* 3.2.2.6 */
START_TEST(rfc1122_3_2_2_6_an_echo_is_answered)
{
	struct script *s = script_begin(version_of(_i));

	peer_echo(s, 40);
	expect(s, _i ? "icmp 129/0 (40)" : "icmp 0/0 (40)");
	script_end(s);
}
END_TEST

/* 3.2.2: no ICMP error about an ICMP error */
START_TEST(rfc1122_3_2_2_no_answer_to_errors)
{
	struct script *s = begin_established(_i);

	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	for (unsigned int i = 0; i < 100; i++)
		peer_icmp_about(s, SCRIPT_PORT_UNREACHABLE, 0, 100000 + i);
	expect_nothing(s);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc1122_4_2_3_2_an_acknowledgement_waits_less_than_half_a_second,
			    0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_2_every_second_full_segment_is_acknowledged, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_2_an_acknowledgement_rides_on_data, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_2_21_queued_segments_are_acknowledged_together, 0,
			    2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_1_the_time_out_doubles, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_5_data_are_tried_for_a_hundred_seconds, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_6_nobody_is_probed_unasked, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_6_keep_alives_wait_two_hours, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_6_one_lost_answer_does_not_end_it, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_6_a_keep_alive_is_answered, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_9_soft_errors_end_nothing, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_9_soft_errors_do_not_end_an_open, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_9_hard_errors_end_an_open, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_9_hard_errors_do_not_end_what_is_established, 0,
			    2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_9_errors_about_nothing_are_ignored, 0, 2);
	tcase_add_test(cases, rfc1122_4_2_3_9_a_source_quench_is_ignored);
	tcase_add_loop_test(cases, rfc1122_4_2_2_13_a_reset_is_told_to_who_reads, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_4_1_an_error_is_told_once, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_2_6_the_mss_that_we_offer_is_that_of_our_link, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_2_3_10_addresses_of_many_are_ignored, 0, 2);
	tcase_add_loop_test(cases, rfc1122_3_2_2_6_an_echo_is_answered, 0, 2);
	tcase_add_loop_test(cases, rfc1122_3_2_2_no_answer_to_errors, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc1122", add_cases);
}
