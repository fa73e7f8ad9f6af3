/* SPDX-License-Identifier: ISC */
/* RFC 2018 and 2883: selective acknowledgements, ours and the peer's. */
#include "tests/configs/library/rw_script_sender.h"

/* Past the beginning, in which every segment is answered. */
#define PEER "mss 1000,sackOK"

static struct script *receiver(int i)
{
	struct script *s = script_begin(version_of(i));

	script_passive(s, PEER);
	return s;
}

/* A round trip of 50 ms, and ten segments of 1,000 bytes under way. */
static struct script *sender(int i)
{
	struct script *s = script_sender(version_of(i), PEER, 50);

	script_sends_in(s, 10000, 50);
	return s;
}

START_TEST(rfc2018_2_sack_is_permitted_only_when_both_say_so)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, "mss 1000");
	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <>");
	script_end(s);
}
END_TEST

START_TEST(rfc2018_3_a_hole_is_reported)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <nop,nop,sack 1001:2001>");
	script_end(s);
}
END_TEST

START_TEST(rfc2018_4_the_first_block_has_the_newest_segment)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 1001:2001>");
	peer_sends(s, ". 3001:4001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 3001:4001 1001:2001>");
	peer_sends(s, ". 5001:6001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 5001:6001 3001:4001 1001:2001>");
	/* To the oldest one: it comes first, as a whole. */
	peer_sends(s, ". 2001:2501(500) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 1001:2501 5001:6001 3001:4001>");
	script_end(s);
}
END_TEST

START_TEST(rfc2018_3_four_blocks_and_with_timestamps_three)
{
	for (int ts = 0; ts < 2; ts++) {
		struct script *s = script_begin(version_of(_i));

		script_passive(s, ts ? SCRIPT_FULL : PEER);
		for (uint32_t i = 0; i < 6; i++) {
			peer_sends(s, ". %u:%u(100) ack 1", 1001 + i * 200, 1101 + i * 200);
			if (i < 5)
				script_skip(s, NULL);
		}
		if (ts)
			expect(s, ". 1:1(0) ack 1 <TS val * ecr *,sack 2001:2101 1801:1901 "
				  "1601:1701>");
		else
			expect(s, ". 1:1(0) ack 1 <sack 2001:2101 1801:1901 1601:1701 1401:1501>");
		script_end(s);
	}
}
END_TEST

START_TEST(rfc2018_4_filling_the_hole_ends_the_block)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 1001:2001>");
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 2001 <>");
	script_receive(s, 2000);
	script_end(s);
}
END_TEST

START_TEST(rfc2018_4_blocks_that_meet_become_one)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 1001:2001>");
	peer_sends(s, ". 3001:4001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 3001:4001 1001:2001>");
	peer_sends(s, ". 2001:3001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 1001:4001>");
	script_end(s);
}
END_TEST

START_TEST(rfc2018_4_data_segments_carry_blocks_too)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1001:2001(1000) ack 1");
	script_skip(s, NULL);
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1 <sack 1001:2001>");
	script_end(s);
}
END_TEST

START_TEST(rfc2018_5_what_was_sacked_is_not_sent_again)
{
	struct script *s = sender(_i);

	peer_sends(s, ". 1:1(0) ack 1 <sack 1001:2001>");
	peer_sends(s, ". 1:1(0) ack 1 <sack 1001:3001>");
	peer_sends(s, ". 1:1(0) ack 1 <sack 1001:4001>");
	expect_within_ms(s, 0, 50, ". 1:1001(1000) ack 1");
	after_ms(s, 20);
	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 4001");
	expect_nothing_for_ms(s, 20);
	script_end(s);
}
END_TEST

START_TEST(rfc2018_5_two_holes_are_both_filled)
{
	struct script *s = sender(_i);

	/* 1 and 4001 are missing. */
	peer_sends(s, ". 1:1(0) ack 1 <sack 1001:4001>");
	peer_sends(s, ". 1:1(0) ack 1 <sack 5001:10001 1001:4001>");
	expect_within_ms(s, 0, 60, ". 1:1001(1000) ack 1");
	expect_within_ms(s, 0, 60, ". 4001:5001(1000) ack 1");
	peer_sends(s, ". 1:1(0) ack 10001");
	expect_nothing_for_ms(s, 2000);
	script_end(s);
}
END_TEST

START_TEST(rfc2018_8_after_a_timeout_the_receiver_may_have_reneged)
{
	struct script *s = sender(_i);
	uint32_t bytes = 0;

	peer_sends(s, ". 1:1(0) ack 1 <sack 1001:10001>");
	expect_within_ms(s, 0, 60, ". 1:1001(1000) ack 1");
	/* It is answered, but what was SACKed is gone. */
	peer_sends(s, ". 1:1(0) ack 1001");
	for (int i = 0; i < 40 && bytes < 9000; i++) {
		uint32_t more = 0;

		after_ms(s, 250);
		script_skip(s, &more);
		bytes += more;
		peer_sends(s, ". 1:1(0) ack %u", 1001 + bytes);
	}
	ck_assert_uint_ge(bytes, 9000);
	script_end(s);
}
END_TEST

START_TEST(rfc2018_5_blocks_outside_of_what_is_under_way_mean_nothing)
{
	struct script *s = sender(_i);

	peer_sends(s, ". 1:1(0) ack 1 <sack 20001:21001>");
	peer_sends(s, ". 1:1(0) ack 1 <sack 10001:12001>");
	peer_sends(s, ". 1:1(0) ack 1 <raw 050a00000000ffffffff>");
	expect_nothing_for_ms(s, 30);
	peer_sends(s, ". 1:1(0) ack 10001");
	expect_nothing_for_ms(s, 2000);
	script_end(s);
}
END_TEST

START_TEST(rfc2883_4_1_a_whole_duplicate_is_reported_first)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1001 <>");
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1001 <sack 1:1001>");
	script_end(s);
}
END_TEST

START_TEST(rfc2883_4_1_once_only)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1:1001(1000) ack 1");
	script_skip(s, NULL);
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1001 <sack 1:1001>");
	peer_sends(s, ". 2001:3001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1001 <sack 2001:3001>");
	script_end(s);
}
END_TEST

START_TEST(rfc2883_4_1_2_a_duplicate_with_a_hole_behind)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1:1001(1000) ack 1");
	script_skip(s, NULL);
	peer_sends(s, ". 2001:3001(1000) ack 1");
	script_skip(s, NULL);
	peer_sends(s, ". 1:1001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1001 <sack 1:1001 2001:3001>");
	script_end(s);
}
END_TEST

START_TEST(rfc2883_4_2_1_part_of_a_segment_had_come)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1:1001(1000) ack 1");
	script_skip(s, NULL);
	peer_sends(s, ". 501:1501(1000) ack 1");
	expect(s, ". 1:1(0) ack 1501 <sack 501:1001>");
	script_receive(s, 1500);
	script_end(s);
}
END_TEST

START_TEST(rfc2883_4_2_3_a_duplicate_within_a_block_is_followed_by_it)
{
	struct script *s = receiver(_i);

	peer_sends(s, ". 1001:3001(2000) ack 1");
	script_skip(s, NULL);
	peer_sends(s, ". 1501:2001(500) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 1501:2001 1001:3001>");
	script_end(s);
}
END_TEST

START_TEST(rfc2883_5_a_dsack_of_ours_says_that_it_was_sent_in_vain)
{
	struct script *s = sender(_i);

	/* Reordering only: the first segment comes late, ours to repair it in vain. */
	peer_sends(s, ". 1:1(0) ack 1 <sack 1001:5001>");
	expect_within_ms(s, 0, 60, ". 1:1001(1000) ack 1");
	peer_sends(s, ". 1:1(0) ack 5001");
	peer_sends(s, ". 1:1(0) ack 10001 <sack 1:1001>");
	after_ms(s, 5);
	/* The window was given back: ten segments and more leave. */
	script_send(s, 20000);
	ck_assert_uint_ge(script_skip(s, NULL), 1);
	ck_assert_uint_ge(script_info(s).congestion_window, 10000);
	(void)script_skip(s, NULL);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc2018_2_sack_is_permitted_only_when_both_say_so);
	ADD(rfc2018_3_a_hole_is_reported);
	ADD(rfc2018_3_four_blocks_and_with_timestamps_three);
	ADD(rfc2018_4_the_first_block_has_the_newest_segment);
	ADD(rfc2018_4_filling_the_hole_ends_the_block);
	ADD(rfc2018_4_blocks_that_meet_become_one);
	ADD(rfc2018_4_data_segments_carry_blocks_too);
	ADD(rfc2018_5_what_was_sacked_is_not_sent_again);
	ADD(rfc2018_5_two_holes_are_both_filled);
	ADD(rfc2018_5_blocks_outside_of_what_is_under_way_mean_nothing);
	ADD(rfc2018_8_after_a_timeout_the_receiver_may_have_reneged);
	ADD(rfc2883_4_1_a_whole_duplicate_is_reported_first);
	ADD(rfc2883_4_1_once_only);
	ADD(rfc2883_4_1_2_a_duplicate_with_a_hole_behind);
	ADD(rfc2883_4_2_1_part_of_a_segment_had_come);
	ADD(rfc2883_4_2_3_a_duplicate_within_a_block_is_followed_by_it);
	ADD(rfc2883_5_a_dsack_of_ours_says_that_it_was_sent_in_vain);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/rfc2018", add_cases);
}
