/* SPDX-License-Identifier: ISC */
/*
 * Reservation on the producing side of a shared ring, and checking on the
 * consuming side. Only index arithmetic: slots and shared memory belong to the
 * driver, so the same code serves requests and responses, front and back.
 *
 * All indices are uint32_t, count up for ever and wrap; a slot is index % size.
 *
 *	published <= committed <= reserved <= limit        (as wrapping distances)
 *
 *	published	what the peer has been told
 *	committed	whole packets that may be published
 *	reserved	end of the open reservation (== committed when none is open)
 *	limit		first slot that is not ours to fill. A frontend sets it to
 *			responses consumed + size; a backend that answers in posted
 *			slots sets it to the peer's request index.
 *
 * A producer reserves all the slots of a packet or none, fills them, and commits
 * them together. One reservation is open at a time and producers are served in
 * the order they came: while somebody waits, a later and smaller reservation is
 * refused, so a large packet is never starved and slots of two packets never mix.
 *
 * Nothing here is safe on several CPUs at once; lib/ring_locked.h is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"

struct ring_producer {
	uint32_t size; /* slots, a power of two */
	uint32_t published;
	uint32_t committed;
	uint32_t reserved;
	uint32_t limit;
	bool open;	     /* a reservation is open */
	struct list waiters; /* of struct ring_waiter, first come first */
};

/*
 * Somebody who waits for `count` slots, and how he is served when his turn has come;
 * one of the two is set. `granted` is called once, with the reservation open; it must
 * fill the slots from index `first` and commit or cancel. `ready` only says that the
 * slots are there: they stay put aside for the waiter until he calls ring_take(), or
 * leaves.
 */
struct ring_waiter {
	struct list link;
	uint32_t count;
	void (*granted)(struct ring_waiter *waiter, uint32_t first);
	void (*ready)(struct ring_waiter *waiter);
	bool told; /* ready() has been called */
};

/* Starts with all indices at `start` and nothing free (limit == start). */
void ring_producer_init(struct ring_producer *ring, uint32_t size, uint32_t start);

/* Slots that could be reserved now if nobody waits. */
static inline uint32_t ring_free_slots(const struct ring_producer *ring)
{
	return ring->limit - ring->reserved;
}

/*
 * Opens a reservation of `count` contiguous slots; `*first` is the first index.
 * 0, or at once: -EINVAL (count is 0), -EMSGSIZE (more than the ring has; it can
 * never succeed), -EAGAIN (not enough room now, or others wait), -EBUSY (a
 * reservation is open).
 */
must_check int ring_reserve(struct ring_producer *ring, uint32_t count, uint32_t *first);

/*
 * The same, queueing when there is no room: `waiter->granted` or `->ready` is called
 * from here or, later, by whoever makes room. The waiter stays the caller's and must
 * live until it is served. 0, -EINVAL or -EMSGSIZE.
 */
must_check int ring_reserve_queued(struct ring_producer *ring, struct ring_waiter *waiter);

/*
 * Opens the reservation of a waiter whose turn it is, and takes him off the queue.
 * -EAGAIN when it is not: he is not the first, or there is no room yet.
 */
must_check int ring_take(struct ring_producer *ring, struct ring_waiter *waiter, uint32_t *first);

/* Leaves the queue without being served; harmless when not in it. */
void ring_waiter_cancel(struct ring_producer *ring, struct ring_waiter *waiter);

/* The open reservation is filled: its slots may be published. */
void ring_commit(struct ring_producer *ring);

/* Commits only the first `used` slots of the open reservation and gives the rest back. */
void ring_commit_part(struct ring_producer *ring, uint32_t used);

/* Gives the open reservation back, as if it had not been made. */
void ring_cancel(struct ring_producer *ring);

/*
 * Sets a new limit and serves those who wait, in order. -EPROTO: the new limit
 * is behind the old one or more than `size` ahead of what was published (a peer
 * moved its index impossibly); nothing changed then.
 */
must_check int ring_advance(struct ring_producer *ring, uint32_t limit);

/*
 * Marks everything committed as published and returns the index to store in
 * the shared ring (after a write barrier). `*old` is the index before.
 */
uint32_t ring_publish(struct ring_producer *ring, uint32_t *old);

/*
 * Must the peer be notified, when the producer index went from `old` to `now` and
 * the peer asked to hear of index `event`? (io/ring.h's event rule, wrapping.)
 */
static inline bool ring_notify_needed(uint32_t old, uint32_t now, uint32_t event)
{
	return (uint32_t)(now - event) < (uint32_t)(now - old);
}

/*
 * The consuming side: entries waiting between our index `consumed` and the peer's
 * producer index `produced`, which was read once. -EPROTO when the distance is
 * more than `size`: the peer is broken or hostile. Else 0 .. size.
 */
must_check int64_t ring_pending(uint32_t produced, uint32_t consumed, uint32_t size);
