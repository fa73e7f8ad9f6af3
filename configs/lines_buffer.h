/* SPDX-License-Identifier: ISC */
/* Lines collected in memory: what prints counters must not wait for who reads them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct lines_buffer {
	char *text; /* whole lines, each with its newline; not NUL-terminated */
	size_t bytes, capacity, most;
	bool cut; /* a line did not fit, or memory was short */
};

/* Holds at most `most` bytes. */
void lines_buffer_init(struct lines_buffer *buffer, size_t most);
void lines_buffer_free(struct lines_buffer *buffer);

/* Adds a line; `buffer` is a struct lines_buffer. As whatever prints counters wants it. */
void lines_buffer_add(void *buffer, const char *line);
