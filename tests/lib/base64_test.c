/* SPDX-License-Identifier: ISC */
#include "lib/base64.h"

#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"

/* RFC 4648, 10 */
START_TEST(known_texts)
{
	static const char *const texts[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[16], bytes[16] = "";
		size_t length = strlen(texts[i][0]);

		ck_assert_uint_eq(base64_write(text, texts[i][0], length), strlen(texts[i][1]));
		ck_assert_str_eq(text, texts[i][1]);
		ck_assert_uint_eq(BASE64_LENGTH(length), strlen(text));
		ck_assert_int_eq(base64_read(bytes, text, strlen(text)), (int)length);
		ck_assert_str_eq(bytes, texts[i][0]);
	}
}
END_TEST

START_TEST(all_bytes_there_and_back)
{
	uint64_t state = unit_seed() | 1;
	uint8_t bytes[300], back[300];
	char text[BASE64_LENGTH(sizeof(bytes)) + 1];

	for (size_t length = 0; length <= sizeof(bytes); length++) {
		for (size_t i = 0; i < length; i++)
			bytes[i] = (uint8_t)unit_random(&state);
		ck_assert_int_eq(base64_read(back, text, base64_write(text, bytes, length)),
				 (int)length);
		ck_assert_mem_eq(bytes, back, length);
	}
}
END_TEST

START_TEST(not_base64)
{
	static const char *const texts[] = { "Zg=",  "Zg==Zg==",     "Z===",   "Zm9v ",
					     "====", "Zh==",	     "Zm9=",   "Zm-v",
					     "Z=9v", "Zm9v\n\n\n\n", "Zm\x80v" };
	uint8_t bytes[16];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(base64_read(bytes, texts[i], strlen(texts[i])), -EINVAL);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, known_texts);
	tcase_add_test(cases, all_bytes_there_and_back);
	tcase_add_test(cases, not_base64);
}

int main(void)
{
	return unit_main("lib/base64", add_cases);
}
