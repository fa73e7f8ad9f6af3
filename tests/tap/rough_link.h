/* SPDX-License-Identifier: ISC */
/*
 * A link that does to frames what real ones do: loses, doubles, delays, reorders, corrupts
 * and marks them, each way by its own chances, all from one seed. It stands between a TAP and
 * its netdev (tests/tap/tap_netdev.h), so that Linux on one side and we on the other see the
 * same link whatever the kernel was built with.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/compiler.h"
#include "lib/random.h"

enum rough_direction { ROUGH_IN, ROUGH_OUT, ROUGH_DIRECTIONS };

/* Chances are in 1/10,000 of all frames. */
struct rough_chances {
	uint32_t loss;
	uint32_t duplicate;
	uint32_t corrupt; /* one bit behind the MAC addresses */
	uint32_t reorder; /* comes later than those behind it */
	uint32_t mark;	  /* congestion is said to who can hear it (RFC 3168) */
	uint64_t delay_ns;
	uint64_t rate;	/* bits a second; 0: without limit */
	uint32_t queue; /* frames that wait at most; beyond it they are lost; 0: 1,000 */
};

struct rough_frame;

struct rough_way {
	struct rough_chances chances;
	struct rough_frame *first, *last; /* in order of their time */
	uint32_t waiting;
	uint64_t free_ns; /* when what was sent so far is on the wire */
	uint64_t passed, lost, doubled, corrupted, reordered, marked, overflowed;
};

struct rough_link {
	struct random random;
	struct rough_way ways[ROUGH_DIRECTIONS];
};

/*
 * Reads "in" or "out" or "both", then ":loss=1%,duplicate=0.5%,reorder=2%,corrupt=1%,mark=5%,
 * delay=10ms,rate=20mbit,queue=100". Changes `text`. NULL, or the part that is wrong.
 */
const char *rough_link_read(struct rough_link *link, char *text);

void rough_link_init(struct rough_link *link, uint64_t seed);

/* A frame sets out at `now`; it is copied. */
void rough_link_push(struct rough_link *link, enum rough_direction direction, const void *frame,
		     size_t bytes, uint64_t now);

/* Bytes of the next frame that has arrived by `now`, copied; 0: there is none. */
size_t rough_link_pop(struct rough_link *link, enum rough_direction direction, void *frame,
		      size_t room, uint64_t now);

/* When the next frame of either way arrives; UINT64_MAX: none is under way. */
uint64_t rough_link_next_ns(const struct rough_link *link);

void rough_link_print(const struct rough_link *link, FILE *file);
void rough_link_end(struct rough_link *link);
