/* SPDX-License-Identifier: ISC */
/* What the parts of the guest share: its disks, its memory, how it speaks. */
#pragma once

#include <stdint.h>

#include "drivers/block.h"
#include "lib/compiler.h"

/* One line of a command's answer. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The disk of that name for as long as a command needs it: it is not taken away before
 * disk_release(). NULL, with a line that says so: there is none.
 */
struct block_device *disk_use(const char *name);
void disk_release(struct block_device *device);

/* A command from the console with its line; each runs in a fiber of its own. */
void command_run(const char *line);
void command_fill(const char *line);
void command_verify(const char *line);
void command_journal(const char *line);
void command_check(const char *line);
void command_selfcheck(const char *line);
