/* SPDX-License-Identifier: ISC */
/* Timestamps against wrapped sequence numbers, and when TIME-WAIT may end early. */
#include "net/tcp_paws.h"

#include "net/wire.h"
#include "tests/host/unit.h"

#define DAY 86400000000000ull

START_TEST(rfc7323_5_3_r1_an_older_timestamp_is_not_acceptable)
{
	static const uint32_t recents[] = { 0, 1000, 0x7fffffff, 0x80000000, UINT32_MAX };

	for (unsigned int i = 0; i < 5; i++) {
		uint32_t recent = recents[i];

		ck_assert_int_eq(tcp_paws_judge(TCP_ACK, true, recent, recent, 5, 10), TCP_PAWS_OK);
		ck_assert_int_eq(tcp_paws_judge(TCP_ACK, true, recent + 1, recent, 5, 10),
				 TCP_PAWS_OK);
		ck_assert_int_eq(tcp_paws_judge(TCP_ACK, true, recent + 0x7fffffff, recent, 5, 10),
				 TCP_PAWS_OK);
		ck_assert_int_eq(tcp_paws_judge(TCP_ACK, true, recent - 1, recent, 5, 10),
				 TCP_PAWS_OLD);
		ck_assert_int_eq(
			tcp_paws_judge(TCP_FIN | TCP_ACK, true, recent - 0x7fffffff, recent, 5, 10),
			TCP_PAWS_OLD);
	}
}
END_TEST

START_TEST(rfc7323_5_2_a_reset_is_never_too_old)
{
	ck_assert_int_eq(tcp_paws_judge(TCP_RST, true, 5, 10, 0, 0), TCP_PAWS_OK);
	ck_assert_int_eq(tcp_paws_judge(TCP_RST | TCP_ACK, false, 0, 10, 0, 0), TCP_PAWS_OK);
}
END_TEST

START_TEST(rfc7323_3_2_without_timestamps_it_is_dropped)
{
	ck_assert_int_eq(tcp_paws_judge(TCP_ACK, false, 100, 10, 0, 0), TCP_PAWS_MISSING);
}
END_TEST

START_TEST(rfc7323_5_5_after_24_days_nothing_is_old)
{
	uint64_t then = 3 * DAY;

	ck_assert_int_eq(tcp_paws_judge(TCP_ACK, true, 5, 10, then, then + 24 * DAY), TCP_PAWS_OLD);
	ck_assert_int_eq(tcp_paws_judge(TCP_ACK, true, 5, 10, then, then + 24 * DAY + 1),
			 TCP_PAWS_OK);
	ck_assert(!tcp_paws_updates(100, 5, 100, 10, then, then + 24 * DAY));
	ck_assert(tcp_paws_updates(100, 5, 100, 10, then, then + 24 * DAY + 1));
}
END_TEST

START_TEST(rfc7323_4_3_what_sets_ts_recent)
{
	ck_assert(tcp_paws_updates(100, 11, 100, 10, 0, 0));
	ck_assert(tcp_paws_updates(100, 10, 100, 10, 0, 0));
	ck_assert(tcp_paws_updates(99, 11, 100, 10, 0, 0));   /* begins before, a retransmission */
	ck_assert(!tcp_paws_updates(101, 11, 100, 10, 0, 0)); /* out of order */
	ck_assert(!tcp_paws_updates(100, 9, 100, 10, 0, 0));
	ck_assert(tcp_paws_updates(UINT32_MAX, 2, 5, UINT32_MAX, 0, 0)); /* both wrap */
}
END_TEST

START_TEST(rfc7323_5_4_our_clock)
{
	ck_assert_uint_eq(tcp_timestamp(7, 0), 7);
	ck_assert_uint_eq(tcp_timestamp(7, 999999), 7);
	ck_assert_uint_eq(tcp_timestamp(7, 1000000), 8);
	ck_assert_uint_eq(tcp_timestamp(0, (1ull << 32) * 1000000), 0);
	ck_assert_uint_eq(tcp_timestamp(UINT32_MAX, 1000000), 0);
}
END_TEST

START_TEST(rfc6191_2_both_have_timestamps)
{
	ck_assert(tcp_paws_reopens(0, 1000, true, 11, true, 10)); /* whatever the number */
	ck_assert(tcp_paws_reopens(1000, 1000, true, 10, true, 10));
	ck_assert(!tcp_paws_reopens(999, 1000, true, 10, true, 10));
	ck_assert(!tcp_paws_reopens(5000, 1000, true, 9, true, 10));
}
END_TEST

START_TEST(rfc6191_2_one_has_timestamps)
{
	ck_assert(tcp_paws_reopens(0, 1000, true, 0, false, 0));
	ck_assert(tcp_paws_reopens(1000, 1000, false, 0, true, 10));
	ck_assert(!tcp_paws_reopens(999, 1000, false, 0, true, 10));
}
END_TEST

START_TEST(rfc9293_3_6_1_neither_has_timestamps)
{
	ck_assert(tcp_paws_reopens(1000, 1000, false, 0, false, 0));
	ck_assert(tcp_paws_reopens(5, UINT32_MAX - 5, false, 0, false, 0));
	ck_assert(!tcp_paws_reopens(999, 1000, false, 0, false, 0));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc7323_5_3_r1_an_older_timestamp_is_not_acceptable);
	tcase_add_test(cases, rfc7323_5_2_a_reset_is_never_too_old);
	tcase_add_test(cases, rfc7323_3_2_without_timestamps_it_is_dropped);
	tcase_add_test(cases, rfc7323_5_5_after_24_days_nothing_is_old);
	tcase_add_test(cases, rfc7323_4_3_what_sets_ts_recent);
	tcase_add_test(cases, rfc7323_5_4_our_clock);
	tcase_add_test(cases, rfc6191_2_both_have_timestamps);
	tcase_add_test(cases, rfc6191_2_one_has_timestamps);
	tcase_add_test(cases, rfc9293_3_6_1_neither_has_timestamps);
}

int main(void)
{
	return unit_main("net/tcp_paws", add_cases);
}
