/* SPDX-License-Identifier: ISC */
/*
 * The guest that uses disks: it lists them, loads them, writes what it can tell again, and
 * tries every promise of drivers/block.h. What is typed at its console is in README.md.
 *
 *	log=LEVEL disks=N pages=N	how many disks, and pages for each
 *	queues=N order=N		rings of a disk, and 2^N pages a ring
 *	persistent=no indirect=no	without what the backend may offer
 *	direct=yes			page-aligned memory is lent to the backend as it is
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/memory.h"
#include "configs/blktest/blktest.h"
#include "configs/blktest/buffers.h"
#include "configs/blktest/words.h"
#include "configs/stats_lines.h"
#include "drivers/blkfront.h"
#include "lib/iopage.h"
#include "lib/log.h"
#include "lib/minmax.h"
#include "lib/panic.h"
#include "xen/console.h"
#include "xen/fiber.h"
#include "xen/loop.h"
#include "xen/shutdown.h"
#include "xen/start.h"
#include "xen/stats.h"

#define DISKS_MOST 8u
#define LINE_BYTES 200u
#define SHARE 40u   /* percent of the memory for the disks' pages, and as much for buffers */
#define PAGES 1024u /* of a disk; xen-blkback keeps about as many */
#define START_LIMIT_NS 10000000000ull

struct disk {
	struct block_device *device; /* NULL: this place is free */
	uint32_t users;
};

static struct {
	struct disk disks[DISKS_MOST];
	struct iopage_pool pages;
} guest;

void say(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length] = '\n';
	console_write(line, (size_t)length + 1);
}

/* ---- the disks ---- */

static struct disk *disk_find(const struct block_device *device)
{
	for (uint32_t i = 0; i < DISKS_MOST; i++)
		if (guest.disks[i].device == device)
			return &guest.disks[i];
	return NULL;
}

void disk_command(const char *line, void (*run)(const char *line, struct block_device *device))
{
	char name[BLOCK_NAME_BYTES];
	struct block_device *device;
	struct disk *disk;

	(void)!words_at(line, 1, name, sizeof(name));
	device = blkfront_find(name);
	disk = device ? disk_find(device) : NULL;
	if (!disk) {
		say("no disk \"%s\"", name);
		return;
	}
	disk->users++;
	run(line, device);
	disk->users--;
}

static void disk_print(const struct block_device *device)
{
	const struct block_geometry *g = &device->geometry;

	say("disk: %s sectors %" PRIu64 " sector %" PRIu32 " physical %" PRIu32
	    " %s%s%s%s%s%s%s discard-bytes %" PRIu32 " %s",
	    device->name, g->sectors, g->sector_bytes, g->physical_sector_bytes,
	    g->read_only ? "ro" : "rw", g->removable ? " removable" : "", g->cdrom ? " cdrom" : "",
	    g->flush ? " flush" : "", g->barrier ? " barrier" : "", g->discard ? " discard" : "",
	    g->secure_discard ? " secure-discard" : "", g->discard_bytes,
	    device->gone ? "gone"
	    : device->up ? "up"
			 : "down");
}

static void changed(struct block_device *device, void *context)
{
	(void)context;
	disk_print(device);
}

static void attached(struct block_device *device, void *context)
{
	struct disk *disk = disk_find(NULL);

	(void)context;
	if (disk)
		*disk = (struct disk){ .device = device };
	else
		panic("more disks than were asked for");
	device->changed = changed;
	say("attached: %s", device->name);
	disk_print(device);
}

/* Its requests have been reported: who uses it sees that it is gone, and lets it go. */
static void detached(struct block_device *device, void *context)
{
	struct disk *disk = disk_find(device);

	(void)context;
	while (disk->users)
		fiber_yield();
	disk->device = NULL;
	say("detached: %s", device->name);
}

/* ---- commands ---- */

static void disks_print(const char *line)
{
	(void)line;
	for (uint32_t i = 0; i < DISKS_MOST; i++)
		if (guest.disks[i].device)
			disk_print(guest.disks[i].device);
	say("disks: end");
}

static void device_stats_print(const struct block_device *device)
{
	const struct block_stats *s = &device->stats;
	char text[LINE_BYTES];

	snprintf(text, sizeof(text),
		 "%s: read %" PRIu64 " write %" PRIu64 " flush %" PRIu64 " discard %" PRIu64
		 " zeroes %" PRIu64 " errors %" PRIu64 " ring %" PRIu64 " merged %" PRIu64
		 " copied %" PRIu64 " notifies %" PRIu64 " reissued %" PRIu64 " waiting %" PRIu64,
		 device->name, s->requests[BLOCK_READ], s->requests[BLOCK_WRITE],
		 s->requests[BLOCK_FLUSH], s->requests[BLOCK_DISCARD],
		 s->requests[BLOCK_WRITE_ZEROES], s->errors, s->ring_requests, s->merged,
		 s->copied_bytes, s->notifies, s->reissued, s->waiting);
	stats_line_print(NULL, text);
}

static void stats_print(const char *line)
{
	const struct iopage_pool *pages = &guest.pages;
	char text[LINE_BYTES];

	(void)line;
	stats_print_xen(stats_line_print, NULL);
	snprintf(text, sizeof(text),
		 "pool: pages-free %" PRIu32 " of %" PRIu32 ", quarantined %" PRIu32,
		 pages->free_count[IOPAGE_PRIVATE] + pages->free_count[IOPAGE_UPLINK_READ] +
			 pages->free_count[IOPAGE_UPLINK_WRITE],
		 pages->total, pages->quarantined);
	stats_line_print(NULL, text);
	blkfront_print_stats(stats_line_print, NULL);
	for (uint32_t i = 0; i < DISKS_MOST; i++)
		if (guest.disks[i].device)
			device_stats_print(guest.disks[i].device);
	stats_line_print(NULL, "end");
}

static const struct {
	const char *name;
	void (*run)(const char *line);
} commands[] = {
	{ "disks", disks_print },     { "stats", stats_print },
	{ "run", command_run },	      { "fill", command_fill },
	{ "verify", command_verify }, { "journal", command_journal },
	{ "check", command_check },   { "selfcheck", command_selfcheck },
};

static void command_fiber(void *argument)
{
	char *line = argument;
	char name[16];

	(void)!words_at(line, 0, name, sizeof(name));
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			commands[i].run(line);
	free(line);
}

static bool is_command(const char *line)
{
	char name[16];

	if (!words_at(line, 0, name, sizeof(name)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return true;
	return false;
}

/* Commands wait, and the loop must not. */
static void console_input(const char *line, void *context)
{
	char *copy;

	(void)context;
	if (!is_command(line)) {
		say("not a command: %s", line);
		return;
	}
	copy = strdup(line);
	if (!copy || fiber_start("command", command_fiber, copy)) {
		free(copy);
		say("not enough memory for the command");
	}
}

static void close_all(enum shutdown_request request, void *context)
{
	(void)request;
	(void)context;
	blkfront_close_all();
}

/* ---- start ---- */

static void pool_make(struct iopage_pool *pool, uint32_t count)
{
	struct iopage *descriptors =
		memory_alloc_pages(count * sizeof(*descriptors) / PAGE_BYTES + 1);
	void *arena = memory_alloc_pages(count);

	if (!descriptors || !arena)
		panic("not enough memory for %u pages", count);
	iopage_pool_init(pool, arena, descriptors, count, memory_frame_of);
}

/* With the rings, which are of the same pool. */
static uint32_t pool_pages(const struct blkfront_config *config)
{
	uint32_t rings = max32(config->max_queues, 1) << config->ring_order;

	return config->max_disks * (config->disk_pages + rings);
}

static void log_level_set(const char *cmdline)
{
	char word[8];
	int level;

	if (!words_find(cmdline, "log", word, sizeof(word)))
		return;
	level = log_level_parse(word);
	if (level >= 0)
		log_set_level((enum log_level)level);
}

static struct blkfront_config config_read(const char *cmdline)
{
	uint32_t disks = (uint32_t)words_number(cmdline, "disks", 2);
	uint32_t share;

	if (!disks || disks > DISKS_MOST)
		disks = DISKS_MOST;
	share = (uint32_t)(memory_free_pages() * SHARE / 100 / disks);
	return (struct blkfront_config){
		.pages = &guest.pages,
		.max_disks = disks,
		.max_queues = (uint32_t)words_number(cmdline, "queues", 1),
		.ring_order = (uint32_t)words_number(cmdline, "order", 4),
		.disk_pages = (uint32_t)words_number(cmdline, "pages", min32(share, PAGES)),
		.direct = words_is(cmdline, "direct", "yes"),
		.no_persistent = words_is(cmdline, "persistent", "no"),
		.no_indirect = words_is(cmdline, "indirect", "no"),
		.attached = attached,
		.detached = detached,
	};
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	struct blkfront_config config;
	size_t buffer_pages;
	void *buffer;

	(void)module;
	(void)module_bytes;
	log_level_set(cmdline);
	config = config_read(cmdline);
	buffer_pages = memory_free_pages() * SHARE / 100;
	pool_make(&guest.pages, pool_pages(&config));
	buffer = memory_alloc_pages(buffer_pages);
	if (!buffer)
		panic("not enough memory for %zu pages of buffers", buffer_pages);
	buffers_init(buffer, buffer_pages * PAGE_BYTES);
	console_set_input(console_input, NULL);
	if (blkfront_start(&config) || shutdown_start(close_all, NULL))
		panic("not enough memory");
	if (blkfront_wait_attached(loop_now_ns() + START_LIMIT_NS))
		say("not all disks are there yet");
	say("blktest: ready");
}
