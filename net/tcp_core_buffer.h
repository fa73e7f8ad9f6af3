/* SPDX-License-Identifier: ISC */
/*
 * The bytes of one direction of a connection: a ring of blocks that exist only where there
 * are bytes. Places are offsets from the first byte that is still needed, so a block can be
 * written before those in front of it are there: what comes out of order lies at its place
 * at once, and nothing is ever moved. Every access is found in constant time.
 *
 * Up to one block there is nothing but that block; beyond it a directory, itself a block,
 * points to TCP_DIRECTORY_SLOTS of them. Empty, a buffer has no memory but this struct.
 *
 * Blocks come from a `tcp_memory` with a limit, which is all that connections may take.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "net/tcp_core_segment.h"

#define TCP_BLOCK_BYTES 4096u
#define TCP_DIRECTORY_SLOTS (TCP_BLOCK_BYTES / sizeof(void *))
/* What one buffer can hold at most; a block less, so that the first and last never meet. */
#define TCP_BUFFER_MAX ((uint32_t)((TCP_DIRECTORY_SLOTS - 1u) * TCP_BLOCK_BYTES))

struct tcp_memory {
	/* A block of TCP_BLOCK_BYTES, aligned for pointers, or NULL. In constant time. */
	void *(*take)(void *context);
	void (*give)(void *context, void *block);
	void *context;
	uint32_t limit; /* blocks */
	uint32_t used;
};

struct tcp_buffer {
	void *root;	 /* NULL, a block, or a directory */
	uint32_t first;	 /* where the first byte lies in the ring */
	uint32_t bytes;	 /* there without a gap, from the first */
	uint32_t limit;	 /* bytes that may be held; at most TCP_BUFFER_MAX */
	uint16_t blocks; /* without the directory */
	bool deep;	 /* root is a directory */
};

/* A block within the limit, or NULL; and back. */
must_check void *tcp_memory_take(struct tcp_memory *memory);
void tcp_memory_give(struct tcp_memory *memory, void *block);

void tcp_buffer_init(struct tcp_buffer *buffer, uint32_t limit);

/*
 * Writes `bytes` bytes at `offset` from the first byte; offset + bytes <= limit. What lay
 * there is overwritten. Returns how many were written: fewer when memory has run out.
 * buffer->bytes stays: the owner knows what is there without a gap (tcp_buffer_extend()).
 */
must_check uint32_t tcp_buffer_write(struct tcp_buffer *buffer, struct tcp_memory *memory,
				     uint32_t offset, const void *data, uint32_t bytes);

/*
 * The same without a copy: where [offset, offset + *bytes) is to be written, in at most `max`
 * rooms. *bytes becomes what they hold: fewer when memory has run out. They are the buffer's,
 * until bytes are released.
 */
must_check unsigned int tcp_buffer_reserve(struct tcp_buffer *buffer, struct tcp_memory *memory,
					   uint32_t offset, uint32_t *bytes, struct tcp_room *rooms,
					   unsigned int max);

/* How many of the bytes [offset, offset + bytes) have a place, from the first. */
uint32_t tcp_buffer_reserved(const struct tcp_buffer *buffer, uint32_t offset, uint32_t bytes);

/* `bytes` more are there without a gap. */
static inline void tcp_buffer_extend(struct tcp_buffer *buffer, uint32_t bytes)
{
	buffer->bytes += bytes;
}

/*
 * Where the bytes [offset, offset + *bytes) lie, in at most `max` pieces; all of them must
 * have been written. *bytes becomes what the pieces hold. Returns how many pieces. They are
 * the buffer's, until the bytes are released.
 */
must_check unsigned int tcp_buffer_pieces(const struct tcp_buffer *buffer, uint32_t offset,
					  uint32_t *bytes, struct tcp_piece *pieces,
					  unsigned int max);

/* Copies [offset, offset + bytes), all of which has been written. */
void tcp_buffer_read(const struct tcp_buffer *buffer, uint32_t offset, void *to, uint32_t bytes);

/*
 * The first `bytes` (at most buffer->bytes) are no longer needed. `last`: nothing is behind
 * buffer->bytes, so an empty buffer gives all its memory back.
 */
void tcp_buffer_release(struct tcp_buffer *buffer, struct tcp_memory *memory, uint32_t bytes,
			bool last);

/* Gives back everything. */
void tcp_buffer_free(struct tcp_buffer *buffer, struct tcp_memory *memory);
