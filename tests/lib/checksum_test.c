/* SPDX-License-Identifier: ISC */
#include "lib/checksum.h"

#include <string.h>

#include "tests/host/unit.h"

/* The definition of RFC 1071, word by word, in host order. */
static uint16_t naive(const uint8_t *data, size_t bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

START_TEST(agrees_with_the_definition)
{
	uint64_t state = unit_seed() | 1;
	uint8_t data[1600];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = _i ? (uint8_t)unit_random(&state) : 0xff;
	for (size_t offset = 0; offset < 9; offset++)
		for (size_t bytes = 0; bytes < sizeof(data) - 16; bytes += 1 + bytes / 50)
			ck_assert_uint_eq(
				be16_get(checksum_finish(checksum_add(0, data + offset, bytes))),
				naive(data + offset, bytes));
}
END_TEST

START_TEST(difference_agrees_with_recomputing)
{
	uint64_t state = unit_seed() | 1;
	uint8_t data[20];

	for (unsigned int round = 0; round < 2000; round++) {
		be16 before, after, old, new;

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = round % 3 ? (uint8_t)unit_random(&state) : round % 2 ? 0xff : 0;
		data[19] = 1; /* an all-zero header cannot be, and has two right sums */
		before = checksum_finish(checksum_add(0, data, sizeof(data)));
		memcpy(&old, data + 4, 2);
		new = be16_of((uint16_t)unit_random(&state));
		memcpy(data + 4, &new, 2);
		after = checksum_finish(checksum_add(0, data, sizeof(data)));
		ck_assert_uint_eq(checksum_replace_be16(before, old, new).raw, after.raw);
	}
}
END_TEST

START_TEST(the_example_of_rfc_1624)
{
	be16 sum = checksum_replace_be16(be16_of(0xdd2f), be16_of(0x5555), be16_of(0x3285));

	ck_assert_uint_eq(be16_get(sum), 0x0000);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, agrees_with_the_definition, 0, 2);
	tcase_add_test(cases, difference_agrees_with_recomputing);
	tcase_add_test(cases, the_example_of_rfc_1624);
}

int main(void)
{
	return unit_main("lib/checksum", add_cases);
}
