/* SPDX-License-Identifier: ISC */
/*
 * Ranges of sequence numbers that do not touch, in a balanced tree (Adelson-Velskii and
 * Landis, 1962) by where they begin: found, added and removed in O(log n), whatever the order.
 * All ranges of a tree lie within 2^31 of each other. Their memory comes from a pool.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

/* A tree of 2^32 ranges is no higher: 1.44 * log2(n + 2). */
#define TCP_RANGES_HEIGHT_MAX 47u

struct tcp_range {
	struct tcp_range *left;	 /* those before it */
	struct tcp_range *right; /* those behind it; the next free one */
	struct tcp_range *newer; /* for the owner of the tree */
	struct tcp_range *older;
	uint32_t start; /* [start, end) */
	uint32_t end;
	uint8_t height; /* of the tree below it, with it */
};

struct tcp_range_pool {
	struct tcp_range *free;
	uint32_t free_count;
	uint32_t total;
};

/* `ranges`: an array of `count` that lives as long as the pool. */
void tcp_range_pool_init(struct tcp_range_pool *pool, struct tcp_range *ranges, uint32_t count);

/* A range, or NULL when none is free. */
must_check struct tcp_range *tcp_range_take(struct tcp_range_pool *pool, uint32_t start,
					    uint32_t end);
void tcp_range_give(struct tcp_range_pool *pool, struct tcp_range *range);

/* The last range that begins at or before `sequence`, or NULL. */
must_check struct tcp_range *tcp_ranges_at(struct tcp_range *root, uint32_t sequence);

/* The first range that begins behind `sequence`, or NULL. */
must_check struct tcp_range *tcp_ranges_behind(struct tcp_range *root, uint32_t sequence);

/* Adds one that begins where no other does. */
void tcp_ranges_insert(struct tcp_range **root, struct tcp_range *range);

/* Takes one out that is in the tree. */
void tcp_ranges_remove(struct tcp_range **root, struct tcp_range *range);

/* Are order and balance right, and no two ranges touching? For tests. */
bool tcp_ranges_are_valid(const struct tcp_range *root);
