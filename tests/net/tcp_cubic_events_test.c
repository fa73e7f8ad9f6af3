/* SPDX-License-Identifier: ISC */
/* What makes the window smaller, what undoes that, and what neither does. */
#include "tests/net/test_cubic.h"

/* ---- reductions ---- */

START_TEST(rfc9438_4_6_a_loss_leaves_seven_tenths)
{
	begin(true);
	acknowledge(90 * MSS);
	ck_assert(lose());
	ck_assert_uint_eq(cubic.cwnd, 70 * MSS);
	ck_assert_uint_eq(cubic.ssthresh, 70 * MSS);
	ck_assert_uint_eq(cubic.cwnd_prior, 100 * MSS);
	ck_assert_uint_eq(cubic.w_max, 100 * MSS);
}
END_TEST

START_TEST(rfc9438_4_6_of_what_is_in_flight)
{
	begin(true);
	acknowledge(90 * MSS);
	tcp_cubic_on_loss(&cubic, 50 * MSS, una, nxt, now);
	ck_assert_uint_eq(cubic.cwnd, 35 * MSS);
	ck_assert_uint_eq(cubic.cwnd_prior, 100 * MSS);
	/* Not of what limited transmit has added (RFC 5681, 3.1). */
	begin(true);
	tcp_cubic_on_loss(&cubic, 12 * MSS, una, nxt, now);
	ck_assert_uint_eq(cubic.cwnd, 7 * MSS);
}
END_TEST

START_TEST(rfc9438_4_6_two_segments_at_least)
{
	begin(true);
	tcp_cubic_on_loss(&cubic, MSS, una, nxt, now);
	ck_assert_uint_eq(cubic.cwnd, 2 * MSS);
	ck_assert_uint_eq(cubic.ssthresh, 2 * MSS);
}
END_TEST

START_TEST(rfc9438_4_6_no_growth_in_recovery)
{
	struct tcp_cubic_ack ack;

	begin(true);
	lose();
	for (unsigned int i = 0; i < 100; i++) {
		ack = ack_of(MSS);
		ack.recovering = true;
		tcp_cubic_on_ack(&cubic, &ack);
	}
	ck_assert_uint_eq(cubic.cwnd, 7 * MSS);
}
END_TEST

START_TEST(rfc9438_4_7_fast_convergence)
{
	lose_at(100);
	acknowledge(MSS);
	ck_assert(lose());
	/* Less than before: 0.85 of 70 and something. */
	expect_near(cubic.w_max, 0.85 * 70 * MSS, 0.01);
	recover();
	/* More than before: all of it. */
	cubic.cwnd = 200 * MSS;
	ck_assert(lose());
	ck_assert_uint_eq(cubic.w_max, 200 * MSS);
}
END_TEST

START_TEST(rfc9438_4_8_a_timeout_leaves_one_segment)
{
	lose_at(100);
	acknowledge(MSS);
	tcp_cubic_on_rto(&cubic, 60 * MSS, false, nxt, now);
	ck_assert_uint_eq(cubic.cwnd, MSS);
	ck_assert_uint_eq(cubic.ssthresh, 42 * MSS);
	recover();
	while (tcp_cubic_in_slow_start(&cubic))
		round_trip();
	/* K is 0 and W_max where congestion avoidance has begun. */
	acknowledge(MSS);
	ck_assert_uint_eq(cubic.epoch.k, 0);
	expect_near(cubic.w_max, 42 * MSS, 0.02);
}
END_TEST

START_TEST(rfc5681_3_1_a_second_timeout_keeps_ssthresh)
{
	begin(true);
	acknowledge(90 * MSS);
	tcp_cubic_on_rto(&cubic, cubic.cwnd, false, nxt, now);
	ck_assert_uint_eq(cubic.ssthresh, 70 * MSS);
	tcp_cubic_on_rto(&cubic, MSS, true, nxt, now);
	ck_assert_uint_eq(cubic.ssthresh, 70 * MSS);
	ck_assert_uint_eq(cubic.cwnd, MSS);
	ck_assert(tcp_cubic_on_undo(&cubic));
	ck_assert_uint_eq(cubic.cwnd, 100 * MSS);
}
END_TEST

START_TEST(rfc3168_6_1_2_once_for_each_window)
{
	begin(true);
	acknowledge(90 * MSS);
	ck_assert_int_eq(tcp_cubic_on_ecn(&cubic, 100 * MSS, una, nxt, now), TCP_CUBIC_ECN_REDUCED);
	ck_assert_uint_eq(cubic.cwnd, 70 * MSS);
	ck_assert_int_eq(tcp_cubic_on_ecn(&cubic, 100 * MSS, cubic.recover - 1, nxt, now),
			 TCP_CUBIC_ECN_SEEN);
	/* Nor for a loss in that window. */
	ck_assert(!tcp_cubic_on_loss(&cubic, 100 * MSS, cubic.recover - 1, nxt, now));
	ck_assert_uint_eq(cubic.cwnd, 70 * MSS);
	recover();
	ck_assert_int_eq(tcp_cubic_on_ecn(&cubic, 70 * MSS, una, nxt, now), TCP_CUBIC_ECN_REDUCED);
	ck_assert_uint_eq(cubic.cwnd, 49 * MSS);
	/* And ECE after a loss in the same window says nothing new. */
	recover();
	ck_assert(lose());
	ck_assert_int_eq(tcp_cubic_on_ecn(&cubic, 40 * MSS, una, nxt, now), TCP_CUBIC_ECN_SEEN);
}
END_TEST

START_TEST(rfc3168_6_1_2_down_to_one_segment_and_the_timer)
{
	enum tcp_cubic_ecn answer = TCP_CUBIC_ECN_SEEN;

	begin(true);
	for (unsigned int i = 0; i < 20 && cubic.cwnd > MSS; i++) {
		answer = tcp_cubic_on_ecn(&cubic, cubic.cwnd, una, nxt, now);
		ck_assert_int_eq(answer, TCP_CUBIC_ECN_REDUCED);
		recover();
	}
	ck_assert_uint_eq(cubic.cwnd, MSS);
	ck_assert_uint_eq(cubic.ssthresh, 2 * MSS);
	ck_assert_int_eq(tcp_cubic_on_ecn(&cubic, MSS, una, nxt, now), TCP_CUBIC_ECN_FLOOR);
	ck_assert_uint_eq(cubic.cwnd, MSS);
}
END_TEST

START_TEST(rfc3168_6_1_2_no_growth_by_an_ack_with_ece)
{
	struct tcp_cubic_ack ack;

	begin(true);
	tcp_cubic_on_ecn(&cubic, 10 * MSS, una, nxt, now);
	ack = ack_of(MSS);
	ack.recovering = true;
	tcp_cubic_on_ack(&cubic, &ack);
	ck_assert_uint_eq(cubic.cwnd, 7 * MSS);
}
END_TEST

/* ---- undoing ---- */

static void expect_same(const struct tcp_cubic *old)
{
	ck_assert_uint_eq(cubic.cwnd, old->cwnd);
	ck_assert_uint_eq(cubic.ssthresh, old->ssthresh);
	ck_assert_uint_eq(cubic.cwnd_prior, old->cwnd_prior);
	ck_assert_uint_eq(cubic.w_max, old->w_max);
	ck_assert_uint_eq(cubic.in_epoch, old->in_epoch);
	ck_assert_uint_eq(cubic.epoch.k, old->epoch.k);
	ck_assert_uint_eq(cubic.epoch.w_est, old->epoch.w_est);
	ck_assert_uint_eq(cubic.epoch.begun_ns, old->epoch.begun_ns);
}

START_TEST(rfc9438_4_9_1_a_spurious_timeout_is_undone)
{
	struct tcp_cubic old;

	lose_at(100);
	round_trip();
	round_trip();
	old = cubic;
	tcp_cubic_on_rto(&cubic, cubic.cwnd, false, nxt, now);
	acknowledge(MSS);
	acknowledge(MSS);
	ck_assert(tcp_cubic_on_undo(&cubic));
	expect_same(&old);
	/* Only once. */
	ck_assert(!tcp_cubic_on_undo(&cubic));
}
END_TEST

START_TEST(rfc9438_4_9_2_a_spurious_loss_is_undone)
{
	struct tcp_cubic old;

	lose_at(100);
	round_trip();
	round_trip();
	old = cubic;
	ck_assert(lose());
	/* Also when the next stage has begun already. */
	recover();
	acknowledge(MSS);
	ck_assert(tcp_cubic_on_undo(&cubic));
	expect_same(&old);
	/* The next loss counts at once. */
	ck_assert(lose());
	ck_assert_uint_eq(cubic.cwnd, (uint32_t)(old.cwnd * 7ull / 10));
}
END_TEST

START_TEST(rfc9438_4_9_2_a_loss_after_an_undone_one_counts)
{
	lose_at(100);
	ck_assert(lose());
	ck_assert(!lose());
	ck_assert(tcp_cubic_on_undo(&cubic));
	ck_assert(lose());
	ck_assert_uint_eq(cubic.cwnd, 49 * MSS);
}
END_TEST

START_TEST(rfc9438_5_8_nor_does_it_count_when_a_loss_is_undone)
{
	uint64_t begun;

	lose_at(100);
	round_trip();
	begun = cubic.epoch.begun_ns;
	ck_assert(lose());
	now += 50 * MS;
	tcp_cubic_on_send(&cubic, 200 * MS, now);
	ck_assert(tcp_cubic_on_undo(&cubic));
	ck_assert_uint_eq(cubic.epoch.begun_ns, begun + 50 * MS);
}
END_TEST

START_TEST(rfc9438_4_9_2_slow_start_resumes_after_a_spurious_loss)
{
	begin(true);
	samples(8, MSS, 20 * MS);
	end_hystart_round();
	ck_assert(lose());
	recover();
	acknowledge(MSS);
	ck_assert(tcp_cubic_on_undo(&cubic));
	ck_assert_uint_eq(cubic.cwnd, 18 * MSS);
	ck_assert_uint_eq(cubic.ssthresh, TCP_CUBIC_SSTHRESH_NONE);
	/* HyStart++ begins anew. */
	ck_assert_int_eq(cubic.hystart.phase, TCP_HYSTART_SLOW_START);
	ck_assert_uint_eq(cubic.hystart.window_end, cubic.recover);
	ck_assert_uint_eq(cubic.hystart.last_rtt_us, TCP_HYSTART_RTT_NONE);
	ck_assert_uint_eq(cubic.hystart.rtt_us, TCP_HYSTART_RTT_NONE);
	round_trip();
	ck_assert_uint_eq(cubic.cwnd, 36 * MSS);
}
END_TEST

START_TEST(rfc9438_4_9_2_too_late_to_undo)
{
	struct tcp_cubic old;

	lose_at(100);
	lose();
	recover();
	while (cubic.cwnd <= 80 * MSS)
		round_trip();
	old = cubic;
	ck_assert(tcp_cubic_on_undo(&cubic));
	expect_same(&old);
}
END_TEST

START_TEST(rfc3168_5_congestion_that_was_marked_is_not_undone)
{
	lose_at(100);
	lose();
	tcp_cubic_on_ecn(&cubic, cubic.cwnd, una, nxt, now);
	ck_assert(!tcp_cubic_on_undo(&cubic));
	begin(true);
	ck_assert(!tcp_cubic_on_undo(&cubic));
}
END_TEST

/* ---- windows that are not used ---- */

START_TEST(rfc9438_5_8_no_growth_when_the_application_is_the_limit)
{
	struct tcp_cubic_ack ack;

	lose_at(100);
	for (unsigned int i = 0; i < 1000; i++) {
		now += 10 * MS;
		ack = ack_of(MSS);
		ack.in_flight = 5 * MSS;
		ack.app_limited = true;
		tcp_cubic_on_ack(&cubic, &ack);
	}
	ck_assert_uint_eq(cubic.cwnd, 70 * MSS);
	begin(true);
	ack = ack_of(MSS);
	ack.app_limited = true;
	ack.in_flight = 5 * MSS;
	tcp_cubic_on_ack(&cubic, &ack);
	ck_assert_uint_eq(cubic.cwnd, 10 * MSS);
	/* In slow start a window that is more than half used may double. */
	ack.in_flight = 5 * MSS + 1;
	tcp_cubic_on_ack(&cubic, &ack);
	ck_assert_uint_eq(cubic.cwnd, 11 * MSS);
}
END_TEST

/* The window after a pause is what it would be without the pause. */
START_TEST(rfc9438_5_8_time_that_is_not_used_does_not_count)
{
	uint32_t cwnd;

	lose_at(2000);
	for (unsigned int i = 0; i < 20; i++)
		round_trip();
	cwnd = cubic.cwnd;
	lose_at(2000);
	for (unsigned int i = 0; i < 10; i++)
		round_trip();
	for (unsigned int i = 0; i < 1000; i++) {
		struct tcp_cubic_ack ack = ack_of(MSS);

		now += 20 * MS;
		ack.now_ns = now;
		ack.app_limited = true;
		tcp_cubic_on_ack(&cubic, &ack);
	}
	/* And idle, for less than an RTO. */
	now += 190 * MS;
	tcp_cubic_on_send(&cubic, 200 * MS, now);
	for (unsigned int i = 0; i < 10; i++)
		round_trip();
	expect_near(cubic.cwnd, cwnd, 0.001);
}
END_TEST

START_TEST(rfc2861_3_1_idleness_halves_the_window_each_rto)
{
	lose_at(1000);
	now += 300 * MS - 1;
	tcp_cubic_on_send(&cubic, 300 * MS, now);
	ck_assert_uint_eq(cubic.cwnd, 700 * MSS);
	now += 300 * MS;
	tcp_cubic_on_send(&cubic, 300 * MS, now);
	ck_assert_uint_eq(cubic.cwnd, 350 * MSS);
	ck_assert_uint_eq(cubic.ssthresh, 700 * MSS);
	ck_assert(tcp_cubic_in_slow_start(&cubic));
	now += 700 * MS;
	tcp_cubic_on_send(&cubic, 300 * MS, now);
	ck_assert_uint_eq(cubic.cwnd, 350 * MSS / 4);
	/* Never below the initial window. */
	now += 3600 * SECOND;
	tcp_cubic_on_send(&cubic, 300 * MS, now);
	ck_assert_uint_eq(cubic.cwnd, 10 * MSS);
	/* ssthresh remembers three fourths. */
	lose_at(1000);
	cubic.cwnd = 2000 * MSS;
	now += 300 * MS;
	tcp_cubic_on_send(&cubic, 300 * MS, now);
	ck_assert_uint_eq(cubic.cwnd, 1000 * MSS);
	ck_assert_uint_eq(cubic.ssthresh, 1500 * MSS);
}
END_TEST

START_TEST(rfc2861_3_1_a_small_window_is_not_raised_by_idleness)
{
	begin(true);
	tcp_cubic_on_rto(&cubic, cubic.cwnd, false, nxt, now);
	now += 3600 * SECOND;
	tcp_cubic_on_send(&cubic, 300 * MS, now);
	ck_assert_uint_eq(cubic.cwnd, MSS);
}
END_TEST

START_TEST(rfc7661_4_4_3_an_unused_window_lasts_five_minutes)
{
	struct tcp_cubic_ack ack;
	unsigned int seconds = 0;

	lose_at(1000);
	acknowledge(MSS);
	while (cubic.cwnd >= 700 * MSS) {
		now += SECOND;
		ack = ack_of(MSS);
		ack.app_limited = true;
		ack.in_flight = MSS;
		tcp_cubic_on_ack(&cubic, &ack);
		ck_assert_uint_lt(++seconds, 400);
	}
	ck_assert_uint_ge(seconds, 299);
	ck_assert_uint_le(seconds, 302);
	expect_near(cubic.cwnd, 350 * MSS, 0.01);
	expect_near(cubic.ssthresh, 700 * MSS, 0.01);
}
END_TEST

START_TEST(rfc7661_4_4_3_a_window_in_use_is_kept)
{
	struct tcp_cubic_ack ack;
	uint32_t cwnd;

	lose_at(10);
	for (unsigned int i = 0; i < 400; i++) {
		now += SECOND;
		acknowledge(MSS);
	}
	cwnd = cubic.cwnd;
	ack = ack_of(MSS);
	ack.app_limited = true;
	ack.in_flight = MSS;
	tcp_cubic_on_ack(&cubic, &ack);
	ck_assert_uint_eq(cubic.cwnd, cwnd);
}
END_TEST

START_TEST(rfc8201_the_window_keeps_its_bytes_when_the_mss_changes)
{
	uint32_t cwnd;

	lose_at(100);
	round_trip();
	cwnd = cubic.cwnd;
	tcp_cubic_set_mss(&cubic, 500);
	ck_assert(!cubic.in_epoch);
	ck_assert_uint_eq(cubic.cwnd, cwnd);
	acknowledge(500);
	expect_near(cubic.epoch.k / 1048576.0, cubic_model_k(200, cubic.cwnd / 500.0), 0.01);
	tcp_cubic_set_mss(&cubic, 60000);
	ck_assert_uint_ge(cubic.ssthresh, 120000);
}
END_TEST

START_TEST(a_clock_that_steps_back_stands_still)
{
	uint32_t cwnd;

	lose_at(1000);
	round_trip();
	cwnd = cubic.cwnd;
	now -= 3 * SECOND;
	for (unsigned int i = 0; i < 100; i++)
		acknowledge(MSS);
	ck_assert_uint_ge(cubic.cwnd, cwnd);
	expect_near(cubic.cwnd, cwnd, 0.01);
	/* No idleness either. */
	tcp_cubic_on_send(&cubic, 1, now);
	expect_near(cubic.cwnd, cwnd, 0.01);
}
END_TEST

static void add_reductions(TCase *cases)
{
	tcase_add_test(cases, rfc9438_4_6_a_loss_leaves_seven_tenths);
	tcase_add_test(cases, rfc9438_4_6_of_what_is_in_flight);
	tcase_add_test(cases, rfc9438_4_6_two_segments_at_least);
	tcase_add_test(cases, rfc9438_4_6_no_growth_in_recovery);
	tcase_add_test(cases, rfc9438_4_7_fast_convergence);
	tcase_add_test(cases, rfc9438_4_8_a_timeout_leaves_one_segment);
	tcase_add_test(cases, rfc5681_3_1_a_second_timeout_keeps_ssthresh);
	tcase_add_test(cases, rfc3168_6_1_2_once_for_each_window);
	tcase_add_test(cases, rfc3168_6_1_2_down_to_one_segment_and_the_timer);
	tcase_add_test(cases, rfc3168_6_1_2_no_growth_by_an_ack_with_ece);
	tcase_add_test(cases, rfc9438_4_9_1_a_spurious_timeout_is_undone);
	tcase_add_test(cases, rfc9438_4_9_2_a_spurious_loss_is_undone);
	tcase_add_test(cases, rfc9438_4_9_2_a_loss_after_an_undone_one_counts);
	tcase_add_test(cases, rfc9438_5_8_nor_does_it_count_when_a_loss_is_undone);
	tcase_add_test(cases, rfc9438_4_9_2_slow_start_resumes_after_a_spurious_loss);
	tcase_add_test(cases, rfc9438_4_9_2_too_late_to_undo);
	tcase_add_test(cases, rfc3168_5_congestion_that_was_marked_is_not_undone);
}

static void add_cases(TCase *cases)
{
	add_reductions(cases);
	tcase_add_test(cases, rfc9438_5_8_no_growth_when_the_application_is_the_limit);
	tcase_add_test(cases, rfc9438_5_8_time_that_is_not_used_does_not_count);
	tcase_add_test(cases, rfc2861_3_1_idleness_halves_the_window_each_rto);
	tcase_add_test(cases, rfc2861_3_1_a_small_window_is_not_raised_by_idleness);
	tcase_add_test(cases, rfc7661_4_4_3_an_unused_window_lasts_five_minutes);
	tcase_add_test(cases, rfc7661_4_4_3_a_window_in_use_is_kept);
	tcase_add_test(cases, rfc8201_the_window_keeps_its_bytes_when_the_mss_changes);
	tcase_add_test(cases, a_clock_that_steps_back_stands_still);
}

int main(void)
{
	return unit_main("net/tcp_cubic_events", add_cases);
}
