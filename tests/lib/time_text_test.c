/* SPDX-License-Identifier: ISC */
#include "lib/time_text.h"

#include <time.h>

#include "tests/host/unit.h"

START_TEST(known_times)
{
	char text[TIME_TEXT_BYTES];

	ck_assert_str_eq(time_text_format(0, text), "1970-01-01T00:00:00.000Z");
	ck_assert_str_eq(time_text_format(951782399999000000ull, text), "2000-02-28T23:59:59.999Z");
	ck_assert_str_eq(time_text_format(951782400000000000ull, text), "2000-02-29T00:00:00.000Z");
	ck_assert_str_eq(time_text_format(1795274155123456789ull, text),
			 "2026-11-21T15:15:55.123Z");
}
END_TEST

/* The C library agrees, day for day until 2554. */
START_TEST(agrees_with_gmtime)
{
	uint64_t state = unit_seed() | 1;

	for (uint64_t day = 0; day * 86400 < UINT64_MAX / 1000000000; day++) {
		time_t seconds = (time_t)(day * 86400 + unit_random(&state) % 86400);
		char text[TIME_TEXT_BYTES], expected[32];
		struct tm tm;

		if ((uint64_t)seconds >= UINT64_MAX / 1000000000)
			break;
		gmtime_r(&seconds, &tm);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		ck_assert_str_eq(time_text_format((uint64_t)seconds * 1000000000u, text), expected);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, known_times);
	tcase_add_test(cases, agrees_with_gmtime);
}

int main(void)
{
	return unit_main("lib/time_text", add_cases);
}
