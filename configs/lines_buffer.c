/* SPDX-License-Identifier: ISC */
#include "configs/lines_buffer.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 2048u

void lines_buffer_init(struct lines_buffer *buffer, size_t most)
{
	*buffer = (struct lines_buffer){ .most = most };
}

void lines_buffer_free(struct lines_buffer *buffer)
{
	free(buffer->text);
	lines_buffer_init(buffer, buffer->most);
}

static bool make_room(struct lines_buffer *buffer, size_t bytes)
{
	size_t capacity = buffer->capacity ? buffer->capacity : FIRST_BYTES;
	char *grown;

	if (bytes > buffer->most - buffer->bytes)
		return false;
	while (capacity < buffer->bytes + bytes)
		capacity *= 2;
	if (capacity == buffer->capacity)
		return true;
	grown = realloc(buffer->text, capacity);
	if (!grown)
		return false;
	buffer->text = grown;
	buffer->capacity = capacity;
	return true;
}

void lines_buffer_add(void *context, const char *line)
{
	struct lines_buffer *buffer = context;
	size_t length = strlen(line);

	if (buffer->cut)
		return;
	if (!make_room(buffer, length + 1)) {
		buffer->cut = true;
		return;
	}
	memcpy(buffer->text + buffer->bytes, line, length);
	buffer->text[buffer->bytes + length] = '\n';
	buffer->bytes += length + 1;
}
