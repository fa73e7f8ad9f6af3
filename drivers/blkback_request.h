/* SPDX-License-Identifier: ISC */
/*
 * What a request of a client asks for, and whether it may have that. Nothing here looks at
 * shared memory or touches a disk: slots and segments come as private copies.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback.h"
#include "drivers/blkif_ring.h"

#define BLKBACK_PAGE_SECTORS (BLKIF_PAGE_BYTES / BLKIF_SECTOR_BYTES)

/* All counts are of blkif's sectors, BLKIF_SECTOR_BYTES each. */
struct blkback_limits {
	uint64_t sectors; /* of the disk */
	uint32_t unit;	  /* what requests begin and end at: the disk's own sectors */
	uint64_t fail_first, fail_count; /* these cannot be read or written */
	bool read_only;
	struct blkback_features features; /* what the client was offered */
};

enum blkback_action {
	BLKBACK_NOTHING, /* answer with `status` */
	BLKBACK_READ,
	BLKBACK_WRITE,
	BLKBACK_ZERO,
};

/* One request, from the ring to its answer. */
struct blkback_job {
	uint64_t id;
	uint8_t operation; /* as the answer tells it */
	int16_t status;	   /* of the answer */
	enum blkback_action action;
	bool ordered; /* after everything before it, and before everything after it */
	bool indirect;
	grant_ref_t descriptors; /* of an indirect one: the page of its segments */
	uint64_t sector, sectors;
	uint32_t segment_count;
	const struct blkif_request_segment *segments;
	struct blkif_request_segment direct[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/*
 * Fills `job` from a private copy of a slot. With action READ or WRITE and `indirect` set,
 * the caller fetches `segment_count` segments from the page `descriptors` and sets
 * `segments`; an action of NOTHING needs no more than its answer.
 */
void blkback_job_read(struct blkback_job *job, const union blkif_slot *slot,
		      const struct blkback_limits *limits);

/*
 * Checks where it reads, writes or zeroes; `sectors` is the length afterwards. What may not
 * be becomes an answer.
 */
void blkback_job_check(struct blkback_job *job, const struct blkback_limits *limits);

/* Ends it: there is nothing to do any more but to answer so. */
void blkback_job_refuse(struct blkback_job *job, int16_t status);
