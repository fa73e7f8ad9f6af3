/* SPDX-License-Identifier: ISC */
/* RFC 5682: F-RTO, by which a timeout that was none does no harm. */
#include "tests/configs/library/rw_script_sender.h"

#define SACK "mss 1000,sackOK"

/*
 * Eight segments of which nobody has heard, a probe, and the timeout: the first one was sent
 * again. `more` is waiting behind them.
 */
static struct script *timed_out(int i, const char *options, uint32_t more)
{
	struct script *s = script_sender(version_of(i), options, 100);

	script_sends_in(s, 8000, 100);
	for (int ms = 0; ms < 2000 && !script_info(s).retransmissions; ms++)
		after_ms(s, 1);
	script_skip(s, NULL);
	/* What a tail loss probe sent again is the last segment; the timeout sends the first. */
	for (int ms = 0; ms < 2000 && script_info(s).congestion_window > 1000; ms++)
		after_ms(s, 1);
	script_skip(s, NULL);
	ck_assert_uint_eq(script_info(s).congestion_window, 1000);
	if (more)
		script_send(s, more);
	return s;
}

START_TEST(rfc5682_2_1_step_2b_new_data_is_sent_when_the_window_advances)
{
	struct script *s = timed_out(_i, "mss 1000", 4000);

	expect_nothing(s);
	peer_sends(s, ". 1:1(0) ack 2001");
	expect_within_ms(s, 0, 100, ". 8001:9001(1000) ack 1");
	expect_within_ms(s, 0, 100, ". 9001:10001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc5682_2_1_step_3b_a_second_one_shows_it_was_spurious)
{
	struct script *s = timed_out(_i, "mss 1000", 4000);
	uint32_t resent = script_info(s).retransmissions;

	peer_sends(s, ". 1:1(0) ack 2001");
	after_ms(s, 20);
	script_skip(s, NULL);
	peer_sends(s, ". 1:1(0) ack 3001");
	after_ms(s, 60);
	script_skip(s, NULL);
	/* The window is as before, and nothing else was sent twice. */
	ck_assert_uint_ge(script_info(s).congestion_window, 8000);
	peer_sends(s, ". 1:1(0) ack 12001");
	ck_assert_uint_eq(script_info(s).retransmissions, resent);
	expect_nothing_for_ms(s, 3000);
	script_end(s);
}
END_TEST

START_TEST(rfc5682_2_1_step_3a_a_duplicate_shows_that_it_was_real)
{
	struct script *s = timed_out(_i, "mss 1000", 4000);

	peer_sends(s, ". 1:1(0) ack 2001");
	after_ms(s, 20);
	script_skip(s, NULL);
	/* The two new segments have arrived. */
	peer_sends(s, ". 1:1(0) ack 2001");
	peer_sends(s, ". 1:1(0) ack 2001");
	/* Slow start from the first that is missing. */
	expect_within_ms(s, 0, 100, ". 2001:3001(1000) ack 1");
	ck_assert_uint_le(script_info(s).congestion_window, 4000);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5682_2_1_step_2a_a_duplicate_at_once_is_a_real_loss)
{
	struct script *s = timed_out(_i, "mss 1000", 4000);
	uint32_t bytes = 0;

	peer_sends(s, ". 1:1(0) ack 1");
	after_ms(s, 50);
	/* No new data: that would be F-RTO's. */
	script_skip(s, &bytes);
	ck_assert_uint_eq(bytes, 0);
	peer_sends(s, ". 1:1(0) ack 1001");
	expect_within_ms(s, 0, 100, ". 1001:2001(1000) ack 1");
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5682_2_1_step_2b_without_new_data_it_recovers_plainly)
{
	struct script *s = timed_out(_i, "mss 1000", 0);

	peer_sends(s, ". 1:1(0) ack 2001");
	expect_within_ms(s, 0, 100, ". 2001:3001(1000) ack 1");
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc5682_3_1_sack_of_what_was_not_sent_again_shows_it_was_spurious)
{
	struct script *s = timed_out(_i, SACK, 4000);
	uint32_t resent = script_info(s).retransmissions;

	/* The originals arrive late: their acknowledgements, one by one. */
	peer_sends(s, ". 1:1(0) ack 1001");
	after_ms(s, 5);
	peer_sends(s, ". 1:1(0) ack 2001");
	after_ms(s, 5);
	peer_sends(s, ". 1:1(0) ack 3001");
	after_ms(s, 60);
	script_skip(s, NULL);
	ck_assert_uint_ge(script_info(s).congestion_window, 8000);
	peer_sends(s, ". 1:1(0) ack 12001");
	ck_assert_uint_eq(script_info(s).retransmissions, resent);
	expect_nothing_for_ms(s, 3000);
	script_end(s);
}
END_TEST

START_TEST(rfc5682_3_1_a_real_timeout_repairs_everything)
{
	struct script *s = timed_out(_i, SACK, 0);
	uint32_t acked = 1001;

	/* Only what is sent from now on arrives. */
	for (int round = 0; round < 60 && acked < 8001; round++) {
		uint32_t bytes = 0;

		peer_sends(s, ". 1:1(0) ack %u", acked);
		after_ms(s, 100);
		script_skip(s, &bytes);
		acked = acked + bytes < 8001 ? acked + bytes : 8001;
	}
	ck_assert_uint_eq(acked, 8001);
	/* In a few round trips, as slow start does, rather than one segment in each. */
	ck_assert_uint_le(script_ms(s), 2500);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc5682_2_1_step_2a_a_duplicate_at_once_is_a_real_loss);
	ADD(rfc5682_2_1_step_2b_new_data_is_sent_when_the_window_advances);
	ADD(rfc5682_2_1_step_2b_without_new_data_it_recovers_plainly);
	ADD(rfc5682_2_1_step_3a_a_duplicate_shows_that_it_was_real);
	ADD(rfc5682_2_1_step_3b_a_second_one_shows_it_was_spurious);
	ADD(rfc5682_3_1_a_real_timeout_repairs_everything);
	ADD(rfc5682_3_1_sack_of_what_was_not_sent_again_shows_it_was_spurious);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/rfc5682", add_cases);
}
