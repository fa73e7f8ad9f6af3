/* SPDX-License-Identifier: ISC */
/*
 * What of a receive window has come out of order: ranges of sequence numbers behind RCV.NXT,
 * and what is said of them in SACK options (RFC 2018) and of what came twice (RFC 2883).
 *
 * The bytes themselves lie in the owner's window buffer, each at its place from the moment
 * that it comes: tcp_reassembly_add() says which bytes of a segment are new, and a function
 * of the owner's puts them there. So nothing is moved when a gap is filled, and a byte that
 * has been acknowledged, selectively or not, is never overwritten: the first one wins.
 *
 * Ranges never touch, so there is one for each hole. They are in a balanced tree by sequence
 * number (tcp_spans.h) and in a list by when they last grew. A segment costs O(log n) for
 * each range that it reaches, and it makes at most one; those that it joins are gone, so
 * that in any order of segments each costs O(log n) in the long run, n being what a
 * connection may have.
 *
 * Ranges come from a pool for all connections. One connection may have a number of them, but
 * never more than are free: however many are greedy, some are left for others (the dynamic
 * thresholds of Choudhury and Hahne, 1998). What needs a range beyond that is refused as if
 * it had been lost. What goes on where RCV.NXT or a range ends needs none, so that the
 * data always moves on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "net/tcp_options.h"
#include "net/tcp_spans.h"

struct tcp_reassembly {
	struct tcp_span_pool *pool;
	struct tcp_span *root;	     /* by sequence number */
	struct tcp_span *newest;     /* by when they last grew */
	uint32_t next;		     /* RCV.NXT without SYN and FIN: all before it has come */
	uint32_t held;		     /* bytes in ranges */
	uint16_t count;		     /* ranges */
	uint16_t limit;		     /* of them */
	struct tcp_sack_block twice; /* came once more and has not been said; empty: nothing */
};

/*
 * Puts the bytes [offset, offset + bytes) of the segment that is being added where sequence
 * number `sequence` belongs; always within the window that was given. Returns how many it
 * could: the rest counts as refused. Must not call the reassembly.
 */
typedef uint32_t tcp_reassembly_write(void *context, uint32_t sequence, uint32_t offset,
				      uint32_t bytes);

/* What became of a segment; the first four add up to its bytes. */
struct tcp_arrival {
	uint32_t fresh;	    /* bytes that were put in their place */
	uint32_t duplicate; /* that had come before */
	uint32_t outside;   /* behind the window's right edge */
	uint32_t refused;   /* no memory */
	uint32_t advanced;  /* how far `next` has moved: what the application can now read */
	bool ack_now;	    /* RFC 5681, 4.2: not in order, or a hole has changed */
};

/* Nothing but RCV.NXT. At most `limit` ranges at a time. */
void tcp_reassembly_init(struct tcp_reassembly *reassembly, struct tcp_span_pool *pool,
			 uint16_t limit, uint32_t next);

/*
 * A segment's payload of `bytes` (below 2^30) from `sequence`; `right` is the right edge of
 * the window, `next` to `next` + 2^30. Also for segments outside the window, which may be
 * duplicates to tell of. The caller acknowledges.
 */
struct tcp_arrival tcp_reassembly_add(struct tcp_reassembly *reassembly, uint32_t sequence,
				      uint32_t bytes, uint32_t right, tcp_reassembly_write *write,
				      void *context);

/* Is there anything behind a hole? */
static inline bool tcp_reassembly_is_empty(const struct tcp_reassembly *reassembly)
{
	return !reassembly->root;
}

/*
 * The SACK blocks of the next segment to leave, at most `max` (tcp_options_sack_room());
 * how many. First what came twice, once, and the range around it (RFC 2883, 4); then the
 * range that grew last, and those before it (RFC 2018, 4). `max` 0 changes nothing.
 */
must_check unsigned int tcp_reassembly_sacks(struct tcp_reassembly *reassembly,
					     struct tcp_sack_block *blocks, unsigned int max);

/* Forgets all ranges, for what ends and for what gives memory back. `next` stays. */
void tcp_reassembly_clear(struct tcp_reassembly *reassembly);

/* Is it consistent? For tests: order, balance, sums, lists. Linear in the ranges. */
bool tcp_reassembly_is_valid(const struct tcp_reassembly *reassembly);
