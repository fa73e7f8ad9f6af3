/* SPDX-License-Identifier: ISC */
#include "lib/log_history.h"

#include <stdio.h>
#include <string.h>

#include "tests/host/unit.h"

static char text[2 * LOG_HISTORY_BYTES];

static void add(const char *line)
{
	log_history_add(line, strlen(line));
}

/* One test: the history is the process's. */
START_TEST(newest_whole_lines)
{
	char line[64], last[64];
	size_t bytes;

	ck_assert_uint_eq(log_history_copy(text, sizeof(text)), 0);
	add("one\n");
	add("two\n");
	ck_assert_uint_eq(log_history_copy(text, sizeof(text)), 8);
	ck_assert_int_eq(memcmp(text, "one\ntwo\n", 8), 0);
	ck_assert_uint_eq(log_history_copy(text, 7), 4);
	ck_assert_int_eq(memcmp(text, "two\n", 4), 0);
	ck_assert_uint_eq(log_history_copy(text, 3), 0);
	for (unsigned int i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "line %u of some length\n", i);
		add(line);
		bytes = log_history_copy(text, sizeof(text));
		ck_assert_uint_le(bytes, LOG_HISTORY_BYTES);
		ck_assert_uint_gt(bytes, i < 700 ? 0 : LOG_HISTORY_BYTES - 64);
		ck_assert_int_eq(memcmp(text + bytes - strlen(line), line, strlen(line)), 0);
	}
	/* What is kept are the last lines, without a gap. */
	text[bytes] = '\0';
	for (unsigned int i = 4999; bytes; i--) {
		snprintf(last, sizeof(last), "line %u of some length\n", i);
		ck_assert_uint_ge(bytes, strlen(last));
		bytes -= strlen(last);
		ck_assert_int_eq(memcmp(text + bytes, last, strlen(last)), 0);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, newest_whole_lines);
}

int main(void)
{
	return unit_main("lib/log_history", add_cases);
}
