/* SPDX-License-Identifier: ISC */
/* The arithmetic of a vchan's rings. */
#include "xen/vchan_ring.h"

#include <stddef.h>
#include <string.h>

#include <xen/io/libxenvchan.h>

#define SMALL_ORDER 10u
#define LARGE_ORDER 11u
#define SMALL_BYTES (1u << SMALL_ORDER)
#define LARGE_BYTES (1u << LARGE_ORDER)
#define GRANTS_OFFSET offsetof(struct vchan_interface, grants)

uint32_t vchan_ring_order(uint32_t bytes)
{
	uint32_t order = VCHAN_PIECE_ORDER;

	while (order < VCHAN_ORDER_MAX && bytes > (1u << order))
		order++;
	return order;
}

void vchan_ring_orders(uint32_t left_bytes, uint32_t right_bytes, uint32_t *left, uint32_t *right)
{
	*left = vchan_ring_order(left_bytes);
	*right = vchan_ring_order(right_bytes);
	if (left_bytes <= SMALL_BYTES && right_bytes <= LARGE_BYTES) {
		*left = SMALL_ORDER;
		*right = LARGE_ORDER;
	} else if (left_bytes <= LARGE_BYTES && right_bytes <= SMALL_BYTES) {
		*left = LARGE_ORDER;
		*right = SMALL_ORDER;
	} else if (left_bytes <= LARGE_BYTES) {
		*left = LARGE_ORDER;
	} else if (right_bytes <= LARGE_BYTES) {
		*right = LARGE_ORDER;
	}
}

uint32_t vchan_ring_pages(uint32_t order)
{
	return order < VCHAN_PIECE_ORDER ? 0 : 1u << (order - VCHAN_PIECE_ORDER);
}

/* A ring within the page begins at an offset as large as itself. */
static bool is_clear_of_grants(uint32_t order, uint32_t grants)
{
	return order >= VCHAN_PIECE_ORDER || GRANTS_OFFSET + grants * 4 <= 1u << order;
}

bool vchan_ring_orders_are_possible(uint32_t left, uint32_t right)
{
	uint32_t grants;

	if (left < VCHAN_ORDER_MIN || left > VCHAN_ORDER_MAX || right < VCHAN_ORDER_MIN ||
	    right > VCHAN_ORDER_MAX)
		return false;
	if (left == right && left < VCHAN_PIECE_ORDER)
		return false;
	grants = vchan_ring_pages(left) + vchan_ring_pages(right);
	return is_clear_of_grants(left, grants) && is_clear_of_grants(right, grants);
}

bool vchan_ring_take_prod(struct vchan_ring *ring, uint32_t prod)
{
	if (prod - ring->theirs > vchan_ring_size(ring) - vchan_ring_filled(ring))
		return false;
	ring->theirs = prod;
	return true;
}

bool vchan_ring_take_cons(struct vchan_ring *ring, uint32_t cons)
{
	if (cons - ring->theirs > ring->ours - ring->theirs)
		return false;
	ring->theirs = cons;
	return true;
}

/* The byte at our index, and how many follow it in one piece, at most `count`. */
static uint8_t *ring_piece(const struct vchan_ring *ring, uint32_t *count)
{
	uint32_t order = ring->order < VCHAN_PIECE_ORDER ? ring->order : VCHAN_PIECE_ORDER;
	uint32_t at = ring->ours & (vchan_ring_size(ring) - 1);
	uint32_t within = at & ((1u << order) - 1);

	if (*count > (1u << order) - within)
		*count = (1u << order) - within;
	return ring->pieces[at >> order] + within;
}

void vchan_ring_read(struct vchan_ring *ring, void *to, uint32_t count)
{
	uint8_t *out = to;

	while (count) {
		uint32_t part = count;
		const uint8_t *in = ring_piece(ring, &part);

		memcpy(out, in, part);
		ring->ours += part;
		out += part;
		count -= part;
	}
}

void vchan_ring_write(struct vchan_ring *ring, const void *from, uint32_t count)
{
	const uint8_t *in = from;

	while (count) {
		uint32_t part = count;
		uint8_t *out = ring_piece(ring, &part);

		memcpy(out, in, part);
		ring->ours += part;
		in += part;
		count -= part;
	}
}
