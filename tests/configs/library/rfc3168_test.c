/* SPDX-License-Identifier: ISC */
/* RFC 3168: explicit congestion notification. */
#include "tests/configs/library/rw_script_sender.h"

#define SACK "mss 1000,sackOK"

static struct script *with_ecn(int i)
{
	struct script *s = script_begin(version_of(i));

	script_listen(s, 5);
	peer_sends(s, "SEW 0:0(0) <" SACK ">");
	expect(s, "S.E 0:0(0) ack 1");
	after_ms(s, 100);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	return s;
}

START_TEST(rfc3168_6_1_1_a_syn_that_asks_is_answered_with_ece)
{
	struct script *s = with_ecn(_i);

	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_1_a_syn_that_does_not_ask_is_not)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) <" SACK ">");
	expect(s, "S. 0:0(0) ack 1 not-ect");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1 not-ect");
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_1_a_syn_ack_with_both_flags_is_no_agreement)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0) not-ect");
	/* A box that reflects what it does not know. */
	peer_sends(s, "S.EW 0:0(0) ack 1 <" SACK ">");
	expect(s, ". 1:1(0) ack 1");
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1 not-ect");
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_1_agreed_data_is_ect)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0) not-ect");
	peer_sends(s, "S.E 0:0(0) ack 1 <" SACK ">");
	expect(s, ". 1:1(0) ack 1 not-ect");
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1 ect0");
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_4_bare_acknowledgements_are_not_ect)
{
	struct script *s = with_ecn(_i);

	peer_sends(s, "P. 1:1001(1000) ack 1 ect0");
	expect_within_ms(s, 0, 100, ". 1:1(0) ack 1001 not-ect");
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_3_ce_is_told_until_cwr_comes)
{
	struct script *s = with_ecn(_i);

	peer_sends(s, "P. 1:1001(1000) ack 1 ce");
	expect(s, ".E 1:1(0) ack 1001");
	peer_sends(s, "P. 1001:2001(1000) ack 1 ect0");
	expect_within_ms(s, 0, 100, ".E 1:1(0) ack 2001");
	peer_sends(s, "P.W 2001:3001(1000) ack 1 ect0");
	expect_within_ms(s, 0, 100, ". 1:1(0) ack 3001");
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_3_ce_with_cwr_is_told_again)
{
	struct script *s = with_ecn(_i);

	peer_sends(s, "P. 1:1001(1000) ack 1 ce");
	expect(s, ".E 1:1(0) ack 1001");
	peer_sends(s, "P.W 1001:2001(1000) ack 1 ce");
	expect_within_ms(s, 0, 100, ".E 1:1(0) ack 2001");
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_2_ece_reduces_the_window_and_is_answered_with_cwr)
{
	struct script *s = with_ecn(_i);
	uint32_t before;

	script_sends_in(s, 10000, 99);
	before = script_info(s).unacknowledged;
	peer_sends(s, ".E 1:1(0) ack 2001");
	ck_assert_uint_lt(script_info(s).slow_start_threshold, before);
	peer_sends(s, ". 1:1(0) ack 10001");
	script_send(s, 1000);
	expect_within_ms(s, 0, 100, "P.W 10001:11001(1000) ack 1 ect0");
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_2_only_once_in_a_round_trip)
{
	struct script *s = with_ecn(_i);
	uint32_t threshold;

	script_sends_in(s, 10000, 99);
	peer_sends(s, ".E 1:1(0) ack 1001");
	threshold = script_info(s).slow_start_threshold;
	for (uint32_t i = 2; i <= 9; i++)
		peer_sends(s, ".E 1:1(0) ack %u", 1 + i * 1000);
	ck_assert_uint_eq(script_info(s).slow_start_threshold, threshold);
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_2_cwr_is_said_once)
{
	struct script *s = with_ecn(_i);

	script_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	script_sends_in(s, 10000, 99);
	peer_sends(s, ".E 1:1(0) ack 10001");
	script_send(s, 1000);
	expect_within_ms(s, 0, 100, "P.W 10001:11001(1000) ack 1");
	script_send(s, 1000);
	expect_within_ms(s, 0, 100, "P. 11001:12001(1000) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_5_what_is_sent_again_is_not_ect)
{
	struct script *s = with_ecn(_i);

	script_sends_in(s, 10000, 99);
	peer_sends(s, ". 1:1(0) ack 1 <sack 1001:5001>");
	expect_within_ms(s, 0, 60, ". 1:1001(1000) ack 1 not-ect");
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_2_without_agreement_ece_means_nothing)
{
	struct script *s = script_sender(version_of(_i), SACK, 100);
	uint32_t before;

	script_sends_in(s, 10000, 99);
	before = script_info(s).slow_start_threshold;
	peer_sends(s, ".E 1:1(0) ack 2001");
	ck_assert_uint_eq(script_info(s).slow_start_threshold, before);
	script_end(s);
}
END_TEST

START_TEST(rfc3168_6_1_2_a_loss_is_told_with_cwr)
{
	struct script *s = with_ecn(_i);

	script_sends_in(s, 10000, 99);
	peer_sends(s, ". 1:1(0) ack 1 <sack 1001:5001>");
	after_ms(s, 50);
	script_skip(s, NULL);
	peer_sends(s, ". 1:1(0) ack 10001");
	script_send(s, 1000);
	expect_within_ms(s, 0, 100, "P.W 10001:11001(1000) ack 1 ect0");
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
#define ADD(test) tcase_add_loop_test(cases, test, 0, 2)
	ADD(rfc3168_6_1_1_a_syn_that_asks_is_answered_with_ece);
	ADD(rfc3168_6_1_1_a_syn_that_does_not_ask_is_not);
	ADD(rfc3168_6_1_1_a_syn_ack_with_both_flags_is_no_agreement);
	ADD(rfc3168_6_1_1_agreed_data_is_ect);
	ADD(rfc3168_6_1_2_a_loss_is_told_with_cwr);
	ADD(rfc3168_6_1_2_cwr_is_said_once);
	ADD(rfc3168_6_1_2_ece_reduces_the_window_and_is_answered_with_cwr);
	ADD(rfc3168_6_1_2_only_once_in_a_round_trip);
	ADD(rfc3168_6_1_2_without_agreement_ece_means_nothing);
	ADD(rfc3168_6_1_3_ce_is_told_until_cwr_comes);
	ADD(rfc3168_6_1_3_ce_with_cwr_is_told_again);
	ADD(rfc3168_6_1_4_bare_acknowledgements_are_not_ect);
	ADD(rfc3168_6_1_5_what_is_sent_again_is_not_ect);
#undef ADD
}

int main(void)
{
	return unit_main("configs/library/rfc3168", add_cases);
}
