/* SPDX-License-Identifier: ISC */
/* The words of blktest's command line and commands. */
#include <string.h>

#include "configs/blktest/words.h"
#include "tests/host/unit.h"

#define LINE "  run xvda rw=randread  bs=4K depth=32 xbs=1 b=2 offset= seed=007 "

static char word[16];

START_TEST(values_are_found)
{
	ck_assert(words_find(LINE, "rw", word, sizeof(word)));
	ck_assert_str_eq(word, "randread");
	ck_assert(words_find(LINE, "bs", word, sizeof(word)));
	ck_assert_str_eq(word, "4K");
	ck_assert(words_find("bs=1", "bs", word, sizeof(word)));
	ck_assert_str_eq(word, "1");
	ck_assert(words_find("a=b=c", "a", word, sizeof(word)));
	ck_assert_str_eq(word, "b=c");
	ck_assert(words_find("a=1 a=2", "a", word, sizeof(word)));
	ck_assert_str_eq(word, "1");
}
END_TEST

/* A key is a whole word, not a part of another one. */
START_TEST(no_other_word_is_taken)
{
	static const char *const keys[] = { "run",    "xvda", "s",   "w",   "dept",
					    "depth=", "K",    "ios", "r w", "bsrate" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		strcpy(word, "left");
		ck_assert_msg(!words_find(LINE, keys[i], word, sizeof(word)), "%s", keys[i]);
		ck_assert_str_eq(word, "");
	}
	ck_assert(!words_find("", "bs", word, sizeof(word)));
	ck_assert(!words_find("   ", "bs", word, sizeof(word)));
}
END_TEST

START_TEST(a_value_without_room_is_none)
{
	char room[4];

	ck_assert(words_find("a=123", "a", room, sizeof(room)));
	ck_assert_str_eq(room, "123");
	ck_assert(!words_find("a=1234", "a", room, sizeof(room)));
	ck_assert_str_eq(room, "");
	ck_assert(!words_at("1234", 0, room, sizeof(room)));
	ck_assert_str_eq(room, "");
	ck_assert(!words_find(LINE, "offset", word, sizeof(word)));
}
END_TEST

START_TEST(numbers_have_units)
{
	ck_assert_uint_eq(words_number("n=0", "n", 5), 0);
	ck_assert_uint_eq(words_number("n=4097", "n", 5), 4097);
	ck_assert_uint_eq(words_number("n=4K", "n", 5), 4096);
	ck_assert_uint_eq(words_number("n=3M", "n", 5), 3u << 20);
	ck_assert_uint_eq(words_number("n=5G", "n", 5), 5ull << 30);
	ck_assert_uint_eq(words_number("n=18446744073709551615", "n", 5), UINT64_MAX);
	ck_assert_uint_eq(words_number(LINE, "seed", 5), 7);
}
END_TEST

START_TEST(a_number_that_is_not_said_is_another)
{
	ck_assert_uint_eq(words_number(LINE, "ios", 5), 5);
	ck_assert_uint_eq(words_number(LINE, "offset", UINT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(words_number("", "n", 6), 6);
}
END_TEST

START_TEST(values_are_compared_whole)
{
	ck_assert(words_is(LINE, "rw", "randread"));
	ck_assert(!words_is(LINE, "rw", "rand"));
	ck_assert(!words_is(LINE, "rw", "randreads"));
	ck_assert(!words_is(LINE, "fua", "yes"));
	ck_assert(!words_is(LINE, "offset", ""));
}
END_TEST

START_TEST(words_are_counted)
{
	static const char *const words[] = { "run",   "xvda", "rw=randread", "bs=4K",	"depth=32",
					     "xbs=1", "b=2",  "offset=",     "seed=007" };
	uint32_t count = sizeof(words) / sizeof(*words);

	for (uint32_t i = 0; i < count; i++) {
		ck_assert(words_at(LINE, i, word, sizeof(word)));
		ck_assert_str_eq(word, words[i]);
	}
	for (uint32_t i = count; i < count + 3; i++) {
		ck_assert(!words_at(LINE, i, word, sizeof(word)));
		ck_assert_str_eq(word, "");
	}
	ck_assert(!words_at("", 0, word, sizeof(word)));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, values_are_found);
	tcase_add_test(cases, no_other_word_is_taken);
	tcase_add_test(cases, a_value_without_room_is_none);
	tcase_add_test(cases, numbers_have_units);
	tcase_add_test(cases, a_number_that_is_not_said_is_another);
	tcase_add_test(cases, values_are_compared_whole);
	tcase_add_test(cases, words_are_counted);
}

int main(void)
{
	return unit_main("configs/blktest/words", add_cases);
}
