/* SPDX-License-Identifier: ISC */
/* The last lines of the log, for whoever asks later. */
#pragma once

#include <stddef.h>

#define LOG_HISTORY_BYTES 16384u

/* Keeps a line, and forgets the oldest ones when there is no room for it. As a log_sink. */
void log_history_add(const char *line, size_t length);

/*
 * Copies the newest whole lines that fit into `size` bytes, oldest first, without a NUL.
 * Returns their bytes.
 */
size_t log_history_copy(char *to, size_t size);
