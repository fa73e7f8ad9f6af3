/* SPDX-License-Identifier: ISC */
#include "lib/ring.h"

#include <errno.h>

#include "lib/panic.h"

void ring_producer_init(struct ring_producer *ring, uint32_t size, uint32_t start)
{
	if (size == 0 || (size & (size - 1)))
		panic("ring_producer_init: size %u is no power of two", size);
	ring->size = size;
	ring->published = start;
	ring->committed = start;
	ring->reserved = start;
	ring->limit = start;
	ring->open = false;
	list_init(&ring->waiters);
}

static int count_check(const struct ring_producer *ring, uint32_t count)
{
	if (count == 0)
		return -EINVAL;
	return count > ring->size ? -EMSGSIZE : 0;
}

static uint32_t reservation_open(struct ring_producer *ring, uint32_t count)
{
	uint32_t first = ring->reserved;

	ring->reserved += count;
	ring->open = true;
	return first;
}

int ring_reserve(struct ring_producer *ring, uint32_t count, uint32_t *first)
{
	int error = count_check(ring, count);

	if (error)
		return error;
	if (ring->open)
		return -EBUSY;
	if (!list_is_empty(&ring->waiters) || count > ring_free_slots(ring))
		return -EAGAIN;
	*first = reservation_open(ring, count);
	return 0;
}

static void waiter_tell(struct ring_waiter *waiter)
{
	if (waiter->told)
		return;
	waiter->told = true;
	waiter->ready(waiter);
}

/* Serves the queue's head for as long as there is room for it; each commits or cancels. */
static void waiters_serve(struct ring_producer *ring)
{
	while (!ring->open && !list_is_empty(&ring->waiters)) {
		struct ring_waiter *waiter =
			list_entry(ring->waiters.next, struct ring_waiter, link);

		if (waiter->count > ring_free_slots(ring))
			return;
		if (waiter->ready) {
			waiter_tell(waiter);
			return;
		}
		list_remove(&waiter->link);
		waiter->granted(waiter, reservation_open(ring, waiter->count));
	}
}

int ring_reserve_queued(struct ring_producer *ring, struct ring_waiter *waiter)
{
	int error = count_check(ring, waiter->count);

	if (error)
		return error;
	waiter->told = false;
	list_push_back(&ring->waiters, &waiter->link);
	waiters_serve(ring);
	return 0;
}

int ring_take(struct ring_producer *ring, struct ring_waiter *waiter, uint32_t *first)
{
	if (ring->open || ring->waiters.next != &waiter->link ||
	    waiter->count > ring_free_slots(ring))
		return -EAGAIN;
	list_remove(&waiter->link);
	*first = reservation_open(ring, waiter->count);
	return 0;
}

void ring_waiter_cancel(struct ring_producer *ring, struct ring_waiter *waiter)
{
	list_remove(&waiter->link);
	waiters_serve(ring);
}

void ring_commit(struct ring_producer *ring)
{
	ring_commit_part(ring, ring->reserved - ring->committed);
}

void ring_commit_part(struct ring_producer *ring, uint32_t used)
{
	if (!ring->open || used > ring->reserved - ring->committed)
		panic("ring_commit: %u slots without such a reservation", used);
	ring->committed += used;
	ring->reserved = ring->committed;
	ring->open = false;
	waiters_serve(ring);
}

void ring_cancel(struct ring_producer *ring)
{
	ring_commit_part(ring, 0);
}

int ring_advance(struct ring_producer *ring, uint32_t limit)
{
	uint32_t grown = limit - ring->limit;

	/*
	 * Behind the old limit shows as a huge step. What the peer was not told of it cannot
	 * have consumed; a reservation may still be given back, so it does not count either.
	 */
	if (grown > ring->size || limit - ring->published > ring->size)
		return -EPROTO;
	ring->limit = limit;
	waiters_serve(ring);
	return 0;
}

uint32_t ring_publish(struct ring_producer *ring, uint32_t *old)
{
	*old = ring->published;
	ring->published = ring->committed;
	return ring->published;
}

int64_t ring_pending(uint32_t produced, uint32_t consumed, uint32_t size)
{
	uint32_t waiting = produced - consumed;

	return waiting > size ? -EPROTO : (int64_t)waiting;
}
