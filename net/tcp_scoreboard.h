/* SPDX-License-Identifier: ISC */
/*
 * What a TCP connection has sent and the other end has not yet acknowledged (RFC 9293, 3.4;
 * RFC 2018; RFC 6675): ranges of sequence numbers, each with the time it was last sent and
 * whether it is in flight, lost or known to have arrived. Nothing here decides what is lost;
 * net/tcp_rack.h and net/tcp_recovery.h do, and mark it.
 *
 * Ranges lie in an array that the owner lends; links between them are indices, so that the
 * array may be moved to a larger one. They are threaded three ways: by sequence, by the time of
 * sending (those in flight only), and in a balanced tree by sequence (net/tcp_range_tree.h). A
 * SACK block costs O(log n) and what it newly covers; neighbours that have arrived are one
 * range, so nothing is walked over twice. A block that would need more ranges than there are
 * is refused and counted: the peer cannot make the array grow.
 *
 * Times are nanoseconds of one monotonic clock. Where that stands still while one thing is sent
 * after another, later ones are given some nanoseconds more, so that which was first is known:
 * RACK (RFC 8985, 6.2) would take sequence for order, and find lost what was sent last. Sequence
 * numbers are in host byte order and compared modulo 2^32; less than 2^30 of them are ever
 * outstanding.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "net/tcp_sack.h"

#define TCP_RANGE_NONE UINT16_MAX
#define TCP_SCOREBOARD_RANGES_MIN 8u /* fewer cannot hold what one retransmission needs */
#define TCP_SCOREBOARD_BYTES_MAX (1u << 30)

enum tcp_range_flags {
	TCP_RANGE_SACKED = 1,	     /* has arrived, above the cumulative acknowledgement */
	TCP_RANGE_LOST = 2,	     /* is to be sent again */
	TCP_RANGE_RETRANSMITTED = 4, /* has been sent more than once */
	TCP_RANGE_LOST_BELOW = 8,    /* the tree's: lost, or a child has this */
	TCP_RANGE_MERGED = 16,	     /* sent at several times; sent_ns is that of its end */
	TCP_RANGE_UNTIMED = 32,	     /* sent_ns is no earlier than when it was sent, and no more */
};

/* 32 bytes. A range that is neither SACKED nor LOST is in flight. */
struct tcp_range {
	uint32_t begin, end;	      /* [begin, end) */
	uint64_t sent_ns;	      /* when it was last sent */
	uint16_t prev, next;	      /* by sequence; of free ones `next` only */
	uint16_t earlier, later;      /* by time of sending, of those in flight */
	uint16_t left, right, parent; /* in the tree */
	uint8_t flags, height;
};

struct tcp_scoreboard {
	struct tcp_range *ranges;
	uint64_t stamp_ns, moment_ns;	/* the last time given out, and the clock's then */
	uint32_t una, nxt;		/* SND.UNA and SND.NXT: what the ranges cover */
	uint32_t sacked, lost;		/* bytes of it */
	uint16_t capacity, used, fresh; /* ranges; those never used begin at `fresh` */
	uint16_t free;			/* a list of given-back ones */
	uint16_t first, last, root;	/* by sequence */
	uint16_t oldest, newest;	/* by time of sending */
	uint16_t sacked_ranges;
	uint32_t sacks_invalid; /* blocks that cannot be: outside of what was sent */
	uint32_t sacks_refused; /* blocks for which there were no ranges left */
};

/*
 * What one acknowledgement newly says has arrived. "Original" is what has been sent only once:
 * of it alone the time of its sending is certain (Karn). Begin with tcp_delivery_begin().
 */
struct tcp_delivery {
	/* In: what was sent again after this the peer cannot have seen (RFC 8985, 6.2 step 2). */
	uint64_t retransmitted_until_ns;
	/* Out. */
	uint32_t acked;		  /* bytes by which SND.UNA advances */
	uint32_t sacked;	  /* bytes newly covered by SACK blocks */
	uint32_t delivered;	  /* bytes newly arrived, either way */
	uint32_t originals;	  /* of these, original bytes */
	bool acked_retransmitted; /* the cumulative acknowledgement covered something sent again */
	bool has_newest;	  /* newest_ns and newest_end hold */
	uint64_t newest_ns;	  /* the delivered range that was sent last (RACK.segment) */
	uint32_t newest_end;	  /* and where it ends */
	uint64_t original_acked_ns;  /* when the oldest original acked now was sent; 0 none */
	uint64_t original_sacked_ns; /* the same of those SACKed now */
	uint64_t original_last_ns;   /* when the newest original delivered now was sent; 0 none */
	bool has_original;	     /* original_lowest_end holds */
	uint32_t original_lowest_end;
	uint32_t highest_end; /* of anything delivered now, if delivered > 0 */
	bool has_dsack;	      /* the first block reports a duplicate (RFC 2883) */
	uint32_t dsack_begin, dsack_end;
};

/*
 * Empty, at the initial send sequence number. `ranges` stays the caller's, lent for as long as
 * the scoreboard is used; capacity at least TCP_SCOREBOARD_RANGES_MIN.
 */
void tcp_scoreboard_init(struct tcp_scoreboard *board, struct tcp_range *ranges, uint16_t capacity,
			 uint32_t una);

/*
 * Moves to a larger array, whose old one the caller has back; or, when nothing is outstanding, to
 * any. What was lent before is copied from and not used again.
 */
void tcp_scoreboard_move(struct tcp_scoreboard *board, struct tcp_range *ranges, uint16_t capacity);

/* Bytes sent and neither acknowledged, SACKed nor lost: "pipe" (RFC 6675, 4). */
static inline uint32_t tcp_scoreboard_pipe(const struct tcp_scoreboard *board)
{
	return board->nxt - board->una - board->sacked - board->lost;
}

/*
 * May new data be sent, by what can be remembered of it? False only when the peer has torn
 * what is outstanding to pieces, or 2^30 bytes are: then wait for an acknowledgement.
 */
bool tcp_scoreboard_has_room(const struct tcp_scoreboard *board, uint32_t bytes);

/*
 * New data [SND.NXT, SND.NXT + bytes) leaves now. -ENOBUFS: there is no room (see above), and
 * it must not be sent. One call for a whole GSO packet.
 */
must_check int tcp_scoreboard_on_send(struct tcp_scoreboard *board, uint32_t bytes,
				      uint64_t now_ns);

/*
 * [begin, begin + bytes), some of what is outstanding and within one range, leaves again now:
 * it is in flight then, and no longer lost. -EINVAL: it is not so. Where there are no ranges
 * left to split, the whole range counts as sent again.
 */
must_check int tcp_scoreboard_on_retransmit(struct tcp_scoreboard *board, uint32_t begin,
					    uint32_t bytes, uint64_t now_ns);

/* The lowest lost range, or TCP_RANGE_NONE. O(log n). */
uint16_t tcp_scoreboard_lowest_lost(const struct tcp_scoreboard *board);

/* The range that holds a sequence number of [SND.UNA, SND.NXT), else TCP_RANGE_NONE. O(log n). */
uint16_t tcp_scoreboard_find(const struct tcp_scoreboard *board, uint32_t sequence);

void tcp_delivery_begin(struct tcp_delivery *delivery, uint64_t retransmitted_until_ns);

/*
 * The cumulative acknowledgement `ack`. Below SND.UNA it is old and nothing happens; beyond
 * SND.NXT it is the caller's to have refused (RFC 5961, 5) and nothing happens either.
 */
void tcp_scoreboard_on_ack(struct tcp_scoreboard *board, uint32_t ack,
			   struct tcp_delivery *delivery);

/*
 * SACK blocks of a segment that acknowledges `ack`, after tcp_scoreboard_on_ack(). The first may
 * be a D-SACK (RFC 2883, 4): below `ack`, or within the second. Blocks outside of what has been
 * sent, empty or backwards are counted and ignored; old ones are ignored.
 */
void tcp_scoreboard_on_sack(struct tcp_scoreboard *board, uint32_t ack,
			    const struct tcp_sack_block *blocks, unsigned int count,
			    struct tcp_delivery *delivery);

/* Marks a range in flight as lost; others stay as they are. */
void tcp_scoreboard_mark_lost(struct tcp_scoreboard *board, uint16_t index);

/*
 * Marks the first `bytes` of what is outstanding as lost, or as much of it as its first range
 * has, if that is in flight (NewReno: RFC 6582, 3.2). Returns the bytes marked.
 */
uint32_t tcp_scoreboard_mark_first_lost(struct tcp_scoreboard *board, uint32_t bytes);

/* What was marked lost is in flight after all, as it was sent: the loss was none. */
void tcp_scoreboard_unmark_lost(struct tcp_scoreboard *board);

/*
 * The peer has thrown away what it had SACKed (RFC 2018, 8): the first range outstanding is
 * SACKed although nothing is missing before it.
 */
static inline bool tcp_scoreboard_is_reneged(const struct tcp_scoreboard *board)
{
	return board->first != TCP_RANGE_NONE &&
	       (board->ranges[board->first].flags & TCP_RANGE_SACKED);
}

/* Believes no SACK so far: what they covered is lost. */
void tcp_scoreboard_forget_sacks(struct tcp_scoreboard *board);

/* Is everything as it should be? For tests: O(n). */
must_check bool tcp_scoreboard_is_valid(const struct tcp_scoreboard *board);
