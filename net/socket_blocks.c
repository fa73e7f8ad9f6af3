/* SPDX-License-Identifier: ISC */
/* Blocks of memory, taken and given back in constant time. */
#include "net/socket_parts.h"

void socket_blocks_init(struct socket_blocks *blocks, void *memory, uint32_t total)
{
	*blocks = (struct socket_blocks){ .memory = memory, .total = total };
}

void *socket_blocks_take(void *context)
{
	struct socket_blocks *blocks = context;
	void *block = blocks->free;

	if (block)
		memcpy(&blocks->free, block, sizeof(blocks->free));
	else if (blocks->fresh < blocks->total)
		block = blocks->memory + (size_t)blocks->fresh++ * TCP_BLOCK_BYTES;
	else
		return NULL;
	blocks->used++;
	return block;
}

void socket_blocks_give(void *context, void *block)
{
	struct socket_blocks *blocks = context;

	memcpy(block, &blocks->free, sizeof(blocks->free));
	blocks->free = block;
	blocks->used--;
}
