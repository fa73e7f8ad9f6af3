/* SPDX-License-Identifier: ISC */
#include "drivers/blkif_ring.h"

uint32_t blkif_ring_slots(uint32_t order)
{
	size_t room = ((size_t)BLKIF_PAGE_BYTES << order) - BLKIF_RING_HEADER_BYTES;
	uint32_t slots = 1;

	while (2 * slots * sizeof(union blkif_slot) <= room)
		slots *= 2;
	return slots;
}

/* Where slot `index` begins, as bytes from the start of the first page. */
static size_t slot_at(const struct blkif_ring *ring, uint32_t index)
{
	return BLKIF_RING_HEADER_BYTES + (index & (ring->slots - 1)) * sizeof(union blkif_slot);
}

/* Copies of a volatile word cannot be repeated or merged into a later use. */
static void words_out(uint32_t *to, const volatile uint32_t *from, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] = from[i];
}

static size_t page_part(size_t at, size_t bytes)
{
	size_t left = BLKIF_PAGE_BYTES - at % BLKIF_PAGE_BYTES;

	return bytes < left ? bytes : left;
}

void blkif_ring_read(const struct blkif_ring *ring, uint32_t index, void *to, size_t bytes)
{
	size_t at = slot_at(ring, index);
	size_t part = page_part(at, bytes);

	words_out(to,
		  (const uint32_t *)(ring->pages[at / BLKIF_PAGE_BYTES] + at % BLKIF_PAGE_BYTES),
		  part);
	if (part < bytes)
		words_out((uint32_t *)((uint8_t *)to + part),
			  (const uint32_t *)ring->pages[at / BLKIF_PAGE_BYTES + 1], bytes - part);
}

void blkif_ring_write(const struct blkif_ring *ring, uint32_t index, const void *from, size_t bytes)
{
	size_t at = slot_at(ring, index);
	size_t part = page_part(at, bytes);

	memcpy(ring->pages[at / BLKIF_PAGE_BYTES] + at % BLKIF_PAGE_BYTES, from, part);
	if (part < bytes)
		memcpy(ring->pages[at / BLKIF_PAGE_BYTES + 1], (const uint8_t *)from + part,
		       bytes - part);
}
