/* SPDX-License-Identifier: ISC */
/* Reading and writing JSON; what is cut off, too deep or no JSON. */
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/random.h"
#include "tests/host/unit.h"

static int parse(const char *text, struct json *value)
{
	return json_parse(text, strlen(text), value);
}

static int64_t number(const char *text, unsigned int decimals)
{
	struct json value = { text, strlen(text) };
	int64_t seen = 0;

	ck_assert(json_number(&value, decimals, &seen));
	return seen;
}

START_TEST(good_and_bad)
{
	static const char *const good[] = { "0",
					    "-1.5e+3",
					    " [ ] ",
					    "{}",
					    "[1,2 , {\"a\":[null]}]",
					    "\"\\u00e4\\n\"",
					    "true",
					    "{\"a\":{},\"b\":[]}" };
	static const char *const bad[] = { "",	    "01",  "-",	  "1.",	 "[1,]",       "{\"a\"}",
					   "{a:1}", "[",   "[1}", "\"x", "\"\\x\"",    "1 2",
					   "nul",   "{,}", "]",	  "1e",	 "{\"a\":1,}", "\"\n\"" };
	struct json value;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(parse(good[i], &value) == 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], &value) != 0, "%s", bad[i]);
}
END_TEST

START_TEST(numbers)
{
	ck_assert_int_eq(number("12", 0), 12);
	ck_assert_int_eq(number("1.5e-3", 9), 1500000);
	ck_assert_int_eq(number("-0.75", 1), -7);
	ck_assert_int_eq(number("1.4199191057983036", 3), 1419);
	ck_assert_int_eq(number("18446744073709551615", 0), INT64_MAX);
	ck_assert_int_eq(number("-1e400", 0), INT64_MIN);
	ck_assert_int_eq(number("1e-400", 9), 0);
	ck_assert_int_eq(number("123456789012345678901234567890e-20", 0), 1234567890);
	ck_assert_int_eq(number("0.00000000000000000000000000001", 2), 0);
}
END_TEST

START_TEST(members)
{
	struct json value, member, element;
	size_t at = 0;
	int64_t seen, sum = 0;

	ck_assert_int_eq(
		parse("{ \"ab\" : 1, \"a\" : [ 1 , 20,300 ], \"a\":7, \"t\":true}", &value), 0);
	ck_assert(json_member(&value, "a", &member));
	while (json_element(&member, &at, &element)) {
		ck_assert(json_number(&element, 0, &seen));
		sum += seen;
	}
	ck_assert_int_eq(sum, 321);
	ck_assert(!json_member(&value, "b", &member));
	ck_assert(json_member(&value, "t", &member) && json_is_true(&member));
	ck_assert(!json_member(&member, "t", &element));
	at = 0;
	ck_assert(!json_element(&member, &at, &element));
}
END_TEST

START_TEST(depth)
{
	char text[2 * JSON_DEPTH_MAX + 4] = "";
	struct json value;

	memset(text, '[', JSON_DEPTH_MAX);
	text[JSON_DEPTH_MAX] = '1';
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX);
	ck_assert_int_eq(parse(text, &value), 0);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	text[JSON_DEPTH_MAX + 1] = '1';
	memset(text + JSON_DEPTH_MAX + 2, ']', JSON_DEPTH_MAX + 1);
	ck_assert_int_ne(json_parse(text, 2 * JSON_DEPTH_MAX + 3, &value), 0);
}
END_TEST

/* Whatever the bytes are, nothing outside them is read: each lies at the end of its memory. */
START_TEST(any_bytes)
{
	static const char good[] = "[{\"t\":[1,-2.5e3]},\"\\u00e4\",true,[[]]]";
	static const char alphabet[] = "{}[]\",:0.e-tn\\u1 ";
	uint8_t seed[RANDOM_SEED_BYTES] = { 7 };
	struct random random;
	size_t parsed = 0;

	random_init(&random, seed);
	for (int round = 0; round < 20000; round++) {
		size_t length = sizeof(good) - 1 - random_below(&random, 3) / 2, at = 0;
		char *text = malloc(length);
		struct json value, member, number;
		int64_t seen;

		memcpy(text, good, length);
		for (uint32_t i = random_below(&random, 3); i; i--)
			text[random_below(&random, (uint32_t)length)] =
				alphabet[random_below(&random, sizeof(alphabet) - 1)];
		if (json_parse(text, length, &value) == 0)
			while (json_element(&value, &at, &member))
				parsed += json_member(&member, "t", &number) ||
					  json_number(&member, 9, &seen);
		free(text);
	}
	ck_assert_uint_gt(parsed, 1000);
}
END_TEST

START_TEST(writing)
{
	static const char wanted[] = "{\"a\":-5,\"s\":\"x\",\"l\":[{\"t\":true},0.000001500,-0.5]}";
	char text[sizeof(wanted)];
	struct json_writer writer;

	for (size_t room = 0; room <= sizeof(text); room++) {
		json_writer_init(&writer, text, room);
		json_open(&writer, NULL, '{');
		json_add_number(&writer, "a", -5, 0);
		json_add_string(&writer, "s", "x");
		json_open(&writer, "l", '[');
		json_open(&writer, NULL, '{');
		json_add_true(&writer, "t");
		json_close(&writer, '}');
		json_add_number(&writer, NULL, 1500, 9);
		json_add_number(&writer, NULL, -5, 1);
		json_close(&writer, ']');
		json_close(&writer, '}');
		ck_assert_uint_eq(json_end(&writer),
				  room < sizeof(wanted) - 1 ? 0 : sizeof(wanted) - 1);
	}
	ck_assert(memcmp(text, wanted, sizeof(wanted) - 1) == 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, good_and_bad);
	tcase_add_test(cases, numbers);
	tcase_add_test(cases, members);
	tcase_add_test(cases, depth);
	tcase_add_test(cases, any_bytes);
	tcase_add_test(cases, writing);
}

int main(void)
{
	return unit_main("lib/json", add_cases);
}
