/* SPDX-License-Identifier: ISC */
/*
 * blkfront: our disks (<xen/io/blkif.h>), as many as the toolstack gives us, now or later.
 * One fiber watches device/vbd; one for each disk follows its backend for as long as the
 * disk is there: it connects, notices that the backend closes, restarts, is replaced or has
 * changed its size, and connects again; what was not answered is then issued again.
 *
 * Pages: rings, pages of indirect descriptors and bounce pages come from the pool given here,
 * whose pages are lent to block backends and to nobody else. Each disk has its own share:
 * disk_pages, and as many as its rings have, max_queues << ring_order. Buffers may have all
 * but an eighth of a disk's pages, and are gone when detached() has returned.
 */
#pragma once

#include <stdint.h>

#include "drivers/block.h"
#include "lib/compiler.h"
#include "lib/iopage.h"

struct blkfront_config {
	struct iopage_pool *pages;
	uint32_t max_disks;  /* more are not looked at, with a line in the log */
	uint32_t max_queues; /* rings of a disk, if the backend offers as many; 0: one */
	uint32_t ring_order; /* 2^order pages a ring, if the backend offers as many */
	uint32_t disk_pages; /* of the pool for each disk: its bounce pages and buffers */
	/*
	 * Page-aligned memory of requests is lent to the backend as it is, where the backend
	 * does not keep what it was lent; false: it goes through bounce pages. Who allows it
	 * must be able to give up memory for good (-EBUSY in block.h).
	 */
	bool direct;
	bool no_persistent; /* does not offer to keep grants, for measuring */
	bool no_indirect;   /* does without indirect descriptors, for measuring */
	/* Whether a disk of that name is to be connected; others are left alone. NULL: all are. */
	bool (*wanted)(const char *name, void *context);
	/*
	 * From a fiber. A disk is there, connected for the first time; set device->changed and
	 * device->context before returning. It stays until detached() has returned, which is
	 * called when the toolstack takes it away; requests under way have been reported then.
	 */
	void (*attached)(struct block_device *device, void *context);
	void (*detached)(struct block_device *device, void *context);
	void *context;
};

/* Starts the fiber. `config` is copied. 0 or -ENOMEM. */
must_check int blkfront_start(const struct blkfront_config *config);

/*
 * Waits until the disks that the toolstack gave us at the start are connected, or
 * `deadline_ns`; for guests that need them to begin. From a fiber. 0 or -ETIMEDOUT.
 */
must_check int blkfront_wait_attached(uint64_t deadline_ns);

/* The disk of that name ("xvda"), or NULL. */
struct block_device *blkfront_find(const char *name);

/*
 * Disconnects every disk and says Closed, for a shutdown. From a fiber; takes a bounded time.
 * What was under way is waited for before, for as long as a second; the rest is reported with
 * -ENODEV.
 */
void blkfront_close_all(void);

/* Lines for the stats. */
void blkfront_print_stats(void (*line)(void *context, const char *text), void *context);

/*
 * The name that Linux gives a virtual-device number (docs/misc/vbd-interface.txt): xvda,
 * xvdb1, sda, hda2; "vbdN" for what follows no scheme. `name` is as long as a device's.
 */
void blkfront_name(uint32_t virtual_device, char name[BLOCK_NAME_BYTES]);
