/* SPDX-License-Identifier: ISC */
#include "lib/log_history.h"

#include <stdint.h>
#include <string.h>

/* Bytes written in all; a line begins behind the newline before it. */
static char ring[LOG_HISTORY_BYTES];
static uint64_t written;

void log_history_add(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		ring[(written + i) % LOG_HISTORY_BYTES] = line[i];
	written += length;
}

static char at(uint64_t position)
{
	return ring[position % LOG_HISTORY_BYTES];
}

/* The first line that is whole, no earlier than `from`. */
static uint64_t line_start(uint64_t from)
{
	if (from == 0)
		return 0;
	while (from < written && at(from - 1) != '\n')
		from++;
	return from;
}

size_t log_history_copy(char *to, size_t size)
{
	uint64_t from = 0;
	size_t bytes;

	/* The byte before the first one kept may be overwritten already. */
	if (written >= LOG_HISTORY_BYTES)
		from = written - LOG_HISTORY_BYTES + 1;
	if (written - from > size)
		from = written - size;
	from = line_start(from);
	bytes = (size_t)(written - from);
	for (size_t i = 0; i < bytes; i++)
		to[i] = at(from + i);
	return bytes;
}
