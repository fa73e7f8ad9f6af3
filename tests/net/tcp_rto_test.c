/* SPDX-License-Identifier: ISC */
/* Round-trip times, the timeout and its bounds; F-RTO and PRR step by step. */
#include "net/tcp_prr.h"
#include "net/tcp_rto.h"
#include "tests/host/unit.h"

#define MS TCP_RTO_MS

static struct tcp_rto rto;
static struct tcp_frto frto;
static struct tcp_prr prr;

START_TEST(rfc6298_2_1_one_second_without_samples)
{
	tcp_rto_init(&rto, 0, 0);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), 1000 * MS);
}
END_TEST

START_TEST(rfc6298_2_2_first_sample)
{
	tcp_rto_init(&rto, 0, 0);
	tcp_rto_on_sample(&rto, 300 * MS, 1);
	ck_assert_uint_eq(rto.srtt_ns, 300 * MS);
	ck_assert_uint_eq(rto.rttvar_ns, 150 * MS);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), 900 * MS);
}
END_TEST

START_TEST(rfc6298_2_3_further_samples)
{
	tcp_rto_init(&rto, 0, 0);
	tcp_rto_on_sample(&rto, 800 * MS, 1);
	tcp_rto_on_sample(&rto, 1600 * MS, 1);
	/* 3/4 * 400 + 1/4 * 800, and 7/8 * 800 + 1/8 * 1600 */
	ck_assert_uint_eq(rto.rttvar_ns, 500 * MS);
	ck_assert_uint_eq(rto.srtt_ns, 900 * MS);
	tcp_rto_on_sample(&rto, 100 * MS, 1);
	/* 3/4 * 500 + 1/4 * 800, and 7/8 * 900 + 1/8 * 100 */
	ck_assert_uint_eq(rto.rttvar_ns, 575 * MS);
	ck_assert_uint_eq(rto.srtt_ns, 800 * MS);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), 3100 * MS);
}
END_TEST

START_TEST(rfc6298_2_4_and_2_5_bounds)
{
	tcp_rto_init(&rto, 0, 0);
	tcp_rto_on_sample(&rto, 0, 1);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), TCP_RTO_MIN_NS);
	ck_assert_uint_ne(rto.srtt_ns, 0);
	tcp_rto_on_sample(&rto, UINT64_MAX, 1);
	for (int i = 0; i < 50; i++)
		tcp_rto_on_sample(&rto, UINT64_MAX, 1);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), TCP_RTO_MAX_NS);
	tcp_rto_init(&rto, 1000 * MS, 120000 * MS);
	tcp_rto_on_sample(&rto, 10 * MS, 1);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), 1000 * MS);
}
END_TEST

START_TEST(rfc6298_2_3_the_variance_has_a_floor)
{
	tcp_rto_init(&rto, MS, 0);
	for (int i = 0; i < 200; i++)
		tcp_rto_on_sample(&rto, 50 * MS, 1);
	ck_assert_uint_ge(tcp_rto_timeout_ns(&rto), 51 * MS);
	ck_assert_uint_le(tcp_rto_timeout_ns(&rto), 52 * MS);
}
END_TEST

START_TEST(rfc6298_5_5_back_off_doubles_to_the_largest)
{
	tcp_rto_init(&rto, 0, 0);
	for (uint64_t want = 1000; want <= 32000; want *= 2) {
		ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), want * MS);
		tcp_rto_on_expiry(&rto);
	}
	for (int i = 0; i < 300; i++) {
		ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), TCP_RTO_MAX_NS);
		tcp_rto_on_expiry(&rto);
	}
	tcp_rto_on_sample(&rto, 100 * MS, 1);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), 300 * MS);
}
END_TEST

START_TEST(rfc6298_5_7_three_seconds_after_a_lost_syn)
{
	tcp_rto_init(&rto, 0, 0);
	tcp_rto_on_expiry(&rto);
	tcp_rto_on_syn_lost(&rto);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), 3000 * MS);
	tcp_rto_init(&rto, 0, 0);
	tcp_rto_on_sample(&rto, 100 * MS, 1); /* by a timestamp */
	tcp_rto_on_syn_lost(&rto);
	ck_assert_uint_eq(tcp_rto_timeout_ns(&rto), 300 * MS);
}
END_TEST

START_TEST(rfc7323_g_many_samples_count_as_one)
{
	struct tcp_rto one;

	tcp_rto_init(&rto, 0, 0);
	tcp_rto_on_sample(&rto, 800 * MS, 1);
	one = rto;
	tcp_rto_on_sample(&one, 1600 * MS, 1);
	for (int i = 0; i < 10; i++)
		tcp_rto_on_sample(&rto, 1600 * MS, 10);
	/* Nearly the same after a round trip of ten as after one sample. */
	ck_assert_uint_le(rto.srtt_ns, one.srtt_ns);
	ck_assert_uint_ge(rto.srtt_ns, one.srtt_ns - 10 * MS);
}
END_TEST

/* ---- F-RTO ---- */

#define RECOVER 5000u

static enum tcp_frto_verdict frto_ack(bool has_sack, uint32_t una, bool advances, bool is_duplicate,
				      bool delivers_old, bool covers_new)
{
	const struct tcp_frto_ack ack = { .una = una,
					  .advances = advances,
					  .is_duplicate = is_duplicate,
					  .delivers_old = delivers_old,
					  .covers_new = covers_new,
					  .may_send_new = true,
					  .has_sack = has_sack,
					  .covers_resent = una >= 2000 };

	return tcp_frto_on_ack(&frto, &ack);
}

#define ADVANCES true, false
#define DUPLICATE false, true

START_TEST(rfc5682_2_1_step_1_not_during_another_recovery)
{
	tcp_frto_begin(&frto, RECOVER, true);
	ck_assert_int_eq(frto_ack(false, 2000, ADVANCES, true, false), TCP_FRTO_UNDECIDED);
	ck_assert_int_eq(frto.step, TCP_FRTO_OFF);
}
END_TEST

START_TEST(rfc5682_2_1_step_2a_a_duplicate_or_all_is_conventional)
{
	tcp_frto_begin(&frto, RECOVER, false);
	ck_assert_int_eq(frto_ack(false, 1000, DUPLICATE, false, false), TCP_FRTO_REAL);
	tcp_frto_begin(&frto, RECOVER, false);
	ck_assert_int_eq(frto_ack(false, RECOVER, ADVANCES, true, false), TCP_FRTO_REAL);
	tcp_frto_begin(&frto, RECOVER, false);
	ck_assert_int_eq(frto_ack(false, 1500, ADVANCES, false, false), TCP_FRTO_REAL);
	ck_assert_int_eq(frto.step, TCP_FRTO_OFF);
}
END_TEST

START_TEST(rfc5682_2_1_step_3)
{
	tcp_frto_begin(&frto, RECOVER, false);
	ck_assert_int_eq(frto_ack(false, 2000, ADVANCES, false, false), TCP_FRTO_SEND_NEW);
	ck_assert_int_eq(frto_ack(false, 2000, false, false, false, false), TCP_FRTO_UNDECIDED);
	ck_assert_int_eq(frto_ack(false, 2000, DUPLICATE, false, false), TCP_FRTO_REAL);
	tcp_frto_begin(&frto, RECOVER, false);
	ck_assert_int_eq(frto_ack(false, 2000, ADVANCES, false, false), TCP_FRTO_SEND_NEW);
	ck_assert_int_eq(frto_ack(false, 3000, ADVANCES, true, false), TCP_FRTO_SPURIOUS);
}
END_TEST

START_TEST(rfc5682_3_1_step_2_duplicates_fill_the_scoreboard)
{
	tcp_frto_begin(&frto, RECOVER, false);
	ck_assert_int_eq(frto_ack(true, 1000, DUPLICATE, true, false), TCP_FRTO_UNDECIDED);
	ck_assert_int_eq(frto_ack(true, 2000, ADVANCES, false, false), TCP_FRTO_SEND_NEW);
}
END_TEST

START_TEST(rfc5682_3_1_step_3)
{
	for (int covers_new = 0; covers_new < 2; covers_new++) {
		tcp_frto_begin(&frto, RECOVER, false);
		ck_assert_int_eq(frto_ack(true, 2000, ADVANCES, false, false), TCP_FRTO_SEND_NEW);
		ck_assert_int_eq(frto_ack(true, 2000, DUPLICATE, true, covers_new),
				 covers_new ? TCP_FRTO_REAL : TCP_FRTO_SPURIOUS);
	}
}
END_TEST

/* ---- PRR ---- */

START_TEST(rfc9937_6_proportional_while_above_ssthresh)
{
	uint32_t out = 0, pipe = 20000;

	tcp_prr_begin(&prr, 20000, 10000);
	for (uint32_t delivered = 1000; delivered <= 10000; delivered += 1000) {
		uint32_t window;

		pipe -= 1000;
		window = tcp_prr_on_ack(&prr, 1000, pipe, false, 1000);
		while (pipe + 1000 <= window) {
			pipe += 1000;
			out += 1000;
			tcp_prr_on_send(&prr, 1000);
		}
		ck_assert_uint_le(out, delivered / 2 + 1000);
		ck_assert_uint_ge(out + 1000, delivered / 2);
	}
}
END_TEST

START_TEST(rfc9937_6_the_first_retransmission_always_goes)
{
	tcp_prr_begin(&prr, 20000, 10000);
	ck_assert_uint_ge(tcp_prr_on_ack(&prr, 0, 19000, false, 1000), 20000);
	tcp_prr_begin(&prr, 20000, 5000);
	ck_assert_uint_ge(tcp_prr_on_ack(&prr, 0, 5000, false, 1000), 6000);
}
END_TEST

START_TEST(rfc9937_6_below_ssthresh_conserves_or_grows_by_one)
{
	/* Much was lost: what is sent is what arrived, and one more if nothing else is lost. */
	tcp_prr_begin(&prr, 20000, 10000);
	ck_assert_uint_eq(tcp_prr_on_ack(&prr, 1000, 4000, false, 1000), 5000);
	tcp_prr_on_send(&prr, 1000);
	ck_assert_uint_eq(tcp_prr_on_ack(&prr, 1000, 4000, false, 1000), 5000);
	tcp_prr_on_send(&prr, 1000);
	ck_assert_uint_eq(tcp_prr_on_ack(&prr, 1000, 4000, true, 1000), 6000);
}
END_TEST

START_TEST(rfc9937_6_never_beyond_ssthresh)
{
	tcp_prr_begin(&prr, 20000, 10000);
	tcp_prr_on_send(&prr, 1000);
	ck_assert_uint_eq(tcp_prr_on_ack(&prr, 15000, 9500, true, 1000), 10000);
}
END_TEST

START_TEST(nothing_overflows)
{
	tcp_prr_begin(&prr, 0, UINT32_MAX);
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_ge(tcp_prr_on_ack(&prr, UINT32_MAX, 1u << 30, true, UINT32_MAX),
				  1u << 30);
		tcp_prr_on_send(&prr, UINT32_MAX);
	}
	ck_assert_uint_eq(prr.out, UINT32_MAX);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc6298_2_1_one_second_without_samples);
	tcase_add_test(cases, rfc6298_2_2_first_sample);
	tcase_add_test(cases, rfc6298_2_3_further_samples);
	tcase_add_test(cases, rfc6298_2_4_and_2_5_bounds);
	tcase_add_test(cases, rfc6298_2_3_the_variance_has_a_floor);
	tcase_add_test(cases, rfc6298_5_5_back_off_doubles_to_the_largest);
	tcase_add_test(cases, rfc6298_5_7_three_seconds_after_a_lost_syn);
	tcase_add_test(cases, rfc7323_g_many_samples_count_as_one);
	tcase_add_test(cases, rfc5682_2_1_step_1_not_during_another_recovery);
	tcase_add_test(cases, rfc5682_2_1_step_2a_a_duplicate_or_all_is_conventional);
	tcase_add_test(cases, rfc5682_2_1_step_3);
	tcase_add_test(cases, rfc5682_3_1_step_2_duplicates_fill_the_scoreboard);
	tcase_add_test(cases, rfc5682_3_1_step_3);
	tcase_add_test(cases, rfc9937_6_proportional_while_above_ssthresh);
	tcase_add_test(cases, rfc9937_6_the_first_retransmission_always_goes);
	tcase_add_test(cases, rfc9937_6_below_ssthresh_conserves_or_grows_by_one);
	tcase_add_test(cases, rfc9937_6_never_beyond_ssthresh);
	tcase_add_test(cases, nothing_overflows);
}

int main(void)
{
	return unit_main("net/tcp_rto", add_cases);
}
