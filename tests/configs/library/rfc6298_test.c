/* SPDX-License-Identifier: ISC */
/* RFC 6298: when what is not acknowledged is sent again. */
#include "tests/configs/library/rw_script_sender.h"

/* Without SACK there are no tail loss probes before it. */
#define PLAIN "mss 1000"

START_TEST(rfc6298_2_1_a_syn_is_sent_again_after_one_second)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	expect_nothing_for_ms(s, 990);
	expect_within_ms(s, 5, 30, "SEW 0:0(0)");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_5_and_then_after_two_four_and_eight)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	expect_within_ms(s, 990, 1050, "SEW 0:0(0)");
	/* Without ECN, which a box on the way may not stand (RFC 3168, 6.1.1.1). */
	expect_within_ms(s, 1980, 2050, "S 0:0(0)");
	expect_within_ms(s, 3960, 4100, "S 0:0(0)");
	expect_within_ms(s, 7900, 8200, "S 0:0(0)");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_5_a_syn_ack_likewise)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) <" PLAIN ">");
	expect(s, "S. 0:0(0) ack 1");
	expect_within_ms(s, 990, 1050, "S. 0:0(0) ack 1");
	expect_within_ms(s, 1980, 2050, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	expect_nothing_for_ms(s, 10000);
	script_end(s);
}
END_TEST

START_TEST(rfc6298_2_2_the_first_sample_is_the_round_trip_and_half_as_variance)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 300);

	/* 300 + 4 x 150 */
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	expect_nothing_for_ms(s, 880);
	expect_within_ms(s, 0, 60, "P. 1:101(100) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_2_3_steady_samples_bring_it_to_the_round_trip)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 300);
	uint32_t next = 1;

	for (int i = 0; i < 40; i++, next += 100) {
		script_send(s, 100);
		script_skip(s, NULL);
		after_ms(s, 300);
		peer_sends(s, ". 1:1(0) ack %u", next + 100);
	}
	script_send(s, 100);
	expect(s, "P. %u:%u(100) ack 1", next, next + 100);
	/* The variance has gone but for its least (200 ms). */
	expect_within_ms(s, 299, 560, "P. %u:%u(100) ack 1", next, next + 100);
	script_end(s);
}
END_TEST

START_TEST(rfc6298_2_4_it_is_never_shorter_than_its_minimum)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 2);

	for (uint32_t i = 0; i < 30; i++) {
		script_send(s, 100);
		script_skip(s, NULL);
		after_ms(s, 2);
		peer_sends(s, ". 1:1(0) ack %u", 101 + i * 100);
	}
	script_send(s, 100);
	expect(s, "P. 3001:3101(100) ack 1");
	expect_nothing_for_ms(s, 195);
	expect_within_ms(s, 0, 20, "P. 3001:3101(100) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_1_the_timer_starts_with_the_first_and_not_with_each)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	after_ms(s, 200);
	script_send(s, 100);
	expect(s, "P. 101:201(100) ack 1");
	/* 100 + 4 x 50 since the first. */
	expect_within_ms(s, 80, 120, "P. 1:201(200) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_2_it_stops_when_all_is_acknowledged)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	after_ms(s, 100);
	peer_sends(s, ". 1:1(0) ack 101");
	expect_nothing_for_ms(s, 60000);
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_3_an_acknowledgement_of_new_data_starts_it_again)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	script_send(s, 100);
	script_send(s, 100);
	after_ms(s, 5);
	script_skip(s, NULL);
	after_ms(s, 245);
	peer_sends(s, ". 1:1(0) ack 101");
	expect_nothing_for_ms(s, 200);
	expect_within_ms(s, 0, 600, "P. 101:201(100) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_4_only_the_first_segment_is_sent_again)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_sends_in(s, 5000, 100);
	expect_within_ms(s, 150, 400, ". 1:1001(1000) ack 1");
	expect_nothing_for_ms(s, 300);
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_5_it_doubles_each_time)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	expect_within_ms(s, 290, 320, "P. 1:101(100) ack 1");
	expect_within_ms(s, 590, 620, "P. 1:101(100) ack 1");
	expect_within_ms(s, 1180, 1220, "P. 1:101(100) ack 1");
	expect_within_ms(s, 2370, 2420, "P. 1:101(100) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_2_5_and_is_at_least_a_minute_at_the_longest)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);
	unsigned int longest = 0, last;

	script_set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000 * 1000);
	script_send(s, 100);
	script_skip(s, NULL);
	last = script_ms(s);
	while (script_ms(s) < 600000) {
		after_ms(s, 100);
		if (!script_skip(s, NULL))
			continue;
		longest = script_ms(s) - last;
		last = script_ms(s);
	}
	ck_assert_uint_ge(longest, 60000);
	ck_assert_uint_le(longest, 120100);
	script_end(s);
}
END_TEST

START_TEST(rfc6298_3_karn_what_was_sent_twice_gives_no_sample)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);
	uint32_t rtt = script_info(s).rtt_us;

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	expect_within_ms(s, 290, 320, "P. 1:101(100) ack 1");
	after_ms(s, 1);
	peer_sends(s, ". 1:1(0) ack 101");
	ck_assert_uint_eq(script_info(s).rtt_us, rtt);
	script_end(s);
}
END_TEST

START_TEST(rfc6298_3_timestamps_tell_which_one_was_acknowledged)
{
	struct script *s = script_sender(version_of(_i), SCRIPT_FULL, 100);
	uint32_t rtt = script_info(s).rtt_us;

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	/* A probe, then the timeout; the peer's answer is to the last. */
	for (int i = 0; i < 100 && script_info(s).retransmissions < 2; i++) {
		after_ms(s, 10);
		script_skip(s, NULL);
	}
	ck_assert_uint_ge(script_info(s).retransmissions, 2);
	after_ms(s, 20);
	peer_sends(s, ". 1:1(0) ack 101");
	ck_assert_uint_lt(script_info(s).rtt_us, rtt);
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_7_a_lost_syn_leaves_three_seconds)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) <" PLAIN ">");
	expect(s, "S. 0:0(0) ack 1");
	expect_within_ms(s, 990, 1050, "S. 0:0(0) ack 1");
	after_ms(s, 100);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	expect_nothing_for_ms(s, 2900);
	expect_within_ms(s, 50, 200, "P. 1:101(100) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_5_back_off_ends_with_the_next_sample)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	expect_within_ms(s, 290, 320, "P. 1:101(100) ack 1");
	expect_within_ms(s, 590, 620, "P. 1:101(100) ack 1");
	after_ms(s, 100);
	peer_sends(s, ". 1:1(0) ack 101");
	script_send(s, 100);
	expect(s, "P. 101:201(100) ack 1");
	after_ms(s, 100);
	peer_sends(s, ". 1:1(0) ack 201");
	script_send(s, 100);
	expect(s, "P. 201:301(100) ack 1");
	expect_within_ms(s, 200, 320, "P. 201:301(100) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc6298_it_gives_up_in_the_end_and_says_so)
{
	struct script *s = script_sender(version_of(_i), PLAIN, 100);

	script_set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	script_send(s, 100);
	after_ms(s, 20000);
	script_skip(s, NULL);
	script_receive_error(s, ETIMEDOUT);
	expect_nothing_for_ms(s, 100000);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc6298_2_1_a_syn_is_sent_again_after_one_second);
	ADD(rfc6298_2_2_the_first_sample_is_the_round_trip_and_half_as_variance);
	ADD(rfc6298_2_3_steady_samples_bring_it_to_the_round_trip);
	ADD(rfc6298_2_4_it_is_never_shorter_than_its_minimum);
	ADD(rfc6298_2_5_and_is_at_least_a_minute_at_the_longest);
	ADD(rfc6298_3_karn_what_was_sent_twice_gives_no_sample);
	ADD(rfc6298_3_timestamps_tell_which_one_was_acknowledged);
	ADD(rfc6298_5_1_the_timer_starts_with_the_first_and_not_with_each);
	ADD(rfc6298_5_2_it_stops_when_all_is_acknowledged);
	ADD(rfc6298_5_3_an_acknowledgement_of_new_data_starts_it_again);
	ADD(rfc6298_5_4_only_the_first_segment_is_sent_again);
	ADD(rfc6298_5_5_it_doubles_each_time);
	ADD(rfc6298_5_5_and_then_after_two_four_and_eight);
	ADD(rfc6298_5_5_a_syn_ack_likewise);
	ADD(rfc6298_5_7_a_lost_syn_leaves_three_seconds);
	ADD(rfc6298_5_back_off_ends_with_the_next_sample);
	ADD(rfc6298_it_gives_up_in_the_end_and_says_so);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/rfc6298", add_cases);
}
