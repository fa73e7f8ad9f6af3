/* SPDX-License-Identifier: ISC */
/*
 * Congestion control: CUBIC (RFC 9438), with HyStart++ (RFC 9406) in the first slow start,
 * an initial window of ten segments (RFC 6928), byte counting (RFC 3465), the response to
 * ECN (RFC 3168) and to idleness (RFC 2861, RFC 7661). Integers only, no I/O, no clock.
 *
 * All windows are in bytes, all times in nanoseconds of one clock that never steps back
 * (a time before one that was seen counts as that one). Any argument is safe: what is out of
 * range is brought into it.
 *
 * What the core calls, and when:
 *
 *   tcp_cubic_init		with the connection, before the handshake has ended
 *   tcp_cubic_begin		when it is established: the initial window
 *   tcp_cubic_on_send		before new data is sent while nothing is in flight
 *   tcp_cubic_on_ack		for each ACK that acknowledges new data (by SACK alone: not)
 *   tcp_cubic_on_loss		once for each entry into fast recovery
 *   tcp_cubic_on_rto		for each retransmission time-out
 *   tcp_cubic_on_ecn		for each ACK with ECE, before tcp_cubic_on_ack for the same
 *   tcp_cubic_on_undo		the last reduction was for nothing (D-SACK, Eifel, F-RTO)
 *   tcp_cubic_window		what may be in flight
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/tcp_hystart.h"

/* No window that TCP can announce is larger (RFC 7323, 2.3), so cwnd never is. */
#define TCP_CUBIC_WINDOW_MAX (1u << 30)
/* ssthresh that was never set: the first slow start (RFC 5681, 3.1). */
#define TCP_CUBIC_SSTHRESH_NONE UINT32_MAX
/* A segment is counted as this large at least, so that no peer makes it vanish. */
#define TCP_CUBIC_MSS_MIN 64u
#define TCP_CUBIC_MSS_MAX 65535u
/* How long a window is kept that the application does not fill (RFC 7661, 4.4.3): to a second. */
#define TCP_CUBIC_UNUSED_NS (300ull * 1000000000ull)

/* A stage of congestion avoidance (RFC 9438, 4.1.2). */
struct tcp_cubic_epoch {
	uint64_t begun_ns; /* later by the time that was not used to send */
	uint32_t k;	   /* from then to the flat part of the curve, in 2^-20 s */
	uint32_t w_est;	   /* what Reno's window would be (RFC 9438, 4.3) */
};

/* 96 bytes. Read by tests and counters; written by nobody else. */
struct tcp_cubic {
	uint64_t updated_ns; /* the last ACK, or the end of idleness */
	union {
		struct tcp_hystart hystart;   /* in the first slow start */
		struct tcp_cubic_epoch epoch; /* in congestion avoidance, if in_epoch */
	};
	uint32_t cwnd;
	uint32_t ssthresh;
	uint32_t cwnd_prior;  /* cwnd before the last reduction; 0 before there was one */
	uint32_t w_max;	      /* where the curve is flat; 0: wherever the next epoch begins */
	uint32_t cwnd_carry;  /* of cwnd's growth, in bytes x bytes */
	uint32_t w_est_carry; /* the same of w_est */
	uint32_t recover;     /* SND.NXT at the last reduction: one for each window of data */
	uint32_t used;	      /* when the window was last filled, in 2^30 ns */
	uint16_t mss;
	bool paced : 1;
	bool in_epoch : 1;
	bool has_recover : 1; /* `recover` holds: it has not been acknowledged yet */
	bool after_rto : 1;   /* until `recover`: what is acknowledged may have left long ago */
	bool has_undo : 1;
	bool undo_in_epoch : 1;
	/* What the last reduction has overwritten (RFC 9438, 4.9.2); cwnd is in cwnd_prior. */
	uint32_t undo_ssthresh;
	uint32_t undo_cwnd_prior;
	uint32_t undo_w_max;
	struct tcp_cubic_epoch undo_epoch;
};

/* An ACK of new data. */
struct tcp_cubic_ack {
	uint64_t now_ns;
	uint64_t rtt_ns;    /* measured by this ACK; 0: none (RFC 6298, 3: Karn) */
	uint64_t srtt_ns;   /* smoothed, with this sample; 0: none yet */
	uint32_t delivered; /* bytes that it acknowledges for the first time */
	uint32_t in_flight; /* bytes sent and not acknowledged before it came */
	uint32_t una;	    /* SND.UNA after it */
	uint32_t nxt;	    /* SND.NXT */
	bool app_limited;   /* the application or the peer's window, not cwnd or pacing, bounds
			       what is sent */
	bool recovering;    /* in fast recovery, or the ACK has ECE: the window does not grow */
};

enum tcp_cubic_ecn {
	TCP_CUBIC_ECN_REDUCED, /* send CWR with the next new data */
	TCP_CUBIC_ECN_SEEN,    /* this window of data was answered already */
	/*
	 * At one segment: no window is smaller, so the next new segment waits for the
	 * retransmission timer, restarted now (RFC 3168, 6.1.2). Send CWR with it.
	 */
	TCP_CUBIC_ECN_FLOOR,
};

/* The initial window: min(10 MSS, max(2 MSS, 14600)) (RFC 6928, 2). */
uint32_t tcp_cubic_initial_window(uint32_t mss);

/*
 * Begins a connection. `mss` is the payload of a full segment (without options). `paced`: the
 * core spreads segments (`net/tcp_pacing`), so one ACK may open the window by any amount
 * (RFC 9406, 4.2).
 */
void tcp_cubic_init(struct tcp_cubic *cubic, uint32_t mss, bool paced, uint64_t now_ns);

/*
 * The handshake has ended: the MSS is agreed, `nxt` is SND.NXT. `syn_lost`: a SYN or a
 * SYN-ACK of ours was sent again because the timer ran out, so the window is one segment (RFC
 * 5681, 3.1).
 */
void tcp_cubic_begin(struct tcp_cubic *cubic, uint32_t mss, bool syn_lost, uint32_t nxt,
		     uint64_t now_ns);

/* Path MTU discovery has found another segment size. The window stays what it is in bytes. */
void tcp_cubic_set_mss(struct tcp_cubic *cubic, uint32_t mss);

/*
 * New data is about to be sent and nothing is in flight. After `rto_ns` without an ACK the
 * window halves for each RTO gone by, down to the initial window, and ssthresh remembers
 * three fourths of it (RFC 2861, 3.1). Idle time is no time to the curve.
 */
void tcp_cubic_on_send(struct tcp_cubic *cubic, uint64_t rto_ns, uint64_t now_ns);

/* An ACK of new data: the window may grow (RFC 9438, 4.2 to 4.5, 4.10). */
void tcp_cubic_on_ack(struct tcp_cubic *cubic, const struct tcp_cubic_ack *ack);

/*
 * A segment is lost and fast recovery begins: ssthresh and the window become 0.7 of what was
 * in flight, two segments at least (RFC 9438, 4.6). `in_flight` is SND.NXT - SND.UNA, here and
 * below: what is lost counts, too.
 * False if the window was reduced for this window of data already (RFC 3168, 6.1.2): by ECN.
 */
bool tcp_cubic_on_loss(struct tcp_cubic *cubic, uint32_t in_flight, uint32_t una, uint32_t nxt,
		       uint64_t now_ns);

/*
 * The retransmission timer ran out: one segment, slow start to 0.7 of what was in flight
 * (RFC 9438, 4.8). `again`: for the same segment as the last time; ssthresh then stays
 * (RFC 5681, 3.1, equation 4 and below).
 */
void tcp_cubic_on_rto(struct tcp_cubic *cubic, uint32_t in_flight, bool again, uint32_t nxt,
		      uint64_t now_ns);

/* An ACK with ECE (RFC 3168, 6.1.2; RFC 9438, 4.6). */
enum tcp_cubic_ecn tcp_cubic_on_ecn(struct tcp_cubic *cubic, uint32_t in_flight, uint32_t una,
				    uint32_t nxt, uint64_t now_ns);

/*
 * What began the recovery was no loss (RFC 9438, 4.9): everything is as before it, but that a
 * window is never made smaller. False if there is nothing to undo: no reduction, or
 * one that something real has followed.
 */
bool tcp_cubic_on_undo(struct tcp_cubic *cubic);

/* F-RTO took two round trips to find the timeout real: three segments by now (RFC 5682, 3a). */
static inline void tcp_cubic_on_rto_late(struct tcp_cubic *cubic)
{
	if (cubic->cwnd < 3 * cubic->mss)
		cubic->cwnd = 3 * cubic->mss;
}

/* How many bytes may be in flight. */
static inline uint32_t tcp_cubic_window(const struct tcp_cubic *cubic)
{
	return cubic->cwnd;
}

/* Is it slow start, of any kind (RFC 5681, 3.1)? */
static inline bool tcp_cubic_in_slow_start(const struct tcp_cubic *cubic)
{
	return cubic->cwnd < cubic->ssthresh;
}
