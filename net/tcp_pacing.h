/* SPDX-License-Identifier: ISC */
/*
 * Pacing: the segments of a window are spread over the round trip rather than sent at once.
 * The rate is somewhat more than cwnd / srtt, so that the window and not the clock bounds
 * what is sent: twice in slow start, where the window doubles in a round, 1.2 times later.
 *
 * Segments leave in quanta, as large as what leaves in a millisecond, for one GSO packet each.
 * In any time T no more leaves than rate x (T + TCP_PACING_LATE_NS) and two quanta: a sender
 * that is late makes good so much, for a guest's timers are as late as its scheduler, and what
 * it does not make good then goes to those who send without pacing. Idle time is not saved up.
 *
 * The core, for each segment (or GSO packet) of new or old data:
 *
 *   if (tcp_pacing_delay(&pacing, now)) wait until tcp_pacing_next(&pacing);
 *   send at most tcp_pacing_quantum(&pacing) bytes;
 *   tcp_pacing_on_send(&pacing, bytes, now);
 *
 * and tcp_pacing_set after each ACK and each reduction of the window.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TCP_PACING_SLOW_START_PERCENT 200u
#define TCP_PACING_AVOIDANCE_PERCENT 120u
#define TCP_PACING_QUANTUM_NS 1000000u
#define TCP_PACING_LATE_NS 4000000u
#define TCP_PACING_QUANTUM_MAX 65160u  /* bytes: within a GSO packet of 64 KiB with headers */
#define TCP_PACING_QUANTUM_SEGMENTS 2u /* at least: what a delayed ACK is sent for */

struct tcp_pacing {
	uint64_t next_ns; /* the next segment may leave then */
	uint64_t rate;	  /* bytes a second; 0: no round trip is known, no pacing */
	uint64_t most;	  /* that the rate may be; 0: anything */
	uint32_t quantum; /* bytes */
};

/* Begins: nothing is paced until the first tcp_pacing_set with a round trip. */
void tcp_pacing_init(struct tcp_pacing *pacing, uint32_t mss);

/*
 * The rate from now on. `cwnd` in bytes; `srtt_ns` 0: not known, no pacing. `slow_start` as
 * tcp_cubic_in_slow_start says. A time that was set already stays.
 */
void tcp_pacing_set(struct tcp_pacing *pacing, uint32_t cwnd, uint32_t mss, uint64_t srtt_ns,
		    bool slow_start);

/* From the next tcp_pacing_set on never more than `most` bytes a second; 0: anything. */
static inline void tcp_pacing_limit(struct tcp_pacing *pacing, uint64_t most)
{
	pacing->most = most;
}

/* A packet of `bytes` leaves. */
void tcp_pacing_on_send(struct tcp_pacing *pacing, uint32_t bytes, uint64_t now_ns);

/* Nothing leaves before `until_ns`. */
static inline void tcp_pacing_hold(struct tcp_pacing *pacing, uint64_t until_ns)
{
	if (pacing->next_ns < until_ns)
		pacing->next_ns = until_ns;
}

/* How long the next segment must wait, in ns; 0: it may leave now. */
static inline uint64_t tcp_pacing_delay(const struct tcp_pacing *pacing, uint64_t now_ns)
{
	return pacing->next_ns > now_ns ? pacing->next_ns - now_ns : 0;
}

/* When the next segment may leave: for the timer. */
static inline uint64_t tcp_pacing_next(const struct tcp_pacing *pacing)
{
	return pacing->next_ns;
}

/*
 * The most bytes that should leave at once: a whole number of segments (one at least), for the
 * size of a GSO packet.
 */
static inline uint32_t tcp_pacing_quantum(const struct tcp_pacing *pacing)
{
	return pacing->quantum;
}
