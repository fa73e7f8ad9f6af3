/* SPDX-License-Identifier: ISC */
#include "lib/bytes.h"

#include <stdint.h>

#include "tests/host/unit.h"

#define LONGEST 300u
#define ALIGNMENTS 8u
#define AROUND 64u
#define ROOM (LONGEST + 2 * ALIGNMENTS + 2 * AROUND)

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 151 + (i >> 8) + 7);
}

static void fill(uint8_t *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		memory[i] = pattern(i);
}

/* [at, at + bytes) of `memory` is what began at `from` in the pattern; all else is untouched. */
static void expect_moved(const uint8_t *memory, size_t at, size_t from, size_t bytes)
{
	for (size_t i = 0; i < ROOM; i++) {
		uint8_t wanted = i >= at && i - at < bytes ? pattern(from + i - at) : pattern(i);

		if (memory[i] != wanted)
			ck_abort_msg("byte %zu after %zu bytes from %zu to %zu", i, bytes, from,
				     at);
	}
}

START_TEST(copies_every_length_and_alignment)
{
	static uint8_t from[ROOM], to[ROOM];

	for (size_t bytes = 0; bytes <= LONGEST; bytes++) {
		for (size_t x = 0; x < ALIGNMENTS; x++) {
			for (size_t y = 0; y < ALIGNMENTS; y++) {
				fill(from, ROOM);
				fill(to, ROOM);
				ck_assert_ptr_eq(bytes_copy(to + AROUND + y, from + x, bytes),
						 to + AROUND + y);
				expect_moved(to, AROUND + y, x, bytes);
			}
		}
	}
}
END_TEST

START_TEST(moves_by_every_distance)
{
	static uint8_t memory[ROOM];

	for (size_t bytes = 0; bytes <= LONGEST; bytes++) {
		for (size_t from = AROUND; from < AROUND + 3; from++) {
			for (size_t to = 0; to <= 2 * AROUND; to++) {
				fill(memory, ROOM);
				ck_assert_ptr_eq(bytes_move(memory + to, memory + from, bytes),
						 memory + to);
				expect_moved(memory, to, from, bytes);
			}
		}
	}
}
END_TEST

START_TEST(sets_every_length_and_alignment)
{
	static const int values[] = { 0, 0xff, 0x15a, -2 };
	static uint8_t memory[ROOM];

	for (size_t bytes = 0; bytes <= LONGEST; bytes++) {
		for (size_t at = AROUND; at < AROUND + ALIGNMENTS; at++) {
			int value = values[(bytes + at) % 4];

			fill(memory, ROOM);
			ck_assert_ptr_eq(bytes_set(memory + at, value, bytes), memory + at);
			for (size_t i = 0; i < ROOM; i++)
				ck_assert_uint_eq(memory[i], i >= at && i - at < bytes
								     ? (uint8_t)value
								     : pattern(i));
		}
	}
}
END_TEST

/* Memory of just the bytes: reading or writing beyond them faults under the sanitizer. */
START_TEST(touches_nothing_else)
{
	for (size_t bytes = 1; bytes <= LONGEST; bytes++) {
		uint8_t *from = malloc(bytes), *to = malloc(bytes);

		fill(from, bytes);
		bytes_copy(to, from, bytes);
		ck_assert_mem_eq(to, from, bytes);
		bytes_set(to, 0, bytes);
		bytes_move(to, from, bytes);
		ck_assert_mem_eq(to, from, bytes);
		free(from);
		free(to);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, copies_every_length_and_alignment);
	tcase_add_test(cases, moves_by_every_distance);
	tcase_add_test(cases, sets_every_length_and_alignment);
	tcase_add_test(cases, touches_nothing_else);
}

int main(void)
{
	return unit_main("lib/bytes", add_cases);
}
