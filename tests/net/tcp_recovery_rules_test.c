/* SPDX-License-Identifier: ISC */
/* Rules of loss recovery that only show where several of its parts meet. */
#include "tests/net/test_recovery.h"

/* ---- F-RTO ---- */

START_TEST(rfc5682_3_1_a_timeout_within_a_fast_recovery_is_taken_as_real)
{
	warm_up(true);
	send(8);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(retransmit(), MSS);
	time_out();
	ck_assert_uint_eq(r.frto.step, TCP_FRTO_OFF);
	cwnd = 4 * MSS;
	ck_assert_uint_gt(retransmit(), MSS); /* more than the one of F-RTO's first step */
	after(RTT);
	SACK(5000, 8000, 9000);
	ck_assert(!has(TCP_RECOVERY_SEND_NEW));
}
END_TEST

START_TEST(rfc5682_2_1_without_sack_it_is_tried_there)
{
	warm_up(false);
	send(8);
	after(RTT);
	for (int i = 0; i < 3; i++)
		ack(1000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(retransmit(), MSS);
	time_out();
	ck_assert_uint_eq(r.frto.step, TCP_FRTO_FIRST);
}
END_TEST

START_TEST(rfc5682_3_1_a_second_timeout_is_taken_as_real)
{
	warm_up(true);
	send(8);
	time_out();
	ck_assert_uint_eq(r.frto.step, TCP_FRTO_FIRST);
	ck_assert_uint_eq(retransmit(), MSS);
	time_out();
	ck_assert_uint_eq(r.frto.step, TCP_FRTO_OFF);
}
END_TEST

START_TEST(rfc5682_3_1_sacks_alone_do_not_end_the_first_step)
{
	warm_up(true);
	send(8);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	SACK(1000, 4000, 5000);
	ck_assert_uint_eq(r.frto.step, TCP_FRTO_FIRST);
	ck_assert_uint_eq(retransmit(), 0);
	ack(2000);
	ck_assert(has(TCP_RECOVERY_SEND_NEW));
}
END_TEST

START_TEST(rfc5682_3_1_a_dsack_alone_does_not_end_the_second_step)
{
	warm_up(true);
	send(6);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(2000);
	ck_assert(has(TCP_RECOVERY_SEND_NEW));
	send(2);
	ack(2000); /* neither a duplicate, for it has no block, nor an advance */
	ck_assert_uint_eq(r.frto.step, TCP_FRTO_SECOND);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
	SACK(2000, 4000, 5000); /* sent before the timeout */
	ck_assert(has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

/* ---- probes ---- */

START_TEST(rfc8985_7_3_no_second_probe_without_a_round_trip_between)
{
	warm_up(true);
	send(1);
	probe();
	SACK(2000, 1000, 2000); /* the end of the probe, which gives no sample (Karn) */
	ck_assert(!r.tlp.is_out);
	send(1);
	timer();
	ck_assert(!has(TCP_RECOVERY_SEND_PROBE));
	ck_assert_uint_eq(r.rto_at_ns, now_ns + tcp_rto_timeout_ns(&r.rto));
	after(1);
	ack(3000); /* a sound one */
	send(1);
	timer();
	ck_assert(has(TCP_RECOVERY_SEND_PROBE));
}
END_TEST

START_TEST(rfc8985_7_3_a_timestamp_counts_as_a_round_trip)
{
	warm_up(true);
	send(1);
	probe();
	echo_ns = now_ns - RTT + 1;
	SACK(2000, 1000, 2000);
	echo_ns = 0;
	send(1);
	timer();
	ck_assert(has(TCP_RECOVERY_SEND_PROBE));
}
END_TEST

START_TEST(rfc8985_7_3_no_probe_before_any_round_trip)
{
	begin(true);
	send(2);
	timer();
	ck_assert(!has(TCP_RECOVERY_SEND_PROBE));
	timer();
	ck_assert(has(TCP_RECOVERY_TIMEOUT));
}
END_TEST

START_TEST(rfc8985_7_2_no_probe_while_anything_is_sacked)
{
	warm_up(true);
	send(4);
	ck_assert_uint_ne(r.probe_at_ns, 0);
	after(RTT);
	SACK(1000, 3000, 4000);
	ck_assert_uint_eq(r.probe_at_ns, 0);
	send(1);
	ck_assert_uint_eq(r.probe_at_ns, 0);
}
END_TEST

/* ---- what undoes a recovery ---- */

START_TEST(rfc3708_2_the_duplicate_of_a_probe_undoes_nothing)
{
	warm_up(true);
	send(9);
	probe();
	SACK(1000, 2000, 6000); /* all was late, and the first is lost */
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(retransmit(), MSS);
	SACK(1000, 9000, 10000, 2000, 10000); /* the probe came twice */
	ck_assert(has(TCP_RECOVERY_DSACK));
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
	ck_assert_uint_eq(r.state, TCP_RECOVERY_FAST);
	ack(10000);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
	SACK(10000, 1000, 2000); /* and this is the retransmission */
	ck_assert(has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc3708_2_a_probe_not_reported_as_twice_stands_against_it)
{
	warm_up(true);
	send(9);
	probe();
	SACK(1000, 2000, 6000);
	ck_assert_uint_eq(retransmit(), MSS);
	ack(10000);
	SACK(10000, 1000, 2000);
	ck_assert(has(TCP_RECOVERY_DSACK));
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc3522_3_2_an_old_timestamp_counts_only_for_what_was_sent_again)
{
	warm_up(true);
	send(6);
	probe(); /* [6000, 7000) was sent more than once now */
	ack(2000);
	SACK(2000, 3000, 7000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	after(RTT);
	ck_assert_uint_eq(retransmit(), MSS);
	echo_ns = now_ns - 2 * RTT;
	r.board.ranges[tcp_scoreboard_find(&r.board, START + 2000)].flags |=
		TCP_RANGE_RETRANSMITTED;
	ck_assert_uint_eq(r.resent_begin, START + 2000);
	ack(2000);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
	ack(3000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

/* ---- the window ---- */

START_TEST(rfc9937_6_what_delivers_nothing_leaves_the_window)
{
	uint32_t glide;

	warm_up(true);
	cwnd = 10 * MSS;
	send(10);
	after(RTT);
	SACK(1000, 8000, 11000); /* seven are lost */
	ck_assert(has(TCP_RECOVERY_ENTERED));
	glide = cwnd;
	ck_assert_uint_lt(glide, ssthresh);
	ack(1000); /* a window update, say */
	ck_assert_uint_eq(tcp_recovery_window(&r, &result, ssthresh, ssthresh), glide);
	ck_assert_uint_eq(cwnd, glide);
}
END_TEST

START_TEST(rfc9937_6_what_a_timer_finds_lost_opens_no_window)
{
	uint32_t room;

	warm_up(true);
	cwnd = 20 * MSS;
	r.rack.reordering_seen = true; /* so that a quarter of a round trip is waited */
	send(1);
	after(2 * MS);
	send(8);
	after(2 * MS);
	send(1);
	after(RTT);
	SACK(1000, 10000, 11000);
	timer();
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(result.lost, MSS);
	ck_assert_uint_eq(retransmit(), MSS);
	room = cwnd - tcp_recovery_pipe(&r);
	for (int i = 0; i < 8; i++) {
		timer();
		ck_assert_uint_eq(result.lost, MSS);
		ck_assert_uint_eq(r.state, TCP_RECOVERY_FAST);
		/* What has left the network by that is not sent at once: nothing arrived. */
		ck_assert_uint_eq(cwnd - tcp_recovery_pipe(&r), room);
		ck_assert_uint_eq(retransmit(), 0);
	}
}
END_TEST

START_TEST(rfc5681_3_1_flight_size_has_what_is_sacked_and_lost)
{
	warm_up(true);
	send(9);
	after(RTT);
	SACK(1000, 2000, 3000);
	SACK(1000, 2000, 9000);
	ck_assert_uint_eq(result.flight_before, 9 * MSS);
	ck_assert_uint_eq(result.pipe_before, 8 * MSS);
	SACK(1000, 2000, 10000);
	ck_assert_uint_eq(result.flight_before, 9 * MSS);
	ck_assert_uint_eq(result.pipe_before, MSS);
	(void)retransmit();
	time_out();
	ck_assert_uint_eq(result.flight_before, 9 * MSS);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc5682_3_1_a_timeout_within_a_fast_recovery_is_taken_as_real);
	tcase_add_test(cases, rfc5682_2_1_without_sack_it_is_tried_there);
	tcase_add_test(cases, rfc5682_3_1_a_second_timeout_is_taken_as_real);
	tcase_add_test(cases, rfc5682_3_1_sacks_alone_do_not_end_the_first_step);
	tcase_add_test(cases, rfc5682_3_1_a_dsack_alone_does_not_end_the_second_step);
	tcase_add_test(cases, rfc8985_7_3_no_second_probe_without_a_round_trip_between);
	tcase_add_test(cases, rfc8985_7_3_a_timestamp_counts_as_a_round_trip);
	tcase_add_test(cases, rfc8985_7_3_no_probe_before_any_round_trip);
	tcase_add_test(cases, rfc8985_7_2_no_probe_while_anything_is_sacked);
	tcase_add_test(cases, rfc3708_2_the_duplicate_of_a_probe_undoes_nothing);
	tcase_add_test(cases, rfc3708_2_a_probe_not_reported_as_twice_stands_against_it);
	tcase_add_test(cases, rfc3522_3_2_an_old_timestamp_counts_only_for_what_was_sent_again);
	tcase_add_test(cases, rfc9937_6_what_delivers_nothing_leaves_the_window);
	tcase_add_test(cases, rfc9937_6_what_a_timer_finds_lost_opens_no_window);
	tcase_add_test(cases, rfc5681_3_1_flight_size_has_what_is_sacked_and_lost);
}

int main(void)
{
	return unit_main("net/tcp_recovery_rules", add_cases);
}
