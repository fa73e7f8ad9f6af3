/* SPDX-License-Identifier: ISC */
#include "configs/blktest/buffers.h"

#include <stdbool.h>
#include <string.h>

#define PAGE 4096u
#define ODD 13u /* what an unaligned buffer lies behind the start of a page */

/*
 * Given out from the start to the end; what comes back is free again when all of it has
 * come back. Memory that a backend did not let go never does.
 */
static struct {
	uint8_t *start;
	size_t bytes;
	size_t used;
	uint32_t buffers;
} arena;

void buffers_init(void *start, size_t bytes)
{
	arena.start = start;
	arena.bytes = bytes;
}

enum buffers buffers_parse(const char *word)
{
	static const char *const names[BUFFERS_COUNT] = { "device", "aligned", "unaligned" };
	enum buffers kind = BUFFERS_DEVICE;

	while (kind < BUFFERS_COUNT && strcmp(word, names[kind]) != 0)
		kind++;
	return kind;
}

size_t buffers_left(void)
{
	return arena.bytes - arena.used;
}

uint8_t *buffers_alloc(struct block_device *device, enum buffers kind, size_t bytes)
{
	size_t odd = kind == BUFFERS_UNALIGNED ? ODD : 0;
	size_t room = (bytes + odd + PAGE - 1) / PAGE * PAGE;
	uint8_t *buffer;

	if (kind == BUFFERS_DEVICE)
		return block_buffer_alloc(device, bytes);
	if (room > buffers_left())
		return NULL;
	buffer = arena.start + arena.used + odd;
	arena.used += room;
	arena.buffers++;
	return buffer;
}

void buffers_free(struct block_device *device, enum buffers kind, uint8_t *buffer, size_t bytes)
{
	if (kind == BUFFERS_DEVICE)
		block_buffer_free(device, buffer, bytes);
	else if (buffer && --arena.buffers == 0)
		arena.used = 0;
}
