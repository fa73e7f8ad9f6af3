/* SPDX-License-Identifier: ISC */
/*
 * Work for a disk, checked by a model: random requests of random sizes in memory of every
 * kind, so many under way at once, and an array that says what each sector must hold. No two
 * requests of one load that are under way touch the same sectors unless both read. It runs
 * in the client's guest; what is here belongs to the test and outlives the guest.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/block.h"
#include "xen/loop.h"

#define LOAD_DEPTH_MOST 256u
#define LOAD_UNIT 512u /* of the model, whatever the disk's sectors are */

/* Kinds of memory that requests have. */
#define LOAD_ORDINARY 1u /* anywhere */
#define LOAD_ALIGNED 2u	 /* whole pages */
#define LOAD_DEVICE 4u	 /* of block_buffer_alloc() */

struct load_shape {
	uint32_t depth;	    /* requests under way at once */
	uint32_t batch;	    /* of one block_submit() at most; 0: as many as there is room for */
	uint32_t max_bytes; /* of a request */
	uint32_t min_bytes; /* 0: a sector */
	uint32_t buffers;   /* LOAD_*; 0: LOAD_ORDINARY */
	/* How often each is drawn, against the others. */
	uint32_t reads, writes, flushes, discards, zeroes;
	uint32_t fua, barriers; /* of 100 writes, where the disk has them */
};

struct load_slot {
	struct block_request request;
	struct blkif_load *load;
	uint8_t *memory[3]; /* of each kind of buffer; NULL: none */
	uint32_t kind;	    /* of the one in use */
	bool busy;
};

struct blkif_load {
	/* set by the test */
	struct load_shape shape;
	uint64_t seed;
	uint64_t count; /* of requests */
	uint8_t *model; /* what the disk holds */
	uint8_t *doubt; /* a byte a unit: a write failed, and nobody knows what is there */
	uint64_t bytes; /* of the model: the part of the disk that is used, from its start */
	atomic_bool stop;
	/* written by the guest, read by all */
	atomic_bool running;
	atomic_uint submitted, refused, reported, wrong;
	atomic_uint failed_flushes;				/* with -EIO, and barriers */
	atomic_uint failed_io, failed_gone, failed_other, kept; /* reported: -EIO, -ENODEV, ... */
	atomic_ullong moved;					/* bytes of reads and writes */
	char error[160];					/* the first that was wrong */
	/* own */
	struct block_device *device;
	struct loop_source source;
	uint64_t random;
	uint8_t *busy; /* a byte a unit: so many readers, or LOAD_WRITER */
	uint32_t under_way;
	uint8_t *pages; /* memory for LOAD_ALIGNED, for good */
	uint64_t pages_bytes;
	struct load_slot slots[LOAD_DEPTH_MOST];
};

/* As the guest: starts; `running` goes when all is reported. */
void load_start(struct blkif_load *load, struct block_device *device);

/* As the guest: the device goes when this returns, and all must have been reported. */
void load_detach(struct blkif_load *load);
