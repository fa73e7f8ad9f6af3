/* SPDX-License-Identifier: ISC */
/*
 * What the command line asks for, words between blanks:
 *
 *	disk=NAME:SIZE[:SECTOR][:ro]	a disk; several of these words are several disks
 *	clients=N			how many are served at once; 16 when it is not said
 *	log=error|warn|info|debug
 *	persistent=no indirect=N order=N queues=N discard=no flush=no barrier=no
 *					what is offered less than all of it
 *
 * SIZE is in bytes, or with K, M or G behind it of 1024 and so on; SECTOR is 512, 1024, 2048 or
 * 4096 bytes, 512 when it is not said.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/blkback.h"
#include "lib/compiler.h"
#include "lib/log.h"

#define RAMDISK_DISKS_MOST 16u
#define RAMDISK_CLIENTS 16u
#define RAMDISK_CLIENTS_MOST 32u /* with more, xenstore has not enough nodes for all */

struct ramdisk_options {
	struct blkback_disk disks[RAMDISK_DISKS_MOST]; /* without memory */
	uint32_t disk_count;
	uint32_t clients;
	struct blkback_features features;
	enum log_level log;
	uint32_t wrong; /* words that cannot be understood; the first of them: */
	const char *wrong_word, *wrong_why;
	size_t wrong_bytes;
};

/* 0, or -EINVAL: `wrong` words were none. What was good is filled in. */
must_check int ramdisk_options_parse(const char *cmdline, struct ramdisk_options *options);

/* "4096", "64K", "1G": bytes; `length` characters. 0 or -EINVAL. */
must_check int ramdisk_size_parse(const char *text, size_t length, uint64_t *bytes);
