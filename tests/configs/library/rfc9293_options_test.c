/* SPDX-License-Identifier: ISC */
/* RFC 9293: what a header holds (3.1), and how large segments are (3.7.1). */
#include "tests/configs/library/rw_script.h"

START_TEST(rfc9293_3_7_1_without_an_mss_option_the_default_counts)
{
	struct script *s = script_begin(version_of(_i));
	unsigned int mss = _i ? 1220 : 536;

	script_passive(s, "");
	script_send(s, 3000);
	expect(s, ". 1:%u(%u) ack 1", 1 + mss, mss);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_1_no_segment_is_larger_than_the_mss_of_the_peer)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, "mss 700");
	script_send(s, 2000);
	expect(s, ". 1:701(700) ack 1");
	expect(s, ". 701:1401(700) ack 1");
	peer_sends(s, ". 1:1(0) ack 1401");
	expect(s, "P. 1401:2001(600) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_1_nor_than_our_link)
{
	struct script *s =
		script_begin_with(&(struct script_how){ .version = version_of(_i), .mtu = 1280 });
	unsigned int mss = _i ? 1220 : 1240;

	script_listen(s, 1);
	peer_sends(s, "S 0:0(0) <mss 9000>");
	expect(s, "S. 0:0(0) ack 1 <mss %u>", mss);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_send(s, 4000);
	expect(s, ". 1:%u(%u) ack 1", 1 + mss, mss);
	script_skip(s, NULL);
	script_end(s);
}
END_TEST

/* RFC 6691: the option does not say what other options take. */
START_TEST(rfc9293_3_7_1_options_are_taken_off_the_payload)
{
	struct script *s = script_begin(version_of(_i));

	script_passive(s, "mss 1000,nop,nop,TS val 1000 ecr 0");
	script_send(s, 988 * 2);
	expect(s, ". 1:989(988) ack 1");
	expect(s, "P. 989:1977(988) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_1_options_lie_anywhere_and_unknown_ones_are_passed_over)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) <nop,raw fd0612345678,nop,mss 900,nop>");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1 <raw fe02>");
	script_accept(s);
	script_send(s, 900);
	expect(s, "P. 1:901(900) ack 1");
	script_end(s);
}
END_TEST

/* MUST-7: and the stack lives on. */
START_TEST(rfc9293_3_1_malformed_options_do_no_harm)
{
	struct script *s = script_begin(version_of(_i));
	static const char *const options[] = { "raw 0200", "raw 02",   "raw 0201", "raw 0228",
					       "raw 03",   "raw 080a", "raw 05ff" };

	script_listen(s, 64);
	for (unsigned int i = 0; i < 7; i++) {
		script_choose(s, i);
		peer_sends(s, "S 0:0(0) <%s>", options[i]);
		expect(s, "S. 0:0(0) ack 1");
		peer_sends(s, ". 1:1(0) ack 1 <%s>", options[i]);
		script_accept(s);
	}
	script_end(s);
}
END_TEST

/* MUST-3 */
START_TEST(rfc9293_3_1_a_wrong_checksum_is_dropped)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) badsum");
	expect_nothing(s);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1 badsum");
	script_accept_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	peer_sends(s, "P. 1:11(10) ack 1 badsum");
	script_receive_nothing(s);
	expect_nothing_for_ms(s, 500);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_7_1_without_an_mss_option_the_default_counts, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_7_1_no_segment_is_larger_than_the_mss_of_the_peer, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_7_1_nor_than_our_link, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_7_1_options_are_taken_off_the_payload, 0, 2);
	tcase_add_loop_test(
		cases, rfc9293_3_1_options_lie_anywhere_and_unknown_ones_are_passed_over, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_1_malformed_options_do_no_harm, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_1_a_wrong_checksum_is_dropped, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc9293_options", add_cases);
}
