/* SPDX-License-Identifier: ISC */
/*
 * Log lines with a level, formatted by the C library and handed whole to one
 * sink (the console in the kernel, stderr in tests). Not for the data path.
 * What a neighbour can cause goes through log_limited(), one bucket a source.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

/* Takes one finished line of `length` bytes with its newline. Must not block. */
typedef void log_sink(const char *line, size_t length);

/* Time for the prefix, nanoseconds since boot. */
typedef uint64_t log_clock(void);

/* Sets where lines go and what time they carry. NULL: nowhere / no time. */
void log_init(log_sink *sink, log_clock *clock);

/* Prints lines up to and including `level`. */
void log_set_level(enum log_level level);

/* "error", "warn", "info" or "debug" to a level; -EINVAL for another word. */
must_check int log_level_parse(const char *word);

/* One line: "[    1.234] level subsystem: text". `subsystem` is a short word. */
void log_line(enum log_level level, const char *subsystem, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A bucket of `burst` lines, refilled by one every second; lines over it are
 * counted and the count is said with the next line that gets through.
 */
struct log_limit {
	uint64_t refilled_ns;
	uint32_t tokens;
	uint32_t burst;
	uint32_t suppressed;
};

#define LOG_LIMIT_INIT                  \
	{                               \
		.burst = 5, .tokens = 5 \
	}

void log_limited(struct log_limit *limit, enum log_level level, const char *subsystem,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));
