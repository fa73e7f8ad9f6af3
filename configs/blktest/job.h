/* SPDX-License-Identifier: ISC */
/*
 * A load on a disk: requests of one size, so many under way at once. Those that were
 * reported in one round of the loop are submitted again in one call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "configs/blktest/buffers.h"
#include "drivers/block.h"
#include "lib/compiler.h"
#include "lib/list.h"
#include "lib/random.h"
#include "xen/fiber.h"
#include "xen/loop.h"

#define JOB_DEPTH_MOST 1024u
#define JOB_NO_LIMIT UINT64_MAX

struct job_options {
	struct block_device *device;
	enum block_op op;
	uint32_t flags;
	bool random_order; /* else one after the other, and from the start again */
	uint64_t bytes;	   /* of a request, whole sectors */
	uint32_t depth;
	uint64_t offset, size; /* the part of the disk, in bytes */
	uint64_t ios;	       /* how many requests; JOB_NO_LIMIT */
	uint64_t duration_ns;  /* how long; JOB_NO_LIMIT */
	uint64_t seed;	       /* of the order */
	enum buffers buffers;
	/* Before a request is submitted, and when it was reported without an error. May be NULL. */
	void (*prepare)(const struct block_request *request, void *context);
	void (*judge)(const struct block_request *request, void *context);
	void *context;
};

struct job_result {
	uint64_t ios, bytes, ns, errors;
	int error; /* the first one */
};

struct job_slot;

struct job {
	struct job_options options;
	struct job_result result;
	struct job_slot *slots;
	uint32_t slot_count; /* that have memory */
	struct list idle;
	uint32_t under_way;
	uint64_t submitted;
	uint64_t places, next_place;
	uint64_t start_ns, end_ns;
	bool ending;
	struct random random;
	struct loop_source source;
	struct fiber_event ended;
};

/*
 * Runs it to its end; from a fiber. -EINVAL: options without sense; -ENOMEM. Errors of
 * requests are in the result; -ENODEV and -EBUSY among them end it early.
 */
must_check int job_run(struct job *job, const struct job_options *options);

/*
 * What a command line says of a job: rw= is not looked at. `bytes` and `depth` are what it
 * need not say, with less on a disk that is smaller. -EINVAL, with a line that says what is
 * wrong.
 */
must_check int job_options_parse(const char *line, struct block_device *device, uint64_t bytes,
				 uint32_t depth, struct job_options *options);

/* "WORD: NAME ios N bytes N ns N errors N", and what the first error was. */
void job_report(const char *word, const struct job *job);
