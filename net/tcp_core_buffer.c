/* SPDX-License-Identifier: ISC */
/*
 * A byte's place in the ring is first + offset. While the root is a block the ring is not
 * closed: places run from 0 to its end. With a directory they go round.
 */
#include "net/tcp_core_buffer.h"

#include <string.h>

#include "lib/minmax.h"

#define SPAN ((uint32_t)(TCP_DIRECTORY_SLOTS * TCP_BLOCK_BYTES))

void *tcp_memory_take(struct tcp_memory *memory)
{
	void *block;

	if (memory->used >= memory->limit)
		return NULL;
	block = memory->take(memory->context);
	if (block)
		memory->used++;
	return block;
}

void tcp_memory_give(struct tcp_memory *memory, void *block)
{
	memory->used--;
	memory->give(memory->context, block);
}

static uint32_t slot_of(uint32_t place)
{
	return place % SPAN / TCP_BLOCK_BYTES;
}

/* The block at a place, or NULL. */
static uint8_t *block_at(const struct tcp_buffer *buffer, uint32_t place)
{
	if (!buffer->deep)
		return place < TCP_BLOCK_BYTES ? buffer->root : NULL;
	return ((uint8_t **)buffer->root)[slot_of(place)];
}

static bool deepen(struct tcp_buffer *buffer, struct tcp_memory *memory)
{
	uint8_t **directory = tcp_memory_take(memory);

	if (!directory)
		return false;
	memset(directory, 0, TCP_BLOCK_BYTES);
	directory[0] = buffer->root;
	buffer->root = directory;
	buffer->deep = true;
	return true;
}

/* The same, made if there is none; NULL: no memory. */
static uint8_t *block_make(struct tcp_buffer *buffer, struct tcp_memory *memory, uint32_t place)
{
	uint8_t *block = block_at(buffer, place);

	if (block)
		return block;
	if (!buffer->deep && place >= TCP_BLOCK_BYTES && !deepen(buffer, memory))
		return NULL;
	block = tcp_memory_take(memory);
	if (!block)
		return NULL;
	buffer->blocks++;
	if (buffer->deep)
		((uint8_t **)buffer->root)[slot_of(place)] = block;
	else
		buffer->root = block;
	return block;
}

void tcp_buffer_init(struct tcp_buffer *buffer, uint32_t limit)
{
	*buffer = (struct tcp_buffer){ .limit = min32(limit, TCP_BUFFER_MAX) };
}

uint32_t tcp_buffer_write(struct tcp_buffer *buffer, struct tcp_memory *memory, uint32_t offset,
			  const void *data, uint32_t bytes)
{
	const uint8_t *from = data;
	uint32_t done = 0;

	while (done < bytes) {
		uint32_t place = buffer->first + offset + done;
		uint32_t in_block = place % TCP_BLOCK_BYTES;
		uint32_t part = min32(bytes - done, TCP_BLOCK_BYTES - in_block);
		uint8_t *block = block_make(buffer, memory, place);

		if (!block)
			break;
		memcpy(block + in_block, from + done, part);
		done += part;
	}
	return done;
}

unsigned int tcp_buffer_reserve(struct tcp_buffer *buffer, struct tcp_memory *memory,
				uint32_t offset, uint32_t *bytes, struct tcp_room *rooms,
				unsigned int max)
{
	unsigned int count = 0;
	uint32_t done = 0;

	while (done < *bytes && count < max) {
		uint32_t place = buffer->first + offset + done;
		uint32_t in_block = place % TCP_BLOCK_BYTES;
		uint32_t part = min32(*bytes - done, TCP_BLOCK_BYTES - in_block);
		uint8_t *block = block_make(buffer, memory, place);

		if (!block)
			break;
		rooms[count++] = (struct tcp_room){ block + in_block, part };
		done += part;
	}
	*bytes = done;
	return count;
}

uint32_t tcp_buffer_reserved(const struct tcp_buffer *buffer, uint32_t offset, uint32_t bytes)
{
	uint32_t done = 0;

	while (done < bytes) {
		uint32_t place = buffer->first + offset + done;

		if (!block_at(buffer, place))
			break;
		done += min32(bytes - done, TCP_BLOCK_BYTES - place % TCP_BLOCK_BYTES);
	}
	return done;
}

unsigned int tcp_buffer_pieces(const struct tcp_buffer *buffer, uint32_t offset, uint32_t *bytes,
			       struct tcp_piece *pieces, unsigned int max)
{
	unsigned int count = 0;
	uint32_t done = 0;

	while (done < *bytes && count < max) {
		uint32_t place = buffer->first + offset + done;
		uint32_t in_block = place % TCP_BLOCK_BYTES;
		uint32_t part = min32(*bytes - done, TCP_BLOCK_BYTES - in_block);

		pieces[count].data = block_at(buffer, place) + in_block;
		pieces[count++].bytes = part;
		done += part;
	}
	*bytes = done;
	return count;
}

void tcp_buffer_read(const struct tcp_buffer *buffer, uint32_t offset, void *to, uint32_t bytes)
{
	uint8_t *out = to;

	while (bytes) {
		struct tcp_piece piece;
		uint32_t part = bytes;

		if (tcp_buffer_pieces(buffer, offset, &part, &piece, 1) == 0)
			return;
		memcpy(out, piece.data, part);
		out += part;
		offset += part;
		bytes -= part;
	}
}

/* Gives back the block at a place, if there is one. */
static void drop_block(struct tcp_buffer *buffer, struct tcp_memory *memory, uint32_t place)
{
	uint8_t *block = block_at(buffer, place);

	if (!block)
		return;
	if (buffer->deep)
		((uint8_t **)buffer->root)[slot_of(place)] = NULL;
	else
		buffer->root = NULL;
	buffer->blocks--;
	tcp_memory_give(memory, block);
}

void tcp_buffer_release(struct tcp_buffer *buffer, struct tcp_memory *memory, uint32_t bytes,
			bool last)
{
	uint32_t end = buffer->first + bytes;

	buffer->bytes -= bytes;
	if (last && buffer->bytes == 0) {
		tcp_buffer_free(buffer, memory);
		return;
	}
	for (uint32_t place = buffer->first / TCP_BLOCK_BYTES * TCP_BLOCK_BYTES;
	     place + TCP_BLOCK_BYTES <= end; place += TCP_BLOCK_BYTES)
		drop_block(buffer, memory, place);
	buffer->first = buffer->deep ? end % SPAN : end;
}

void tcp_buffer_free(struct tcp_buffer *buffer, struct tcp_memory *memory)
{
	if (buffer->deep) {
		/* Blocks lie from the first place on; what is out of order may leave gaps. */
		for (uint32_t slot = 0; slot < TCP_DIRECTORY_SLOTS && buffer->blocks; slot++)
			drop_block(buffer, memory, buffer->first + slot * TCP_BLOCK_BYTES);
		tcp_memory_give(memory, buffer->root);
	} else if (buffer->root) {
		tcp_memory_give(memory, buffer->root);
	}
	buffer->root = NULL;
	buffer->deep = false;
	buffer->blocks = 0;
	buffer->first = 0;
	buffer->bytes = 0;
}
