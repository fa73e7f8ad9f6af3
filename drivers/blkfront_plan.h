/* SPDX-License-Identifier: ISC */
/*
 * How requests become requests of the ring: arithmetic alone, so that it can be tested
 * without a ring. Bytes of a request travel in stretches, each within one page and by one
 * way: in place, on loan, or through a page of the disk's own. As many stretches as there
 * are segments make one request of the ring.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkif_ring.h"
#include "drivers/block.h"
#include "lib/compiler.h"

/*
 * Requests that follow one another on the disk go together up to so many bytes: enough to
 * make the cost of a request of the ring small, and little enough that the backend works
 * on some while others are on their way.
 */
#define BLKFRONT_JOIN_BYTES (128u << 10)

enum blkfront_way {
	BLKFRONT_BOUNCE, /* copied */
	BLKFRONT_OWN,	 /* in a page that the backend may use anyway */
	BLKFRONT_LOAN,	 /* a whole page, granted for this request alone */
};

/* Memory of a request from `data` on. */
struct blkfront_memory {
	const uint8_t *data;
	uint64_t bytes;
	uint32_t sector_bytes;
	bool own;   /* `data` lies in a page of the disk's own that may be used in place */
	bool loans; /* whole pages may be lent */
};

struct blkfront_stretch {
	enum blkfront_way way;
	uint32_t bytes; /* a multiple of sector_bytes; 1 .. a page */
};

/* The first stretch. Pages that are only partly the request's are never lent (XSA-403). */
struct blkfront_stretch blkfront_plan_stretch(const struct blkfront_memory *memory);

/* Bytes on the disk that one request of the ring moves. */
struct blkfront_span {
	bool write;
	uint64_t sector; /* in the device's sectors */
	uint64_t count;
	uint32_t sector_bytes;
};

/* Whether `request`, of which nothing is planned yet, can go along behind the span. */
bool blkfront_plan_joins(const struct blkfront_span *span, const struct block_request *request);

/* The most segments of a request, of what the backend offers (0: no indirect ones). */
uint32_t blkfront_plan_segments(uint64_t offered);

/* What the store says of a disk, as it was read. */
struct blkfront_said {
	uint64_t sectors;	 /* of BLKIF_SECTOR_BYTES */
	uint64_t sector_bytes;	 /* 0: nothing */
	uint64_t physical_bytes; /* 0: nothing */
	uint64_t info;		 /* VDISK_* */
	uint64_t discard_bytes, discard_alignment;
	bool write_mode; /* mode is "w" */
	bool flush, barrier, discard, secure;
};

/* -EINVAL: no disk can be like that; then `*geometry` is as it was. */
must_check int blkfront_plan_geometry(const struct blkfront_said *said,
				      struct block_geometry *geometry);
