/* SPDX-License-Identifier: ISC */
/* RFC 6191 and RFC 1337: TIME-WAIT, when a new connection may end it, and what may not. */
#include "tests/configs/library/rw_script.h"

/* A connection of ours in TIME-WAIT; the peer's next number is 2, ours is 2. */
static struct script *begin_time_wait(int i, const char *options)
{
	struct script *s = script_begin(version_of(i));

	script_passive(s, options);
	script_close(s);
	expect(s, "F. 1:1(0) ack 1");
	after_ms(s, 10);
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, ". 2:2(0) ack 2");
	return s;
}

/* The peer's SYN, whose number is `ahead` of its first one, is taken. */
static void expect_reopened(struct script *s, uint32_t ahead, const char *options)
{
	script_again(s, s->flow->peer_iss + ahead);
	peer_sends(s, "S 0:0(0) <%s>", options);
	expect(s, "S. 0:0(0) ack 1");
	after_ms(s, 5);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	peer_sends(s, "P. 1:11(10) ack 1");
	script_receive(s, 10);
	after_ms(s, 100);
	expect(s, ". 1:1(0) ack 11");
	script_end(s);
}

START_TEST(rfc6191_2_a_later_timestamp_reopens)
{
	struct script *s = begin_time_wait(_i, "mss 1000,TS val 1000 ecr 0");

	expect_reopened(s, 5000, "TS val 1011 ecr 0");
}
END_TEST

START_TEST(rfc6191_2_a_later_timestamp_reopens_with_any_number)
{
	struct script *s = begin_time_wait(_i, "mss 1000,TS val 1000 ecr 0");

	expect_reopened(s, 0x90000000u, "TS val 1011 ecr 0");
}
END_TEST

START_TEST(rfc6191_2_the_same_timestamp_needs_a_greater_number)
{
	struct script *s = begin_time_wait(_i, "mss 1000,TS val 1000 ecr 0");

	peer_sends(s, "S 1:1(0) <TS val 1010 ecr 0>");
	expect(s, ". 2:2(0) ack 2");
	expect_reopened(s, 5000, "TS val 1010 ecr 0");
}
END_TEST

START_TEST(rfc6191_2_an_older_timestamp_does_not)
{
	struct script *s = begin_time_wait(_i, "mss 1000,TS val 1000 ecr 0");

	peer_sends(s, "S 5000:5000(0) <TS val 1009 ecr 0>");
	expect(s, ". 2:2(0) ack 2");
	script_accept_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc6191_2_timestamps_where_there_were_none_reopen)
{
	struct script *s = begin_time_wait(_i, "mss 1000");

	expect_reopened(s, 0x90000000u, "TS val 5 ecr 0");
}
END_TEST

START_TEST(rfc6191_2_none_where_there_were_some_needs_a_greater_number)
{
	struct script *s = begin_time_wait(_i, "mss 1000,TS val 1000 ecr 0");

	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, ". 2:2(0) ack 2");
	expect_reopened(s, 5000, "mss 1000");
}
END_TEST

START_TEST(rfc6191_2_without_timestamps_a_greater_number_reopens)
{
	struct script *s = begin_time_wait(_i, "mss 1000");

	expect_reopened(s, 2, "mss 1000");
}
END_TEST

START_TEST(rfc6191_2_without_timestamps_a_smaller_number_does_not)
{
	struct script *s = begin_time_wait(_i, "mss 1000");

	peer_sends(s, "S 1:1(0) <mss 1000>");
	expect(s, ". 2:2(0) ack 2");
	script_accept_nothing(s);
	script_end(s);
}
END_TEST

/* RFC 9293, 3.10.7.4: our new first number is beyond what the old connection had. */
START_TEST(rfc6191_2_our_new_first_number_is_greater)
{
	struct script *s = begin_time_wait(_i, "mss 1000");
	uint32_t before = s->flow->our_iss;

	after_ms(s, 100);
	script_again(s, s->flow->peer_iss + 5000);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	ck_assert_int_gt((int32_t)(s->flow->our_iss - before), 2);
	script_end(s);
}
END_TEST

START_TEST(rfc1337_3_a_reset_does_not_end_time_wait)
{
	struct script *s = begin_time_wait(_i, "mss 1000");

	peer_sends(s, "R 2:2(0)");
	peer_sends(s, "R. 2:2(0) ack 2");
	expect_nothing(s);
	peer_sends(s, "F. 1:1(0) ack 2");
	expect(s, ". 2:2(0) ack 2");
	script_end(s);
}
END_TEST

START_TEST(rfc1337_2_old_data_do_not_end_time_wait)
{
	struct script *s = begin_time_wait(_i, "mss 1000");

	peer_sends(s, "P. 500:600(100) ack 2");
	expect(s, ". 2:2(0) ack 2");
	after_ms(s, 1000);
	peer_sends(s, "P. 1:101(100) ack 2");
	expect(s, ". 2:2(0) ack 2");
	script_accept_nothing(s);
	script_end(s);
}
END_TEST

/* And it is not asked to answer more than now and then. */
START_TEST(rfc1337_2_answers_in_time_wait_are_rationed)
{
	struct script *s = begin_time_wait(_i, "mss 1000");

	for (unsigned int i = 0; i < 100; i++)
		peer_sends(s, "P. 1:101(100) ack 2");
	ck_assert_uint_eq(script_skip(s, NULL), 1);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_4_3_time_wait_ends_by_itself)
{
	struct script *s = begin_time_wait(_i, "mss 1000");

	after_ms(s, 59000);
	peer_sends(s, "P. 1:101(100) ack 2");
	expect(s, ". 2:2(0) ack 2");
	after_ms(s, 2000);
	peer_sends(s, "P. 1:101(100) ack 2");
	expect(s, "R 2:2(0)");
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc6191_2_a_later_timestamp_reopens, 0, 2);
	tcase_add_loop_test(cases, rfc6191_2_a_later_timestamp_reopens_with_any_number, 0, 2);
	tcase_add_loop_test(cases, rfc6191_2_the_same_timestamp_needs_a_greater_number, 0, 2);
	tcase_add_loop_test(cases, rfc6191_2_an_older_timestamp_does_not, 0, 2);
	tcase_add_loop_test(cases, rfc6191_2_timestamps_where_there_were_none_reopen, 0, 2);
	tcase_add_loop_test(cases, rfc6191_2_none_where_there_were_some_needs_a_greater_number, 0,
			    2);
	tcase_add_loop_test(cases, rfc6191_2_without_timestamps_a_greater_number_reopens, 0, 2);
	tcase_add_loop_test(cases, rfc6191_2_without_timestamps_a_smaller_number_does_not, 0, 2);
	tcase_add_loop_test(cases, rfc6191_2_our_new_first_number_is_greater, 0, 2);
	tcase_add_loop_test(cases, rfc1337_3_a_reset_does_not_end_time_wait, 0, 2);
	tcase_add_loop_test(cases, rfc1337_2_old_data_do_not_end_time_wait, 0, 2);
	tcase_add_loop_test(cases, rfc1337_2_answers_in_time_wait_are_rationed, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_4_3_time_wait_ends_by_itself, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc6191", add_cases);
}
