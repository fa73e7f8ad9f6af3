/* SPDX-License-Identifier: ISC */
/*
 * A ring's producing side for several CPUs or threads. A ticket lock is held from a
 * reservation until it is committed or cancelled, so producers are served in the order
 * they came and a packet's slots are written by one of them at a time. The hold is
 * short and bounded: a packet has at most `size` slots, and nobody may wait in between.
 *
 * The consumer takes no lock: it sees only the index that ring_locked_publish() stores.
 *
 * A producer may refuse to wait for room (ring_locked_reserve), be called back
 * (ring_locked_reserve_queued) or sleep (ring_locked_reserve_wait).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/ring.h"
#include "lib/ticket_lock.h"

struct ring_locked {
	struct ticket_lock lock;
	struct ring_producer ring; /* only with the lock held */
};

/*
 * One who can sleep. `sleep` returns 0 when `wake` was called, also if that was before
 * it began (spurious returns are allowed), or -ETIMEDOUT at `deadline_ns` of the
 * sleeper's own clock. `wake` is called with the lock held, on any CPU.
 */
struct ring_sleeper {
	struct ring_waiter waiter;
	int (*sleep)(struct ring_sleeper *sleeper, uint64_t deadline_ns);
	void (*wake)(struct ring_sleeper *sleeper);
};

/* As ring_producer_init(). */
void ring_locked_init(struct ring_locked *locked, uint32_t size, uint32_t start);

/*
 * Opens a reservation without waiting for room. 0: the lock is held until commit or
 * cancel. Else nothing is held: -EINVAL, -EMSGSIZE, or -EAGAIN (no room, or others
 * wait for some).
 */
must_check int ring_locked_reserve(struct ring_locked *locked, uint32_t count, uint32_t *first);

/*
 * The same, calling `waiter->granted` with the lock held, from here or later on any
 * CPU that makes room. It ends with ring_commit(), ring_commit_part() or ring_cancel()
 * on the ring itself. 0, -EINVAL or -EMSGSIZE.
 */
must_check int ring_locked_reserve_queued(struct ring_locked *locked, struct ring_waiter *waiter);

/* Leaves the queue; after it `waiter` is not called any more. */
void ring_locked_waiter_cancel(struct ring_locked *locked, struct ring_waiter *waiter);

/*
 * The same as ring_locked_reserve(), sleeping until there is room and all who came
 * before are served. -ETIMEDOUT after `deadline_ns`; then nothing is held.
 */
must_check int ring_locked_reserve_wait(struct ring_locked *locked, uint32_t count,
					struct ring_sleeper *sleeper, uint64_t deadline_ns,
					uint32_t *first);

/* End the open reservation and let the lock go; see lib/ring.h. */
void ring_locked_commit(struct ring_locked *locked);
void ring_locked_commit_part(struct ring_locked *locked, uint32_t used);
void ring_locked_cancel(struct ring_locked *locked);

/*
 * Makes room up to the limit that `*peer_index + offset` says (a frontend's is the
 * response index plus the size), read once. Serves who waits. -EPROTO: impossible.
 */
must_check int ring_locked_advance(struct ring_locked *locked, const uint32_t *peer_index,
				   uint32_t offset);

/*
 * Stores the index of all that is committed in `*shared_index`, if there is news. True
 * when the peer must be notified, by the index in `*shared_event`: once for the batch.
 */
must_check bool ring_locked_publish(struct ring_locked *locked, uint32_t *shared_index,
				    const uint32_t *shared_event);
