/* SPDX-License-Identifier: ISC */
/*
 * How a request of the ring is made: begun, filled with requests, or parts of them, for as
 * long as there is room, and then put in a slot by whoever chose what goes next.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/blkfront_internal.h"

#define BLKFRONT_SEGMENT_OFFSET offsetof(struct blkif_request, seg)

/* A request of the ring that is being made. */
struct blkfront_build {
	struct blkfront_disk *disk;
	struct blkfront_span span;
	uint16_t first, tail; /* pieces */
	uint32_t limit, segments;
	uint32_t copied;
	union blkif_slot slot;
	struct blkif_request_segment *table; /* shared with the backend: never read */
	grant_ref_t tables[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
	struct blkif_request_segment last, *last_at;
	uint8_t *fill; /* the bounce page that the last segment is of */
	uint32_t fill_used;
	uint32_t zero_gref; /* of a page of zeroes that may serve again */
	uint32_t zero_uses;
};

/* Whether there are pieces for one stretch: one for the bytes and one for a page of descriptors. */
bool blkfront_build_has_room(const struct blkfront_disk *disk);
/* Empty; the caller sets the span. */
void blkfront_build_begin(struct blkfront_build *build, struct blkfront_disk *disk);
/* As much of the request as finds room. True: all of it is in this one or earlier ones. */
must_check bool blkfront_build_add(struct blkfront_build *build, struct block_request *request);
/* A request that moves no bytes; there is room. */
struct blkfront_piece *blkfront_build_plain(struct blkfront_build *build,
					    struct block_request *request);
