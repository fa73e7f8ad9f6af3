/* SPDX-License-Identifier: ISC */
/*
 * The RAM disk guest: disks in this guest's memory, for other guests. What was never written
 * reads as zeroes; what was stays when a client leaves, and is gone with this guest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/memory.h"
#include "configs/ramdisk/options.h"
#include "configs/stats_lines.h"
#include "drivers/blkback.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "xen/console.h"
#include "xen/shutdown.h"
#include "xen/start.h"
#include "xen/stats.h"

/* For clients: rings, tables, fibers. */
#define SPARE_PAGES 512u
#define MIB (1u << 20)

static struct {
	struct ramdisk_options options;
	uint64_t allocated[RAMDISK_DISKS_MOST]; /* bytes of memory behind each disk */
} guest;

/* ---- console ---- */

static struct blkback_disk *disk_find(const char *name)
{
	for (uint32_t i = 0; i < guest.options.disk_count; i++)
		if (strcmp(guest.options.disks[i].name, name) == 0)
			return &guest.options.disks[i];
	log_line(LOG_WARNING, "console", "there is no disk %s", name);
	return NULL;
}

static void stats_print(void)
{
	char text[120];

	stats_print_xen(stats_line_print, NULL);
	for (uint32_t i = 0; i < guest.options.disk_count; i++) {
		const struct blkback_disk *disk = &guest.options.disks[i];

		snprintf(text, sizeof(text),
			 "%s: bytes %llu of %llu sector %u readers %u writers %u", disk->name,
			 (unsigned long long)disk->bytes, (unsigned long long)guest.allocated[i],
			 disk->sector_bytes, disk->readers, disk->writers);
		stats_line_print(NULL, text);
	}
	blkback_print_stats(stats_line_print, NULL);
	stats_line_print(NULL, "end");
}

/* The bytes that are cut off stay in memory, and are there when the disk grows again. */
static void resize(const char *name, const char *size)
{
	struct blkback_disk *disk = disk_find(name);
	uint64_t bytes;

	if (!disk)
		return;
	if (ramdisk_size_parse(size, strlen(size), &bytes) ||
	    bytes > guest.allocated[disk - guest.options.disks] || blkback_resize(disk, bytes)) {
		log_line(LOG_WARNING, "console",
			 "%s is no size: a multiple of %u bytes, up to %llu, is", size,
			 disk->sector_bytes,
			 (unsigned long long)guest.allocated[disk - guest.options.disks]);
		return;
	}
	log_line(LOG_INFO, "console", "%s has %llu bytes now", name, (unsigned long long)bytes);
}

static void fail(const char *name, const char *sector, const char *count)
{
	struct blkback_disk *disk = disk_find(name);
	uint64_t first, sectors;

	if (!disk)
		return;
	if (ramdisk_size_parse(sector, strlen(sector), &first) ||
	    ramdisk_size_parse(count, strlen(count), &sectors)) {
		log_line(LOG_WARNING, "console", "%s and %s are no sectors", sector, count);
		return;
	}
	disk->fail_sector = first;
	disk->fail_count = sectors;
	log_line(LOG_INFO, "console", "%s fails at %llu sectors from %llu on", name,
		 (unsigned long long)sectors, (unsigned long long)first);
}

static void command(const char *line, void *context)
{
	char word[8], name[BLKBACK_NAME_BYTES], first[24], second[24];
	int words = sscanf(line, "%7s %31s %23s %23s", word, name, first, second);

	(void)context;
	if (words == 1 && strcmp(word, "stats") == 0)
		stats_print();
	else if (words == 3 && strcmp(word, "resize") == 0)
		resize(name, first);
	else if (words == 4 && strcmp(word, "fail") == 0)
		fail(name, first, second);
	else
		log_line(LOG_INFO, "console",
			 "commands: stats, resize NAME SIZE, fail NAME SECTOR COUNT");
}

static void close_all(enum shutdown_request request, void *context)
{
	(void)request;
	(void)context;
	blkback_close_all();
}

/* ---- start ---- */

/* False, with a line that says why: there is no memory for it. */
static bool disk_make(uint32_t index)
{
	struct blkback_disk *disk = &guest.options.disks[index];
	size_t pages = (disk->bytes + PAGE_BYTES - 1) / PAGE_BYTES;

	if (memory_free_pages() > SPARE_PAGES && pages <= memory_free_pages() - SPARE_PAGES)
		disk->memory = memory_alloc_pages(pages);
	if (!disk->memory) {
		log_line(LOG_ERROR, "ramdisk", "disk %s: %llu KiB do not fit, %llu KiB are free",
			 disk->name, (unsigned long long)disk->bytes / 1024,
			 (unsigned long long)memory_free_pages() * PAGE_BYTES / 1024);
		return false;
	}
	guest.allocated[index] = disk->bytes;
	log_line(LOG_INFO, "ramdisk", "disk %s: %llu bytes in sectors of %u%s", disk->name,
		 (unsigned long long)disk->bytes, disk->sector_bytes,
		 disk->read_only ? ", read only" : "");
	return true;
}

/* All that is asked for, or nothing: who relies on a disk shall not find another state. */
static bool disks_make(const char *cmdline)
{
	struct ramdisk_options *options = &guest.options;
	int error = ramdisk_options_parse(cmdline, options);

	log_set_level(options->log);
	if (error)
		log_line(LOG_ERROR, "cmdline", "%.*s: %s", (int)options->wrong_bytes,
			 options->wrong_word, options->wrong_why);
	else if (!options->disk_count)
		log_line(LOG_ERROR, "cmdline", "no disk=NAME:SIZE is given");
	if (error || !options->disk_count)
		return false;
	for (uint32_t i = 0; i < options->disk_count; i++)
		if (!disk_make(i))
			return false;
	return true;
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	struct blkback_config config = { .disks = guest.options.disks };

	(void)module;
	(void)module_bytes;
	if (shutdown_start(close_all, NULL))
		panic("not enough memory");
	if (!disks_make(cmdline)) {
		log_line(LOG_ERROR, "ramdisk", "CLOSED: nobody is served until this is mended");
		return;
	}
	console_set_input(command, NULL);
	config.disk_count = guest.options.disk_count;
	config.max_clients = guest.options.clients;
	config.features = guest.options.features;
	if (blkback_start(&config))
		panic("not enough memory");
	log_line(LOG_INFO, "ramdisk", "started: %u disks, %u clients, %zu KiB left",
		 config.disk_count, config.max_clients, memory_free_pages() * PAGE_BYTES / 1024);
}
