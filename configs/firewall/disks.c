/* SPDX-License-Identifier: ISC */
#include "configs/firewall/disks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "configs/firewall/disk_rules.h"
#include "configs/log_disk.h"
#include "drivers/blkfront.h"
#include "lib/iopage.h"
#include "lib/log.h"
#include "lib/log_history.h"
#include "lib/minmax.h"
#include "xen/fiber.h"
#include "xen/loop.h"

/* Of each disk: the log's buffer of 16 pages, and as many for bounces and descriptors. */
#define DISK_PAGES 32u
/* One is in use, however large a ring the backend offers; earlier backends may keep others. */
#define RING_PAGES 8u
#define LOG_PAGES 16u /* records that wait for the disk */
#define FIBER_PAGES 5u
#define EARLY_BYTES 4096u
#define MISSED_NS 5000000000ull
#define CLOSE_NS 2000000000ull
#define CLOSE_LOOK_NS 10000000ull

static struct {
	struct disks_config config;
	struct iopage_pool pages; /* which no net VM sees */
	struct log_disk log;
	struct loop_timer timer;
	uint64_t missed_ns; /* when to say that the log's disk is not there; UINT64_MAX: never */
	bool started, logs;
} disks;

static bool is_wanted(const char *wanted, const char *name)
{
	return wanted[0] && strcmp(wanted, name) == 0;
}

static bool wanted(const char *name, void *context)
{
	const struct params *params = disks.config.params;

	(void)context;
	return (disks.config.router && is_wanted(params->rules_disk, name)) ||
	       is_wanted(params->log_disk, name);
}

static void log_attach(struct block_device *device)
{
	int error;

	disks.missed_ns = UINT64_MAX;
	error = log_disk_attach(&disks.log, device, 0, disks.config.params->log_disk_format);

	if (error == -EROFS)
		log_line(LOG_ERROR, "logdisk", "%s is read-only", device->name);
	else if (error == -ENOSPC)
		log_line(LOG_ERROR, "logdisk", "%s is too small", device->name);
	else if (error)
		log_line(LOG_ERROR, "logdisk", "%s cannot be used: error %d", device->name, -error);
}

static void attached(struct block_device *device, void *context)
{
	const struct params *params = disks.config.params;

	(void)context;
	if (is_wanted(params->log_disk, device->name))
		log_attach(device);
	else if (disks.config.router && is_wanted(params->rules_disk, device->name))
		disk_rules_attached(device);
}

static void detached(struct block_device *device, void *context)
{
	const struct params *params = disks.config.params;

	(void)context;
	if (is_wanted(params->log_disk, device->name))
		log_disk_detach(&disks.log);
	else if (is_wanted(params->rules_disk, device->name))
		disk_rules_detached();
}

static int driver_start(uint32_t count)
{
	uint32_t pages = count * (DISK_PAGES + RING_PAGES);
	struct blkfront_config config = { .pages = &disks.pages,
					  .max_disks = count,
					  .disk_pages = DISK_PAGES,
					  .wanted = wanted,
					  .attached = attached,
					  .detached = detached };
	struct iopage *array = memory_alloc_pages(pages * sizeof(*array) / PAGE_BYTES + 1);
	void *arena = memory_alloc_pages(pages);

	if (!array || !arena)
		return -ENOMEM;
	iopage_pool_init(&disks.pages, arena, array, pages, memory_frame_of);
	return blkfront_start(&config);
}

/* ---- the log ---- */

static void timer_run(struct loop_timer *timer, uint64_t now_ns)
{
	(void)timer;
	if (now_ns >= disks.missed_ns) {
		disks.missed_ns = UINT64_MAX;
		log_line(LOG_WARNING, "logdisk", "%s is not there yet",
			 disks.config.params->log_disk);
	}
	log_disk_run(&disks.log, now_ns);
}

static uint64_t timer_next(struct loop_timer *timer)
{
	(void)timer;
	return min64(log_disk_next_ns(&disks.log), disks.missed_ns);
}

/* What was said before there was memory for it. */
static void early_lines_add(void)
{
	char *lines = malloc(EARLY_BYTES);
	size_t bytes = lines ? log_history_copy(lines, EARLY_BYTES) : 0;

	for (size_t at = 0; at < bytes;) {
		const char *newline = memchr(lines + at, '\n', bytes - at);
		size_t length = newline ? (size_t)(newline - lines) - at + 1 : bytes - at;

		log_disk_line(&disks.log, lines + at, length);
		at += length;
	}
	free(lines);
}

static int log_start(void)
{
	struct log_disk_config config = { .memory = memory_alloc_pages(LOG_PAGES),
					  .bytes = (size_t)LOG_PAGES * PAGE_BYTES,
					  .random = disks.config.random,
					  .now_ns = clock_now_ns,
					  .wall_ns = clock_wall_ns,
					  .packets = disks.config.packets };

	if (!config.memory)
		return -ENOMEM;
	log_disk_init(&disks.log, &config);
	early_lines_add();
	disks.logs = true;
	disks.missed_ns = clock_now_ns() + MISSED_NS;
	disks.timer.run = timer_run;
	disks.timer.next_ns = timer_next;
	loop_add_timer(&disks.timer);
	return 0;
}

void disks_log_line(const char *line, size_t length)
{
	if (disks.logs)
		log_disk_line(&disks.log, line, length);
}

static void log_finish(void)
{
	uint64_t now = clock_now_ns(), deadline = now + CLOSE_NS;

	log_disk_hurry(&disks.log);
	while (!log_disk_is_clean(&disks.log) && now < deadline) {
		fiber_sleep_until(now + CLOSE_LOOK_NS);
		now = clock_now_ns();
		/* Nor do lines that came meanwhile wait for others. */
		log_disk_hurry(&disks.log);
	}
	if (!log_disk_is_clean(&disks.log))
		log_line(LOG_WARNING, "logdisk", "not all of the log could be written");
}

/* ---- all of it ---- */

size_t disks_pages(const struct params *params)
{
	bool rules = params->rules_disk[0], logs = params->log_disk[0];
	uint32_t count = (uint32_t)rules + (uint32_t)logs;

	if (!count)
		return 0;
	return count * (DISK_PAGES + RING_PAGES + FIBER_PAGES) + (rules ? FIBER_PAGES : 0) +
	       (logs ? LOG_PAGES : 0) + FIBER_PAGES + 2;
}

int disks_start(const struct disks_config *config)
{
	const struct params *params = config->params;
	bool rules = config->router && params->rules_disk[0];
	bool logs = params->log_disk[0];
	int error = 0;

	disks.config = *config;
	if (!rules && !logs)
		return 0;
	if (logs)
		error = log_start();
	if (!error && rules)
		error = disk_rules_start(params->rules_disk, config->router);
	if (!error)
		error = driver_start((uint32_t)rules + (uint32_t)logs);
	disks.started = !error;
	return error;
}

void disks_close(void)
{
	if (!disks.started)
		return;
	if (disks.logs)
		log_finish();
	blkfront_close_all();
}

const struct log_disk_stats *disks_log_stats(void)
{
	return disks.logs ? &disks.log.stats : NULL;
}

void disks_print_stats(void (*line)(void *context, const char *text), void *context)
{
	if (!disks.started)
		return;
	blkfront_print_stats(line, context);
	if (disks.logs)
		log_disk_print_stats(&disks.log, line, context);
}
