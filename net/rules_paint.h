/* SPDX-License-Identifier: ISC */
/* Makes sets of rules one after the other, each by few changes from the one before. */
#pragma once

#include "net/rules_index.h"

struct rules_painter {
	struct rules_sets *sets;
	struct rules_block now[RULES_BLOCKS_MAX];
	uint32_t references[RULES_BLOCKS_MAX]; /* blocks of `now`, unless changed */
	uint32_t changed;		       /* bit b: block b */
	uint32_t summary;		       /* bit b: block b is not empty, unless changed */
	uint64_t hash;			       /* of the references */
	uint32_t buckets;		       /* a power of two */
	uint32_t *block_heads, *set_heads;     /* chains by hash, numbers + 1 */
	uint32_t *block_next, *set_next;
	uint32_t block_room, set_room;
};

/* An empty set of `count` rules. -ENOMEM. */
must_check int rules_painter_begin(struct rules_painter *p, struct rules_sets *sets,
				   uint32_t count);

/* Also gives back what the sets have not used. */
void rules_painter_end(struct rules_painter *p);

void rules_painter_clear(struct rules_painter *p);
void rules_painter_put(struct rules_painter *p, uint32_t place, bool in);

/* The number of the set as it is now. -ENOMEM; so when RULES_SETS_BYTES_MAX is passed. */
must_check int rules_painter_set(struct rules_painter *p, uint32_t *number);
