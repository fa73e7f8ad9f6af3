/* SPDX-License-Identifier: ISC */
/* Pacing: rates, quanta, and that no sender, however late or eager, gets more than its share. */
#include "net/tcp_pacing.h"
#include "tests/host/unit.h"

#define MS 1000000ull
#define SECOND 1000000000ull
#define MSS 1448u

static struct tcp_pacing pacing;

START_TEST(nothing_is_paced_before_a_round_trip_is_known)
{
	tcp_pacing_init(&pacing, MSS);
	for (unsigned int i = 0; i < 10; i++) {
		ck_assert_uint_eq(tcp_pacing_delay(&pacing, 5 * SECOND), 0);
		tcp_pacing_on_send(&pacing, MSS, 5 * SECOND);
	}
	tcp_pacing_set(&pacing, 10 * MSS, MSS, 0, true);
	ck_assert_uint_eq(pacing.rate, 0);
	ck_assert_uint_eq(tcp_pacing_delay(&pacing, 5 * SECOND), 0);
	ck_assert_uint_eq(tcp_pacing_quantum(&pacing), 65160);
}
END_TEST

START_TEST(rate_is_twice_the_window_in_slow_start_and_a_fifth_more_later)
{
	tcp_pacing_init(&pacing, MSS);
	tcp_pacing_set(&pacing, 100 * MSS, MSS, 100 * MS, true);
	ck_assert_uint_eq(pacing.rate, 2u * 1000 * MSS);
	tcp_pacing_set(&pacing, 100 * MSS, MSS, 100 * MS, false);
	ck_assert_uint_eq(pacing.rate, 1200 * MSS);
}
END_TEST

START_TEST(quantum_is_a_millisecond_of_whole_segments)
{
	tcp_pacing_init(&pacing, MSS);
	/* 1200 segments a second: two at least. */
	tcp_pacing_set(&pacing, 100 * MSS, MSS, 100 * MS, false);
	ck_assert_uint_eq(tcp_pacing_quantum(&pacing), 2 * MSS);
	/* 12 segments and a fraction a millisecond. */
	tcp_pacing_set(&pacing, 1040 * MSS, MSS, 100 * MS, false);
	ck_assert_uint_eq(tcp_pacing_quantum(&pacing), 12 * MSS);
	/* 10 Gbit/s: as much as a GSO packet takes. */
	tcp_pacing_set(&pacing, 125000000, MSS, 100 * MS, false);
	ck_assert_uint_eq(tcp_pacing_quantum(&pacing), 45 * MSS);
	tcp_pacing_set(&pacing, 125000000, 9000, 100 * MS, false);
	ck_assert_uint_eq(tcp_pacing_quantum(&pacing), 7 * 9000);
	/* One segment where two do not fit. */
	tcp_pacing_set(&pacing, 125000000, 40000, 100 * MS, false);
	ck_assert_uint_eq(tcp_pacing_quantum(&pacing), 40000);
	tcp_pacing_set(&pacing, 125000000, 65535, 100 * MS, false);
	ck_assert_uint_eq(tcp_pacing_quantum(&pacing), 65535);
}
END_TEST

/* Of the rate of the first two tests: 1,200 segments a second. */
#define LATE_SEGMENTS (1200u * (TCP_PACING_LATE_NS / 1000) / 1000000)

START_TEST(segments_are_spread_over_the_round_trip)
{
	uint64_t now = SECOND;
	uint32_t sent = 0;

	tcp_pacing_init(&pacing, MSS);
	tcp_pacing_set(&pacing, 100 * MSS, MSS, 100 * MS, false);
	while (now < 2 * SECOND) {
		tcp_pacing_on_send(&pacing, MSS, now);
		sent++;
		now += tcp_pacing_delay(&pacing, now);
	}
	/* 1200 and the burst at the beginning. */
	ck_assert_uint_ge(sent, 1200);
	ck_assert_uint_le(sent, 1203 + LATE_SEGMENTS);
}
END_TEST

START_TEST(idle_time_is_not_saved_up)
{
	unsigned int burst = 0;

	tcp_pacing_init(&pacing, MSS);
	tcp_pacing_set(&pacing, 100 * MSS, MSS, 100 * MS, false);
	tcp_pacing_on_send(&pacing, MSS, SECOND);
	while (tcp_pacing_delay(&pacing, 1000 * SECOND) == 0) {
		tcp_pacing_on_send(&pacing, MSS, 1000 * SECOND);
		burst++;
	}
	/* What a late one may make good, and one segment more where times come out even. */
	ck_assert_uint_ge(burst, LATE_SEGMENTS);
	ck_assert_uint_le(burst, LATE_SEGMENTS + 1);
}
END_TEST

START_TEST(a_late_sender_keeps_its_rate)
{
	uint64_t state = unit_seed() | 1, now = SECOND, sent = 0;

	tcp_pacing_init(&pacing, MSS);
	tcp_pacing_set(&pacing, 1000 * MSS, MSS, 100 * MS, false);
	/* Looks after 0 to 4 ms, as a guest does that others keep from its processor. */
	for (; now < 3 * SECOND; now += unit_random(&state) % TCP_PACING_LATE_NS) {
		while (tcp_pacing_delay(&pacing, now) == 0) {
			tcp_pacing_on_send(&pacing, MSS, now);
			sent += MSS;
		}
	}
	ck_assert_uint_ge(sent, 12000u * 2 * MSS * 99 / 100);
	ck_assert_uint_le(sent, 12000u * 2 * MSS + pacing.rate * TCP_PACING_LATE_NS / SECOND +
					2 * pacing.quantum);
}
END_TEST

/* In every span of time: no more than the rate, what a late one makes good, and two quanta. */
START_TEST(bursts_are_bounded_in_every_span_of_time)
{
	enum { SENDS = 3000 };
	static uint64_t at[SENDS], bytes[SENDS + 1];
	uint64_t state = unit_seed() | 1;

	for (unsigned int run = 0; run < 8; run++) {
		uint64_t now = SECOND;

		tcp_pacing_init(&pacing, MSS);
		tcp_pacing_set(&pacing, 1 + (uint32_t)(unit_random(&state) % 10000000), MSS,
			       1 + unit_random(&state) % (100 * MS), run & 1);
		for (unsigned int i = 0; i < SENDS; i++) {
			uint32_t size =
				1 + (uint32_t)(unit_random(&state) % tcp_pacing_quantum(&pacing));

			/* Sometimes early, in vain; sometimes late. */
			now += unit_random(&state) % 3 ? tcp_pacing_delay(&pacing, now)
						       : unit_random(&state) % (3 * MS);
			now += tcp_pacing_delay(&pacing, now);
			tcp_pacing_on_send(&pacing, size, now);
			at[i] = now;
			bytes[i + 1] = bytes[i] + size;
		}
		for (unsigned int i = 0; i < SENDS; i += 1 + (unsigned int)(state % 5)) {
			for (unsigned int j = i; j < SENDS; j += 7) {
				double allowed = (double)pacing.rate *
						 (double)(at[j] - at[i] + TCP_PACING_LATE_NS) / 1e9;

				if ((double)(bytes[j + 1] - bytes[i]) >
				    allowed + 2.0 * pacing.quantum + 1)
					ck_abort_msg("run %u: too much from %u to %u", run, i, j);
			}
		}
	}
}
END_TEST

/* Also where a byte takes less than a nanosecond. */
START_TEST(many_small_segments_take_their_time)
{
	uint64_t next;

	tcp_pacing_init(&pacing, MSS);
	tcp_pacing_set(&pacing, 1u << 30, MSS, 10 * MS, false);
	tcp_pacing_on_send(&pacing, 1, SECOND);
	next = tcp_pacing_next(&pacing);
	for (unsigned int i = 0; i < 1000; i++)
		tcp_pacing_on_send(&pacing, 1, SECOND);
	ck_assert_uint_eq(tcp_pacing_next(&pacing), next + 1000);
}
END_TEST

START_TEST(a_time_that_was_set_stays)
{
	uint64_t next;

	tcp_pacing_init(&pacing, MSS);
	tcp_pacing_set(&pacing, 10 * MSS, MSS, 100 * MS, false);
	for (unsigned int i = 0; i < 5; i++)
		tcp_pacing_on_send(&pacing, MSS, SECOND);
	next = tcp_pacing_next(&pacing);
	ck_assert_uint_gt(next, SECOND);
	tcp_pacing_set(&pacing, 20 * MSS, MSS, 100 * MS, false);
	ck_assert_uint_eq(tcp_pacing_next(&pacing), next);
	ck_assert_uint_eq(tcp_pacing_delay(&pacing, SECOND), next - SECOND);
	ck_assert_uint_eq(tcp_pacing_delay(&pacing, next), 0);
}
END_TEST

static uint64_t extreme(uint64_t *state, uint64_t max)
{
	uint64_t value = unit_random(state);

	switch (value & 7) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return max;
	case 3:
		return max - 1;
	case 4:
		return (1ull << (value >> 58)) & max;
	default:
		return (value >> (value >> 59)) & max;
	}
}

/* Does the rate agree with real numbers? */
static bool rate_is_right(uint32_t cwnd, uint64_t srtt, bool slow_start)
{
	double window = cwnd < 1u << 30 ? cwnd : 1u << 30;
	double step = 1e9 / (double)srtt; /* of a byte in the window */
	double rate = window * (slow_start ? 2 : 1.2) * step;

	if (srtt == 0)
		return pacing.rate == 0;
	return (double)pacing.rate <= rate * 1.000001 + 1 &&
	       (double)pacing.rate >= rate * 0.999999 - step - 1;
}

START_TEST(no_argument_overflows)
{
	uint64_t state = unit_seed() | 1;

	tcp_pacing_init(&pacing, 0);
	for (unsigned int i = 0; i < 1000000; i++) {
		uint32_t cwnd = (uint32_t)extreme(&state, UINT32_MAX);
		uint32_t mss = (uint32_t)extreme(&state, UINT32_MAX);
		uint64_t srtt = extreme(&state, UINT64_MAX), now = extreme(&state, UINT64_MAX);
		uint32_t bytes = (uint32_t)extreme(&state, UINT32_MAX);
		uint64_t before = pacing.next_ns;
		double latest = (double)(now > before ? now : before);

		tcp_pacing_set(&pacing, cwnd, mss, srtt, i & 1);
		if (pacing.quantum < 1 || pacing.quantum > 65535)
			ck_abort_msg("quantum %u", pacing.quantum);
		if (!rate_is_right(cwnd, srtt, i & 1))
			ck_abort_msg("rate %llu", (unsigned long long)pacing.rate);
		tcp_pacing_on_send(&pacing, bytes, now);
		if (pacing.rate)
			latest += bytes * 1e9 / (double)pacing.rate;
		if (pacing.next_ns < before || (double)pacing.next_ns > latest * 1.000001 + 1)
			ck_abort_msg("next %llu", (unsigned long long)pacing.next_ns);
		if (i % 64 == 0)
			tcp_pacing_init(&pacing, mss);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, nothing_is_paced_before_a_round_trip_is_known);
	tcase_add_test(cases, rate_is_twice_the_window_in_slow_start_and_a_fifth_more_later);
	tcase_add_test(cases, quantum_is_a_millisecond_of_whole_segments);
	tcase_add_test(cases, segments_are_spread_over_the_round_trip);
	tcase_add_test(cases, idle_time_is_not_saved_up);
	tcase_add_test(cases, a_late_sender_keeps_its_rate);
	tcase_add_test(cases, bursts_are_bounded_in_every_span_of_time);
	tcase_add_test(cases, many_small_segments_take_their_time);
	tcase_add_test(cases, a_time_that_was_set_stays);
	tcase_add_test(cases, no_argument_overflows);
}

int main(void)
{
	return unit_main("net/tcp_pacing", add_cases);
}
