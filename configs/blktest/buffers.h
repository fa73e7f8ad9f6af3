/* SPDX-License-Identifier: ISC */
/* Where the data of requests lies: three kinds of memory, which a driver treats differently. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "drivers/block.h"
#include "lib/compiler.h"

enum buffers {
	BUFFERS_DEVICE,	   /* of block_buffer_alloc() */
	BUFFERS_ALIGNED,   /* ordinary, page-aligned */
	BUFFERS_UNALIGNED, /* ordinary, at an odd address */
	BUFFERS_COUNT
};

/* Takes memory for the ordinary kinds, for good; once, at the start. */
void buffers_init(void *arena, size_t bytes);

/* "device", "aligned", "unaligned"; BUFFERS_COUNT for anything else. */
enum buffers buffers_parse(const char *word);

must_check uint8_t *buffers_alloc(struct block_device *device, enum buffers kind, size_t bytes);
void buffers_free(struct block_device *device, enum buffers kind, uint8_t *buffer, size_t bytes);

/* Ordinary memory that can be had now, in bytes. */
size_t buffers_left(void);
