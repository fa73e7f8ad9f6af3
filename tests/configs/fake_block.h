/* SPDX-License-Identifier: ISC */
/*
 * A disk with a cache that forgets: what was written and not flushed is, after a loss of
 * power, there or not, sector by sector, or torn. A sector here is a physical one: who
 * writes a part of it puts all of it at risk.
 *
 * Requests wait until the test carries them out, one at a time and in any order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/block.h"

struct fake_block {
	struct block_device device;
	uint64_t bytes;
	uint8_t *durable; /* what is there when the power fails now, at least */
	uint8_t *now;	  /* what is read */
	bool *dirty;	  /* by physical sector: `now` is not durable */
	struct list queue;
	uint32_t queued;
	uint64_t random;  /* state of unit_random() */
	uint32_t buffers; /* lent */

	/* What it does wrong, as long as it is set: */
	int write_error, read_error; /* these fail, and the write has happened in part */
	uint64_t bad_from, bad_to;   /* bytes: only there; 0, 0: everywhere */
	uint64_t reads, writes;
};

/* Zeroes. `sector_bytes` and `physical_bytes` as in struct block_geometry. */
void fake_block_init(struct fake_block *fake, uint64_t bytes, uint32_t sector_bytes,
		     uint32_t physical_bytes, uint64_t seed);
void fake_block_free(struct fake_block *fake);

/* Carries out one request, any of those that wait, and reports it; false: none waits. */
bool fake_block_step(struct fake_block *fake);

/* What may be found on it if the power fails now: `bytes` at `image`. */
void fake_block_crash(struct fake_block *fake, uint8_t *image);

/* The power comes back, with this on the disk; what waited is gone, unreported. */
void fake_block_restart(struct fake_block *fake, const uint8_t *image);

/* The device is taken away: all that waits fails with -ENODEV. */
void fake_block_remove(struct fake_block *fake);
