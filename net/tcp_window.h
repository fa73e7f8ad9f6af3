/* SPDX-License-Identifier: ISC */
/*
 * The receive window: how much a connection may hold for its application, what of that is
 * offered to the peer, and when it is worth telling.
 *
 *	read          RCV.NXT                  right                read + limit
 *	 |   queued      |   what is offered     |    not offered yet     |
 *
 * - `right` never goes back (RFC 9293, 3.8.6: the window should not shrink). Where the scale
 *   cannot express what is left, the peer is told up to a unit less (RFC 7323, 2.3), but what
 *   was once invited is always taken: acceptance goes by tcp_window_right().
 * - It moves in steps worth a segment (silly window, RFC 9293, 3.8.6.2.2).
 * - `limit` grows with what the application reads in a round trip, to twice that, so that the
 *   peer's congestion window is what limits it (dynamic right-sizing, Fisk and Feng, 2001); but
 *   never beyond what the connection may have, nor what all may have together. Under
 *   pressure it stays; what is not needed can be given back, as far as nothing is broken
 *   that was promised.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/tcp_options.h"

#define TCP_WINDOW_MAX (65535u << TCP_SCALE_MAX)

/* What the windows of all connections may be together; bytes. */
struct tcp_window_budget {
	uint64_t total;
	uint64_t used;
};

struct tcp_window {
	struct tcp_window_budget *budget;
	uint32_t limit;	     /* bytes that may be held; charged to the budget */
	uint32_t max;	     /* that `limit` may become */
	uint32_t min;	     /* that it began with */
	uint32_t right;	     /* what has been offered ends here */
	uint32_t round_read; /* bytes that the application has read in this round trip */
	uint32_t mark;	     /* a window was offered to here when the measuring began */
	uint64_t round_ns;   /* when the round trip of round_read began */
	uint64_t mark_ns;
	uint64_t rtt_ns; /* of the peer's data, measured by its windows; 0: not known */
	uint16_t mss;	 /* largest segment that may come */
	uint8_t scale;	 /* ours; 0 when it was not agreed on */
};

/* The scale to offer in a SYN, the smallest that can express `max` bytes; at most 14. */
uint8_t tcp_window_scale(uint32_t max);

/*
 * Begins with RCV.NXT behind the peer's SYN. `initial` bytes are charged to the budget, or what
 * is left of it, but at least `mss`, so that each connection works. `scale` as agreed: without
 * it `max` becomes 65535. Release it at the end.
 */
void tcp_window_init(struct tcp_window *window, struct tcp_window_budget *budget, uint32_t initial,
		     uint32_t max, uint8_t scale, uint16_t mss, uint32_t next);

/* Gives back to the budget what the window had. */
void tcp_window_release(struct tcp_window *window);

/*
 * The window field of a segment that leaves now; `queued` bytes before `next` (RCV.NXT) have
 * not been read. Whatever is returned must be sent: it has been promised. `syn`: without
 * scale (RFC 7323, 2.2).
 */
uint16_t tcp_window_offer(struct tcp_window *window, uint32_t next, uint32_t queued, bool syn);

/* The right edge of all that was offered: what begins behind it is not acceptable. */
static inline uint32_t tcp_window_right(const struct tcp_window *window)
{
	return window->right;
}

/*
 * Has reading made so much room that it is worth an acknowledgement of its own? A closed
 * window opens at one segment or half of the limit; an open one is moved at two segments, when
 * that is much for this limit or little is left.
 */
bool tcp_window_wants_update(const struct tcp_window *window, uint32_t next, uint32_t queued);

/*
 * `next` has moved: measures the round trip from one window's offer to its use, or takes
 * `echo_ns`, how long ago the timestamp was sent that the segment echoes (0: it has none), which
 * is right also for a peer that does not use the whole window. Call it for each segment in order.
 */
void tcp_window_received(struct tcp_window *window, uint32_t next, uint64_t echo_ns,
			 uint64_t now_ns);

/*
 * The application has read `bytes`. `rtt_ns`: the round trip that our own data took, if there
 * was any, for as long as tcp_window_received() has not measured the peer's: a handshake says
 * little of the queues that a stream will fill. Lets the limit grow.
 */
void tcp_window_read(struct tcp_window *window, uint32_t bytes, uint64_t rtt_ns, uint64_t now_ns);

/*
 * Another largest window from now on; at least what it began with. What is neither held nor
 * promised of a larger one is given back. `next` and `queued` as above.
 */
void tcp_window_set_max(struct tcp_window *window, uint32_t max, uint32_t next, uint32_t queued);

/*
 * Gives back what is neither held nor promised, down to what it began with; for connections
 * that are idle, or when memory is short. `next` and `queued` as above. Returns the bytes.
 */
uint32_t tcp_window_trim(struct tcp_window *window, uint32_t next, uint32_t queued);
