/* SPDX-License-Identifier: ISC */
/* The disks that the toolstack gave us: one fiber finds them. */
#include <errno.h>
#include <stddef.h>

#include "drivers/blkfront.h"

static struct blkfront_config blkfront;

int blkfront_start(const struct blkfront_config *config)
{
	blkfront = *config;
	return 0;
}

int blkfront_wait_attached(uint64_t deadline_ns)
{
	(void)deadline_ns;
	return -ETIMEDOUT;
}

struct block_device *blkfront_find(const char *name)
{
	(void)name;
	return NULL;
}

void blkfront_close_all(void)
{
}

void blkfront_print_stats(void (*line)(void *context, const char *text), void *context)
{
	(void)line;
	(void)context;
}
