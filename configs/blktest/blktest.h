/* SPDX-License-Identifier: ISC */
/* What the parts of the guest share: its disks, its memory, how it speaks. */
#pragma once

#include <stdint.h>

#include "drivers/block.h"
#include "lib/compiler.h"

/* One line of a command's answer. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Calls `run` with the disk that the line names as its second word, which is not taken away
 * before that returns. Where there is none a line says so.
 */
void disk_command(const char *line, void (*run)(const char *line, struct block_device *device));

/* A command from the console with its line; each runs in a fiber of its own. */
void command_run(const char *line);
void command_fill(const char *line);
void command_verify(const char *line);
void command_journal(const char *line);
void command_check(const char *line);
void command_selfcheck(const char *line);
