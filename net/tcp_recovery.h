/* SPDX-License-Identifier: ISC */
/*
 * Loss recovery of a TCP connection as one thing, over the scoreboard, RACK-TLP, the
 * retransmission timeout with F-RTO, and PRR. For peers without SACK: NewReno (RFC 6582).
 *
 * How a connection uses it:
 *
 *   - before sending anything: tcp_scoreboard_has_room(&recovery.board, bytes);
 *     after it: tcp_recovery_on_send(). Lost data first: tcp_recovery_next() says which, and is
 *     asked again until it says none or the congestion window is full, that is, while
 *     tcp_recovery_pipe() < cwnd.
 *   - for each acceptable ACK: tcp_recovery_on_ack(). Then the congestion control is told what
 *     the result's events say, and tcp_recovery_window() is asked, once for each ACK, for the
 *     window to use now.
 *   - when now >= tcp_recovery_deadline(): tcp_recovery_on_timer(), and as its events say.
 *
 * SYN and FIN take a sequence number each and are sent and acknowledged as a byte of data is.
 * Persist and keep-alive probes are the connection's own and unknown here; while the peer's
 * window is zero and nothing is outstanding there is no deadline.
 *
 * Pure: time is an argument (nanoseconds of a monotonic clock, never 0), memory is lent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "net/tcp_prr.h"
#include "net/tcp_rack.h"
#include "net/tcp_rto.h"
#include "net/tcp_scoreboard.h"

enum tcp_recovery_state {
	TCP_RECOVERY_OPEN, /* nothing known to be lost */
	TCP_RECOVERY_FAST, /* repairing losses that ACKs have shown */
	TCP_RECOVERY_LOSS, /* repairing after the retransmission timer expired */
};

enum tcp_recovery_event {
	/*
	 * A loss event (with EXITED, one that follows another at once: exit first): the congestion
	 * control is to remember its state for an undo and to set its ssthresh; then
	 * tcp_recovery_window() glides to that.
	 */
	TCP_RECOVERY_ENTERED = 1,
	/* The recovery, fast or after a timeout, is over: cwnd is ssthresh after a fast one. */
	TCP_RECOVERY_EXITED = 2,
	/*
	 * The retransmission timer expired: ssthresh as for a loss event (unless IS_REPEATED:
	 * then ssthresh stays, RFC 5681, 3.1), cwnd one segment.
	 */
	TCP_RECOVERY_TIMEOUT = 4,
	TCP_RECOVERY_IS_REPEATED = 8,
	/*
	 * The loss event or timeout was none (RFC 3522, 3708, 5682): the congestion control takes
	 * the state back that it had before the last ENTERED or TIMEOUT without IS_REPEATED (RFC
	 * 4015). With EXITED unless that recovery was over before.
	 */
	TCP_RECOVERY_SPURIOUS = 16,
	/* A probe has repaired a loss: answer as to a loss event that is over (RFC 8985, 7.4). */
	TCP_RECOVERY_PROBE_REPAIRED = 32,
	/*
	 * Send one probe now, whatever the congestion window: a segment of new data if there is
	 * any and the peer's window takes it, else what tcp_recovery_probe() says. Then
	 * tcp_recovery_on_probe(), after tcp_recovery_on_send() as always.
	 */
	TCP_RECOVERY_SEND_PROBE = 64,
	/* F-RTO: up to two segments of new data may go, and nothing again (RFC 5682, step 2b). */
	TCP_RECOVERY_SEND_NEW = 128,
	/* The peer has thrown SACKed data away; it is sent again. */
	TCP_RECOVERY_RENEGED = 256,
	/* A D-SACK came that fits what was sent again. */
	TCP_RECOVERY_DSACK = 512,
	/*
	 * F-RTO's second ACK says that the timeout was real: two round trips have passed since, so
	 * the window may be three segments (RFC 5682, 2.1 and 3.1, step 3a), without which what is
	 * lost would wait behind the new data that was sent.
	 */
	TCP_RECOVERY_IS_REAL = 1024,
};

/* An ACK that RFC 9293 and RFC 5961 accept: SND.UNA - MAX.SND.WND <= ack <= SND.NXT. */
struct tcp_recovery_ack {
	uint32_t ack;
	const struct tcp_sack_block *blocks; /* as received; NULL if there are none */
	uint8_t count; /* of blocks; more than TCP_SACK_BLOCKS_MAX are not read */
	/*
	 * Could be a duplicate (RFC 5681, 2): no data, no SYN or FIN, the window as before. Whether
	 * it acknowledges anything new is found here.
	 */
	bool is_bare;
	bool may_send_new; /* new data waits and the peer's window takes it (for F-RTO) */
	/*
	 * When the timestamp that it echoes was current, rounded up to the end of its tick; 0: no
	 * timestamps. Only an echo that is known to be ours (RFC 7323, 3.2).
	 */
	uint64_t echo_ns;
	uint64_t now_ns;
};

/* What an ACK or a timer has brought. */
struct tcp_recovery_result {
	uint32_t events;	/* enum tcp_recovery_event */
	uint32_t acked;		/* bytes by which SND.UNA advanced: to be freed */
	uint32_t delivered;	/* bytes newly arrived, cumulatively or by SACK */
	uint32_t lost;		/* bytes newly found lost */
	uint64_t rtt_ns;	/* newest sound round-trip sample, for congestion control; 0 none */
	uint32_t pipe_before;	/* pipe before it */
	uint32_t flight_before; /* FlightSize then (RFC 5681, 2): also what is lost or SACKed */
	bool is_duplicate;	/* a duplicate ACK (RFC 5681, 2; with SACK, one with new blocks) */
	bool was_fast; /* with EXITED: a fast recovery has ended, not one after a timeout */
};

struct tcp_recovery {
	struct tcp_scoreboard board;
	struct tcp_rack rack;
	struct tcp_rto rto;
	struct tcp_tlp tlp;
	struct tcp_frto frto;
	struct tcp_prr prr;
	uint64_t rto_at_ns, probe_at_ns, reorder_at_ns; /* deadlines; 0: none */
	uint64_t retransmit_ns; /* when this recovery first sent anything again; 0 not yet */
	uint32_t recover;	/* SND.NXT when the recovery began (RFC 6582: recover) */
	uint32_t undo_begin;	/* SND.UNA then: no D-SACK below it is of this recovery */
	uint32_t undo_bytes;	/* sent again in it, and not yet reported as a duplicate */
	uint32_t resent_begin;	/* what it sent again first, with retransmit_ns */
	uint32_t probe_bytes;	/* sent again by the last probe, and not reported as a duplicate */
	uint32_t
		dsack_credit; /* sent again ever, and not yet reported so: what D-SACKs may claim */
	uint32_t resent_end;  /* after a timeout: the end of what was sent again */
	uint32_t flight;      /* RecoverFS for PRR */
	uint32_t mss;
	uint32_t dup_bytes; /* without SACK: what duplicates say has left the network */
	uint16_t dup_acks;
	uint8_t state; /* enum tcp_recovery_state */
	bool has_sack;
	bool has_recover;	 /* `recover` holds: there has been a recovery */
	bool may_undo;		 /* it may yet turn out to have been none */
	bool is_timeout_pending; /* SND.UNA has not advanced since the timer expired */
	bool has_probed;	 /* and no round trip was measured since (RFC 8985, 7.3) */
	uint32_t spurious, timeouts, probes, dsacks, dsacks_unsound; /* counted */
};

struct tcp_recovery_options {
	struct tcp_range *ranges; /* lent, see tcp_scoreboard_init() */
	uint16_t capacity;
	uint32_t una;			 /* the initial send sequence number */
	uint32_t mss;			 /* effective send MSS, at least 1 */
	uint64_t rto_min_ns, rto_max_ns; /* 0: the defaults of tcp_rto.h */
	bool has_sack; /* both ends have said SACK-permitted; may be set later, by the handshake */
};

void tcp_recovery_init(struct tcp_recovery *recovery, const struct tcp_recovery_options *options);

/* Options are known now (SYN or SYN+ACK received), or the path's MTU has changed. */
void tcp_recovery_set_sack(struct tcp_recovery *recovery, bool has_sack);
void tcp_recovery_set_mss(struct tcp_recovery *recovery, uint32_t mss);

/*
 * [begin, begin + bytes) leaves now: new data if begin is SND.NXT, else what tcp_recovery_next()
 * or tcp_recovery_probe() gave. -ENOBUFS, -EINVAL as in tcp_scoreboard.h: it was not noted.
 */
must_check int tcp_recovery_on_send(struct tcp_recovery *recovery, uint32_t begin, uint32_t bytes,
				    uint64_t now_ns);

/*
 * What to send again first, at most max_bytes of it: false if nothing. It stays the same until
 * tcp_recovery_on_send().
 */
must_check bool tcp_recovery_next(const struct tcp_recovery *recovery, uint32_t max_bytes,
				  uint32_t *begin, uint32_t *bytes);

void tcp_recovery_on_ack(struct tcp_recovery *recovery, const struct tcp_recovery_ack *ack,
			 struct tcp_recovery_result *result);

/*
 * The congestion window after on_ack() or on_timer(): during a fast recovery PRR's, after one
 * that has just ended ssthresh, else cwnd as given. ssthresh: the congestion control's, already
 * reduced if the result has ENTERED. Call it once for each result.
 */
uint32_t tcp_recovery_window(struct tcp_recovery *recovery,
			     const struct tcp_recovery_result *result, uint32_t cwnd,
			     uint32_t ssthresh);

/* The bytes in the network, to compare with the congestion window. */
uint32_t tcp_recovery_pipe(const struct tcp_recovery *recovery);

/* When tcp_recovery_on_timer() is due; 0: never. */
uint64_t tcp_recovery_deadline(const struct tcp_recovery *recovery);

/* Does what is due by now; before the deadline, nothing. */
void tcp_recovery_on_timer(struct tcp_recovery *recovery, uint64_t now_ns,
			   struct tcp_recovery_result *result);

/* What to probe with when there is no new data: the last segment sent. False: nothing is out. */
must_check bool tcp_recovery_probe(const struct tcp_recovery *recovery, uint32_t *begin,
				   uint32_t *bytes);

/* A probe was sent; is_retransmit: what tcp_recovery_probe() gave. */
void tcp_recovery_on_probe(struct tcp_recovery *recovery, bool is_retransmit);
