/* SPDX-License-Identifier: ISC */
/* RFC 9293: how connections begin (3.5, 3.10.1 and what 3.10.7 says of LISTEN and SYN-SENT). */
#include "tests/configs/library/rw_script.h"

START_TEST(rfc9293_3_5_a_passive_open_in_three_steps)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) win 65535 <" SCRIPT_FULL ">");
	expect(s, "S. 0:0(0) ack 1 win 65535 <mss %u,sackOK,TS val 0 ecr 1000,wscale *>",
	       _i ? 1440 : 1460);
	script_accept_nothing(s);
	peer_sends(s, ". 1:1(0) ack 1");
	expect_nothing(s);
	script_accept(s);
	expect_state(s, STATE_ESTABLISHED);
	ck_assert_int_eq(script_poll(s), POLLOUT);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_5_an_active_open_in_three_steps)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0) win 65535 <mss %u,sackOK,TS val 0 ecr 0,wscale *>", _i ? 1440 : 1460);
	expect_state(s, STATE_SYN_SENT);
	ck_assert_int_eq(script_poll(s), 0);
	after_ms(s, 20);
	peer_sends(s, "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 1020 ecr 0,wscale 7>");
	expect(s, ". 1:1(0) ack 1 <TS val 20 ecr 1020>");
	expect_state(s, STATE_ESTABLISHED);
	ck_assert_int_eq(script_poll(s), POLLOUT);
	ck_assert_int_eq(script_error(s), 0);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_5_a_passive_open_in_three_steps, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_5_an_active_open_in_three_steps, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc9293_open", add_cases);
}
