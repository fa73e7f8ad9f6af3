/* SPDX-License-Identifier: ISC */
/* The guest program of the block drivers' tests. */
#include "tests/drivers/blkif_guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "lib/log.h"
#include "lib/panic.h"

#define DEFAULT_PAGES 1024u
#define DEFAULT_DISK_PAGES 192u
#define DEFAULT_CLIENTS 16u

extern const struct blkif_guest_program blkif_guest_program;

static bool log_is_shown;
static uint32_t log_lines;

static void log_count(const char *line, size_t length)
{
	log_lines++;
	if (log_is_shown)
		fwrite(line, 1, length, stderr);
}

static void set_default(uint32_t *value, uint32_t otherwise)
{
	if (!*value)
		*value = otherwise;
}

static void *take_pages(uint64_t count)
{
	void *pages = memory_alloc_pages(count);

	if (!pages)
		panic("the guest is too small for %llu pages", (unsigned long long)count);
	return pages;
}

/* LOG=debug|info|warn in the environment shows what the drivers say. */
static void boot(void *argument)
{
	const char *level = getenv("LOG");

	(void)argument;
	log_init(log_count, clock_now_ns);
	if (!level)
		return;
	log_is_shown = true;
	log_set_level((enum log_level)log_level_parse(level));
}

/* ---- a client ---- */

static void disk_changed(struct block_device *device, void *context)
{
	struct guest_disk *disk = context;

	atomic_fetch_add(&disk->changes, 1);
	atomic_store(&disk->up, device->up && !device->gone);
}

static struct guest_disk *disk_find(struct blkif_guest *guest, const char *name)
{
	for (uint32_t i = 0; i < guest->disk_count; i++) {
		if (strcmp(guest->disks[i].name, name) == 0)
			return &guest->disks[i];
	}
	return NULL;
}

static void look(struct guest_disk *disk)
{
	disk->there = disk->device != NULL;
	if (!disk->device)
		return;
	disk->geometry = disk->device->geometry;
	disk->stats = disk->device->stats;
}

static void disk_attached(struct block_device *device, void *context)
{
	struct guest_disk *disk = disk_find(context, device->name);

	if (!disk)
		return;
	disk->device = device;
	device->changed = disk_changed;
	device->context = disk;
	look(disk);
	atomic_fetch_add(&disk->attached, 1);
	atomic_store(&disk->up, device->up);
}

static void disk_detached(struct block_device *device, void *context)
{
	struct guest_disk *disk = disk_find(context, device->name);

	if (!disk)
		return;
	load_detach(&disk->load);
	look(disk);
	disk->device = NULL;
	atomic_store(&disk->up, false);
	atomic_fetch_add(&disk->detached, 1);
}

static void start_front(void *argument)
{
	struct blkif_guest *guest = argument;
	struct blkfront_config *config = &guest->front;

	if (!config->pages) {
		set_default(&guest->pages, DEFAULT_PAGES);
		iopage_pool_init(&guest->pool, take_pages(guest->pages),
				 calloc(guest->pages, sizeof(struct iopage)), guest->pages,
				 memory_frame_of);
		config->pages = &guest->pool;
	}
	set_default(&config->max_disks, BLKIF_CLIENT_DISKS);
	set_default(&config->disk_pages, DEFAULT_DISK_PAGES);
	config->attached = disk_attached;
	config->detached = disk_detached;
	config->context = guest;
	guest->error = blkfront_start(config);
}

static void close_front(void *argument)
{
	(void)argument;
	blkfront_close_all();
}

static void load(void *argument)
{
	struct guest_disk *disk = argument;

	if (disk->device)
		load_start(&disk->load, disk->device);
}

static void operate(void *argument)
{
	struct guest_operation *operation = argument;
	struct block_device *device = operation->disk->device;
	uint64_t sector = operation->sector, count = operation->count;

	operation->error = -ENODEV;
	if (!device)
		return;
	switch (operation->op) {
	case BLOCK_READ:
		operation->error = block_read(device, sector, count, operation->data);
		return;
	case BLOCK_WRITE:
		operation->error =
			block_write(device, sector, count, operation->data, operation->flags);
		return;
	case BLOCK_FLUSH:
		operation->error = block_flush(device);
		return;
	case BLOCK_DISCARD:
		operation->error = block_discard(device, sector, count, operation->flags);
		return;
	default:
		operation->error = block_write_zeroes(device, sector, count);
		return;
	}
}

static void batch_done(struct block_request *request, int error)
{
	struct guest_batch *batch = request->context;
	struct batch_entry *entry = container_of(request, struct batch_entry, request);

	entry->error = error;
	entry->order = atomic_fetch_add(&batch->disk->batch_reports, 1) + 1;
	atomic_fetch_add(&batch->reported, 1);
	atomic_fetch_add(&entry->times, 1);
}

static void submit(void *argument)
{
	struct guest_batch *batch = argument;
	struct block_request *requests[BATCH_MOST];

	atomic_store(&batch->reported, 0);
	for (uint32_t i = 0; i < batch->count; i++) {
		struct batch_entry *entry = &batch->entries[i];

		entry->error = 1;
		atomic_store(&entry->times, 0);
		entry->request.done = batch_done;
		entry->request.context = batch;
		requests[i] = &entry->request;
	}
	batch->error = -ENODEV;
	if (batch->disk->device)
		batch->error = block_submit(batch->disk->device, requests, batch->count);
}

/* ---- a server ---- */

static void start_back(void *argument)
{
	struct blkif_guest *guest = argument;
	struct blkback_config *config = &guest->back;

	config->disks = guest->served;
	for (uint32_t i = 0; i < config->disk_count; i++) {
		struct blkback_disk *disk = &guest->served[i];
		uint64_t bytes = guest->served_most[i] ? guest->served_most[i] : disk->bytes;

		if (!disk->memory)
			disk->memory = take_pages((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
	}
	set_default(&config->max_clients, DEFAULT_CLIENTS);
	guest->error = blkback_start(config);
}

static void close_back(void *argument)
{
	(void)argument;
	blkback_close_all();
}

static void resize(void *argument)
{
	struct guest_resize *wanted = argument;

	wanted->guest->error = blkback_resize(&wanted->guest->served[wanted->disk], wanted->bytes);
}

/* ---- figures ---- */

static void collect(void *argument)
{
	struct blkif_guest *guest = argument;
	const struct iopage_pool *pool = &guest->pool;
	uint32_t free_pages = 0;

	for (uint32_t i = 0; i < guest->disk_count; i++)
		look(&guest->disks[i]);
	for (uint32_t i = 0; i < IOPAGE_CLASS_COUNT; i++)
		free_pages += pool->free_count[i];
	guest->pages_out = pool->total - free_pages;
	guest->quarantined = pool->quarantined;
	guest->log_lines = log_lines;
}

const struct blkif_guest_program blkif_guest_program = {
	.boot = boot,
	.start_front = start_front,
	.start_back = start_back,
	.close_front = close_front,
	.close_back = close_back,
	.resize = resize,
	.load = load,
	.operate = operate,
	.submit = submit,
	.collect = collect,
};
