/* SPDX-License-Identifier: ISC */
#include "tests/configs/fake_block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/panic.h"
#include "tests/host/unit.h"
#include "xen/fiber.h"

/* Nobody waits here. */
void fiber_event_init(struct fiber_event *event)
{
	(void)event;
}

void fiber_event_signal(struct fiber_event *event)
{
	(void)event;
}

int fiber_event_wait(struct fiber_event *event, uint64_t deadline_ns)
{
	(void)event;
	(void)deadline_ns;
	panic("a test has no fibers");
}

static struct fake_block *fake_of(struct block_device *device)
{
	return container_of(device, struct fake_block, device);
}

static void submit(struct block_device *device, struct block_request *const *requests,
		   uint32_t count)
{
	struct fake_block *fake = fake_of(device);

	for (uint32_t i = 0; i < count; i++) {
		list_push_back(&fake->queue, &requests[i]->own.link);
		fake->queued++;
	}
}

static void *buffer_alloc(struct block_device *device, size_t bytes)
{
	fake_of(device)->buffers++;
	return calloc(1, bytes);
}

static void buffer_free(struct block_device *device, void *buffer, size_t bytes)
{
	(void)bytes;
	fake_of(device)->buffers--;
	free(buffer);
}

static const struct block_ops ops = { submit, buffer_alloc, buffer_free };

void fake_block_init(struct fake_block *fake, uint64_t bytes, uint32_t sector_bytes,
		     uint32_t physical_bytes, uint64_t seed)
{
	*fake = (struct fake_block){
		.device = { .name = "xvdb",
			    .ops = &ops,
			    .up = true,
			    .geometry = { .sectors = bytes / sector_bytes,
					  .sector_bytes = sector_bytes,
					  .physical_sector_bytes = physical_bytes,
					  .flush = true } },
		.bytes = bytes,
		.durable = calloc(1, bytes),
		.now = calloc(1, bytes),
		.dirty = calloc(bytes / physical_bytes + 1, sizeof(bool)),
		.random = seed | 1,
	};
	list_init(&fake->queue);
}

void fake_block_free(struct fake_block *fake)
{
	free(fake->durable);
	free(fake->now);
	free(fake->dirty);
}

static uint64_t below(struct fake_block *fake, uint64_t bound)
{
	return unit_random(&fake->random) % bound;
}

/* ---- sectors ---- */

static uint32_t physical(const struct fake_block *fake)
{
	return fake->device.geometry.physical_sector_bytes;
}

/* A part of a sector that is half written: the new beginning, the new end, or nobody knows what. */
static void tear(struct fake_block *fake, uint8_t *sector, const uint8_t *data, uint32_t bytes)
{
	uint32_t cut = (uint32_t)below(fake, bytes);

	switch (below(fake, 3)) {
	case 0:
		memcpy(sector, data, cut);
		break;
	case 1:
		memcpy(sector + cut, data + cut, bytes - cut);
		break;
	default:
		for (uint32_t i = 0; i < bytes; i++)
			sector[i] = (uint8_t)below(fake, 256);
	}
}

/* One sector as the power fails, for which `data` was on its way. */
static void sector_lose(struct fake_block *fake, uint8_t *sector, const uint8_t *data,
			uint32_t bytes)
{
	switch (below(fake, 4)) {
	case 0:
		break;
	case 1:
		tear(fake, sector, data, bytes);
		break;
	default:
		memcpy(sector, data, bytes);
	}
}

/* The physical sector `i`, with what a request under way would change in it. */
static void write_lose(struct fake_block *fake, const struct block_request *request, uint8_t *image)
{
	uint32_t size = physical(fake), logical = fake->device.geometry.sector_bytes;
	uint64_t from = request->sector * logical, to = from + request->count * logical;
	uint8_t sector[32768];

	for (uint64_t at = from / size * size; at < to; at += size) {
		uint64_t first = at > from ? at : from, last = at + size < to ? at + size : to;

		memcpy(sector, image + at, size);
		memcpy(sector + (first - at), request->data + (first - from), last - first);
		sector_lose(fake, image + at, sector, size);
	}
}

static void write_all(struct fake_block *fake, const struct block_request *request, bool durable)
{
	uint32_t size = physical(fake), logical = fake->device.geometry.sector_bytes;
	uint64_t from = request->sector * logical, bytes = request->count * logical;

	memcpy(fake->now + from, request->data, bytes);
	for (uint64_t i = from / size; i * size < from + bytes; i++) {
		fake->dirty[i] = !durable;
		if (durable)
			memcpy(fake->durable + i * size, fake->now + i * size, size);
	}
}

static void write_partly(struct fake_block *fake, const struct block_request *request)
{
	uint32_t size = physical(fake), logical = fake->device.geometry.sector_bytes;
	uint64_t from = request->sector * logical, to = from + request->count * logical;

	write_lose(fake, request, fake->now);
	for (uint64_t i = from / size; i * size < to; i++)
		fake->dirty[i] = true;
}

/* ---- requests ---- */

static struct block_request *pick(struct fake_block *fake)
{
	uint64_t number = below(fake, fake->queued);

	list_for_each(link, &fake->queue) {
		struct block_request *request = list_entry(link, struct block_request, own.link);

		if (number-- == 0) {
			list_remove(link);
			fake->queued--;
			return request;
		}
	}
	return NULL;
}

static int error_of(const struct fake_block *fake, const struct block_request *request)
{
	uint32_t logical = fake->device.geometry.sector_bytes;
	uint64_t from = request->sector * logical, to = from + request->count * logical;

	if (fake->bad_to && (to <= fake->bad_from || from >= fake->bad_to))
		return 0;
	return request->op == BLOCK_READ ? fake->read_error : fake->write_error;
}

static void carry_out(struct fake_block *fake, struct block_request *request)
{
	uint32_t logical = fake->device.geometry.sector_bytes;

	if (request->op == BLOCK_READ) {
		fake->reads++;
		memcpy(request->data, fake->now + request->sector * logical,
		       request->count * logical);
	} else if (request->op == BLOCK_WRITE) {
		fake->writes++;
		write_all(fake, request, request->flags & BLOCK_FUA);
	} else {
		panic("the log asks for something else");
	}
}

bool fake_block_step(struct fake_block *fake)
{
	struct block_request *request;
	int error;

	if (!fake->queued)
		return false;
	request = pick(fake);
	error = error_of(fake, request);
	if (!error)
		carry_out(fake, request);
	else if (request->op == BLOCK_WRITE)
		write_partly(fake, request);
	request->done(request, error);
	return true;
}

void fake_block_crash(struct fake_block *fake, uint8_t *image)
{
	uint32_t size = physical(fake);

	memcpy(image, fake->durable, fake->bytes);
	for (uint64_t i = 0; i < fake->bytes / size; i++)
		if (fake->dirty[i])
			sector_lose(fake, image + i * size, fake->now + i * size, size);
	list_for_each(link, &fake->queue) {
		struct block_request *request = list_entry(link, struct block_request, own.link);

		if (request->op == BLOCK_WRITE)
			write_lose(fake, request, image);
	}
}

void fake_block_restart(struct fake_block *fake, const uint8_t *image)
{
	memmove(fake->durable, image, fake->bytes);
	memcpy(fake->now, fake->durable, fake->bytes);
	memset(fake->dirty, 0, fake->bytes / physical(fake) * sizeof(bool));
	list_init(&fake->queue);
	fake->queued = 0;
	fake->buffers = 0;
}

void fake_block_remove(struct fake_block *fake)
{
	struct list *link;

	fake->device.gone = true;
	while ((link = list_pop_front(&fake->queue))) {
		struct block_request *request = list_entry(link, struct block_request, own.link);

		fake->queued--;
		request->done(request, -ENODEV);
	}
}
