/* SPDX-License-Identifier: ISC */
/*
 * RACK-TLP (RFC 8985): a range is lost when one sent sufficiently later has arrived, and the
 * tail of a flight is probed for before the retransmission timeout has to.
 *
 * No clock and no timers of its own: functions return when to call again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/tcp_scoreboard.h"

#define TCP_RACK_DUP_THRESH 3u
#define TCP_RACK_PERSIST 16u   /* recoveries that a wider window outlasts (6.2 step 4) */
#define TCP_RACK_MULT_MAX 255u /* quarters of the smallest round trip */
#define TCP_RACK_MIN_RTT_NS (300 * UINT64_C(1000000000)) /* how long a smallest sample counts */
#define TCP_TLP_PTO_INITIAL_NS UINT64_C(1000000000)	 /* 7.2: without a round-trip sample */
#define TCP_TLP_ACK_DELAY_NS (200 * UINT64_C(1000000))	 /* what a peer may delay an ACK */
#define TCP_TLP_PTO_MIN_NS (2 * UINT64_C(1000000))	 /* what a clock of 1 ms can tell apart */

struct tcp_rack {
	uint64_t newest_ns;  /* RACK.xmit_ts: the delivered range that was sent last */
	uint64_t rtt_ns;     /* RACK.rtt: of that range */
	uint64_t min_rtt_ns; /* the smallest sample of a window; UINT64_MAX none */
	uint64_t min_rtt_at_ns;
	uint32_t newest_end;  /* RACK.end_seq */
	uint32_t fack;	      /* RACK.fack: the highest that has arrived */
	uint32_t dsack_round; /* RACK.dsack_round: SND.NXT when a D-SACK widened the window */
	bool in_dsack_round, reordering_seen, has_newest;
	uint8_t mult;	 /* RACK.reo_wnd_mult */
	uint8_t persist; /* RACK.reo_wnd_persist */
};

void tcp_rack_init(struct tcp_rack *rack, uint32_t una);

/*
 * Until when what was sent again may have been sent, for its delivery now to be of that sending
 * (6.2 step 2): for tcp_delivery_begin(). echo_ns: when the timestamp that the ACK echoes was
 * sent, rounded up to the end of its tick; 0 none.
 */
uint64_t tcp_rack_retransmitted_until(const struct tcp_rack *rack, uint64_t now_ns,
				      uint64_t echo_ns);

/* A sound round-trip sample (6.2 step 1). */
void tcp_rack_on_sample(struct tcp_rack *rack, uint64_t rtt_ns, uint64_t now_ns);

/* What an ACK has delivered (6.2 steps 2 and 3), and its D-SACK (step 4). */
void tcp_rack_on_delivery(struct tcp_rack *rack, const struct tcp_scoreboard *board,
			  const struct tcp_delivery *delivery, bool is_dsack_sound,
			  uint64_t now_ns);

/* A recovery, fast or after a timeout, is over (6.2 step 4). */
void tcp_rack_on_recovery_end(struct tcp_rack *rack);

/*
 * RACK.reo_wnd (6.2 step 4). srtt_ns: its upper bound, 0 if there is none yet. mss: to count
 * SACKed segments by (at least 1).
 */
uint64_t tcp_rack_reordering_window(const struct tcp_rack *rack, const struct tcp_scoreboard *board,
				    bool in_recovery, uint64_t srtt_ns, uint32_t mss);

/*
 * Marks what is lost by now (6.2 step 5): `*lost` grows by its bytes. Returns when to look
 * again if no ACK comes before (the reordering timer), or 0: not. That is when the first of
 * them is due, where the RFC waits for the last; so it costs only what it marks.
 */
uint64_t tcp_rack_detect_loss(const struct tcp_rack *rack, struct tcp_scoreboard *board,
			      uint64_t window_ns, uint64_t now_ns, uint32_t *lost);

/*
 * The retransmission timer has expired: marks the first segment, at most mss bytes, and what
 * should have been acknowledged by now (6.3). Returns the bytes newly lost. Costs what it marks.
 */
uint32_t tcp_rack_mark_losses_on_rto(const struct tcp_rack *rack, struct tcp_scoreboard *board,
				     uint64_t window_ns, uint32_t mss, uint64_t now_ns);

/* ---- tail loss probes (section 7) ---- */

struct tcp_tlp {
	uint32_t end;	    /* TLP.end_seq: SND.NXT after the probe */
	bool is_out;	    /* a probe is on its way: end holds */
	bool is_retransmit; /* TLP.is_retrans: it was sent before */
};

/*
 * TLP_calc_PTO (7.2): how long from now until the probe. srtt_ns 0: none yet; is_one: at most
 * one segment is outstanding, whose ACK may be delayed; rto_left_ns: until the retransmission
 * timer expires, which the probe is never later than.
 */
uint64_t tcp_tlp_timeout_ns(uint64_t srtt_ns, bool is_one, uint64_t rto_left_ns);

/* A probe has been sent (7.3). */
void tcp_tlp_on_probe(struct tcp_tlp *tlp, uint32_t nxt, bool is_retransmit);

/*
 * An ACK of `ack` (7.4). True: the probe has repaired a loss that nothing else will show, and
 * the congestion window must answer for it. is_plain_duplicate: it acknowledges nothing and has
 * no SACK blocks.
 */
must_check bool tcp_tlp_on_ack(struct tcp_tlp *tlp, uint32_t ack,
			       const struct tcp_delivery *delivery, bool is_plain_duplicate);
