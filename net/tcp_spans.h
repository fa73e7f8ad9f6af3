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
#define TCP_SPANS_HEIGHT_MAX 47u

struct tcp_span {
	struct tcp_span *left;	/* those before it */
	struct tcp_span *right; /* those behind it; the next free one */
	struct tcp_span *newer; /* for the owner of the tree */
	struct tcp_span *older;
	uint32_t begin; /* [begin, end) */
	uint32_t end;
	uint8_t height; /* of the tree below it, with it */
};

struct tcp_span_pool {
	struct tcp_span *free;
	uint32_t free_count;
	uint32_t total;
};

/* `ranges`: an array of `count` that lives as long as the pool. */
void tcp_span_pool_init(struct tcp_span_pool *pool, struct tcp_span *ranges, uint32_t count);

/* A range, or NULL when none is free. */
must_check struct tcp_span *tcp_span_take(struct tcp_span_pool *pool, uint32_t begin, uint32_t end);
void tcp_span_give(struct tcp_span_pool *pool, struct tcp_span *range);

/* The last range that begins at or before `sequence`, or NULL. */
must_check struct tcp_span *tcp_spans_at(struct tcp_span *root, uint32_t sequence);

/* The first range that begins behind `sequence`, or NULL. */
must_check struct tcp_span *tcp_spans_behind(struct tcp_span *root, uint32_t sequence);

/* Adds one that begins where no other does. */
void tcp_spans_insert(struct tcp_span **root, struct tcp_span *range);

/* Takes one out that is in the tree. */
void tcp_spans_remove(struct tcp_span **root, struct tcp_span *range);

/* Are order and balance right, and no two ranges touching? For tests. */
bool tcp_spans_are_valid(const struct tcp_span *root);
