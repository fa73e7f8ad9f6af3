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

START_TEST(rfc5682_3_1_only_what_was_sent_once_makes_it_spurious)
{
	struct tcp_frto frto = { .recover = START, .step = TCP_FRTO_SECOND };
	struct tcp_frto_ack told = { .una = START - MSS, .advances = true, .has_sack = true };

	ck_assert_int_eq(tcp_frto_on_ack(&frto, &told), TCP_FRTO_REAL);
	frto.step = TCP_FRTO_SECOND;
	told.delivers_old = true;
	ck_assert_int_eq(tcp_frto_on_ack(&frto, &told), TCP_FRTO_SPURIOUS);
}
END_TEST

/* ---- timers and samples ---- */

START_TEST(rfc6675_6_in_a_fast_recovery_also_later_retransmissions_restart_it)
{
	warm_up(true);
	send(8);
	after(RTT);
	SACK(1000, 4000, 9000);
	ck_assert_int_eq(tcp_recovery_on_send(&r, START + 1000, MSS, now_ns), 0);
	after(MS);
	ck_assert_int_eq(tcp_recovery_on_send(&r, START + 2000, MSS, now_ns), 0);
	ck_assert_uint_eq(r.rto_at_ns, now_ns + tcp_rto_timeout_ns(&r.rto));
}
END_TEST

START_TEST(rfc6298_5_after_a_timeout_only_the_first_does)
{
	uint64_t at;

	warm_up(true);
	may_send_new = false;
	send(8);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	cwnd = 4 * MSS;
	ack(2000);
	ck_assert_int_eq(tcp_recovery_on_send(&r, START + 2000, MSS, now_ns), 0);
	after(MS);
	at = r.rto_at_ns;
	ck_assert_int_eq(tcp_recovery_on_send(&r, START + 3000, MSS, now_ns), 0);
	ck_assert_uint_eq(r.rto_at_ns, at);
}
END_TEST

START_TEST(rfc6298_3_karn_an_ack_of_both_kinds_gives_no_sample)
{
	uint64_t srtt_ns;

	warm_up(true);
	send(6);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_eq(retransmit(), MSS);
	srtt_ns = r.rto.srtt_ns;
	after(5 * RTT);
	ack(7000); /* the last two were sent once, but the first may have held them back */
	ck_assert_uint_eq(r.rto.srtt_ns, srtt_ns);
}
END_TEST

START_TEST(rfc5681_3_1_a_timeout_of_the_next_segment_is_no_repeated_one)
{
	warm_up(false);
	may_send_new = false;
	send(4);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(2000);
	ck_assert_uint_gt(retransmit(), 0);
	time_out();
	ck_assert(!has(TCP_RECOVERY_IS_REPEATED));
	(void)retransmit();
	time_out();
	ck_assert(has(TCP_RECOVERY_IS_REPEATED));
}
END_TEST

START_TEST(rfc6582_3_2_recover_says_nothing_after_half_the_numbers)
{
	warm_up(true);
	send(2);
	r.has_recover = true;
	r.recover = START + 2000 - TCP_SCOREBOARD_BYTES_MAX;
	ack(2000);
	ck_assert(r.has_recover);
	ack(3000);
	ck_assert(!r.has_recover);
}
END_TEST

/* ---- probes ---- */

START_TEST(rfc8985_7_4_only_the_probes_own_dsack_ends_it)
{
	struct tcp_tlp tlp = { .end = START, .is_out = true, .is_retransmit = true };
	struct tcp_delivery delivery = { .has_dsack = true, .dsack_end = START - MSS };

	ck_assert(!tcp_tlp_on_ack(&tlp, START, &delivery, false));
	ck_assert(tlp.is_out);
	delivery.dsack_end = START;
	ck_assert(!tcp_tlp_on_ack(&tlp, START, &delivery, false));
	ck_assert(!tlp.is_out);
}
END_TEST

START_TEST(rfc8985_7_4_a_recovery_ends_the_probe)
{
	warm_up(true);
	send(9);
	probe();
	ck_assert(r.tlp.is_out);
	SACK(1000, 2000, 6000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert(!r.tlp.is_out);
}
END_TEST

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

START_TEST(rfc3708_2_nor_before_anything_was_sent_again)
{
	warm_up(true);
	send(9);
	probe();
	SACK(1000, 2000, 6000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	SACK(1000, 9000, 10000, 2000, 10000);
	ck_assert(has(TCP_RECOVERY_DSACK));
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc3708_2_one_that_begins_with_the_probes_duplicate_may_be_undone)
{
	warm_up(true);
	send(9);
	probe();
	SACK(1000, 9000, 10000, 2000, 10000);
	ck_assert(has(TCP_RECOVERY_DSACK | TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(retransmit(), MSS);
	ack(10000);
	SACK(10000, 1000, 2000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc3708_2_a_duplicate_of_later_data_undoes_nothing)
{
	warm_up(true);
	send(6);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(7000);
	send(2);
	after(RTT);
	SACK(9000, 7000, 8000); /* the network has doubled it */
	ck_assert(has(TCP_RECOVERY_DSACK));
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc3522_3_2_an_old_timestamp_counts_only_for_what_was_sent_again)
{
	uint64_t sent_ns;

	warm_up(true);
	send(6);
	sent_ns = now_ns;
	after(RTT / 2);
	ck_assert_int_eq(tcp_recovery_on_send(&r, START + 1000, MSS, now_ns), 0); /* before it */
	after(RTT / 2);
	SACK(1000, 3000, 7000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(retransmit(), MSS);
	ck_assert_uint_eq(r.resent_begin, START + 2000);
	echo_ns = sent_ns;
	ack(2000);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
	ack(7000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

/* ---- the window ---- */

START_TEST(rfc9937_6_an_ack_that_shows_more_losses_is_not_safe)
{
	struct tcp_recovery_result found = { .acked = MSS, .delivered = MSS };
	uint32_t safe;

	warm_up(true);
	send(9);
	after(RTT);
	SACK(1000, 2000, 6000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	r.prr = (struct tcp_prr){ .flight = 20 * MSS, .ssthresh = 15 * MSS, .out = MSS };
	safe = tcp_recovery_window(&r, &found, 0, 0);
	r.prr = (struct tcp_prr){ .flight = 20 * MSS, .ssthresh = 15 * MSS, .out = MSS };
	found.lost = MSS;
	ck_assert_uint_eq(tcp_recovery_window(&r, &found, 0, 0) + MSS, safe);
}
END_TEST

START_TEST(rfc9937_6_the_share_is_rounded_up)
{
	struct tcp_prr prr;

	tcp_prr_begin(&prr, 3, 2);
	tcp_prr_on_send(&prr, 1);
	ck_assert_uint_eq(tcp_prr_on_ack(&prr, 2, 3, true, MSS), 3 + 1);
}
END_TEST

START_TEST(rfc9937_6_below_ssthresh_what_arrives_may_leave)
{
	struct tcp_prr prr;

	tcp_prr_begin(&prr, 10 * MSS, 7 * MSS);
	tcp_prr_on_send(&prr, 5 * MSS); /* more than has arrived */
	ck_assert_uint_eq(tcp_prr_on_ack(&prr, MSS, 2 * MSS, false, MSS), 3 * MSS);
	ck_assert_uint_eq(tcp_prr_on_ack(&prr, MSS, 2 * MSS, true, MSS), 4 * MSS);
	ck_assert_uint_eq(tcp_prr_on_ack(&prr, 4 * MSS, 6 * MSS, true, MSS), 7 * MSS);
}
END_TEST

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
	tcase_add_test(cases, rfc5682_3_1_only_what_was_sent_once_makes_it_spurious);
	tcase_add_test(cases, rfc6675_6_in_a_fast_recovery_also_later_retransmissions_restart_it);
	tcase_add_test(cases, rfc6298_5_after_a_timeout_only_the_first_does);
	tcase_add_test(cases, rfc6298_3_karn_an_ack_of_both_kinds_gives_no_sample);
	tcase_add_test(cases, rfc5681_3_1_a_timeout_of_the_next_segment_is_no_repeated_one);
	tcase_add_test(cases, rfc6582_3_2_recover_says_nothing_after_half_the_numbers);
	tcase_add_test(cases, rfc8985_7_4_only_the_probes_own_dsack_ends_it);
	tcase_add_test(cases, rfc8985_7_4_a_recovery_ends_the_probe);
	tcase_add_test(cases, rfc8985_7_3_no_second_probe_without_a_round_trip_between);
	tcase_add_test(cases, rfc8985_7_3_a_timestamp_counts_as_a_round_trip);
	tcase_add_test(cases, rfc8985_7_3_no_probe_before_any_round_trip);
	tcase_add_test(cases, rfc8985_7_2_no_probe_while_anything_is_sacked);
	tcase_add_test(cases, rfc3708_2_the_duplicate_of_a_probe_undoes_nothing);
	tcase_add_test(cases, rfc3708_2_a_probe_not_reported_as_twice_stands_against_it);
	tcase_add_test(cases, rfc3708_2_nor_before_anything_was_sent_again);
	tcase_add_test(cases, rfc3708_2_one_that_begins_with_the_probes_duplicate_may_be_undone);
	tcase_add_test(cases, rfc3708_2_a_duplicate_of_later_data_undoes_nothing);
	tcase_add_test(cases, rfc3522_3_2_an_old_timestamp_counts_only_for_what_was_sent_again);
	tcase_add_test(cases, rfc9937_6_an_ack_that_shows_more_losses_is_not_safe);
	tcase_add_test(cases, rfc9937_6_the_share_is_rounded_up);
	tcase_add_test(cases, rfc9937_6_below_ssthresh_what_arrives_may_leave);
	tcase_add_test(cases, rfc9937_6_what_delivers_nothing_leaves_the_window);
	tcase_add_test(cases, rfc9937_6_what_a_timer_finds_lost_opens_no_window);
	tcase_add_test(cases, rfc5681_3_1_flight_size_has_what_is_sacked_and_lost);
}

int main(void)
{
	return unit_main("net/tcp_recovery_rules", add_cases);
}
