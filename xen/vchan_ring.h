/* SPDX-License-Identifier: ISC */
/*
 * One direction of a vchan: a ring of bytes with two free-running indices. Pure arithmetic and
 * copying over memory in pieces; who shares it, and who is told, is not known here.
 *
 * Each side moves one index and keeps it in private memory. The shared copy of it is for the
 * peer; it is written and never read back. The peer's index is taken over only when it can
 * be true: it may go forward by as much as we have left it to, and never back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

#define VCHAN_ORDER_MIN 10u
#define VCHAN_ORDER_MAX 20u
#define VCHAN_PIECE_ORDER 12u /* a page; smaller rings lie in one piece in the shared page */
#define VCHAN_PIECES_MAX (1u << (VCHAN_ORDER_MAX - VCHAN_PIECE_ORDER))

struct vchan_ring {
	uint8_t **pieces; /* where the bytes are: pages, or one part of a page */
	uint32_t order;
	uint32_t ours;	 /* the index that we move */
	uint32_t theirs; /* the peer's, as last taken over */
};

/* The smallest order of a ring of pages with room for `bytes`. */
uint32_t vchan_ring_order(uint32_t bytes);

/*
 * The orders of a server's rings with room for so many bytes, as libxenvchan's server chooses
 * them: in the shared page where that is possible, never both with the same order.
 */
void vchan_ring_orders(uint32_t left_bytes, uint32_t right_bytes, uint32_t *left, uint32_t *right);

/* Pages granted beside the shared one. */
uint32_t vchan_ring_pages(uint32_t order);

/*
 * Whether a shared page can have rings of these orders: both within the limits, not both at
 * the same place in the page, and neither on top of the list of grants.
 */
bool vchan_ring_orders_are_possible(uint32_t left, uint32_t right);

static inline uint32_t vchan_ring_size(const struct vchan_ring *ring)
{
	return 1u << ring->order;
}

/* Of a ring that we read from: bytes that are there; and the producer's index, if possible. */
static inline uint32_t vchan_ring_filled(const struct vchan_ring *ring)
{
	return ring->theirs - ring->ours;
}

must_check bool vchan_ring_take_prod(struct vchan_ring *ring, uint32_t prod);

/* Of a ring that we write to: bytes that fit; and the consumer's index, if possible. */
static inline uint32_t vchan_ring_room(const struct vchan_ring *ring)
{
	return vchan_ring_size(ring) - (ring->ours - ring->theirs);
}

must_check bool vchan_ring_take_cons(struct vchan_ring *ring, uint32_t cons);

/* Copies `count` bytes, which must be there or fit, and moves our index. */
void vchan_ring_read(struct vchan_ring *ring, void *to, uint32_t count);
void vchan_ring_write(struct vchan_ring *ring, const void *from, uint32_t count);
