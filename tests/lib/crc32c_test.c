/* SPDX-License-Identifier: ISC */
#include "lib/crc32c.h"

#include <string.h>

#include "tests/host/unit.h"

/* RFC 3720, appendix B.4. */
START_TEST(vectors)
{
	uint8_t bytes[32];

	ck_assert_uint_eq(crc32c(0, "", 0), 0);
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283u);
	memset(bytes, 0, sizeof(bytes));
	ck_assert_uint_eq(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aau);
	memset(bytes, 0xff, sizeof(bytes));
	ck_assert_uint_eq(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43u);
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	ck_assert_uint_eq(crc32c(0, bytes, sizeof(bytes)), 0x46dd794eu);
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(31 - i);
	ck_assert_uint_eq(crc32c(0, bytes, sizeof(bytes)), 0x113fdb5cu);
}
END_TEST

START_TEST(in_parts)
{
	for (size_t i = 0; i <= 9; i++)
		ck_assert_uint_eq(crc32c(crc32c(0, "123456789", i), "123456789" + i, 9 - i),
				  0xe3069283u);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, vectors);
	tcase_add_test(cases, in_parts);
}

int main(void)
{
	return unit_main("lib/crc32c", add_cases);
}
