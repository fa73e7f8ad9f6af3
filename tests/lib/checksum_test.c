/* SPDX-License-Identifier: ISC */
#include "lib/checksum.h"

#include <string.h>
#include <sys/mman.h>

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

#define LONGEST 4200u
#define ALIGNMENTS 16u

typedef uint64_t sum_function(uint64_t sum, const void *data, size_t bytes);

static sum_function *const sums[] = { checksum_bytes, checksum_bytes_portable };

/* 64 bits to 16. */
static uint16_t folded(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Memory that ends where the next byte cannot be read, so that looking further faults. */
static uint8_t *memory_before_a_wall(size_t bytes)
{
	size_t pages = (bytes + 4095) / 4096 * 4096;
	uint8_t *memory = mmap(NULL, pages + 8192, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	ck_assert_int_eq(mprotect(memory, 4096, PROT_NONE), 0);
	ck_assert_int_eq(mprotect(memory + 4096 + pages, 4096, PROT_NONE), 0);
	return memory + 4096 + pages - bytes;
}

static void fill(uint8_t *data, size_t bytes, int kind)
{
	uint64_t state = unit_seed() | 1;

	for (size_t i = 0; i < bytes; i++)
		data[i] = kind == 0 ? (uint8_t)unit_random(&state) : kind == 1 ? 0xff : 0;
}

/* Is `sum` that of the bytes? 0 and 0xffff are one number, but only zeros give 0. */
static void assert_sum(uint64_t sum, uint16_t wanted, size_t offset, size_t bytes)
{
	if (folded(sum) != wanted)
		ck_abort_msg("offset %zu, %zu bytes: %#x, not %#x", offset, bytes, folded(sum),
			     wanted);
}

/* Both ways of the loop: every length at every alignment, against a sum byte by byte. */
START_TEST(every_length_at_every_alignment)
{
	uint8_t *data = memory_before_a_wall(LONGEST + ALIGNMENTS);

	fill(data, LONGEST + ALIGNMENTS, _i);
	for (size_t offset = 0; offset < ALIGNMENTS; offset++) {
		uint64_t wanted = 0; /* words of two bytes as they lie in memory, low byte first */

		for (size_t bytes = 0; bytes <= LONGEST; bytes++) {
			if (bytes)
				wanted += (uint64_t)data[offset + bytes - 1] << (bytes % 2 ? 0 : 8);
			for (size_t i = 0; i < 2; i++)
				assert_sum(sums[i](0, data + offset, bytes), folded(wanted), offset,
					   bytes);
		}
	}
	munmap(data, LONGEST + ALIGNMENTS);
}
END_TEST

/* The last byte may be the last of all memory, and the first the first. */
START_TEST(nothing_is_read_beside_the_bytes)
{
	for (size_t bytes = 1; bytes <= 600; bytes++) {
		uint8_t *end = memory_before_a_wall(bytes), *begin = end - (4096 - bytes);

		fill(end, bytes, 0);
		fill(begin, bytes, 0);
		for (size_t i = 0; i < 2; i++) {
			assert_sum(sums[i](0, end, bytes), folded(sums[!i](0, end, bytes)), 1,
				   bytes);
			assert_sum(sums[i](0, begin, bytes), folded(sums[!i](0, begin, bytes)), 0,
				   bytes);
		}
		munmap(begin - 4096, 3 * 4096);
	}
}
END_TEST

/* A packet summed in pieces, all but the last of even length, is summed as a whole. */
START_TEST(pieces_add_up)
{
	static uint8_t data[65535];
	uint64_t state = unit_seed() | 1;

	fill(data, sizeof(data), 0);
	for (unsigned int round = 0; round < 500; round++) {
		size_t offset = unit_random(&state) % 16;
		size_t bytes = unit_random(&state) % (sizeof(data) - offset), at = 0;
		uint32_t sum = 0;

		while (at < bytes) {
			size_t piece = unit_random(&state) % (round % 2 ? 90 : 9000) * 2;

			if (piece > bytes - at || unit_random(&state) % 16 == 0)
				piece = bytes - at;
			sum = checksum_add(sum, data + offset + at, piece);
			at += piece;
		}
		ck_assert_uint_eq(be16_get(checksum_finish(sum)), naive(data + offset, bytes));
	}
}
END_TEST

/* What is carried over is not lost, however much there was before. */
START_TEST(carries_come_round)
{
	uint8_t data[512];

	fill(data, sizeof(data), 1);
	for (size_t bytes = 0; bytes <= sizeof(data); bytes++)
		for (size_t i = 0; i < 2; i++) {
			uint16_t wanted = folded(0xffffull + folded(sums[!i](0, data, bytes)));

			assert_sum(sums[i](UINT64_MAX, data, bytes), wanted, 0, bytes);
		}
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
	tcase_add_loop_test(cases, every_length_at_every_alignment, 0, 3);
	tcase_add_test(cases, nothing_is_read_beside_the_bytes);
	tcase_add_test(cases, pieces_add_up);
	tcase_add_test(cases, carries_come_round);
	tcase_add_test(cases, difference_agrees_with_recomputing);
	tcase_add_test(cases, the_example_of_rfc_1624);
}

int main(void)
{
	return unit_main("lib/checksum", add_cases);
}
