/* SPDX-License-Identifier: ISC */
/* Stamped sectors: each one that is not what was written there shows. */
#include <string.h>

#include "configs/blktest/stamp.h"
#include "tests/host/unit.h"

#define SECTOR 512u
#define SECTOR_MOST 4096u

/* One byte further: buffers lie at any address. */
static uint8_t memory[SECTOR_MOST + 1], other[SECTOR_MOST];

static uint64_t word_at(const uint8_t *from, size_t i)
{
	uint64_t word = 0;

	for (size_t j = 0; j < 8; j++)
		word |= (uint64_t)from[i * 8 + j] << 8 * j;
	return word;
}

START_TEST(what_was_written_is_read)
{
	static const uint64_t numbers[] = { 0, 1, 7, 0xffffffff, 1ull << 40, UINT64_MAX };
	uint64_t generation;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		for (size_t bytes = SECTOR; bytes <= SECTOR_MOST; bytes *= 2) {
			uint64_t seed = numbers[i] ^ 5;

			stamp_write(memory + 1, bytes, numbers[i], seed);
			generation = ~seed;
			ck_assert_int_eq(stamp_read(memory + 1, bytes, numbers[i], &generation),
					 STAMP_GOOD);
			ck_assert_uint_eq(generation, seed);
		}
	}
}
END_TEST

/* Other programs make the same sectors. */
START_TEST(words_are_what_the_header_says)
{
	const uint64_t sector = 0x123456789a, generation = 0xfedcba9876543210;

	stamp_write(memory, SECTOR, sector, generation);
	ck_assert_uint_eq(word_at(memory, 0), sector);
	ck_assert_uint_eq(word_at(memory, 1), generation);
	for (size_t i = 2; i < SECTOR / 8; i++)
		ck_assert_uint_eq(word_at(memory, i),
				  sector * STAMP_STEP + generation + i * STAMP_STEP);
}
END_TEST

START_TEST(no_more_than_the_sector_is_written)
{
	memset(memory, 0x5a, sizeof(memory));
	stamp_write(memory + 8, SECTOR, 3, 4);
	for (size_t i = 0; i < 8; i++) {
		ck_assert_uint_eq(memory[i], 0x5a);
		ck_assert_uint_eq(memory[8 + SECTOR + i], 0x5a);
	}
}
END_TEST

/* Those of the generation, too: the words behind it follow from it. */
START_TEST(each_bit_counts)
{
	uint64_t generation;

	stamp_write(memory, SECTOR, 9, 2);
	for (size_t bit = 0; bit < SECTOR * 8; bit++) {
		memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(stamp_read(memory, SECTOR, 9, &generation) == STAMP_WRONG, "bit %zu",
			      bit);
		memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(stamp_read(memory, SECTOR, 9, &generation), STAMP_GOOD);
}
END_TEST

START_TEST(a_sector_at_another_place_is_wrong)
{
	uint64_t generation;

	stamp_write(memory, SECTOR, 9, 2);
	ck_assert_int_eq(stamp_read(memory, SECTOR, 10, &generation), STAMP_WRONG);
	ck_assert_int_eq(stamp_read(memory, SECTOR, 8, &generation), STAMP_WRONG);
	ck_assert_int_eq(stamp_read(memory, SECTOR, 0, &generation), STAMP_WRONG);
}
END_TEST

/* Torn anywhere between two generations, or two sectors. */
START_TEST(a_torn_sector_is_wrong)
{
	uint64_t generation;

	for (size_t at = 16; at < SECTOR; at += 8) {
		stamp_write(memory, SECTOR, 9, 2);
		stamp_write(other, SECTOR, 9, 3);
		memcpy(memory + at, other + at, SECTOR - at);
		ck_assert_int_eq(stamp_read(memory, SECTOR, 9, &generation), STAMP_WRONG);
		stamp_write(memory, SECTOR, 9, 2);
		memset(memory + at, 0, SECTOR - at);
		ck_assert_int_eq(stamp_read(memory, SECTOR, 9, &generation), STAMP_WRONG);
	}
}
END_TEST

/* The stamp of sector 0 and generation 0 begins with zeroes, and is none. */
START_TEST(zeroes_are_told_apart)
{
	uint64_t generation;

	for (size_t bytes = SECTOR; bytes <= SECTOR_MOST; bytes *= 2) {
		memset(memory, 0, sizeof(memory));
		ck_assert_int_eq(stamp_read(memory, bytes, 0, &generation), STAMP_ZEROES);
		ck_assert_int_eq(stamp_read(memory, bytes, 9, &generation), STAMP_ZEROES);
		memory[bytes - 1] = 1;
		ck_assert_int_eq(stamp_read(memory, bytes, 0, &generation), STAMP_WRONG);
		stamp_write(memory, bytes, 0, 0);
		ck_assert_int_eq(stamp_read(memory, bytes, 0, &generation), STAMP_GOOD);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, what_was_written_is_read);
	tcase_add_test(cases, words_are_what_the_header_says);
	tcase_add_test(cases, no_more_than_the_sector_is_written);
	tcase_add_test(cases, each_bit_counts);
	tcase_add_test(cases, a_sector_at_another_place_is_wrong);
	tcase_add_test(cases, a_torn_sector_is_wrong);
	tcase_add_test(cases, zeroes_are_told_apart);
}

int main(void)
{
	return unit_main("configs/blktest/stamp", add_cases);
}
