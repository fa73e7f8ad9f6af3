/* SPDX-License-Identifier: ISC */
/*
 * blkback: the backend of other guests' disks (<xen/io/blkif.h>), whose sectors lie in our
 * memory. One fiber watches backend/vbd and follows libxl's and the clients' state machines,
 * as netback does for vifs. Sectors move between our memory and the client's pages by grant
 * copies, a batch in one hypercall, or, with clients that keep their grants, by the CPU
 * through mappings that we keep, up to a bound.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/block.h"
#include "lib/compiler.h"

#define BLKBACK_NAME_BYTES 32u
#define BLKBACK_INDIRECT_SEGMENTS 256u /* of a request, at most; descriptors fit half a page */

/* A disk that clients may be given: `target=NAME` in xl's disk= says which. */
struct blkback_disk {
	char name[BLKBACK_NAME_BYTES];
	uint8_t *memory; /* page-aligned, for ever */
	uint64_t bytes;	 /* a multiple of sector_bytes */
	uint32_t sector_bytes;
	bool read_only; /* for everybody, whatever the toolstack says */
	/*
	 * Several may have it at once when all of them only read; one who writes has it alone
	 * (as `xl` checks it for disks that dom0 knows).
	 */
	uint32_t readers, writers; /* blkback's own */
	/*
	 * For tests of clients: requests that touch these sectors of 512 bytes are answered with
	 * an error. The sum of both must not overflow.
	 */
	uint64_t fail_sector, fail_count;
};

/* What is offered. Zeroes turn a feature off. */
struct blkback_features {
	uint32_t max_queues;	    /* 0: one */
	uint32_t ring_order;	    /* the most; less where rings of all clients are too many */
	uint32_t indirect_segments; /* the most of a request, up to 256; 0: no such requests */
	bool persistent, flush, barrier, discard;
};

struct blkback_config {
	struct blkback_disk *disks; /* for ever */
	uint32_t disk_count;
	uint32_t max_clients;
	struct blkback_features features;
};

/* All that there is, for most uses. */
extern const struct blkback_features blkback_all_features;

/* Starts the fiber. `config` is copied. 0 or -ENOMEM. */
must_check int blkback_start(const struct blkback_config *config);

/*
 * The disk has another size now, which its memory holds; its clients are told. -EINVAL: that is
 * no multiple of its sectors, or nothing.
 */
must_check int blkback_resize(struct blkback_disk *disk, uint64_t bytes);

/* Disconnects every client and says Closed, for a shutdown. From a fiber. */
void blkback_close_all(void);

/* One line a client and one in sum, for the stats; nothing when it was not started. */
void blkback_print_stats(void (*line)(void *context, const char *text), void *context);
