/* SPDX-License-Identifier: ISC */
#include "configs/blktest/stamp.h"

#include <stdbool.h>
#include <string.h>

#define WORD sizeof(uint64_t)

static uint64_t word_of(uint64_t sector, uint64_t generation, size_t i)
{
	if (i < 2)
		return i ? generation : sector;
	return sector * STAMP_STEP + generation + i * STAMP_STEP;
}

/* Buffers lie at any address. */
static uint64_t word_at(const uint8_t *from, size_t i)
{
	uint64_t word;

	memcpy(&word, from + i * WORD, WORD);
	return word;
}

void stamp_write(uint8_t *to, size_t bytes, uint64_t sector, uint64_t generation)
{
	for (size_t i = 0; i < bytes / WORD; i++) {
		uint64_t word = word_of(sector, generation, i);

		memcpy(to + i * WORD, &word, WORD);
	}
}

static bool is_zero(const uint8_t *from, size_t bytes)
{
	for (size_t i = 0; i < bytes / WORD; i++)
		if (word_at(from, i))
			return false;
	return true;
}

enum stamp stamp_read(const uint8_t *from, size_t bytes, uint64_t sector, uint64_t *generation)
{
	*generation = word_at(from, 1);
	for (size_t i = 0; i < bytes / WORD; i++)
		if (word_at(from, i) != word_of(sector, *generation, i))
			return is_zero(from, bytes) ? STAMP_ZEROES : STAMP_WRONG;
	return STAMP_GOOD;
}
