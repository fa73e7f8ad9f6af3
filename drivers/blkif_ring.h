/* SPDX-License-Identifier: ISC */
/*
 * Typed access to the shared pages of <xen/io/blkif.h>: a ring of one or more pages, which
 * need not lie side by side, with slots that may cross from one page to the next. A slot is
 * copied out of shared memory once, whole, before anybody looks at it; indices are read once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xen/io/blkif.h>

#include "lib/compiler.h"
#include "lib/ring.h"

#define BLKIF_PAGE_BYTES 4096u
#define BLKIF_RING_ORDER_MOST 4u /* as Linux's; 16 pages are 512 slots */
#define BLKIF_RING_PAGES_MOST (1u << BLKIF_RING_ORDER_MOST)
/*
 * blkif's own sectors. All that counts sectors is in this unit whatever the device's
 * sector-size is: `sectors` in the store, sector_number, nr_sectors of a discard,
 * first_sect and last_sect. So Linux's two ends have always done it, and so later versions
 * of <xen/io/blkif.h> say (they withdraw feature-large-sector-size, with which some
 * backends meant another unit; we never say it, and a backend of ours does not look at
 * it). sector-size is only what requests must be multiples of, and aligned to.
 */
#define BLKIF_SECTOR_BYTES 512u
#define BLKIF_INDIRECT_PER_PAGE (BLKIF_PAGE_BYTES / sizeof(struct blkif_request_segment))

union blkif_slot {
	struct blkif_request request;
	struct blkif_request_discard discard;
	struct blkif_request_indirect indirect;
	struct blkif_response response;
};

struct blkif_ring {
	uint8_t *pages[BLKIF_RING_PAGES_MOST];
	uint32_t order;
	uint32_t slots;
};

#define BLKIF_RING_HEADER_BYTES offsetof(struct blkif_sring, ring)

_Static_assert(sizeof(union blkif_sring_entry) == sizeof(union blkif_slot), "slot size");
_Static_assert(sizeof(struct blkif_request_segment) == 8, "segment size");

/* The slots of a ring of 2^order pages: the greatest power of two that fits. */
uint32_t blkif_ring_slots(uint32_t order);

/* The shared indices, at the start of the first page. */
static inline struct blkif_sring *blkif_ring_shared(const struct blkif_ring *ring)
{
	return (struct blkif_sring *)ring->pages[0];
}

/* Copies the first `bytes` (at most a slot's) of slot `index` out, or into it. */
void blkif_ring_read(const struct blkif_ring *ring, uint32_t index, void *to, size_t bytes);
void blkif_ring_write(const struct blkif_ring *ring, uint32_t index, const void *from,
		      size_t bytes);
