/* SPDX-License-Identifier: ISC */
/*
 * The disks that the command line names: one that the rules are read from, one that keeps the
 * log. All others are left alone. Without such names none of this takes any memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "configs/log_disk.h"
#include "lib/compiler.h"
#include "lib/params.h"
#include "lib/random.h"
#include "net/packet_log.h"
#include "net/router.h"

struct disks_config {
	const struct params *params;
	const struct packet_log *packets;
	struct random *random;
	struct router *router; /* whose rules are read; NULL: it does not run, they are not read */
};

/* Pages that it will take from the memory map, to leave them free. */
size_t disks_pages(const struct params *params);

/* Starts the driver, and looks for the disks. `config` is copied. 0 or -ENOMEM. */
must_check int disks_start(const struct disks_config *config);

/* A line of the log, for the disk. As a log_sink. */
void disks_log_line(const char *line, size_t length);

/* Flushes the log and closes the disks; takes a bounded time. From a fiber. */
void disks_close(void);

/* Counters of the log on a disk; NULL: there is none. */
const struct log_disk_stats *disks_log_stats(void);

void disks_print_stats(void (*line)(void *context, const char *text), void *context);
