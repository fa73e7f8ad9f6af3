/* SPDX-License-Identifier: ISC */
/* HyStart++: rounds made by hand, each with the round trips that it says. */
#include "net/tcp_hystart.h"
#include "tests/host/unit.h"

#define MS 1000000ull

static struct tcp_hystart hystart;
static uint32_t una, nxt;

static void begin(uint32_t first)
{
	una = first;
	nxt = first + 10;
	tcp_hystart_init(&hystart, nxt);
}

/* ACKs within the round: `una` stays before the window's end. */
static enum tcp_hystart_phase samples(unsigned int count, uint64_t rtt_ns)
{
	enum tcp_hystart_phase phase = TCP_HYSTART_DONE;

	for (unsigned int i = 0; i < count; i++)
		phase = tcp_hystart_on_ack(&hystart, una, nxt, rtt_ns);
	return phase;
}

/* The ACK that ends a round, without a sample. */
static enum tcp_hystart_phase end_round(void)
{
	enum tcp_hystart_phase phase;

	una = hystart.window_end;
	nxt = una + 10;
	phase = tcp_hystart_on_ack(&hystart, una, nxt, 0);
	return phase;
}

static void round_of(unsigned int count, uint64_t rtt_ns)
{
	samples(count, rtt_ns);
	end_round();
}

START_TEST(rfc9406_4_2_a_round_ends_with_its_window)
{
	begin(1000);
	ck_assert_uint_eq(hystart.window_end, 1010);
	tcp_hystart_on_ack(&hystart, 1009, 1030, 20 * MS);
	ck_assert_uint_eq(hystart.window_end, 1010);
	ck_assert_uint_eq(hystart.samples, 1);
	tcp_hystart_on_ack(&hystart, 1010, 1030, 10 * MS);
	ck_assert_uint_eq(hystart.window_end, 1030);
	ck_assert_uint_eq(hystart.samples, 0);
	ck_assert_uint_eq(hystart.last_rtt_us, 10000);
	ck_assert_uint_eq(hystart.rtt_us, TCP_HYSTART_RTT_NONE);
}
END_TEST

START_TEST(rfc9406_4_2_a_round_ends_across_the_end_of_the_numbers)
{
	begin(0xfffffff8);
	ck_assert_uint_eq(hystart.window_end, 2);
	tcp_hystart_on_ack(&hystart, 0xffffffff, 20, 10 * MS);
	ck_assert_uint_eq(hystart.window_end, 2);
	tcp_hystart_on_ack(&hystart, 2, 20, 10 * MS);
	ck_assert_uint_eq(hystart.window_end, 20);
}
END_TEST

/* The threshold is an eighth of the last round's, from 4 ms to 16 ms. */
START_TEST(rfc9406_4_2_css_begins_at_the_threshold)
{
	static const struct {
		uint64_t last_ms, threshold_ms;
	} cases[] = { { 1, 4 }, { 32, 4 }, { 40, 5 }, { 100, 12 }, { 128, 16 }, { 1000, 16 } };

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* An eighth of 100 ms is 12.5 ms. */
		uint64_t half = cases[i].last_ms == 100 ? MS / 2 : 0;
		uint64_t limit = (cases[i].last_ms + cases[i].threshold_ms) * MS + half;

		begin(0);
		round_of(8, cases[i].last_ms * MS);
		ck_assert_int_eq(samples(8, limit - 1000), TCP_HYSTART_SLOW_START);
		begin(0);
		round_of(8, cases[i].last_ms * MS);
		ck_assert_int_eq(samples(8, limit), TCP_HYSTART_CONSERVATIVE);
	}
}
END_TEST

START_TEST(rfc9406_4_2_css_needs_eight_samples)
{
	begin(0);
	round_of(8, 10 * MS);
	ck_assert_int_eq(samples(7, 50 * MS), TCP_HYSTART_SLOW_START);
	/* ACKs without a sample are none (Karn). */
	ck_assert_int_eq(samples(20, 0), TCP_HYSTART_SLOW_START);
	ck_assert_int_eq(samples(1, 50 * MS), TCP_HYSTART_CONSERVATIVE);
}
END_TEST

START_TEST(rfc9406_4_2_css_goes_by_the_least_of_a_round)
{
	begin(0);
	round_of(8, 10 * MS);
	samples(1, 10 * MS);
	ck_assert_int_eq(samples(50, 50 * MS), TCP_HYSTART_SLOW_START);
}
END_TEST

START_TEST(rfc9406_4_2_css_needs_a_round_before)
{
	begin(0);
	ck_assert_int_eq(samples(100, 50 * MS), TCP_HYSTART_SLOW_START);
	/* And one that was measured. */
	begin(0);
	round_of(5, 0);
	ck_assert_int_eq(samples(100, 50 * MS), TCP_HYSTART_SLOW_START);
}
END_TEST

START_TEST(rfc9406_4_2_css_ends_after_five_rounds_the_first_one_in_part)
{
	begin(0);
	round_of(8, 10 * MS);
	ck_assert_int_eq(samples(8, 20 * MS), TCP_HYSTART_CONSERVATIVE);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_int_eq(end_round(), TCP_HYSTART_CONSERVATIVE);
		ck_assert_int_eq(samples(8, 20 * MS), TCP_HYSTART_CONSERVATIVE);
	}
	ck_assert_int_eq(end_round(), TCP_HYSTART_DONE);
	ck_assert_int_eq(samples(8, 1 * MS), TCP_HYSTART_DONE);
}
END_TEST

START_TEST(rfc9406_4_2_css_resumes_slow_start_when_it_was_a_false_alarm)
{
	begin(0);
	round_of(8, 10 * MS);
	samples(8, 20 * MS);
	end_round();
	ck_assert_int_eq(samples(7, 15 * MS), TCP_HYSTART_CONSERVATIVE);
	ck_assert_int_eq(samples(1, 15 * MS), TCP_HYSTART_SLOW_START);
	ck_assert_uint_eq(hystart.baseline_us, TCP_HYSTART_RTT_NONE);
	end_round();
	/* It watches on, and has all its rounds again. */
	ck_assert_int_eq(samples(8, 30 * MS), TCP_HYSTART_CONSERVATIVE);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_int_eq(end_round(), TCP_HYSTART_CONSERVATIVE);
	ck_assert_int_eq(end_round(), TCP_HYSTART_DONE);
}
END_TEST

START_TEST(rfc9406_4_2_css_stays_at_its_baseline)
{
	begin(0);
	round_of(8, 10 * MS);
	samples(8, 20 * MS);
	end_round();
	ck_assert_int_eq(samples(100, 20 * MS), TCP_HYSTART_CONSERVATIVE);
}
END_TEST

START_TEST(rfc9406_4_3_constants)
{
	ck_assert_uint_eq(TCP_HYSTART_MIN_RTT_THRESH_US, 4000);
	ck_assert_uint_eq(TCP_HYSTART_MAX_RTT_THRESH_US, 16000);
	ck_assert_uint_eq(TCP_HYSTART_MIN_RTT_DIVISOR, 8);
	ck_assert_uint_eq(TCP_HYSTART_RTT_SAMPLES, 8);
	ck_assert_uint_eq(TCP_HYSTART_CSS_GROWTH_DIVISOR, 4);
	ck_assert_uint_eq(TCP_HYSTART_CSS_ROUNDS, 5);
	ck_assert_uint_eq(TCP_HYSTART_BURST_SEGMENTS, 8);
}
END_TEST

START_TEST(any_round_trip_and_any_number_is_safe)
{
	uint64_t state = unit_seed() | 1;

	begin(0);
	for (unsigned int i = 0; i < 1000000; i++) {
		uint64_t rtt = unit_random(&state) >> (unit_random(&state) & 63);
		enum tcp_hystart_phase phase;

		if (i % 7 == 0)
			rtt = UINT64_MAX;
		if (i % 1000 == 0)
			tcp_hystart_init(&hystart, (uint32_t)unit_random(&state));
		phase = tcp_hystart_on_ack(&hystart, (uint32_t)unit_random(&state),
					   (uint32_t)unit_random(&state), rtt);
		if (phase > TCP_HYSTART_DONE || hystart.css_rounds > TCP_HYSTART_CSS_ROUNDS)
			ck_abort_msg("phase %d, %u rounds", (int)phase, hystart.css_rounds);
	}
}
END_TEST

START_TEST(rfc9406_4_2_a_false_alarm_is_less_than_when_it_began)
{
	begin(1000);
	round_of(8, 100 * MS);
	ck_assert_int_eq(samples(8, 130 * MS), TCP_HYSTART_CONSERVATIVE);
	end_round();
	round_of(8, 150 * MS);
	/* Less than in the round before, not than then. */
	ck_assert_int_eq(samples(8, 140 * MS), TCP_HYSTART_CONSERVATIVE);
	ck_assert_int_eq(samples(1, 129 * MS), TCP_HYSTART_SLOW_START);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc9406_4_2_a_false_alarm_is_less_than_when_it_began);
	tcase_add_test(cases, rfc9406_4_2_a_round_ends_with_its_window);
	tcase_add_test(cases, rfc9406_4_2_a_round_ends_across_the_end_of_the_numbers);
	tcase_add_test(cases, rfc9406_4_2_css_begins_at_the_threshold);
	tcase_add_test(cases, rfc9406_4_2_css_needs_eight_samples);
	tcase_add_test(cases, rfc9406_4_2_css_goes_by_the_least_of_a_round);
	tcase_add_test(cases, rfc9406_4_2_css_needs_a_round_before);
	tcase_add_test(cases, rfc9406_4_2_css_ends_after_five_rounds_the_first_one_in_part);
	tcase_add_test(cases, rfc9406_4_2_css_resumes_slow_start_when_it_was_a_false_alarm);
	tcase_add_test(cases, rfc9406_4_2_css_stays_at_its_baseline);
	tcase_add_test(cases, rfc9406_4_3_constants);
	tcase_add_test(cases, any_round_trip_and_any_number_is_safe);
}

int main(void)
{
	return unit_main("net/tcp_hystart", add_cases);
}
