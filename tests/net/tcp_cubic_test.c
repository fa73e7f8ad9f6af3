/* SPDX-License-Identifier: ISC */
/* Congestion control, ACK by ACK, beside the real numbers of cubic_model. */
#include <math.h>
#include <string.h>

#include "net/tcp_cubic.h"
#include "tests/host/unit.h"
#include "tests/net/cubic_model.h"

#define MS 1000000ull
#define SECOND 1000000000ull
#define MSS 1000u

static struct tcp_cubic cubic;
static uint64_t now, rtt;
static uint32_t una, nxt;

static void begin(bool paced)
{
	now = 5 * SECOND;
	rtt = 100 * MS;
	una = 0xfffff000; /* the numbers end on the way */
	nxt = una;
	tcp_cubic_init(&cubic, MSS, paced, now);
	tcp_cubic_begin(&cubic, MSS, false, nxt, now);
}

/* The ACK of a full window's part, at `now`. */
static struct tcp_cubic_ack ack_of(uint32_t bytes)
{
	una += bytes;
	nxt = una + cubic.cwnd;
	return (struct tcp_cubic_ack){
		.now_ns = now,
		.srtt_ns = rtt,
		.delivered = bytes,
		.in_flight = cubic.cwnd,
		.una = una,
		.nxt = nxt,
	};
}

static void acknowledge(uint32_t bytes)
{
	struct tcp_cubic_ack ack = ack_of(bytes);

	tcp_cubic_on_ack(&cubic, &ack);
}

/* One round: every segment of the window is acknowledged, at even times. */
static void round_trip(void)
{
	uint32_t segments = cubic.cwnd / MSS;

	for (uint32_t i = 0; i < segments; i++) {
		now += rtt / segments;
		acknowledge(MSS);
	}
}

static bool lose(void)
{
	return tcp_cubic_on_loss(&cubic, cubic.cwnd, una, nxt, now);
}

static void recover(void)
{
	struct tcp_cubic_ack ack = ack_of(0);

	ack.una = una = cubic.recover;
	ack.nxt = nxt = una + cubic.cwnd;
	ack.recovering = true;
	tcp_cubic_on_ack(&cubic, &ack);
}

/* Slow start to `segments`, a loss there and recovery: congestion avoidance at 0.7. */
static void lose_at(uint32_t segments)
{
	begin(true);
	acknowledge(segments * MSS - cubic.cwnd);
	ck_assert_uint_eq(cubic.cwnd, segments * MSS);
	ck_assert(lose());
	recover();
	ck_assert_uint_eq(cubic.cwnd, segments * MSS / 10 * 7);
	ck_assert(!tcp_cubic_in_slow_start(&cubic));
}

static void expect_near(double value, double wanted, double part)
{
	ck_assert_double_le(fabs(value - wanted), fabs(wanted) * part);
}

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

static void samples(unsigned int count, uint32_t bytes, uint64_t sample)
{
	for (unsigned int i = 0; i < count; i++) {
		struct tcp_cubic_ack ack = ack_of(bytes);

		ack.rtt_ns = sample;
		/* The round does not end. */
		ack.una = cubic.hystart.window_end - 1;
		tcp_cubic_on_ack(&cubic, &ack);
	}
}

static void end_hystart_round(void)
{
	struct tcp_cubic_ack ack = ack_of(0);

	una = ack.una = cubic.hystart.window_end;
	tcp_cubic_on_ack(&cubic, &ack);
}

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
	acknowledge(1u << 26);
	ck_assert_uint_eq(cubic.cwnd, cwnd + cwnd / 2);
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
	ck_assert_int_eq(cubic.hystart.phase, TCP_HYSTART_SLOW_START);
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
	tcase_add_test(cases, rfc9438_4_2_an_ack_never_shrinks_the_window);
	tcase_add_test(cases, rfc9438_4_3_reno_friendly_region);
	tcase_add_test(cases, rfc9438_4_4_concave_then_4_5_convex);
	tcase_add_test(cases, rfc3465_2_1_small_acks_add_up_exactly);
	tcase_add_test(cases, rfc9438_4_any_sequence_is_as_in_real_numbers);
}

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
	tcase_add_test(cases, rfc9438_4_9_2_slow_start_resumes_after_a_spurious_loss);
	tcase_add_test(cases, rfc9438_4_9_2_too_late_to_undo);
	tcase_add_test(cases, rfc3168_5_congestion_that_was_marked_is_not_undone);
}

static void add_cases(TCase *cases)
{
	add_beginnings(cases);
	add_curve(cases);
	add_reductions(cases);
	tcase_add_test(cases, rfc9438_5_8_no_growth_when_the_application_is_the_limit);
	tcase_add_test(cases, rfc9438_5_8_time_that_is_not_used_does_not_count);
	tcase_add_test(cases, rfc2861_3_1_idleness_halves_the_window_each_rto);
	tcase_add_test(cases, rfc2861_3_1_a_small_window_is_not_raised_by_idleness);
	tcase_add_test(cases, rfc7661_4_4_3_an_unused_window_lasts_five_minutes);
	tcase_add_test(cases, rfc8201_the_window_keeps_its_bytes_when_the_mss_changes);
	tcase_add_test(cases, a_clock_that_steps_back_stands_still);
	tcase_add_test(cases, no_argument_overflows);
}

int main(void)
{
	return unit_main("tcp_cubic", add_cases);
}
