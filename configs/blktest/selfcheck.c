/* SPDX-License-Identifier: ISC */
/*
 * The command `selfcheck`: what drivers/block.h promises, tried on a disk, whose content it
 * overwrites. What a disk does not offer must be refused by the right name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "configs/blktest/blktest.h"
#include "configs/blktest/buffers.h"
#include "configs/blktest/stamp.h"
#include "lib/minmax.h"
#include "xen/fiber.h"

#define SMALL_BYTES 262144u /* of the buffers that most checks use */
#define MANY 64u
#define GENERATION_BASE 1000u

struct selfcheck {
	struct block_device *device;
	uint32_t sector_bytes;
	uint64_t sectors;
	uint64_t generation; /* a new one for each write */
	uint8_t *out, *in;   /* SMALL_BYTES and a page each */
	uint32_t passed, failed;
};

static void expect(struct selfcheck *check, bool good, const char *what)
{
	if (good) {
		check->passed++;
		return;
	}
	check->failed++;
	say("selfcheck: FAILED: %s", what);
}

static void expect_error(struct selfcheck *check, int error, int wanted, const char *what)
{
	if (error != wanted)
		say("selfcheck: wanted: %s; seen: %s", block_error_name(wanted),
		    block_error_name(error));
	expect(check, error == wanted, what);
}

/* ---- stamps in memory ---- */

static void stamp_sectors(struct selfcheck *check, uint8_t *to, uint64_t sector, uint64_t count)
{
	check->generation++;
	for (uint64_t i = 0; i < count; i++)
		stamp_write(to + i * check->sector_bytes, check->sector_bytes, sector + i,
			    check->generation);
}

static bool is_stamped(const struct selfcheck *check, const uint8_t *from, uint64_t sector,
		       uint64_t count, uint64_t generation)
{
	uint64_t seen;

	for (uint64_t i = 0; i < count; i++)
		if (stamp_read(from + i * check->sector_bytes, check->sector_bytes, sector + i,
			       &seen) != STAMP_GOOD ||
		    seen != generation)
			return false;
	return true;
}

static bool is_zero(const struct selfcheck *check, const uint8_t *from, uint64_t count)
{
	for (uint64_t i = 0; i < count * check->sector_bytes; i++)
		if (from[i])
			return false;
	return true;
}

/* Writes `count` new stamps from `out` and reads them into `in`. */
static bool goes_round(struct selfcheck *check, uint8_t *out, uint8_t *in, uint64_t sector,
		       uint64_t count, uint32_t flags)
{
	stamp_sectors(check, out, sector, count);
	memset(in, 0x5a, count * check->sector_bytes);
	return !block_write(check->device, sector, count, out, flags) &&
	       !block_read(check->device, sector, count, in) &&
	       is_stamped(check, in, sector, count, check->generation);
}

/* ---- errors ---- */

static void ignore_done(struct block_request *request, int error)
{
	(void)request;
	(void)error;
}

static int submit_error(struct selfcheck *check, struct block_request request)
{
	struct block_request *const requests[] = { &request };

	if (!request.done)
		request.done = ignore_done;
	return block_submit(check->device, requests, 1);
}

static void check_errors(struct selfcheck *check)
{
	struct block_device *device = check->device;
	uint8_t *data = check->in;
	uint64_t end = check->sectors;

	expect_error(check, block_read(device, end, 1, data), -ENOSPC, "a read from the end on");
	expect_error(check, block_read(device, end - 1, 2, data), -ENOSPC, "a read past the end");
	expect_error(check, block_read(device, UINT64_MAX, 2, data), -ENOSPC,
		     "a read whose end is beyond all numbers");
	expect_error(check, block_read(device, 0, 0, data), -EINVAL, "a read of nothing");
	expect_error(check, block_read(device, 0, 1, NULL), -EINVAL, "a read to nowhere");
	expect_error(check, block_read(device, 0, BLOCK_BYTES_MOST / check->sector_bytes + 1, data),
		     -EINVAL, "a read of more than one call may have");
	expect_error(check,
		     submit_error(check, (struct block_request){ .op = BLOCK_READ,
								 .flags = BLOCK_FUA,
								 .count = 1,
								 .data = data }),
		     -EINVAL, "a read with a flag of writes");
	expect_error(check,
		     submit_error(check, (struct block_request){ .op = BLOCK_OP_COUNT,
								 .count = 1,
								 .data = data }),
		     -EINVAL, "an operation that does not exist");
	if (device->geometry.flush)
		expect_error(check,
			     submit_error(check,
					  (struct block_request){ .op = BLOCK_FLUSH, .count = 1 }),
			     -EINVAL, "a flush of sectors");
}

static void check_write_errors(struct selfcheck *check)
{
	struct block_device *device = check->device;
	int wanted = device->geometry.read_only ? -EROFS : -ENOSPC;

	expect_error(check, block_write(device, check->sectors, 1, check->out, 0), wanted,
		     "a write from the end on");
	expect_error(check, block_write_zeroes(device, check->sectors, 1), wanted,
		     "zeroes from the end on");
	if (!device->geometry.read_only)
		return;
	expect_error(check, block_write(device, 0, 1, check->out, 0), -EROFS,
		     "a write to a read-only disk");
	expect_error(check, block_discard(device, 0, 1, 0), -EROFS,
		     "a discard on a read-only disk");
	expect_error(check, block_write_zeroes(device, 0, 1), -EROFS, "zeroes to a read-only disk");
	expect_error(check, block_read(device, 0, 1, check->in), 0, "a read of a read-only disk");
}

/* ---- data ---- */

static void check_sizes(struct selfcheck *check)
{
	static const uint32_t counts[] = { 1, 2, 7, 8, 9, 63, 64, 65, 88, 89, 129, 256, 511, 512 };
	uint64_t most = SMALL_BYTES / check->sector_bytes;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		uint64_t count = counts[i];

		if (count > most || count > check->sectors)
			continue;
		expect(check, goes_round(check, check->out, check->in, 0, count, 0),
		       "sectors at the start, written and read");
		expect(check,
		       goes_round(check, check->out, check->in, check->sectors - count, count, 0),
		       "sectors at the end, written and read");
	}
}

static void check_memory(struct selfcheck *check)
{
	static const uint32_t offsets[] = { 1, 2, 4, 511, 512, 2048, 3584, 4095 };
	uint64_t count = min64(SMALL_BYTES / check->sector_bytes, check->sectors);

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		expect(check,
		       goes_round(check, check->out + offsets[i],
				  check->in + offsets[ARRAY_SIZE(offsets) - 1 - i], 0, count, 0),
		       "memory of any alignment");
}

static void check_device_memory(struct selfcheck *check)
{
	uint64_t count = min64(65536u / check->sector_bytes, check->sectors);
	size_t bytes = count * check->sector_bytes;
	uint8_t *out = block_buffer_alloc(check->device, bytes);
	uint8_t *in = block_buffer_alloc(check->device, bytes);

	expect(check, out && in, "memory of the device");
	if (out && in)
		expect(check, goes_round(check, out, in, 0, count, 0), "memory of the device");
	block_buffer_free(check->device, out, bytes);
	block_buffer_free(check->device, in, bytes);
}

/* As much as one call may have, or as the disk and our memory have. */
static void check_largest(struct selfcheck *check)
{
	uint64_t bytes = min64(BLOCK_BYTES_MOST, check->sectors * check->sector_bytes);
	uint64_t count = min64(bytes, buffers_left() & ~4095ull) / check->sector_bytes;
	uint8_t *data;
	bool good;

	bytes = count * check->sector_bytes;
	data = count ? buffers_alloc(check->device, BUFFERS_ALIGNED, bytes) : NULL;
	if (!data)
		return;
	stamp_sectors(check, data, 0, count);
	good = !block_write(check->device, 0, count, data, 0);
	memset(data, 0, bytes);
	good = good && !block_read(check->device, 0, count, data) &&
	       is_stamped(check, data, 0, count, check->generation);
	say("selfcheck: %" PRIu64 " bytes in one call", bytes);
	expect(check, good, "the largest request");
	buffers_free(check->device, BUFFERS_ALIGNED, data, bytes);
}

/* ---- flags and the other operations ---- */

static void check_flush(struct selfcheck *check)
{
	struct block_device *device = check->device;
	int wanted = device->geometry.flush ? 0 : -EOPNOTSUPP;

	expect_error(check, block_flush(device), wanted, "a flush");
	stamp_sectors(check, check->out, 0, 1);
	expect_error(check, block_write(device, 0, 1, check->out, BLOCK_FUA), wanted,
		     "a write through to stable storage");
	expect(check, goes_round(check, check->out, check->in, 0, 1, BLOCK_BARRIER),
	       "a write with a barrier");
}

static void check_discard(struct selfcheck *check)
{
	struct block_device *device = check->device;
	const struct block_geometry *g = &device->geometry;
	int wanted = g->discard ? 0 : -EOPNOTSUPP;
	uint64_t count = min64(64, check->sectors / 4);
	uint64_t generation;

	if (!count)
		return;
	stamp_sectors(check, check->out, 0, 3 * count);
	generation = check->generation;
	expect_error(check, block_write(device, 0, 3 * count, check->out, 0), 0, "a write");
	expect_error(check, block_discard(device, count, count, 0), wanted, "a discard");
	expect_error(check, block_discard(device, count, count, BLOCK_SECURE),
		     g->secure_discard ? 0 : -EOPNOTSUPP, "a secure discard");
	expect_error(check, block_discard(device, check->sectors, 1, 0),
		     g->discard ? -ENOSPC : -EOPNOTSUPP, "a discard from the end on");
	expect_error(check, block_read(device, 0, 3 * count, check->in), 0, "a read");
	expect(check,
	       is_stamped(check, check->in, 0, count, generation) &&
		       is_stamped(check, check->in + 2 * count * check->sector_bytes, 2 * count,
				  count, generation),
	       "the neighbours of what was discarded");
}

static void check_zeroes(struct selfcheck *check)
{
	struct block_device *device = check->device;
	uint64_t count = min64(33, check->sectors / 4);
	uint64_t generation;

	if (!count)
		return;
	stamp_sectors(check, check->out, 0, 3 * count);
	generation = check->generation;
	expect_error(check, block_write(device, 0, 3 * count, check->out, 0), 0, "a write");
	expect_error(check, block_write_zeroes(device, count, count), 0, "zeroes");
	expect_error(check, block_read(device, 0, 3 * count, check->in), 0, "a read");
	expect(check,
	       is_stamped(check, check->in, 0, count, generation) &&
		       is_zero(check, check->in + count * check->sector_bytes, count) &&
		       is_stamped(check, check->in + 2 * count * check->sector_bytes, 2 * count,
				  count, generation),
	       "zeroes between their neighbours");
	expect_error(check, block_write_zeroes(device, 0, check->sectors), 0,
		     "zeroes on the whole disk");
	expect(check,
	       !block_read(device, check->sectors - 1, 1, check->in) &&
		       is_zero(check, check->in, 1),
	       "zeroes on the last sector");
}

/* ---- many at once ---- */

struct many {
	struct block_request requests[MANY];
	uint32_t under_way;
	int error;
	struct fiber_event reported;
};

static void many_done(struct block_request *request, int error)
{
	struct many *many = request->context;

	if (error && !many->error)
		many->error = error;
	if (--many->under_way == 0)
		fiber_event_signal(&many->reported);
}

static int many_submit(struct selfcheck *check, struct many *many, uint32_t count)
{
	struct block_request *requests[MANY];
	int error;

	for (uint32_t i = 0; i < count; i++) {
		requests[i] = &many->requests[i];
		requests[i]->done = many_done;
		requests[i]->context = many;
	}
	many->error = 0;
	many->under_way = count;
	fiber_event_init(&many->reported);
	error = block_submit(check->device, requests, count);
	if (error)
		return error;
	if (many->under_way != count)
		return -EINVAL; /* reported from within block_submit() */
	while (many->under_way)
		(void)!fiber_event_wait(&many->reported, FIBER_FOREVER);
	return many->error;
}

/* Adjacent sectors, one request each: they may be merged, and are told with few notifications. */
static void check_many(struct selfcheck *check, struct many *many)
{
	uint32_t count = (uint32_t)min64(MANY, check->sectors);
	uint64_t notifies = check->device->stats.notifies;

	stamp_sectors(check, check->out, 0, count);
	for (uint32_t i = 0; i < count; i++)
		many->requests[i] =
			(struct block_request){ .op = BLOCK_WRITE,
						.sector = i,
						.count = 1,
						.data = check->out +
							(size_t)i * check->sector_bytes };
	expect_error(check, many_submit(check, many, count), 0, "many writes at once");
	notifies = check->device->stats.notifies - notifies;
	if (notifies > count / 8 + 1)
		say("selfcheck: %" PRIu64 " notifications for %" PRIu32 " requests", notifies,
		    count);
	expect(check, notifies <= count / 8 + 1, "few notifications for requests of one call");
	expect(check,
	       !block_read(check->device, 0, count, check->in) &&
		       is_stamped(check, check->in, 0, count, check->generation),
	       "many writes read at once");
}

/* Between two writes to the same sectors, and a read after them. */
static void check_barrier(struct selfcheck *check, struct many *many)
{
	uint64_t count = min64(16, check->sectors);
	size_t bytes = count * check->sector_bytes;

	stamp_sectors(check, check->out, 0, count);
	stamp_sectors(check, check->out + bytes, 0, count);
	memset(check->in, 0, bytes);
	many->requests[0] =
		(struct block_request){ .op = BLOCK_WRITE, .count = count, .data = check->out };
	many->requests[1] = (struct block_request){ .op = BLOCK_WRITE,
						    .flags = BLOCK_BARRIER,
						    .count = count,
						    .data = check->out + bytes };
	many->requests[2] =
		(struct block_request){ .op = BLOCK_READ, .count = count, .data = check->in };
	expect_error(check, many_submit(check, many, 3), 0, "a barrier between requests");
	expect(check, is_stamped(check, check->in, 0, count, check->generation),
	       "what was submitted after a barrier comes after it");
}

/* One wrong request: none of the call is taken. */
static void check_all_or_none(struct selfcheck *check, struct many *many)
{
	many->requests[0] =
		(struct block_request){ .op = BLOCK_READ, .count = 1, .data = check->in };
	many->requests[1] = (struct block_request){
		.op = BLOCK_READ, .sector = check->sectors, .count = 1, .data = check->in
	};
	expect_error(check, many_submit(check, many, 2), -ENOSPC, "one wrong request among others");
	expect(check, many->under_way == 2, "none of the requests with it is taken");
}

/* ---- all of them ---- */

static void check_writable(struct selfcheck *check, struct many *many)
{
	check_sizes(check);
	check_memory(check);
	check_device_memory(check);
	check_flush(check);
	check_discard(check);
	check_zeroes(check);
	check_many(check, many);
	check_barrier(check, many);
	check_largest(check);
}

static void check_all(struct selfcheck *check)
{
	const struct block_geometry *g = &check->device->geometry;
	struct many *many = calloc(1, sizeof(*many));

	expect(check, check->sectors, "a disk with sectors");
	expect(check,
	       g->sector_bytes >= BLOCK_SECTOR_LEAST && g->sector_bytes <= BLOCK_SECTOR_MOST &&
		       (g->sector_bytes & (g->sector_bytes - 1)) == 0,
	       "a size of sectors that can be");
	expect(check, g->physical_sector_bytes % g->sector_bytes == 0, "whole physical sectors");
	check_errors(check);
	check_write_errors(check);
	if (many)
		check_all_or_none(check, many);
	if (many && !g->read_only)
		check_writable(check, many);
	expect(check, many, "memory for requests");
	expect(check, !check->device->stats.waiting, "nothing that waits at the end");
	free(many);
}

static void selfcheck_on(const char *line, struct block_device *device)
{
	struct selfcheck check = { .device = device,
				   .sector_bytes = device->geometry.sector_bytes,
				   .sectors = device->geometry.sectors,
				   .generation = GENERATION_BASE };
	size_t bytes = SMALL_BYTES + BLOCK_SECTOR_MOST;

	(void)line;
	check.out = buffers_alloc(device, BUFFERS_ALIGNED, bytes);
	check.in = buffers_alloc(device, BUFFERS_ALIGNED, bytes);
	if (check.out && check.in)
		check_all(&check);
	else
		expect(&check, false, "memory for the checks");
	buffers_free(device, BUFFERS_ALIGNED, check.in, bytes);
	buffers_free(device, BUFFERS_ALIGNED, check.out, bytes);
	say("selfcheck: %" PRIu32 " passed, %" PRIu32 " failed", check.passed, check.failed);
}

void command_selfcheck(const char *line)
{
	disk_command(line, selfcheck_on);
}
