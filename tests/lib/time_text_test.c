/* SPDX-License-Identifier: ISC */
#include "lib/time_text.h"

#include <string.h>
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

START_TEST(read_back)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-21T15:15:55+00:00", 1795274155000000000ull },
		{ "2026-11-21T15:15:55.1234567899Z", 1795274155123456789ull },
		{ "2026-11-21T17:45:55+02:30", 1795274155000000000ull },
		{ "2026-11-20T23:15:55-16:00", 1795274155000000000ull },
		{ "2000-02-29T00:00:00Z", 951782400000000000ull },
	};
	static const char *const bad[] = {
		"",
		"2026-11-21",
		"2026-11-21T15:15:55",
		"2026-11-21 15:15:55Z",
		"2026-11-21T15:15:55Zx",
		"2026-11-21T15:15:55.Z",
		"2026-11-21T24:15:55Z",
		"2026-02-29T15:15:55Z",
		"2026-13-01T15:15:55Z",
		"2026-00-01T15:15:55Z",
		"1969-12-31T23:59:59Z",
		"2200-01-01T00:00:00Z",
		"1970-01-01T00:00:00+00:01",
		"2026-11-21T15:15:55+24:00",
		"99999-01-01T00:00:00Z",
	};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(time_text_parse(good[i].text, strlen(good[i].text), &ns) == 0, "%s",
			      good[i].text);
		ck_assert_uint_eq(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(time_text_parse(bad[i], strlen(bad[i]), &ns), "%s", bad[i]);
}
END_TEST

START_TEST(reads_what_it_writes)
{
	uint64_t state = unit_seed() | 1;

	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t ns = unit_random(&state) % (7258118400ull * 1000) * 1000000, again;
		char text[TIME_TEXT_BYTES];

		time_text_format(ns, text);
		ck_assert_msg(time_text_parse(text, strlen(text), &again) == 0, "%s", text);
		ck_assert_uint_eq(ns, again);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, known_times);
	tcase_add_test(cases, agrees_with_gmtime);
	tcase_add_test(cases, read_back);
	tcase_add_test(cases, reads_what_it_writes);
}

int main(void)
{
	return unit_main("lib/time_text", add_cases);
}
