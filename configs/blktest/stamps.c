/* SPDX-License-Identifier: ISC */
/*
 * The commands `fill` and `verify`: stamped sectors over a whole disk or a part of it, and
 * the look whether they are there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "configs/blktest/blktest.h"
#include "configs/blktest/job.h"
#include "configs/blktest/stamp.h"
#include "configs/blktest/words.h"

#define DEPTH 8u
#define REQUEST_BYTES 65536u
#define WRONG_SHOWN 4u

struct stamps {
	struct job job;
	uint32_t sector_bytes;
	uint64_t generation;
	uint64_t good, zeroes, old, wrong;
};

static void stamp_all(const struct block_request *request, void *context)
{
	const struct stamps *stamps = context;

	for (uint64_t i = 0; i < request->count; i++)
		stamp_write(request->data + i * stamps->sector_bytes, stamps->sector_bytes,
			    request->sector + i, stamps->generation);
}

static void sector_judge(struct stamps *stamps, const uint8_t *data, uint64_t sector)
{
	uint64_t generation;
	enum stamp stamp = stamp_read(data, stamps->sector_bytes, sector, &generation);

	if (stamp == STAMP_GOOD && generation == stamps->generation) {
		stamps->good++;
		return;
	}
	if (stamp == STAMP_ZEROES)
		stamps->zeroes++;
	else if (stamp == STAMP_GOOD)
		stamps->old++;
	else
		stamps->wrong++;
	if (stamps->zeroes + stamps->old + stamps->wrong <= WRONG_SHOWN)
		say("verify: sector %" PRIu64 ": %s, generation %" PRIu64, sector,
		    stamp == STAMP_ZEROES ? "zeroes"
		    : stamp == STAMP_GOOD ? "another stamp"
					  : "no stamp",
		    generation);
}

static void judge_all(const struct block_request *request, void *context)
{
	struct stamps *stamps = context;

	for (uint64_t i = 0; i < request->count; i++)
		sector_judge(stamps, request->data + i * stamps->sector_bytes, request->sector + i);
}

/* What does not fill a whole request at the end of the disk, with one of its own. */
static int tail_run(struct stamps *stamps, struct job_options options)
{
	struct job_result before = stamps->job.result;
	uint64_t rest = options.size % options.bytes;
	int error;

	if (!rest)
		return 0;
	options.offset += options.size - rest;
	options.size = options.bytes = rest;
	options.depth = 1;
	options.ios = 1;
	error = job_run(&stamps->job, &options);
	stamps->job.result.ios += before.ios;
	stamps->job.result.bytes += before.bytes;
	stamps->job.result.ns += before.ns;
	stamps->job.result.errors += before.errors;
	if (before.error)
		stamps->job.result.error = before.error;
	return error;
}

static int options_read(const char *line, struct block_device *device, struct job_options *options)
{
	int error = job_options_parse(line, device, REQUEST_BYTES, DEPTH, options);

	if (!error)
		options->ios = options->size / options->bytes;
	options->duration_ns = JOB_NO_LIMIT;
	return error;
}

static void stamps_run(const char *line, struct block_device *device, bool write)
{
	struct stamps *stamps = calloc(1, sizeof(*stamps));
	struct job_options options;
	int error = stamps ? options_read(line, device, &options) : -ENOMEM;

	if (!error) {
		stamps->sector_bytes = device->geometry.sector_bytes;
		stamps->generation = options.seed;
		options.op = write ? BLOCK_WRITE : BLOCK_READ;
		options.prepare = write ? stamp_all : NULL;
		options.judge = write ? NULL : judge_all;
		options.context = stamps;
		error = job_run(&stamps->job, &options);
	}
	if (!error)
		error = tail_run(stamps, options);
	if (!error && write && device->geometry.flush)
		error = block_flush(device);
	if (error)
		say("%s: %s: %s", write ? "fill" : "verify", device->name,
		    error == -ENOMEM ? "not enough memory" : block_error_name(error));
	if (stamps && !write)
		say("verify: %s good %" PRIu64 " zeroes %" PRIu64 " old %" PRIu64 " wrong %" PRIu64,
		    device->name, stamps->good, stamps->zeroes, stamps->old, stamps->wrong);
	if (stamps)
		job_report(write ? "fill" : "verified", &stamps->job);
	free(stamps);
}

static void fill_on(const char *line, struct block_device *device)
{
	stamps_run(line, device, true);
}

static void verify_on(const char *line, struct block_device *device)
{
	stamps_run(line, device, false);
}

void command_fill(const char *line)
{
	disk_command(line, fill_on);
}

void command_verify(const char *line)
{
	disk_command(line, verify_on);
}
