/* SPDX-License-Identifier: ISC */
/*
 * Sectors that tell what they are. In a stamped sector of n words of 64 bits, little end
 * first, word 0 is the sector's number, word 1 the generation, word i >= 2
 *
 *	start + i * STAMP_STEP	where start = sector * STAMP_STEP + generation
 *
 * so every byte follows from the first two words: one that is torn, old, shifted or at the
 * wrong place shows.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define STAMP_STEP 0x9e3779b97f4a7c15ull

enum stamp { STAMP_GOOD, STAMP_ZEROES, STAMP_WRONG };

void stamp_write(uint8_t *to, size_t bytes, uint64_t sector, uint64_t generation);

/* Of a sector that should be number `sector`; `generation` is told for a good one. */
enum stamp stamp_read(const uint8_t *from, size_t bytes, uint64_t sector, uint64_t *generation);
