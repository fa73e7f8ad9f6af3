/* SPDX-License-Identifier: ISC */
/*
 * How often we look at nodes of the store that a neighbour may write (XSA-349): as often
 * as it writes them for a burst, enough for any handshake, and then at intervals. Each
 * neighbour has a pace of its own, so none is looked at later because of another.
 */
#pragma once

#include <stdint.h>

struct store_pace {
	uint64_t interval_ns;
	uint32_t burst;
	uint64_t full_ns; /* when the whole burst is there again */
};

void store_pace_init(struct store_pace *pace, uint32_t burst, uint64_t interval_ns);

/* Counts one look. */
void store_pace_take(struct store_pace *pace, uint64_t now_ns);

/* When the next look is due: `now_ns`, or later when the burst is used up. */
uint64_t store_pace_next_ns(const struct store_pace *pace, uint64_t now_ns);
