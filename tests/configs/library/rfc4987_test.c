/* SPDX-License-Identifier: ISC */
/* RFC 4987: floods of SYNs; and what a listener's backlog bounds. */
#include "tests/configs/library/rw_script.h"

/* A listener whose two half open places are taken, by flows 14 and 15. */
static struct script *begin_flooded(int i)
{
	struct script *s = script_begin(version_of(i));

	script_listen(s, 2);
	for (unsigned int flow = 14; flow < 16; flow++) {
		script_choose(s, flow);
		peer_sends(s, "S 0:0(0) <mss 1000>");
		expect(s, "S. 0:0(0) ack 1");
	}
	script_choose(s, 0);
	return s;
}

START_TEST(rfc4987_3_6_beyond_the_backlog_a_cookie_is_the_answer)
{
	struct script *s = begin_flooded(_i);

	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1 <mss *>");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	peer_sends(s, "P. 1:51(50) ack 101");
	script_receive(s, 50);
	after_ms(s, 100);
	expect(s, ". 101:101(0) ack 51");
	script_end(s);
}
END_TEST

/* No state: what is lost is not sent again, and nothing is kept for who never answers. */
START_TEST(rfc4987_3_6_a_cookie_is_not_sent_again)
{
	struct script *s = begin_flooded(_i);

	for (unsigned int i = 0; i < 1000; i++) {
		s->flow->our_iss_known = false;
		s->flow->peer_port = (uint16_t)(1024 + i);
		peer_sends(s, "S 0:0(0) <mss 1000>");
		expect(s, "S. 0:0(0) ack 1 <mss *>");
	}
	after_ms(s, 1500);
	/* The two that have state. */
	ck_assert_uint_eq(script_skip(s, NULL), 2);
	script_end(s);
}
END_TEST

START_TEST(rfc4987_3_6_who_guesses_a_cookie_is_reset)
{
	struct script *s = begin_flooded(_i);

	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1 <mss *>");
	peer_sends(s, ". 1:1(0) ack 2");
	expect(s, "R 2:2(0)");
	peer_sends(s, ". 2:2(0) ack 1");
	expect(s, "R 1:1(0)");
	script_choose(s, 1);
	peer_sends(s, ". 1:1(0) ack 777777");
	expect(s, "R 777777:777777(0)");
	script_accept_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc4987_3_6_a_cookie_is_of_its_sender_alone)
{
	struct script *s = begin_flooded(_i);

	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1 <mss *>");
	s->flow->peer_port++;
	peer_sends(s, ". 1:1(0) ack 1");
	expect(s, "R 1:1(0)");
	script_accept_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc4987_3_6_an_old_cookie_is_stale)
{
	struct script *s = begin_flooded(_i);

	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1 <mss *>");
	after_ms(s, 70000);
	(void)script_skip(s, NULL);
	peer_sends(s, ". 1:1(0) ack 1");
	expect(s, "R 1:1(0)");
	script_accept_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc4987_3_6_with_timestamps_a_cookie_keeps_the_options)
{
	struct script *s = begin_flooded(_i);

	peer_sends(s, "S 0:0(0) <" SCRIPT_FULL ">");
	expect(s, "S. 0:0(0) ack 1 <mss *,sackOK,TS val 0 ecr 1000,wscale *>");
	peer_sends(s, ". 1:1(0) ack 1 win 100");
	script_accept(s);
	ck_assert_uint_eq(script_info(s).send_window, 100 << 7);
	peer_sends(s, ". 1001:2001(1000) ack 1");
	expect(s, ". 1:1(0) ack 1 <sack 1001:2001>");
	script_end(s);
}
END_TEST

START_TEST(rfc4987_3_6_data_with_the_cookie_are_taken)
{
	struct script *s = begin_flooded(_i);

	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1 <mss *>");
	peer_sends(s, "P. 1:101(100) ack 1");
	script_accept(s);
	script_receive(s, 100);
	after_ms(s, 100);
	expect(s, ". 1:1(0) ack 101");
	script_end(s);
}
END_TEST

START_TEST(rfc4987_3_6_the_mss_of_a_cookie_is_no_larger_than_the_peers)
{
	static const unsigned int sizes[] = { 536, 700, 1220, 1300, 1440, 1460, 9000 };

	for (unsigned int i = 0; i < 7; i++) {
		struct script *s = begin_flooded(_i);
		uint16_t mss;

		peer_sends(s, "S 0:0(0) <mss %u>", sizes[i]);
		expect(s, "S. 0:0(0) ack 1 <mss *>");
		peer_sends(s, ". 1:1(0) ack 1");
		script_accept(s);
		mss = (uint16_t)script_info(s).mss;
		ck_assert_uint_le(mss, sizes[i]);
		ck_assert_uint_ge(mss, sizes[i] < 1460 ? sizes[i] / 2 : 1220);
		script_end(s);
	}
}
END_TEST

/* A place becomes free as soon as one is established. */
START_TEST(rfc4987_3_1_a_place_is_free_again)
{
	struct script *s = begin_flooded(_i);

	script_choose(s, 14);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_choose(s, 0);
	peer_sends(s, "S 0:0(0) <" SCRIPT_FULL ">");
	expect(s, "S. 0:0(0) ack 1");
	/* One with state is sent again. */
	after_ms(s, 1200);
	ck_assert_uint_eq(script_skip(s, NULL), 2);
	script_end(s);
}
END_TEST

/* RFC 9293, 3.10.7.4: who is not accepted is not told so; he tries again. */
START_TEST(rfc4987_3_2_a_full_queue_of_accepted_ones_waits)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 1);
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	script_choose(s, 1);
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect_nothing_for_ms(s, 1000);
	script_choose(s, 0);
	script_accept(s);
	script_choose(s, 1);
	peer_sends(s, "S 0:0(0) <mss 1000>");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_end(s);
}
END_TEST

START_TEST(rfc4987_2_half_open_ones_are_given_up)
{
	struct script *s = begin_flooded(_i);

	after_ms(s, 120000);
	(void)script_skip(s, NULL);
	expect_nothing_for_ms(s, 100000);
	script_choose(s, 14);
	peer_sends(s, ". 1:1(0) ack 1");
	expect(s, "R 1:1(0)");
	script_end(s);
}
END_TEST

START_TEST(rfc4987_2_closing_a_listener_resets_who_waits)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 4);
	peer_sends(s, "S 0:0(0)");
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	ck_assert_int_eq(rw_close(s->stack, s->listener), 0);
	after_ms(s, 0);
	expect(s, "R. 1:1(0) ack 1");
	script_choose(s, 1);
	peer_sends(s, "S 0:0(0)");
	expect(s, "R. 0:0(0) ack 1");
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc4987_3_6_beyond_the_backlog_a_cookie_is_the_answer, 0, 2);
	tcase_add_loop_test(cases, rfc4987_3_6_a_cookie_is_not_sent_again, 0, 2);
	tcase_add_loop_test(cases, rfc4987_3_6_who_guesses_a_cookie_is_reset, 0, 2);
	tcase_add_loop_test(cases, rfc4987_3_6_a_cookie_is_of_its_sender_alone, 0, 2);
	tcase_add_loop_test(cases, rfc4987_3_6_an_old_cookie_is_stale, 0, 2);
	tcase_add_loop_test(cases, rfc4987_3_6_with_timestamps_a_cookie_keeps_the_options, 0, 2);
	tcase_add_loop_test(cases, rfc4987_3_6_data_with_the_cookie_are_taken, 0, 2);
	tcase_add_loop_test(cases, rfc4987_3_6_the_mss_of_a_cookie_is_no_larger_than_the_peers, 0,
			    2);
	tcase_add_loop_test(cases, rfc4987_3_1_a_place_is_free_again, 0, 2);
	tcase_add_loop_test(cases, rfc4987_3_2_a_full_queue_of_accepted_ones_waits, 0, 2);
	tcase_add_loop_test(cases, rfc4987_2_half_open_ones_are_given_up, 0, 2);
	tcase_add_loop_test(cases, rfc4987_2_closing_a_listener_resets_who_waits, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc4987", add_cases);
}
