/* SPDX-License-Identifier: ISC */
#include "lib/ring_locked.h"

#include <errno.h>
#include <stddef.h>

void ring_locked_init(struct ring_locked *locked, uint32_t size, uint32_t start)
{
	ticket_lock_init(&locked->lock);
	ring_producer_init(&locked->ring, size, start);
}

int ring_locked_reserve(struct ring_locked *locked, uint32_t count, uint32_t *first)
{
	int error;

	ticket_lock_take(&locked->lock);
	error = ring_reserve(&locked->ring, count, first);
	if (error)
		ticket_lock_release(&locked->lock);
	return error;
}

int ring_locked_reserve_queued(struct ring_locked *locked, struct ring_waiter *waiter)
{
	int error;

	ticket_lock_take(&locked->lock);
	error = ring_reserve_queued(&locked->ring, waiter);
	ticket_lock_release(&locked->lock);
	return error;
}

void ring_locked_waiter_cancel(struct ring_locked *locked, struct ring_waiter *waiter)
{
	ticket_lock_take(&locked->lock);
	ring_waiter_cancel(&locked->ring, waiter);
	ticket_lock_release(&locked->lock);
}

static void sleeper_ready(struct ring_waiter *waiter)
{
	struct ring_sleeper *sleeper = container_of(waiter, struct ring_sleeper, waiter);

	sleeper->wake(sleeper);
}

/* With the lock held, which it keeps on success only. */
static int turn_wait(struct ring_locked *locked, struct ring_sleeper *sleeper, uint64_t deadline_ns,
		     uint32_t *first)
{
	int error = 0;

	while (ring_take(&locked->ring, &sleeper->waiter, first)) {
		if (error) {
			ring_waiter_cancel(&locked->ring, &sleeper->waiter);
			ticket_lock_release(&locked->lock);
			return error;
		}
		ticket_lock_release(&locked->lock);
		error = sleeper->sleep(sleeper, deadline_ns);
		ticket_lock_take(&locked->lock);
	}
	return 0;
}

int ring_locked_reserve_wait(struct ring_locked *locked, uint32_t count,
			     struct ring_sleeper *sleeper, uint64_t deadline_ns, uint32_t *first)
{
	int error;

	sleeper->waiter.count = count;
	sleeper->waiter.granted = NULL;
	sleeper->waiter.ready = sleeper_ready;
	list_init(&sleeper->waiter.link);
	/* One hold for both tries, or somebody later could come in between. */
	ticket_lock_take(&locked->lock);
	error = ring_reserve(&locked->ring, count, first);
	if (error == -EAGAIN)
		error = ring_reserve_queued(&locked->ring, &sleeper->waiter);
	else if (!error)
		return 0;
	if (error) {
		ticket_lock_release(&locked->lock);
		return error;
	}
	return turn_wait(locked, sleeper, deadline_ns, first);
}

void ring_locked_commit(struct ring_locked *locked)
{
	ring_commit(&locked->ring);
	ticket_lock_release(&locked->lock);
}

void ring_locked_commit_part(struct ring_locked *locked, uint32_t used)
{
	ring_commit_part(&locked->ring, used);
	ticket_lock_release(&locked->lock);
}

void ring_locked_cancel(struct ring_locked *locked)
{
	ring_cancel(&locked->ring);
	ticket_lock_release(&locked->lock);
}

int ring_locked_advance(struct ring_locked *locked, const uint32_t *peer_index, uint32_t offset)
{
	int error;

	ticket_lock_take(&locked->lock);
	error = ring_advance(&locked->ring, __atomic_load_n(peer_index, __ATOMIC_ACQUIRE) + offset);
	ticket_lock_release(&locked->lock);
	return error;
}

bool ring_locked_publish(struct ring_locked *locked, uint32_t *shared_index,
			 const uint32_t *shared_event)
{
	uint32_t old, now;

	ticket_lock_take(&locked->lock);
	now = ring_publish(&locked->ring, &old);
	if (now != old)
		__atomic_store_n(shared_index, now, __ATOMIC_RELEASE);
	ticket_lock_release(&locked->lock);
	if (now == old)
		return false;
	memory_barrier();
	return ring_notify_needed(old, now, __atomic_load_n(shared_event, __ATOMIC_RELAXED));
}
