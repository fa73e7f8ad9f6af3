/* SPDX-License-Identifier: ISC */
/*
 * How large segments are: RFC 9293 3.7.1, path MTU by ICMP (RFC 1191, 8201, 5927), by silence
 * (RFC 4821, 2923), and in bursts for a link that segments; how they are paced.
 */
#include "tests/configs/library/rw_script_sender.h"

#define FULL "mss 1400,sackOK"

/* IP and TCP headers without options. */
static uint32_t headers_of(int i)
{
	return i ? 60 : 40;
}

START_TEST(rfc9293_3_7_1_no_option_means_536_or_1220)
{
	struct script *s = script_sender(version_of(_i), "nop", 100);
	uint32_t mss = _i ? 1220 : 536;

	script_send(s, 5000);
	expect(s, ". 1:%u(%u) ack 1", 1 + mss, mss);
	after_ms(s, 99);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_1_the_smaller_of_the_peers_and_the_links)
{
	struct script_how how = { .version = version_of(_i), .mtu = 1300 };
	struct script *s = script_begin_with(&how);

	script_passive(s, "mss 9000");
	script_send(s, 5000);
	expect(s, ". 1:%u(%u) ack 1", 1301 - headers_of(_i), 1300 - headers_of(_i));
	after_ms(s, 99);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_1_options_are_taken_off)
{
	struct script *s = script_sender(version_of(_i), "mss 1400,sackOK,TS val 1000 ecr 0", 100);

	script_send(s, 5000);
	expect(s, ". 1:1389(1388) ack 1");
	after_ms(s, 99);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_1_a_tiny_one_does_not_make_a_storm)
{
	struct script *s = script_sender(version_of(_i), "mss 1,sackOK", 100);
	uint32_t bytes = 0;
	unsigned int packets;

	script_send(s, 2000);
	after_ms(s, 99);
	packets = script_skip(s, &bytes);
	ck_assert_uint_ge(packets, 1);
	ck_assert_uint_ge(bytes / packets, 36);
	script_end(s);
}
END_TEST

START_TEST(rfc1191_4_too_big_makes_segments_smaller_and_sends_them_again)
{
	struct script *s = script_sender(version_of(_i), FULL, 100);

	script_send(s, 1400);
	expect(s, "P. 1:1401(1400) ack 1");
	peer_icmp(s, SCRIPT_TOO_BIG, 1300);
	expect_within_ms(s, 0, 60, ". 1:%u(%u) ack 1", 1301 - headers_of(_i),
			 1300 - headers_of(_i));
	expect_within_ms(s, 0, 60, "P. %u:1401(%u) ack 1", 1301 - headers_of(_i),
			 100 + headers_of(_i));
	peer_sends(s, ". 1:1(0) ack 1401");
	script_send(s, 5000);
	expect(s, ". 1401:%u(%u) ack 1", 2701 - headers_of(_i), 1300 - headers_of(_i));
	after_ms(s, 99);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc1191_6_5_it_is_no_sign_of_congestion)
{
	struct script *s = script_sender(version_of(_i), FULL, 100);
	uint32_t before = script_info(s).congestion_window;

	script_send(s, 14000);
	after_ms(s, 90);
	script_skip(s, NULL);
	before = script_info(s).congestion_window;
	peer_icmp_about(s, SCRIPT_TOO_BIG, 1300, 1);
	/* In bytes about as before: perhaps rounded to the new size. */
	ck_assert_uint_ge(script_info(s).congestion_window, before * 9 / 10);
	after_ms(s, 200);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5927_4_one_about_what_is_not_under_way_is_ignored)
{
	struct script *s = script_sender(version_of(_i), FULL, 100);

	script_send(s, 1400);
	expect(s, "P. 1:1401(1400) ack 1");
	peer_icmp_about(s, SCRIPT_TOO_BIG, 1300, 5000000);
	peer_sends(s, ". 1:1(0) ack 1401");
	peer_icmp_about(s, SCRIPT_TOO_BIG, 1300, 1);
	script_send(s, 1400);
	expect(s, "P. 1401:2801(1400) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc5927_7_one_that_would_make_it_larger_is_ignored)
{
	struct script *s = script_sender(version_of(_i), FULL, 100);

	script_send(s, 1400);
	expect(s, "P. 1:1401(1400) ack 1");
	peer_icmp(s, SCRIPT_TOO_BIG, 9000);
	expect_nothing_for_ms(s, 100);
	script_end(s);
}
END_TEST

START_TEST(rfc8201_4_a_ridiculous_one_is_not_followed)
{
	struct script *s = script_sender(version_of(_i), FULL, 100);

	script_send(s, 1400);
	expect(s, "P. 1:1401(1400) ack 1");
	peer_icmp(s, SCRIPT_TOO_BIG, 68);
	for (int ms = 0; ms < 300; ms += 10) {
		uint32_t bytes = 0;
		unsigned int packets;

		after_ms(s, 10);
		packets = script_skip(s, &bytes);
		/* Not a storm of slivers: 1280 is the least of IPv6, and 576 or so of IPv4. */
		ck_assert_uint_le(packets, 6);
	}
	script_end(s);
}
END_TEST

START_TEST(rfc4821_7_7_without_icmp_a_black_hole_is_found)
{
	struct script *s = script_sender(version_of(_i), FULL, 100);
	bool through = false;

	script_send(s, 1400);
	for (int i = 0; i < 300 && !through; i++) {
		uint32_t bytes = 0;
		unsigned int packets;

		after_ms(s, 100);
		packets = script_skip(s, &bytes);
		/* Only what fits 1,300 bytes arrives. */
		through = packets && bytes / packets <= 1300 - headers_of(_i);
	}
	ck_assert(through);
	ck_assert_uint_le(script_ms(s), 15000);
	after_ms(s, 10);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5461_hard_errors_do_not_end_what_is_established)
{
	struct script *s = script_sender(version_of(_i), FULL, 100);

	script_send(s, 1400);
	expect(s, "P. 1:1401(1400) ack 1");
	peer_icmp(s, SCRIPT_PORT_UNREACHABLE, 0);
	peer_icmp(s, SCRIPT_PROTOCOL_UNREACHABLE, 0);
	expect_state(s, STATE_ESTABLISHED);
	peer_sends(s, ". 1:1(0) ack 1401");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_9_2_2_hard_errors_end_an_attempt_to_connect)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_icmp(s, SCRIPT_PORT_UNREACHABLE, 0);
	ck_assert_int_eq(script_error(s), EHOSTUNREACH);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_9_2_2_soft_errors_do_not)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_icmp(s, SCRIPT_NET_UNREACHABLE, 0);
	peer_icmp(s, SCRIPT_HOST_UNREACHABLE, 0);
	peer_icmp(s, SCRIPT_TIME_EXCEEDED, 0);
	expect_state(s, STATE_SYN_SENT);
	peer_sends(s, "S. 0:0(0) ack 1 <mss 1000>");
	expect(s, ". 1:1(0) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc6633_3_a_source_quench_means_nothing)
{
	struct script *s = script_sender(4, FULL, 100);
	uint32_t before;

	script_send(s, 1400);
	expect(s, "P. 1:1401(1400) ack 1");
	before = script_info(s).congestion_window;
	peer_icmp(s, SCRIPT_SOURCE_QUENCH, 0);
	ck_assert_uint_eq(script_info(s).congestion_window, before);
	script_end(s);
}
END_TEST

START_TEST(gso_a_burst_is_one_packet_for_a_link_that_segments)
{
	struct script_how how = { .version = version_of(_i), .gso_bytes = 65000 };
	struct script *s = script_begin_with(&how);
	uint32_t bytes = 0;

	script_passive(s, FULL);
	script_send(s, 14000);
	ck_assert_uint_le(script_skip(s, &bytes), 5);
	ck_assert_uint_eq(bytes, 14000);
	script_end(s);
}
END_TEST

START_TEST(pacing_a_window_is_spread_over_the_round_trip)
{
	struct script *s = script_sender(version_of(_i), FULL, 100);
	unsigned int at_once;

	script_send(s, 14000);
	at_once = script_skip(s, NULL);
	ck_assert_uint_le(at_once, 6);
	after_ms(s, 99);
	ck_assert_uint_eq(at_once + script_skip(s, NULL), 10);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc9293_3_7_1_no_option_means_536_or_1220);
	ADD(rfc9293_3_7_1_the_smaller_of_the_peers_and_the_links);
	ADD(rfc9293_3_7_1_options_are_taken_off);
	ADD(rfc9293_3_7_1_a_tiny_one_does_not_make_a_storm);
	ADD(rfc1191_4_too_big_makes_segments_smaller_and_sends_them_again);
	ADD(rfc1191_6_5_it_is_no_sign_of_congestion);
	ADD(rfc5927_4_one_about_what_is_not_under_way_is_ignored);
	ADD(rfc5927_7_one_that_would_make_it_larger_is_ignored);
	ADD(rfc8201_4_a_ridiculous_one_is_not_followed);
	ADD(rfc4821_7_7_without_icmp_a_black_hole_is_found);
	ADD(rfc5461_hard_errors_do_not_end_what_is_established);
	ADD(rfc9293_3_9_2_2_hard_errors_end_an_attempt_to_connect);
	ADD(rfc9293_3_9_2_2_soft_errors_do_not);
	tcase_add_test(cases, rfc6633_3_a_source_quench_means_nothing);
	ADD(gso_a_burst_is_one_packet_for_a_link_that_segments);
	ADD(pacing_a_window_is_spread_over_the_round_trip);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/mtu", add_cases);
}
