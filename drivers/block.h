/* SPDX-License-Identifier: ISC */
/*
 * Block devices, whoever drives them: what a guest reads from and writes to. One
 * operation moves any number of sectors between a device and the caller's memory, and is
 * reported once, when all of it is done or some of it has failed.
 *
 * What may be relied on:
 *
 *	- A write is reported done when the device said so of every part of it, and not
 *	  before. It survives the loss of power when a flush that was submitted after that
 *	  report is done, or when it had BLOCK_FUA.
 *	- Requests under way at once may be carried out in any order, also those to the same
 *	  sectors: who needs an order waits for the report, or sets BLOCK_BARRIER.
 *	- A device whose backend is away keeps requests until it is back, and issues again,
 *	  in the order of their submission, those that were not answered.
 *	- Nothing is allocated for a request: the caller's struct is all that it needs, so
 *	  as many may be under way as the caller has memory for.
 *
 * Memory: `data` is any memory, of any alignment. When a request is reported, ordinary
 * memory is the caller's alone again; memory of block_buffer_alloc() moves without a copy,
 * but the backend may look at it and change it at any time, so what is read into it is
 * copied before it is judged (rule 3 of DESIGN.md, section 7).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"

#define BLOCK_NAME_BYTES 16u
#define BLOCK_SECTOR_LEAST 512u
#define BLOCK_SECTOR_MOST 4096u
#define BLOCK_BYTES_MOST (64u << 20) /* of one READ or WRITE */

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,	    /* no sectors: all writes reported before are on stable storage */
	BLOCK_DISCARD,	    /* the sectors may hold anything afterwards */
	BLOCK_WRITE_ZEROES, /* the sectors hold zeroes afterwards; no data */
	BLOCK_OP_COUNT
};

/* Flags of a request. */
#define BLOCK_FUA 1u	 /* of a write: on stable storage when it is reported */
#define BLOCK_BARRIER 2u /* of a write: after all earlier requests and before all later ones */
#define BLOCK_SECURE 4u	 /* of a discard: nobody can read the sectors any more */

struct block_request {
	enum block_op op;
	uint32_t flags;
	uint64_t sector; /* the first, in units of the device's sector_bytes */
	uint64_t count;	 /* of sectors; 0 for a flush and only there */
	uint8_t *data;	 /* count * sector_bytes of READ and WRITE; else NULL */
	/*
	 * Called once, from the loop and never from within block_submit(); then the request
	 * is the caller's again. `error`: 0; -EIO: the device failed, and some of the sectors
	 * may have moved, or, of a flush, a backend died with writes that were not flushed;
	 * -EOPNOTSUPP; -EROFS; -ENOSPC: past the end of a device that shrank; -ENODEV: the device
	 * was taken away, and nobody knows whether it was carried out; -EBUSY: the backend holds
	 * the memory though it has answered, and `data` must never be used for anything again.
	 */
	void (*done)(struct block_request *request, int error);
	void *context;
	struct { /* the driver's, from submit to done */
		struct list link;
		uint64_t number;   /* in the order of submission */
		uint64_t planned;  /* sectors for which requests were put on the ring */
		uint32_t parts;	   /* of them, under way */
		int error;	   /* the first of a part */
		uint32_t progress; /* what is done of several steps, as a write and its flush */
	} own;
};

struct block_geometry {
	uint64_t sectors;
	uint32_t sector_bytes; /* 512 .. 4096, a power of two; as long as the device is there */
	uint32_t physical_sector_bytes; /* a multiple of it; writes of less cost a read */
	bool read_only, removable, cdrom;
	bool flush;   /* BLOCK_FLUSH, and so BLOCK_FUA; without it nobody can promise that */
	bool barrier; /* it orders by itself, too; BLOCK_BARRIER always waits for what is under way
		       */
	bool discard, secure_discard;
	uint32_t discard_bytes;	    /* granularity; what is smaller may be left as it is */
	uint32_t discard_alignment; /* bytes from the start to the first such unit */
};

struct block_stats {
	uint64_t requests[BLOCK_OP_COUNT]; /* reported */
	uint64_t bytes[BLOCK_OP_COUNT];
	uint64_t errors;
	uint64_t ring_requests; /* after merging and splitting */
	uint64_t merged;	/* that went along in the ring request of another one */
	uint64_t copied_bytes;	/* that went through bounce pages */
	uint64_t notifies;
	uint64_t reissued; /* because a backend was replaced */
	uint64_t waiting;  /* submitted and not yet reported, now */
};

struct block_device;

struct block_ops {
	/* See block_submit(); the requests have been checked against the geometry. */
	void (*submit)(struct block_device *device, struct block_request *const *requests,
		       uint32_t count);
	void *(*buffer_alloc)(struct block_device *device, size_t bytes);
	void (*buffer_free)(struct block_device *device, void *buffer, size_t bytes);
};

struct block_device {
	char name[BLOCK_NAME_BYTES]; /* as Linux would call it: "xvda" */
	const struct block_ops *ops;
	void *driver;
	bool up;   /* a backend serves it; else requests wait */
	bool gone; /* for good: every request fails with -ENODEV */
	struct block_geometry geometry;
	struct block_stats stats;
	/* The user's; called from a fiber when geometry, `up` or `gone` have changed. May be NULL.
	 */
	void (*changed)(struct block_device *device, void *context);
	void *context;
};

/*
 * Hands `count` requests over. 0: each will be reported by its done(). Else nothing was
 * taken: -EINVAL (a field that makes no sense, more than BLOCK_BYTES_MOST), -ENOSPC (past
 * the end), -EROFS, -EOPNOTSUPP (the device does not offer it), -ENODEV (it is gone).
 * All of one call are told to the backend with one notification.
 */
must_check int block_submit(struct block_device *device, struct block_request *const *requests,
			    uint32_t count);

/*
 * Page-aligned zeroed memory that the device needs no copy for; NULL when there is none.
 * It is lent to the backend for as long as it is not given back.
 */
must_check void *block_buffer_alloc(struct block_device *device, size_t bytes);
void block_buffer_free(struct block_device *device, void *buffer, size_t bytes);

/*
 * The same for fibers, which wait for the report; errors as of block_submit() and done().
 * They wait for as long as the device is not gone: memory that a backend may still write to
 * cannot be given back.
 */
must_check int block_read(struct block_device *device, uint64_t sector, uint64_t count, void *data);
must_check int block_write(struct block_device *device, uint64_t sector, uint64_t count,
			   const void *data, uint32_t flags);
must_check int block_flush(struct block_device *device);
must_check int block_discard(struct block_device *device, uint64_t sector, uint64_t count,
			     uint32_t flags);
must_check int block_write_zeroes(struct block_device *device, uint64_t sector, uint64_t count);

/* "no such device", "input or output error", ...: one of the errors above, for messages. */
const char *block_error_name(int error);
