/* SPDX-License-Identifier: ISC */
/*
 * HyStart++ (RFC 9406): leaves the first slow start when round trips grow longer, before
 * the bottleneck's queue overflows. Where they do, the window grows more slowly for some
 * rounds (conservative slow start, CSS), and fast again if that was a false alarm.
 *
 * A part of `net/tcp_cubic`, which calls it; a core has no need to.
 */
#pragma once

#include <stdint.h>

/* RFC 9406, 4.3. */
#define TCP_HYSTART_MIN_RTT_THRESH_US 4000u
#define TCP_HYSTART_MAX_RTT_THRESH_US 16000u
#define TCP_HYSTART_MIN_RTT_DIVISOR 8u
#define TCP_HYSTART_RTT_SAMPLES 8u /* N_RTT_SAMPLE */
#define TCP_HYSTART_CSS_GROWTH_DIVISOR 4u
#define TCP_HYSTART_CSS_ROUNDS 5u
#define TCP_HYSTART_BURST_SEGMENTS 8u /* L for senders that do not pace; no bound otherwise */

#define TCP_HYSTART_RTT_NONE UINT32_MAX /* the RFC's infinity */

enum tcp_hystart_phase {
	TCP_HYSTART_SLOW_START,	  /* the window grows by what is acknowledged */
	TCP_HYSTART_CONSERVATIVE, /* CSS: by a fourth of it */
	TCP_HYSTART_DONE,	  /* congestion avoidance begins: ssthresh = cwnd */
};

/* 20 bytes. Round trips are in microseconds. */
struct tcp_hystart {
	uint32_t window_end;  /* the round ends when this sequence number is acknowledged */
	uint32_t last_rtt_us; /* the least of the round before, or TCP_HYSTART_RTT_NONE */
	uint32_t rtt_us;      /* the least of this round, or TCP_HYSTART_RTT_NONE */
	uint32_t baseline_us; /* what the round trip was when CSS began */
	uint8_t samples;      /* in this round; stays at 255 */
	uint8_t css_rounds;   /* that have begun */
	uint8_t phase;	      /* enum tcp_hystart_phase */
};

/* Begins, with the next sequence number to be sent (RFC 9406, 4.2: "windowEnd"). */
void tcp_hystart_init(struct tcp_hystart *hystart, uint32_t nxt);

/*
 * An acknowledgement in slow start. `una` and `nxt` are SND.UNA and SND.NXT after it,
 * `rtt_ns` its measured round trip, 0 for none (Karn). Gives the phase that holds from now
 * on: the window grows by this very acknowledgement already as that says.
 */
enum tcp_hystart_phase tcp_hystart_on_ack(struct tcp_hystart *hystart, uint32_t una, uint32_t nxt,
					  uint64_t rtt_ns);
