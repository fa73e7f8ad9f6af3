/* SPDX-License-Identifier: ISC */
/* Congestion control, ACK by ACK, beside the real numbers of cubic_model. */
#include "tests/net/test_cubic.h"

/* ---- beginnings ---- */

START_TEST(rfc6928_2_initial_window)
{
	static const uint32_t cases[][2] = { { 536, 5360 },    { 1220, 12200 }, { 1448, 14480 },
					     { 1460, 14600 },  { 4000, 14600 }, { 8948, 17896 },
					     { 65535, 131070 } };

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_uint_eq(tcp_cubic_initial_window(cases[i][0]), cases[i][1]);
	begin(true);
	ck_assert_uint_eq(tcp_cubic_window(&cubic), 10 * MSS);
	ck_assert(tcp_cubic_in_slow_start(&cubic));
}
END_TEST

START_TEST(rfc5681_3_1_one_segment_after_a_lost_syn)
{
	tcp_cubic_init(&cubic, MSS, true, 0);
	tcp_cubic_begin(&cubic, 500, true, 1, SECOND);
	ck_assert_uint_eq(tcp_cubic_window(&cubic), 500);
	ck_assert(cubic.paced);
}
END_TEST

START_TEST(rfc5681_3_1_slow_start_doubles_in_a_round)
{
	begin(true);
	round_trip();
	ck_assert_uint_eq(cubic.cwnd, 20 * MSS);
	round_trip();
	ck_assert_uint_eq(cubic.cwnd, 40 * MSS);
}
END_TEST

START_TEST(rfc3465_2_1_parts_of_segments_count_as_bytes)
{
	begin(true);
	for (unsigned int i = 0; i < 10; i++)
		acknowledge(100);
	ck_assert_uint_eq(cubic.cwnd, 11 * MSS);
}
END_TEST

START_TEST(rfc3465_2_2_a_stretched_ack_counts_two_segments)
{
	begin(false);
	acknowledge(8 * MSS);
	acknowledge(8 * MSS);
	acknowledge(4 * MSS);
	ck_assert_uint_eq(cubic.cwnd, 30 * MSS);
	tcp_cubic_on_rto(&cubic, cubic.cwnd, false, nxt, now);
	recover();
	acknowledge(10 * MSS);
	ck_assert_uint_eq(cubic.cwnd, 3 * MSS);
}
END_TEST

START_TEST(rfc3465_2_3_an_ack_after_a_timeout_counts_one_segment)
{
	for (unsigned int paced = 0; paced < 2; paced++) {
		begin(paced);
		for (unsigned int i = 0; i < 10; i++)
			acknowledge(MSS);
		tcp_cubic_on_rto(&cubic, cubic.cwnd, false, nxt, now);
		/* Of data that was sent before. */
		una = nxt - 15 * MSS;
		struct tcp_cubic_ack ack = { .now_ns = now,
					     .delivered = 5 * MSS,
					     .una = una,
					     .nxt = nxt,
					     .in_flight = 20 * MSS };

		tcp_cubic_on_ack(&cubic, &ack);
		ck_assert_uint_eq(cubic.cwnd, 2 * MSS);
	}
}
END_TEST

START_TEST(rfc9406_4_2_an_ack_counts_eight_segments_without_pacing)
{
	begin(false);
	acknowledge(10 * MSS);
	ck_assert_uint_eq(cubic.cwnd, 18 * MSS);
	begin(true);
	acknowledge(10 * MSS);
	ck_assert_uint_eq(cubic.cwnd, 20 * MSS);
}
END_TEST

START_TEST(rfc5681_3_1_an_ack_across_ssthresh_ends_slow_start_there)
{
	lose_at(100);
	tcp_cubic_on_rto(&cubic, cubic.cwnd, false, nxt, now);
	ck_assert_uint_eq(cubic.ssthresh, 49 * MSS);
	recover();
	acknowledge(40 * MSS);
	ck_assert_uint_eq(cubic.cwnd, 41 * MSS);
	acknowledge(30 * MSS);
	/* 8 in slow start; of 22 in avoidance at most one. */
	ck_assert_uint_ge(cubic.cwnd, 49 * MSS);
	ck_assert_uint_le(cubic.cwnd, 50 * MSS);
	ck_assert(!tcp_cubic_in_slow_start(&cubic));
}
END_TEST

/* ---- HyStart++ within ---- */

START_TEST(rfc9438_4_10_hystart_ends_the_first_slow_start)
{
	uint32_t cwnd;

	begin(true);
	samples(8, MSS, 20 * MS);
	ck_assert_uint_eq(cubic.cwnd, 18 * MSS);
	end_hystart_round();
	/* The eighth sample begins CSS and counts as such. */
	samples(8, MSS, 30 * MS);
	ck_assert_uint_eq(cubic.cwnd, 25 * MSS + MSS / 4);
	samples(4, MSS, 30 * MS);
	ck_assert_uint_eq(cubic.cwnd, 26 * MSS + MSS / 4);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_uint_eq(cubic.ssthresh, TCP_CUBIC_SSTHRESH_NONE);
		end_hystart_round();
	}
	end_hystart_round();
	cwnd = cubic.cwnd;
	ck_assert_uint_eq(cubic.ssthresh, cwnd);
	ck_assert_uint_eq(cubic.cwnd_prior, cwnd);
	/* K is 0 and W_max where it begins. */
	acknowledge(MSS);
	ck_assert(cubic.in_epoch);
	ck_assert_uint_eq(cubic.epoch.k, 0);
	ck_assert_uint_eq(cubic.w_max, cwnd);
}
END_TEST

START_TEST(rfc9406_4_2_a_loss_ends_hystart)
{
	begin(true);
	samples(8, MSS, 20 * MS);
	lose();
	ck_assert_uint_eq(cubic.ssthresh, cubic.cwnd);
	recover();
	samples(100, MSS, 200 * MS);
	ck_assert(!tcp_cubic_in_slow_start(&cubic));
	ck_assert_uint_eq(cubic.w_max, 18 * MSS);
}
END_TEST

/* ---- the curve ---- */

START_TEST(rfc9438_4_2_k_is_the_cube_root)
{
	uint64_t state = unit_seed() | 1;

	for (unsigned int i = 0; i < 100000; i++) {
		uint32_t mss = 64 + (uint32_t)(unit_random(&state) % 9000);
		uint32_t segments = 4 + (uint32_t)((unit_random(&state) % 100000) >>
						   (unit_random(&state) % 16));
		double k, wanted;

		begin(true);
		tcp_cubic_begin(&cubic, mss, false, nxt, now);
		acknowledge(segments * mss - cubic.cwnd % (segments * mss));
		cubic.w_max = cubic.cwnd;
		cubic.ssthresh = cubic.cwnd = cubic.w_max / 10 * 7;
		acknowledge(1);
		k = cubic.epoch.k / 1048576.0;
		wanted = cubic_model_k((double)cubic.w_max / mss, (double)cubic.epoch.w_est / mss);
		/* Down to the next 2^-20 s. */
		if (k > wanted + 1e-9 || k < wanted - 1.0 / 1048576 - 1e-9)
			ck_abort_msg("K %.9f not %.9f", k, wanted);
	}
}
END_TEST

/* RTT by RTT over two minutes beside W_cubic(t): windows where Reno's plays no part. */
START_TEST(rfc9438_4_2_window_grows_cubically)
{
	uint64_t epoch;
	double k;

	lose_at(2000);
	k = cubic_model_k(2000, 1400);
	epoch = now;
	for (unsigned int i = 0; i < 250; i++) {
		double t;

		round_trip();
		t = (double)(now - epoch) / 1e9;
		/* It is where the curve is, give or take the round trip that it looks ahead. */
		ck_assert_double_ge(cubic.cwnd / 1000.0, cubic_model_curve(t, k, 2000) * 0.998);
		ck_assert_double_le(cubic.cwnd / 1000.0,
				    cubic_model_curve(t + 0.1, k, 2000) * 1.002);
	}
	ck_assert_uint_gt(cubic.cwnd, 2900 * MSS);
}
END_TEST

START_TEST(rfc9438_4_2_a_target_is_within_half_a_window)
{
	uint32_t cwnd;

	lose_at(100);
	acknowledge(1);
	now += 1000 * SECOND;
	cwnd = cubic.cwnd;
	round_trip();
	ck_assert_uint_ge(cubic.cwnd, cwnd * 14 / 10);
	ck_assert_uint_le(cubic.cwnd, cwnd * 16 / 10);
	/* One ACK of a hundred windows carries it no further than that. */
	cwnd = cubic.cwnd;
	acknowledge(UINT32_MAX);
	ck_assert_uint_eq(cubic.cwnd, cwnd + cwnd / 2);
}
END_TEST

/* However long nothing was heard: not a time that has wrapped. */
START_TEST(rfc9438_4_2_a_long_time_is_a_long_time)
{
	for (unsigned int bit = 40; bit < 64; bit++) {
		lose_at(100);
		acknowledge(1);
		now += 1ull << bit;
		acknowledge(UINT32_MAX);
		ck_assert_uint_eq(cubic.cwnd, 105 * MSS);
	}
}
END_TEST

START_TEST(rfc9438_4_2_an_ack_never_shrinks_the_window)
{
	uint32_t cwnd;

	lose_at(2000);
	acknowledge(MSS);
	/* Above the curve, as after a change of the MSS. */
	cubic.cwnd = cwnd = 3000 * MSS;
	acknowledge(MSS);
	ck_assert_uint_eq(cubic.cwnd, cwnd);
}
END_TEST

/* 0.53 segments a round until the window is what it was, one afterwards. */
START_TEST(rfc9438_4_3_reno_friendly_region)
{
	uint32_t cwnd, rounds = 0;

	lose_at(20);
	rtt = 10 * MS;
	while (cubic.cwnd < 20 * MSS) {
		cwnd = cubic.cwnd;
		round_trip();
		rounds++;
		ck_assert_double_le(fabs((double)(cubic.cwnd - cwnd) - 9.0 / 17 * MSS), 100);
	}
	ck_assert_uint_ge(rounds, 11);
	ck_assert_uint_le(rounds, 13);
	for (unsigned int i = 0; i < 20; i++) {
		cwnd = cubic.cwnd;
		round_trip();
		ck_assert_double_le(fabs((double)(cubic.cwnd - cwnd) - MSS), 110);
	}
}
END_TEST

START_TEST(rfc9438_4_4_concave_then_4_5_convex)
{
	uint32_t cwnd, last = UINT32_MAX / 2;
	unsigned int rounds = 0;

	lose_at(4000);
	while (cubic.cwnd < 3990 * MSS) {
		cwnd = cubic.cwnd;
		round_trip();
		ck_assert_uint_le(cubic.cwnd - cwnd, last + MSS / 10);
		last = cubic.cwnd - cwnd;
		rounds++;
	}
	/* Most of the way in the first half of K = 14.4 s. */
	ck_assert_uint_ge(rounds, 100);
	ck_assert_uint_le(rounds, 145);
	while (cubic.cwnd < 4010 * MSS)
		round_trip();
	last = 0;
	while (cubic.cwnd < 5000 * MSS) {
		cwnd = cubic.cwnd;
		round_trip();
		ck_assert_uint_ge(cubic.cwnd - cwnd + MSS / 10, last);
		last = cubic.cwnd - cwnd;
	}
}
END_TEST

START_TEST(rfc3465_2_1_small_acks_add_up_exactly)
{
	uint32_t whole;

	lose_at(100);
	acknowledge(MSS);
	now += 20 * SECOND;
	for (unsigned int i = 0; i < 4; i++)
		acknowledge(10 * MSS);
	whole = cubic.cwnd;
	lose_at(100);
	acknowledge(MSS);
	now += 20 * SECOND;
	for (unsigned int i = 0; i < 40 * MSS; i++)
		acknowledge(1);
	/* Those that came later in the same instant see a larger window. */
	expect_near(cubic.cwnd, whole, 0.03);
}
END_TEST

/* ---- beside the model ---- */

static void expect_model(const struct cubic_model *model, unsigned int step)
{
	double cwnd = (double)cubic.cwnd / cubic.mss;

	if (fabs(cwnd - model->cwnd) > model->cwnd * 0.002 + 0.05)
		ck_abort_msg("step %u: %.3f segments, not %.3f", step, cwnd, model->cwnd);
}

/* Any sequence of ACKs, losses, marks and time-outs: the same window as in real numbers. */
START_TEST(rfc9438_4_any_sequence_is_as_in_real_numbers)
{
	uint64_t state = unit_seed() | 1;

	for (unsigned int run = 0; run < 100; run++) {
		uint32_t mss = 500 + (uint32_t)(unit_random(&state) % 8500);
		uint32_t segments = 20 + (uint32_t)(unit_random(&state) % 5000);
		uint32_t every = 50 + (uint32_t)(unit_random(&state) % 5000);
		struct cubic_model model;

		begin(true);
		rtt = 1 + unit_random(&state) % (300 * MS);
		tcp_cubic_begin(&cubic, mss, false, nxt, now);
		acknowledge(segments * mss);
		model = (struct cubic_model){ .cwnd = (double)cubic.cwnd / mss };
		for (unsigned int i = 0; i < 5000; i++) {
			uint32_t bytes = 1 + (uint32_t)(unit_random(&state) % (4 * mss));
			uint32_t kind = i ? (uint32_t)(unit_random(&state) % every) : 0;
			uint32_t flight = cubic.cwnd;

			if (kind == 0) {
				ck_assert(tcp_cubic_on_loss(&cubic, flight, una, nxt, now));
				cubic_model_loss(&model, (double)flight / mss);
			} else if (kind == 1) {
				tcp_cubic_on_ecn(&cubic, flight, una, nxt, now);
				cubic_model_ecn(&model, (double)flight / mss);
			} else if (kind == 2) {
				tcp_cubic_on_rto(&cubic, flight, false, nxt, now);
				cubic_model_rto(&model, (double)flight / mss);
			}
			expect_model(&model, i);
			if (kind <= 2)
				recover();
			now += rtt * bytes / cubic.cwnd;
			cubic_model_ack(&model, (double)bytes / mss, (double)now / 1e9,
					(double)rtt / 1e9);
			acknowledge(bytes);
			/* Where the regions meet, both are right. */
			if (model.margin < 0.01) {
				model.cwnd = (double)cubic.cwnd / mss;
				model.w_est = (double)cubic.epoch.w_est / mss;
			}
			expect_model(&model, i);
		}
	}
}
END_TEST

/* ---- every input ---- */

static uint64_t extreme(uint64_t *state)
{
	uint64_t value = unit_random(state);

	switch (value & 7) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return UINT64_MAX;
	case 3:
		return UINT32_MAX;
	case 4:
		return 1ull << (value >> 58);
	default:
		return value >> (value >> 58);
	}
}

static void expect_sound(unsigned int step)
{
	if (cubic.mss < TCP_CUBIC_MSS_MIN || cubic.cwnd < cubic.mss ||
	    cubic.cwnd > TCP_CUBIC_WINDOW_MAX || cubic.w_max > TCP_CUBIC_WINDOW_MAX ||
	    cubic.cwnd_prior > TCP_CUBIC_WINDOW_MAX)
		ck_abort_msg("step %u: mss %u cwnd %u W_max %u", step, cubic.mss, cubic.cwnd,
			     cubic.w_max);
	if (cubic.ssthresh < 2u * cubic.mss)
		ck_abort_msg("step %u: mss %u ssthresh %u", step, cubic.mss, cubic.ssthresh);
	if (cubic.in_epoch &&
	    (cubic.epoch.w_est > TCP_CUBIC_WINDOW_MAX || cubic.epoch.k >= 1u << 30 ||
	     cubic.epoch.begun_ns > cubic.updated_ns))
		ck_abort_msg("step %u: W_est %u K %u", step, cubic.epoch.w_est, cubic.epoch.k);
}

static void any_call(uint64_t *state, uint64_t *clock)
{
	uint64_t kind = unit_random(state) % 64;
	uint32_t flight = (uint32_t)extreme(state), a = (uint32_t)extreme(state);
	uint32_t b = (uint32_t)extreme(state), cwnd = cubic.cwnd;
	uint64_t r = extreme(state);
	struct tcp_cubic_ack ack = { .now_ns = *clock,
				     .rtt_ns = extreme(state),
				     .srtt_ns = extreme(state),
				     .delivered = (uint32_t)extreme(state),
				     .in_flight = flight,
				     .una = a,
				     .nxt = b,
				     .app_limited = r % 8 == 0,
				     .recovering = r % 8 == 1 };

	switch (kind) {
	case 0:
		tcp_cubic_begin(&cubic, a, r & 1, b, *clock);
		break;
	case 1:
		tcp_cubic_set_mss(&cubic, a);
		break;
	case 2:
	case 3:
		tcp_cubic_on_send(&cubic, r, *clock);
		break;
	case 4:
	case 5:
		if (tcp_cubic_on_loss(&cubic, flight, a, b, *clock) && cubic.cwnd > cwnd &&
		    cubic.cwnd > 2u * cubic.mss)
			ck_abort_msg("a loss has raised the window");
		break;
	case 6:
		tcp_cubic_on_rto(&cubic, flight, r & 1, b, *clock);
		break;
	case 7:
		tcp_cubic_on_ecn(&cubic, flight, a, b, *clock);
		break;
	case 8:
		tcp_cubic_on_undo(&cubic);
		break;
	default:
		tcp_cubic_on_ack(&cubic, &ack);
		if (cubic.cwnd < cwnd && !ack.app_limited)
			ck_abort_msg("an ACK has shrunk the window");
	}
}

START_TEST(no_argument_overflows)
{
	uint64_t state = unit_seed() | 1, clock = 0;

	begin(true);
	for (unsigned int i = 0; i < 2000000; i++) {
		if (i % 500 == 0) {
			clock = i % 1000 ? 0 : extreme(&state);
			tcp_cubic_init(&cubic, (uint32_t)extreme(&state), i & 1, clock);
		}
		clock = i % 16 ? clock + unit_random(&state) % SECOND : extreme(&state);
		any_call(&state, &clock);
		expect_sound(i);
	}
}
END_TEST

static void add_beginnings(TCase *cases)
{
	tcase_add_test(cases, rfc6928_2_initial_window);
	tcase_add_test(cases, rfc5681_3_1_one_segment_after_a_lost_syn);
	tcase_add_test(cases, rfc5681_3_1_slow_start_doubles_in_a_round);
	tcase_add_test(cases, rfc3465_2_1_parts_of_segments_count_as_bytes);
	tcase_add_test(cases, rfc3465_2_2_a_stretched_ack_counts_two_segments);
	tcase_add_test(cases, rfc3465_2_3_an_ack_after_a_timeout_counts_one_segment);
	tcase_add_test(cases, rfc9406_4_2_an_ack_counts_eight_segments_without_pacing);
	tcase_add_test(cases, rfc5681_3_1_an_ack_across_ssthresh_ends_slow_start_there);
	tcase_add_test(cases, rfc9438_4_10_hystart_ends_the_first_slow_start);
	tcase_add_test(cases, rfc9406_4_2_a_loss_ends_hystart);
}

static void add_curve(TCase *cases)
{
	tcase_add_test(cases, rfc9438_4_2_k_is_the_cube_root);
	tcase_add_test(cases, rfc9438_4_2_window_grows_cubically);
	tcase_add_test(cases, rfc9438_4_2_a_target_is_within_half_a_window);
	tcase_add_test(cases, rfc9438_4_2_a_long_time_is_a_long_time);
	tcase_add_test(cases, rfc9438_4_2_an_ack_never_shrinks_the_window);
	tcase_add_test(cases, rfc9438_4_3_reno_friendly_region);
	tcase_add_test(cases, rfc9438_4_4_concave_then_4_5_convex);
	tcase_add_test(cases, rfc3465_2_1_small_acks_add_up_exactly);
	tcase_add_test(cases, rfc9438_4_any_sequence_is_as_in_real_numbers);
}

static void add_cases(TCase *cases)
{
	add_beginnings(cases);
	add_curve(cases);
	tcase_add_test(cases, no_argument_overflows);
}

int main(void)
{
	return unit_main("net/tcp_cubic", add_cases);
}
