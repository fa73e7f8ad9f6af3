/* SPDX-License-Identifier: ISC */
/*
 * Round-trip times and the retransmission timeout of a TCP connection (RFC 6298; RFC 7323,
 * appendix G), and the detection of timeouts that were none (F-RTO, RFC 5682).
 *
 * All in nanoseconds. The caller says which samples are sound (Karn: none of what was sent
 * twice, unless a timestamp tells which of them was acknowledged).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TCP_RTO_MS UINT64_C(1000000)
#define TCP_RTO_INITIAL_NS (1000 * TCP_RTO_MS)		/* RFC 6298, 2.1 */
#define TCP_RTO_INITIAL_SYN_LOST_NS (3000 * TCP_RTO_MS) /* 5.7 */
#define TCP_RTO_MIN_NS (200 * TCP_RTO_MS)   /* 2.4 says 1 s and allows less; all do this */
#define TCP_RTO_MAX_NS (60000 * TCP_RTO_MS) /* 2.5 */
#define TCP_RTO_BACKOFF_MAX 16u

struct tcp_rto {
	uint64_t srtt_ns; /* 0: no sample yet */
	uint64_t rttvar_ns;
	uint64_t min_ns, max_ns; /* bounds of the timeout */
	uint64_t rto_ns;	 /* without back-off, within the bounds */
	uint8_t backoff;	 /* how often it has expired since the last sound sample */
};

/* No samples. min_ns and max_ns 0: the defaults above. */
void tcp_rto_init(struct tcp_rto *rto, uint64_t min_ns, uint64_t max_ns);

/*
 * A sound sample, and how many of them to expect in a round trip (at least 1): each then counts
 * by that much less (RFC 7323, appendix G). Ends any back-off. Samples of 0 count as 1 ns and
 * none counts for more than the largest timeout.
 */
void tcp_rto_on_sample(struct tcp_rto *rto, uint64_t rtt_ns, uint32_t expected);

/* The handshake is over; the SYN had to be sent again and gave no sample (RFC 6298, 5.7). */
void tcp_rto_on_syn_lost(struct tcp_rto *rto);

/* The timer has expired: the next one takes twice as long, up to the largest (5.5). */
void tcp_rto_on_expiry(struct tcp_rto *rto);

/* Ends back-off without a sample: new data was acknowledged, or the timeout was none. */
void tcp_rto_end_backoff(struct tcp_rto *rto);

/* What to set the timer to now, with back-off. */
uint64_t tcp_rto_timeout_ns(const struct tcp_rto *rto);

/* ---- F-RTO, RFC 5682 section 3.1, and 2.1 for connections without SACK ---- */

enum tcp_frto_step {
	TCP_FRTO_OFF,	 /* no timeout, or a plain recovery of it */
	TCP_FRTO_FIRST,	 /* one segment was sent again: what does the first ACK say? (step 2) */
	TCP_FRTO_SECOND, /* new data was allowed: what does the second say? (step 3) */
};

enum tcp_frto_verdict {
	TCP_FRTO_UNDECIDED,
	TCP_FRTO_SEND_NEW, /* step 2b: send up to two new segments, and nothing again */
	TCP_FRTO_REAL,	   /* the timeout was real: go on as RFC 5681 and 8985 say */
	TCP_FRTO_SPURIOUS, /* it was not (step 3b) */
};

struct tcp_frto {
	uint32_t recover; /* SND.NXT when the timer expired */
	uint8_t step;	  /* enum tcp_frto_step */
};

/* What an acknowledgement says, for F-RTO. */
struct tcp_frto_ack {
	uint32_t una;	    /* SND.UNA after it */
	bool advances;	    /* it has advanced SND.UNA */
	bool is_duplicate;  /* a duplicate, which a connection with SACK knows by its blocks */
	bool delivers_old;  /* what was sent once, before the timeout, has newly arrived */
	bool covers_new;    /* it acknowledges or SACKs something beyond `recover` */
	bool may_send_new;  /* there is new data, and the peer's window takes it */
	bool has_sack;	    /* the connection uses SACK: section 3.1, else 2.1 */
	bool covers_resent; /* SND.UNA is beyond all that was sent again since the timeout */
};

/* The timer expired. `is_repeated`: during the recovery of another timeout; then there is none. */
void tcp_frto_begin(struct tcp_frto *frto, uint32_t nxt, bool is_repeated);
enum tcp_frto_verdict tcp_frto_on_ack(struct tcp_frto *frto, const struct tcp_frto_ack *ack);
