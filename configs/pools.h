/* SPDX-License-Identifier: ISC */
/* A guest's memory for packets, taken once at the start. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/iopage.h"
#include "lib/packet.h"

/* So many percent of `pages`, but at least `least` and at most `most`. */
uint32_t pools_share(size_t pages, uint32_t percent, uint32_t least, uint32_t most);

/*
 * Makes both pools of pages of the memory map, for good. `page_count` must include the
 * packets' private heads, PACKET_HEAD_BYTES each. Panics when there is not so much.
 */
void pools_make(struct iopage_pool *pages, uint32_t page_count, struct packet_pool *packets,
		uint32_t packet_count);
