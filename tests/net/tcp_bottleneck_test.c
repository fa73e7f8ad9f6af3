/* SPDX-License-Identifier: ISC */
/* Congestion control and pacing at work: flows that share a bottleneck, in virtual time. */
#include <math.h>
#include <stdlib.h>

#include "tests/host/unit.h"
#include "tests/net/bottleneck.h"

#define MS 1000000ull
#define SECOND 1000000000ull
#define MEGABIT 125000ull /* bytes a second */

/* A link with a buffer of so many hundredths of its bandwidth-delay product. */
static struct bottleneck *link_of(uint64_t megabits, uint64_t rtt_ms, uint64_t buffer_percent)
{
	uint64_t bdp = megabits * MEGABIT * rtt_ms / 1000;

	return bottleneck_new(megabits * MEGABIT, bdp * buffer_percent / 100, unit_seed());
}

static const struct {
	uint64_t megabits, rtt_ms, buffer_percent, seconds;
} grid[] = {
	{ 10, 20, 100, 120 },  { 10, 20, 200, 600 }, { 20, 40, 50, 300 },
	{ 20, 40, 100, 600 },  { 20, 40, 200, 900 }, { 10, 100, 50, 300 },
	{ 10, 100, 100, 300 }, { 50, 20, 100, 400 }, { 50, 40, 100, 600 },
};

#define GRID ((int)(sizeof(grid) / sizeof(grid[0])))

START_TEST(two_flows_share_fairly)
{
	struct bottleneck *link =
		link_of(grid[_i].megabits, grid[_i].rtt_ms, grid[_i].buffer_percent);
	uint64_t half = grid[_i].seconds * SECOND / 2;
	double fairness, use;

	bottleneck_add(link, 0, grid[_i].rtt_ms * MS);
	bottleneck_add(link, 3 * SECOND, grid[_i].rtt_ms * MS);
	bottleneck_run(link, half);
	bottleneck_reset(link);
	bottleneck_run(link, 2 * half);
	fairness = bottleneck_fairness(link);
	use = bottleneck_use(link, half);
	ck_assert_double_ge(fairness, 0.95);
	ck_assert_double_ge(use, 0.95);
	free(link);
}
END_TEST

START_TEST(one_flow_fills_the_link)
{
	struct bottleneck *link =
		link_of(grid[_i].megabits, grid[_i].rtt_ms, grid[_i].buffer_percent);
	struct bottleneck_flow *flow = bottleneck_add(link, 0, grid[_i].rtt_ms * MS);
	double use;

	bottleneck_run(link, 5 * SECOND);
	bottleneck_reset(link);
	bottleneck_run(link, 45 * SECOND);
	use = bottleneck_use(link, 40 * SECOND);
	ck_assert_double_ge(use, 0.95);
	ck_assert_uint_eq(flow->timeouts, 0);
	/* At every ACK the window was that of the RFC's formulas. */
	ck_assert_double_le(flow->model_error, 0.01);
	free(link);
}
END_TEST

/* Runs until the first slow start has ended; gives how many segments that has cost. */
static uint64_t slow_start_drops(struct bottleneck *link)
{
	struct bottleneck_flow *flow = &link->flow[0];
	uint64_t tenths = 0;

	while (flow->cubic.ssthresh == TCP_CUBIC_SSTHRESH_NONE && tenths < 600)
		bottleneck_run(link, ++tenths * SECOND / 10);
	ck_assert_uint_lt(tenths, 600);
	/* And the round after it. */
	bottleneck_run(link, tenths * SECOND / 10 + 3 * flow->delay_ns);
	return flow->drops;
}

static const uint64_t starts[][2] = { { 50, 40 }, { 100, 40 }, { 20, 100 }, { 100, 100 } };

/*
 * Where the buffer holds what conservative slow start adds, nothing is lost: the window is up
 * to four times the link's when a whole round has waited, and grows by 1.25 five times.
 */
START_TEST(rfc9406_1_slow_start_ends_without_loss)
{
	struct bottleneck *link = link_of(starts[_i][0], starts[_i][1], 1300);
	struct bottleneck_flow *flow = bottleneck_add(link, 0, starts[_i][1] * MS);

	ck_assert_uint_eq(slow_start_drops(link), 0);
	/* Not before the link is full. */
	ck_assert_double_ge(flow->cubic.ssthresh * 1e9,
			    (double)link->rate * (double)flow->delay_ns);
	free(link);
}
END_TEST

/* With less buffer, less is lost than without the measured round trips. */
START_TEST(rfc9406_1_slow_start_overshoots_less)
{
	uint64_t drops[2];

	for (unsigned int i = 0; i < 2; i++) {
		struct bottleneck *link = link_of(starts[_i][0], starts[_i][1], 300);

		bottleneck_add(link, 0, starts[_i][1] * MS)->no_samples = i;
		drops[i] = slow_start_drops(link);
		free(link);
	}
	ck_assert_uint_gt(drops[1], 0);
	ck_assert_uint_le(drops[0], drops[1] / 2);
}
END_TEST

START_TEST(rfc3168_marks_instead_of_drops)
{
	struct bottleneck *link = link_of(20, 40, 300);

	link->mark = link->buffer / 3;
	bottleneck_add(link, 0, 40 * MS);
	bottleneck_add(link, 3 * SECOND, 40 * MS);
	bottleneck_run(link, 60 * SECOND);
	ck_assert_uint_eq(link->flow[0].drops + link->flow[1].drops, 0);
	bottleneck_reset(link);
	bottleneck_run(link, 120 * SECOND);
	ck_assert_uint_eq(link->flow[0].drops + link->flow[1].drops, 0);
	ck_assert_uint_gt(link->flow[0].marks, 0);
	ck_assert_double_ge(bottleneck_use(link, 60 * SECOND), 0.95);
	ck_assert_double_ge(bottleneck_fairness(link), 0.95);
	free(link);
}
END_TEST

/*
 * Average windows with one loss in every so many segments and nothing else: the RFC's tables,
 * for round trips of 0.1 s and 0.01 s.
 */
START_TEST(rfc9438_5_1_average_windows)
{
	static const struct {
		uint64_t every, rtt_ms, seconds;
		double window;
	} cases[] = {
		{ 100, 100, 300, 12 }, { 1000, 100, 600, 38 }, { 10000, 100, 900, 187 },
		{ 100, 10, 60, 12 },   { 1000, 10, 120, 38 },  { 10000, 10, 300, 120 },
	};
	struct bottleneck *link = bottleneck_new(10000 * MEGABIT, 1u << 30, unit_seed());
	struct bottleneck_flow *flow = bottleneck_add(link, 0, cases[_i].rtt_ms * MS);
	double average;

	link->drop_every = cases[_i].every;
	link->jitter_ns = 0;
	bottleneck_run(link, cases[_i].seconds * SECOND / 4);
	bottleneck_reset(link);
	bottleneck_run(link, cases[_i].seconds * SECOND);
	average = flow->window_sum / (double)flow->window_count;
	ck_assert_double_le(fabs(average / cases[_i].window - 1), 0.15);
	free(link);
}
END_TEST

/* Beside Reno, where Reno does well: neither starves. */
START_TEST(rfc9438_4_3_shares_with_reno)
{
	struct bottleneck *link = link_of(10, 20, 100);

	bottleneck_add(link, 0, 20 * MS);
	bottleneck_add(link, 100 * MS, 20 * MS)->is_reno = true;
	bottleneck_run(link, 20 * SECOND);
	bottleneck_reset(link);
	bottleneck_run(link, 200 * SECOND);
	ck_assert_double_ge(bottleneck_fairness(link), 0.9);
	free(link);
}
END_TEST

/* Windows spread over the round trip: a tenth of one in the buffer is enough to grow. */
START_TEST(pacing_needs_little_buffer)
{
	struct bottleneck *link = link_of(100, 40, 12);
	struct bottleneck_flow *flow = bottleneck_add(link, 0, 40 * MS);

	bottleneck_run(link, 500 * MS);
	ck_assert_double_ge(flow->cubic.cwnd * 1e9,
			    0.5 * (double)link->rate * (double)flow->delay_ns);
	free(link);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, two_flows_share_fairly, 0, GRID);
	tcase_add_loop_test(cases, one_flow_fills_the_link, 0, GRID);
	tcase_add_loop_test(cases, rfc9406_1_slow_start_ends_without_loss, 0, 4);
	tcase_add_loop_test(cases, rfc9406_1_slow_start_overshoots_less, 0, 4);
	tcase_add_test(cases, rfc3168_marks_instead_of_drops);
	tcase_add_loop_test(cases, rfc9438_5_1_average_windows, 0, 6);
	tcase_add_test(cases, rfc9438_4_3_shares_with_reno);
	tcase_add_test(cases, pacing_needs_little_buffer);
}

int main(void)
{
	return unit_main("net/tcp_bottleneck", add_cases);
}
