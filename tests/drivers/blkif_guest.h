/* SPDX-License-Identifier: ISC */
/*
 * The guest program of the block drivers' tests: blkfront with a checked load on its disks,
 * or blkback with disks in memory. It is linked into the image with the drivers; the test
 * sees it through `blkif_guest_program`.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback.h"
#include "drivers/blkfront.h"
#include "lib/iopage.h"
#include "tests/drivers/blkif_load.h"

#define BLKIF_CLIENT_DISKS 4u
#define BLKIF_SERVER_DISKS 8u

/* A disk of a client. It belongs to the test and outlives the guest. */
struct guest_disk {
	char name[BLOCK_NAME_BYTES]; /* set by the test: "xvda" */
	/* written by the guest, read by all */
	atomic_bool up; /* there, and served */
	atomic_uint attached, detached, changes;
	atomic_uint batch_reports;
	struct blkif_load load;
	/* filled by collect(), and when it goes */
	bool there;
	struct block_geometry geometry;
	struct block_stats stats;
	/* own */
	struct block_device *device;
};

struct blkif_guest {
	/* set by the test; zero: a default */
	uint32_t pages; /* for blkfront's pool */
	/* of a client; `pages` and the callbacks are filled in here */
	struct blkfront_config front;
	struct guest_disk *disks;
	uint32_t disk_count;
	/* of a server; memory is made here */
	struct blkback_config back;
	struct blkback_disk served[BLKIF_SERVER_DISKS];
	uint64_t served_most[BLKIF_SERVER_DISKS]; /* bytes to have for growing; 0: as it is */
	/* own */
	struct iopage_pool pool;
	int error; /* of the last call */
	/* filled by collect() */
	uint32_t pages_out, quarantined, log_lines;
};

/* One operation of a fiber that waits for it. */
struct guest_operation {
	struct guest_disk *disk;
	enum block_op op;
	uint32_t flags;
	uint64_t sector, count;
	void *data;
	int error;
};

/* Requests handed over with one block_submit(). */
#define BATCH_MOST 256u
struct batch_entry {
	struct block_request request; /* set by the test but for done and context */
	int error;
	uint32_t order; /* in which it was reported, among those of all batches of its disk */
	atomic_uint times;
};
struct guest_batch {
	struct guest_disk *disk;
	struct batch_entry entries[BATCH_MOST];
	uint32_t count;
	int error; /* of block_submit() */
	atomic_uint reported;
};

struct guest_resize {
	struct blkif_guest *guest;
	uint32_t disk;
	uint64_t bytes;
};

/* What the image can do; each is for host_call() unless it says fiber. */
struct blkif_guest_program {
	void (*boot)(void *guest);
	void (*start_front)(void *guest);
	void (*start_back)(void *guest);
	void (*close_front)(void *guest); /* fiber */
	void (*close_back)(void *guest);  /* fiber */
	void (*resize)(void *resize);	  /* fiber */
	void (*load)(void *disk);	  /* starts the disk's load */
	void (*operate)(void *operation); /* fiber */
	void (*submit)(void *batch);
	void (*collect)(void *guest);
};
