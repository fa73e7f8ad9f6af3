/* SPDX-License-Identifier: ISC */
/* Loss recovery as a connection sees it: scenes of segments, acknowledgements and timers. */
#include "tests/net/test_recovery.h"

START_TEST(rfc6298_5_1_timer_runs_while_anything_is_out)
{
	begin(true);
	ck_assert_uint_eq(tcp_recovery_deadline(&r), 0);
	send(1);
	ck_assert_uint_ne(tcp_recovery_deadline(&r), 0);
	ack(1000);
	ck_assert_uint_eq(tcp_recovery_deadline(&r), 0);
}
END_TEST

START_TEST(rfc6298_5_3_new_data_acked_restarts_the_timer)
{
	uint64_t before;

	warm_up(false);
	send(2);
	before = tcp_recovery_deadline(&r);
	after(RTT);
	ack(2000);
	ck_assert_uint_gt(tcp_recovery_deadline(&r), before);
	before = tcp_recovery_deadline(&r);
	after(RTT);
	ack(2000); /* nothing new */
	ck_assert_uint_eq(tcp_recovery_deadline(&r), before);
}
END_TEST

START_TEST(rfc6298_5_5_each_timeout_takes_twice_as_long)
{
	uint64_t last, wait = 0;

	warm_up(false);
	send(1);
	for (int i = 0; i < 12; i++) {
		last = now_ns;
		timer();
		ck_assert(has(TCP_RECOVERY_TIMEOUT));
		ck_assert_int_eq(has(TCP_RECOVERY_IS_REPEATED), i > 0);
		if (wait)
			ck_assert_uint_eq(now_ns - last,
					  2 * wait < TCP_RTO_MAX_NS ? 2 * wait : TCP_RTO_MAX_NS);
		wait = i ? now_ns - last : 0;
		ck_assert_uint_eq(retransmit(), MSS);
		wait = now_ns - last;
		if (!i)
			wait = tcp_rto_timeout_ns(&r.rto) / 2;
	}
	ck_assert_uint_eq(wait, TCP_RTO_MAX_NS);
}
END_TEST

START_TEST(rfc8985_6_2_three_sacked_segments_show_a_loss)
{
	warm_up(true);
	send(6);
	after(RTT);
	SACK(1000, 2000, 3000);
	ck_assert_uint_eq(result.events, 0); /* it may be late, by a quarter of a round trip */
	ck_assert_uint_ne(r.reorder_at_ns, 0);
	ck_assert_uint_eq(r.probe_at_ns, 0); /* RFC 8985, 7.2: not while anything is SACKed */
	SACK(1000, 2000, 4000);
	SACK(1000, 2000, 5000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(result.lost, MSS);
	ck_assert_uint_eq(r.flight, 4 * MSS); /* RFC 9937, 6: without what had arrived before */
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(7000);
	ck_assert(has(TCP_RECOVERY_EXITED));
	ck_assert(result.was_fast);
	ck_assert_uint_eq(cwnd, 5 * MSS);
}
END_TEST

START_TEST(rfc8985_6_2_the_reordering_timer_finds_a_loss_alone)
{
	warm_up(true);
	send(3);
	after(RTT);
	SACK(1000, 2000, 3000);
	ck_assert_uint_eq(result.lost, 0);
	timer();
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(result.lost, MSS);
	ck_assert_uint_eq(retransmit(), MSS);
}
END_TEST

START_TEST(rfc8985_3_2_reordering_alone_loses_nothing)
{
	warm_up(true);
	for (uint32_t at = 1000; at < 60000; at += 3000) {
		send(3);
		after(RTT);
		SACK(at, at + 1000, at + 2000);
		after(RTT / 8);
		ack(at + 3000);
		ck_assert_uint_eq(r.state, TCP_RECOVERY_OPEN);
	}
	ck_assert(r.rack.reordering_seen);
	/* From now on not even three segments say that one is lost. */
	send(5);
	after(RTT);
	SACK(61000, 62000, 66000);
	ck_assert_uint_eq(result.lost, 0);
	after(RTT / 8);
	ack(66000);
	ck_assert_uint_eq(result.events, 0);
}
END_TEST

START_TEST(rfc8985_3_1_a_lost_retransmission_is_found_without_a_timeout)
{
	warm_up(true);
	send(10);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_eq(retransmit(), MSS); /* and this one is lost */
	after(100);
	send(1);
	after(RTT);
	SACK(1000, 2000, 11000);
	ck_assert_uint_eq(result.lost, 0);
	after(RTT);
	SACK(1000, 2000, 12000); /* what was sent later has arrived */
	ck_assert_uint_eq(result.lost, MSS);
	ck_assert_uint_eq(r.timeouts, 0);
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(12000);
	ck_assert_uint_eq(r.state, TCP_RECOVERY_OPEN);
}
END_TEST

START_TEST(rfc8985_7_2_a_silent_tail_is_probed_for)
{
	uint32_t at, bytes;

	warm_up(true);
	send(4);
	timer();
	ck_assert_uint_eq(result.events, TCP_RECOVERY_SEND_PROBE);
	ck_assert(tcp_recovery_probe(&r, &at, &bytes));
	ck_assert_uint_eq(at, START + 4000);
	ck_assert_uint_eq(bytes, MSS);
	ck_assert_int_eq(tcp_recovery_on_send(&r, at, bytes, now_ns), 0);
	tcp_recovery_on_probe(&r, true);
	after(RTT + MS);
	SACK(1000, 4000, 5000); /* the tail was lost: the probe's SACK shows it */
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(result.lost, 3 * MSS);
	ck_assert_uint_eq(r.timeouts, 0);
}
END_TEST

START_TEST(rfc8985_7_4_a_repaired_tail_counts_as_a_loss)
{
	warm_up(true);
	send(1);
	probe();
	ack(2000);
	ck_assert(!has(TCP_RECOVERY_PROBE_REPAIRED));
	send(1);
	after(RTT);
	ack(3000); /* and no D-SACK came */
	ck_assert(has(TCP_RECOVERY_PROBE_REPAIRED));
}
END_TEST

START_TEST(rfc8985_7_4_a_dsack_says_the_tail_was_only_late)
{
	warm_up(true);
	send(1);
	probe();
	ack(2000);
	SACK(2000, 1000, 2000);
	ck_assert(has(TCP_RECOVERY_DSACK));
	send(1);
	after(RTT);
	ack(3000);
	ck_assert(!has(TCP_RECOVERY_PROBE_REPAIRED));
}
END_TEST

START_TEST(rfc8985_7_3_one_probe_then_the_timeout)
{
	warm_up(true);
	send(1);
	probe();
	timer();
	ck_assert(has(TCP_RECOVERY_TIMEOUT));
	ck_assert_uint_eq(retransmit(), MSS);
}
END_TEST

START_TEST(rfc8985_6_2_dsack_widens_the_window_once_a_round_trip)
{
	warm_up(true);
	send(6);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_eq(retransmit(), MSS);
	ack(5000); /* it was only late */
	SACK(5000, 1000, 2000);
	ck_assert_uint_eq(r.rack.mult, 2);
	ck_assert_uint_eq(r.rack.persist, TCP_RACK_PERSIST);
}
END_TEST

START_TEST(rfc3708_2_every_retransmission_a_duplicate_undoes_it)
{
	warm_up(true);
	send(8);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT / 2);
	ack(6000);
	ck_assert_uint_eq(r.state, TCP_RECOVERY_FAST);
	SACK(6000, 1000, 2000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS | TCP_RECOVERY_EXITED));
	ck_assert_uint_eq(r.state, TCP_RECOVERY_OPEN);
	ck_assert_uint_eq(cwnd, 10 * MSS);
}
END_TEST

START_TEST(rfc3708_2_also_when_the_recovery_is_over)
{
	warm_up(true);
	send(6);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_eq(retransmit(), MSS);
	ack(7000);
	ck_assert(has(TCP_RECOVERY_EXITED));
	SACK(7000, 1000, 2000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS));
	ck_assert(!has(TCP_RECOVERY_EXITED));
}
END_TEST

START_TEST(rfc3708_2_a_dsack_of_an_older_recovery_undoes_no_later_one)
{
	warm_up(true);
	send(6);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(7000);
	send(6);
	after(RTT);
	SACK(7000, 8000, 11000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(retransmit(), MSS);
	SACK(7000, 1000, 2000);
	ck_assert(has(TCP_RECOVERY_DSACK));
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc3522_3_2_of_two_timeouts_the_first_retransmission_counts)
{
	warm_up(true);
	may_send_new = false;
	send(1);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	echo_ns = now_ns + MS;
	time_out();
	ck_assert(has(TCP_RECOVERY_IS_REPEATED));
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(2000); /* of the first one: that was needed */
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc6675_6_each_retransmission_restarts_the_timer)
{
	warm_up(true);
	send(8);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_lt(r.rto_at_ns, now_ns + tcp_rto_timeout_ns(&r.rto));
	ck_assert_uint_eq(retransmit(), MSS);
	ck_assert_uint_eq(r.rto_at_ns, now_ns + tcp_rto_timeout_ns(&r.rto));
}
END_TEST

START_TEST(rfc3708_3_dsacks_of_what_was_sent_once_prove_nothing)
{
	warm_up(true);
	send(6);
	after(RTT);
	SACK(5000, 2000, 3000);
	ck_assert(!has(TCP_RECOVERY_DSACK));
	ck_assert_uint_eq(r.dsacks_unsound, 1);
	ck_assert_uint_eq(r.rack.mult, 1);
}
END_TEST

START_TEST(rfc3522_3_2_a_timestamp_older_than_the_retransmission_undoes_it)
{
	uint64_t first_ns;

	warm_up(true);
	send(8);
	first_ns = now_ns;
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT / 4);
	echo_ns = first_ns;
	ack(6000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS | TCP_RECOVERY_EXITED));
}
END_TEST

START_TEST(rfc3522_3_2_a_later_one_does_not)
{
	warm_up(true);
	send(8);
	after(RTT);
	SACK(1000, 2000, 5000);
	ck_assert_uint_eq(retransmit(), MSS);
	echo_ns = now_ns + MS; /* the end of its tick */
	after(RTT);
	ack(6000);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc4015_3_what_arrives_before_it_is_sent_again_was_not_lost)
{
	warm_up(true);
	send(8);
	after(RTT);
	SACK(1000, 2000, 3000);
	SACK(1000, 2000, 5000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	/* Pacing keeps it back, and it comes. */
	after(RTT / 4);
	ack(5000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS | TCP_RECOVERY_EXITED));
	ck_assert_uint_eq(retransmit(), 0);
}
END_TEST

START_TEST(rfc4015_3_but_all_of_it_has_to_arrive)
{
	warm_up(true);
	send(8);
	after(RTT);
	SACK(1000, 3000, 4000);
	SACK(1000, 3000, 6000);
	ck_assert_uint_eq(result.lost, 2 * MSS);
	after(RTT / 4);
	SACK(2000, 3000, 6000);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(6000);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc5682_3_1_late_originals_make_a_timeout_spurious)
{
	warm_up(true);
	send(6);
	time_out();
	cwnd = 5 * MSS;
	ck_assert_uint_eq(retransmit(), MSS); /* one, however many are lost and may go */
	after(RTT);
	ack(2000);
	ck_assert(has(TCP_RECOVERY_SEND_NEW));
	ck_assert_uint_eq(retransmit(), 0);
	send(2);
	ack(3000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS | TCP_RECOVERY_EXITED));
	ck_assert_uint_eq(r.rto.backoff, 0);
	ck_assert_uint_eq(retransmit(), 0);
}
END_TEST

START_TEST(rfc5682_3_1_new_data_first_makes_it_real)
{
	warm_up(true);
	send(6);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(2000);
	send(2);
	after(RTT);
	SACK(2000, 7000, 8000);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
	cwnd = 4 * MSS;
	ck_assert_uint_gt(retransmit(), 0);
}
END_TEST

START_TEST(rfc5682_2_1_with_nothing_new_to_send_it_is_not_tried)
{
	warm_up(true);
	may_send_new = false;
	send(6);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(2000);
	ck_assert(!has(TCP_RECOVERY_SEND_NEW));
	ck_assert_uint_gt(retransmit(), 0);
}
END_TEST

START_TEST(rfc5682_2_1_without_sack_two_advances)
{
	warm_up(false);
	send(6);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(2000);
	ck_assert(has(TCP_RECOVERY_SEND_NEW));
	send(2);
	ack(3000);
	ck_assert(has(TCP_RECOVERY_SPURIOUS));
}
END_TEST

START_TEST(rfc5682_2_1_without_sack_a_duplicate_makes_it_real)
{
	warm_up(false);
	send(6);
	time_out();
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(2000);
	send(2);
	after(RTT);
	ack(2000);
	ck_assert(!has(TCP_RECOVERY_SPURIOUS));
	cwnd = 3 * MSS;
	ck_assert_uint_gt(retransmit(), 0);
}
END_TEST

START_TEST(rfc2018_8_a_timeout_believes_no_reneged_sack)
{
	warm_up(true);
	send(6);
	after(RTT);
	SACK(1000, 2000, 7000);
	ack(2000); /* and not 7000 */
	time_out();
	ck_assert(has(TCP_RECOVERY_RENEGED));
	ck_assert_uint_eq(r.board.sacked, 0);
	ck_assert_uint_eq(retransmit(), MSS);
}
END_TEST

START_TEST(rfc6582_3_2_third_duplicate_sends_the_first_segment_again)
{
	warm_up(false);
	send(8);
	after(RTT);
	ack(1000);
	ack(1000);
	ck_assert_uint_eq(result.events, 0);
	ck_assert_uint_eq(tcp_recovery_pipe(&r), 6 * MSS); /* RFC 3042: two more may go */
	ack(1000);
	ck_assert(has(TCP_RECOVERY_ENTERED));
	ck_assert_uint_eq(result.lost, MSS);
	ck_assert_uint_eq(retransmit(), MSS);
}
END_TEST

START_TEST(rfc6582_3_2_partial_acks_send_the_next_hole)
{
	warm_up(false);
	send(8); /* the 1st and the 4th are lost */
	after(RTT);
	for (int i = 0; i < 6; i++)
		ack(1000);
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(4000);
	ck_assert_uint_eq(r.state, TCP_RECOVERY_FAST);
	ck_assert_uint_eq(result.lost, MSS);
	ck_assert_uint_eq(r.dup_bytes, 4 * MSS); /* of the others that were counted two are acked */
	ck_assert_uint_eq(result.delivered, MSS);
	ck_assert_uint_eq(retransmit(), MSS);
	after(RTT);
	ack(9000);
	ck_assert(has(TCP_RECOVERY_EXITED));
	ck_assert_uint_eq(cwnd, 5 * MSS);
	ck_assert_uint_eq(r.timeouts, 0);
}
END_TEST

START_TEST(rfc6582_4_1_no_second_recovery_below_recover)
{
	warm_up(false);
	send(8);
	time_out();
	cwnd = 20 * MSS;
	ck_assert_uint_gt(retransmit(), 0);
	after(RTT);
	ack(9000);
	ck_assert_uint_eq(r.state, TCP_RECOVERY_OPEN);
	send(5);
	ack(9000);
	ack(9000);
	ack(9000); /* duplicates of what was sent again needlessly */
	ck_assert_uint_eq(result.lost, 0);
}
END_TEST

START_TEST(rfc5681_2_other_segments_are_no_duplicates)
{
	struct tcp_recovery_ack plain;

	warm_up(false);
	send(8);
	plain = (struct tcp_recovery_ack){ .ack = START + 1000, .now_ns = now_ns };
	for (int i = 0; i < 10; i++) {
		tcp_recovery_on_ack(&r, &plain, &result);
		ck_assert(!result.is_duplicate);
	}
	ck_assert_uint_eq(r.state, TCP_RECOVERY_OPEN);
}
END_TEST

START_TEST(rfc9937_6_the_window_glides_to_ssthresh)
{
	uint32_t sent = 0;

	warm_up(true);
	cwnd = 20 * MSS;
	send(20);
	after(RTT);
	for (uint32_t end = 3000; end <= 21000; end += 1000) {
		SACK(1000, 2000, end);
		sent += retransmit();
		while (r.state == TCP_RECOVERY_FAST && tcp_recovery_pipe(&r) + MSS <= cwnd) {
			send(1);
			sent += MSS;
		}
	}
	/* One for every two that arrived, but for those before the recovery. */
	ck_assert_uint_ge(sent, 8 * MSS);
	ck_assert_uint_le(sent, 10 * MSS);
}
END_TEST

START_TEST(rfc6298_3_samples_by_timestamp_of_what_was_sent_again)
{
	warm_up(false);
	send(1);
	time_out();
	ck_assert_uint_eq(r.rto.backoff, 1);
	retransmit();
	echo_ns = now_ns;
	after(RTT);
	ack(2000);
	ck_assert_uint_eq(r.rto.backoff, 0);
	ck_assert_uint_eq(result.rtt_ns, 0);
}
END_TEST

START_TEST(rfc6298_3_karn_backoff_stays_without_a_sample)
{
	warm_up(false);
	send(1);
	time_out();
	retransmit();
	after(RTT);
	ack(2000);
	ck_assert_uint_eq(r.rto.backoff, 1);
	send(1);
	after(RTT);
	ack(3000);
	ck_assert_uint_eq(r.rto.backoff, 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc6298_5_1_timer_runs_while_anything_is_out);
	tcase_add_test(cases, rfc6298_5_3_new_data_acked_restarts_the_timer);
	tcase_add_test(cases, rfc6298_5_5_each_timeout_takes_twice_as_long);
	tcase_add_test(cases, rfc8985_6_2_three_sacked_segments_show_a_loss);
	tcase_add_test(cases, rfc8985_6_2_the_reordering_timer_finds_a_loss_alone);
	tcase_add_test(cases, rfc8985_3_2_reordering_alone_loses_nothing);
	tcase_add_test(cases, rfc8985_3_1_a_lost_retransmission_is_found_without_a_timeout);
	tcase_add_test(cases, rfc8985_7_2_a_silent_tail_is_probed_for);
	tcase_add_test(cases, rfc8985_7_4_a_repaired_tail_counts_as_a_loss);
	tcase_add_test(cases, rfc8985_7_4_a_dsack_says_the_tail_was_only_late);
	tcase_add_test(cases, rfc8985_7_3_one_probe_then_the_timeout);
	tcase_add_test(cases, rfc8985_6_2_dsack_widens_the_window_once_a_round_trip);
	tcase_add_test(cases, rfc3708_2_every_retransmission_a_duplicate_undoes_it);
	tcase_add_test(cases, rfc3708_2_also_when_the_recovery_is_over);
	tcase_add_test(cases, rfc3708_2_a_dsack_of_an_older_recovery_undoes_no_later_one);
	tcase_add_test(cases, rfc3522_3_2_of_two_timeouts_the_first_retransmission_counts);
	tcase_add_test(cases, rfc6675_6_each_retransmission_restarts_the_timer);
	tcase_add_test(cases, rfc3708_3_dsacks_of_what_was_sent_once_prove_nothing);
	tcase_add_test(cases, rfc3522_3_2_a_timestamp_older_than_the_retransmission_undoes_it);
	tcase_add_test(cases, rfc3522_3_2_a_later_one_does_not);
	tcase_add_test(cases, rfc4015_3_what_arrives_before_it_is_sent_again_was_not_lost);
	tcase_add_test(cases, rfc4015_3_but_all_of_it_has_to_arrive);
	tcase_add_test(cases, rfc5682_3_1_late_originals_make_a_timeout_spurious);
	tcase_add_test(cases, rfc5682_3_1_new_data_first_makes_it_real);
	tcase_add_test(cases, rfc5682_2_1_with_nothing_new_to_send_it_is_not_tried);
	tcase_add_test(cases, rfc5682_2_1_without_sack_two_advances);
	tcase_add_test(cases, rfc5682_2_1_without_sack_a_duplicate_makes_it_real);
	tcase_add_test(cases, rfc2018_8_a_timeout_believes_no_reneged_sack);
	tcase_add_test(cases, rfc6582_3_2_third_duplicate_sends_the_first_segment_again);
	tcase_add_test(cases, rfc6582_3_2_partial_acks_send_the_next_hole);
	tcase_add_test(cases, rfc6582_4_1_no_second_recovery_below_recover);
	tcase_add_test(cases, rfc5681_2_other_segments_are_no_duplicates);
	tcase_add_test(cases, rfc9937_6_the_window_glides_to_ssthresh);
	tcase_add_test(cases, rfc6298_3_samples_by_timestamp_of_what_was_sent_again);
	tcase_add_test(cases, rfc6298_3_karn_backoff_stays_without_a_sample);
}

int main(void)
{
	return unit_main("net/tcp_recovery", add_cases);
}
