/* SPDX-License-Identifier: ISC */
/*
 * The commands `journal` and `check`. A journal is records of one sector, the n-th at
 * sector n % sectors with a stamp of generation n + 1, so that the newest of them lie on
 * the disk, whenever the writer dies. What a flush has covered must be there afterwards.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "configs/blktest/blktest.h"
#include "configs/blktest/job.h"
#include "configs/blktest/stamp.h"
#include "configs/blktest/words.h"
#include "lib/minmax.h"

#define REQUESTS 8u
#define SECTORS_MOST 8u /* of a request */
#define SAY_NS 20000000ull

struct journal;

struct part {
	struct block_request request;
	struct journal *journal;
};

struct journal {
	struct block_device *device;
	enum buffers buffers;
	uint32_t flags; /* of its writes */
	uint64_t next, end, said;
	uint64_t said_ns;
	uint32_t under_way;
	int error;
	struct part parts[REQUESTS];
	struct fiber_event reported;
	struct random random;
};

/* What `check` finds. */
struct reach {
	struct job job;
	uint64_t sectors;
	uint32_t sector_bytes;
	uint64_t reaches; /* all records before this one are there, as far as they still can be */
	uint64_t newest;
	uint64_t wrong;
};

/* ---- check ---- */

static void record_judge(struct reach *reach, const uint8_t *data, uint64_t sector)
{
	uint64_t generation;
	enum stamp stamp = stamp_read(data, reach->sector_bytes, sector, &generation);

	if (stamp == STAMP_ZEROES) {
		reach->reaches = min64(reach->reaches, sector);
	} else if (stamp == STAMP_WRONG || !generation ||
		   (generation - 1) % reach->sectors != sector) {
		reach->wrong++;
		reach->reaches = 0;
	} else {
		/* It is the newest one that must be here until the next one is due. */
		reach->reaches = min64(reach->reaches, generation - 1 + reach->sectors);
		if (generation > reach->newest)
			reach->newest = generation;
	}
}

static void records_judge(const struct block_request *request, void *context)
{
	struct reach *reach = context;

	for (uint64_t i = 0; i < request->count; i++)
		record_judge(reach, request->data + i * reach->sector_bytes, request->sector + i);
}

/* The largest part of the disk that requests of one size cover; journals use no more. */
static uint64_t sectors_used(const struct block_device *device)
{
	uint64_t sectors = device->geometry.sectors;

	return sectors < SECTORS_MOST ? sectors : sectors / SECTORS_MOST * SECTORS_MOST;
}

static int reach_find(struct block_device *device, struct reach *reach)
{
	uint32_t sector_bytes = device->geometry.sector_bytes;
	uint64_t sectors = sectors_used(device);
	uint64_t piece = min64(sectors, SECTORS_MOST);
	struct job_options options = { .device = device,
				       .op = BLOCK_READ,
				       .bytes = piece * sector_bytes,
				       .depth = REQUESTS,
				       .size = sectors * sector_bytes,
				       .ios = sectors / piece,
				       .duration_ns = JOB_NO_LIMIT,
				       .buffers = BUFFERS_ALIGNED,
				       .judge = records_judge,
				       .context = reach };
	int error;

	reach->sectors = sectors;
	reach->sector_bytes = sector_bytes;
	reach->reaches = UINT64_MAX;
	error = job_run(&reach->job, &options);
	return error ? error : reach->job.result.error;
}

static void check_on(const char *line, struct block_device *device)
{
	struct reach *reach = calloc(1, sizeof(*reach));
	int error = reach ? reach_find(device, reach) : -ENOMEM;

	(void)line;
	if (error)
		say("check: %s: %s", device->name, block_error_name(error));
	else
		say("check: %s reaches %" PRIu64 " newest %" PRIu64 " wrong %" PRIu64, device->name,
		    reach->reaches, reach->newest, reach->wrong);
	free(reach);
}

/* ---- journal ---- */

static void part_done(struct block_request *request, int error)
{
	struct journal *journal = container_of(request, struct part, request)->journal;

	if (error && !journal->error)
		journal->error = error;
	if (--journal->under_way == 0)
		fiber_event_signal(&journal->reported);
}

/* The next records, as many as fit in one request that is of any size. */
static void part_fill(struct journal *journal, struct part *part)
{
	uint32_t sector_bytes = journal->device->geometry.sector_bytes;
	uint64_t sectors = sectors_used(journal->device);
	uint64_t sector = journal->next % sectors;
	uint64_t count = min64(1 + random_below(&journal->random, SECTORS_MOST), sectors - sector);

	part->request.sector = sector;
	part->request.count = count;
	for (uint64_t i = 0; i < count; i++)
		stamp_write(part->request.data + i * sector_bytes, sector_bytes, sector + i,
			    ++journal->next);
}

static int parts_write(struct journal *journal)
{
	uint32_t most = (uint32_t)min64(REQUESTS, sectors_used(journal->device) / SECTORS_MOST);
	uint32_t count = 1 + random_below(&journal->random, most ? most : 1);
	struct block_request *requests[REQUESTS];
	int error;

	for (uint32_t i = 0; i < count; i++) {
		part_fill(journal, &journal->parts[i]);
		requests[i] = &journal->parts[i].request;
	}
	error = block_submit(journal->device, requests, count);
	if (error)
		return error;
	journal->under_way = count;
	while (journal->under_way)
		(void)!fiber_event_wait(&journal->reported, FIBER_FOREVER);
	return journal->error;
}

/* Not more often than anybody reads it. */
static void flushed_say(struct journal *journal)
{
	uint64_t now = clock_now_ns();

	if (now - journal->said_ns < SAY_NS && journal->next < journal->end)
		return;
	journal->said_ns = now;
	say("journal: flushed %" PRIu64, journal->next);
}

static int records_write(struct journal *journal)
{
	while (journal->next < journal->end) {
		int error = parts_write(journal);

		if (!error && !(journal->flags & BLOCK_FUA))
			error = block_flush(journal->device);
		if (error)
			return error;
		flushed_say(journal);
	}
	return 0;
}

static int journal_begin(struct journal *journal, const char *line, struct block_device *device)
{
	struct reach *reach = calloc(1, sizeof(*reach));
	int error = reach ? reach_find(device, reach) : -ENOMEM;

	if (!error) {
		journal->next = reach->wrong ? 0 : reach->reaches;
		say("journal: %s begins at %" PRIu64, device->name, journal->next);
	}
	free(reach);
	journal->end = words_number(line, "records", UINT64_MAX - journal->next) + journal->next;
	journal->device = device;
	journal->flags = words_is(line, "flush", "fua") ? BLOCK_FUA : 0;
	fiber_event_init(&journal->reported);
	return error;
}

static int parts_make(struct journal *journal)
{
	size_t bytes = (size_t)SECTORS_MOST * journal->device->geometry.sector_bytes;

	for (uint32_t i = 0; i < REQUESTS; i++) {
		struct part *part = &journal->parts[i];

		part->journal = journal;
		part->request.op = BLOCK_WRITE;
		part->request.flags = journal->flags;
		part->request.done = part_done;
		part->request.data = buffers_alloc(journal->device, journal->buffers, bytes);
		if (!part->request.data)
			return -ENOMEM;
	}
	return 0;
}

static void parts_free(struct journal *journal)
{
	size_t bytes = (size_t)SECTORS_MOST * journal->device->geometry.sector_bytes;

	for (uint32_t i = 0; i < REQUESTS; i++)
		if (journal->parts[i].request.data && journal->error != -EBUSY)
			buffers_free(journal->device, journal->buffers,
				     journal->parts[i].request.data, bytes);
}

static void journal_on(const char *line, struct block_device *device)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	uint8_t seed[RANDOM_SEED_BYTES] = { 0 };
	uint64_t number = words_number(line, "seed", 1);
	struct job_options options;
	int error = journal ? job_options_parse(line, device, device->geometry.sector_bytes, 1,
						&options)
			    : -ENOMEM;

	if (!error)
		error = journal_begin(journal, line, device);
	if (!error) {
		memcpy(seed, &number, sizeof(number));
		random_init(&journal->random, seed);
		journal->buffers = options.buffers;
		error = parts_make(journal);
		if (!error)
			error = records_write(journal);
		parts_free(journal);
	}
	say("journal: %s ended: %s", device->name,
	    error == -ENOMEM ? "not enough memory" : block_error_name(error));
	free(journal);
}

void command_journal(const char *line)
{
	disk_command(line, journal_on);
}

void command_check(const char *line)
{
	disk_command(line, check_on);
}
