/* SPDX-License-Identifier: ISC */
/* See net/tcp_rack.h; sections are those of RFC 8985. */
#include "net/tcp_rack.h"

#include <stddef.h>

#include "lib/minmax.h"
#include "net/tcp_core_segment.h"

/* What times of sending within one moment may differ by (net/tcp_scoreboard.h). */
#define STAMP_SLACK_NS 1000u

void tcp_rack_init(struct tcp_rack *rack, uint32_t una)
{
	*rack = (struct tcp_rack){ .min_rtt_ns = UINT64_MAX, .fack = una, .mult = 1 };
}

uint64_t tcp_rack_retransmitted_until(const struct tcp_rack *rack, uint64_t now_ns,
				      uint64_t echo_ns)
{
	uint64_t until = now_ns;

	if (rack->min_rtt_ns <= now_ns)
		until = now_ns - rack->min_rtt_ns + STAMP_SLACK_NS;
	return echo_ns ? min64(until, echo_ns) : until;
}

void tcp_rack_on_sample(struct tcp_rack *rack, uint64_t rtt_ns, uint64_t now_ns)
{
	if (rtt_ns > rack->min_rtt_ns && now_ns - rack->min_rtt_at_ns < TCP_RACK_MIN_RTT_NS)
		return;
	rack->min_rtt_ns = rtt_ns ? rtt_ns : 1;
	rack->min_rtt_at_ns = now_ns;
}

/* RACK_sent_after (6.2 step 2). */
static bool sent_after(uint64_t ns, uint32_t end, uint64_t other_ns, uint32_t other_end)
{
	return ns > other_ns || (ns == other_ns && tcp_before(other_end, end));
}

static void update_newest(struct tcp_rack *rack, const struct tcp_delivery *delivery,
			  uint64_t now_ns)
{
	if (!delivery->has_newest)
		return;
	rack->rtt_ns = now_ns > delivery->newest_ns ? now_ns - delivery->newest_ns : 0;
	if (rack->has_newest && !sent_after(delivery->newest_ns, delivery->newest_end,
					    rack->newest_ns, rack->newest_end))
		return;
	rack->has_newest = true;
	rack->newest_ns = delivery->newest_ns;
	rack->newest_end = delivery->newest_end;
}

static void update_reordering(struct tcp_rack *rack, const struct tcp_delivery *delivery)
{
	if (!delivery->delivered)
		return;
	if (delivery->has_original && tcp_before(delivery->original_lowest_end, rack->fack))
		rack->reordering_seen = true;
	if (tcp_before(rack->fack, delivery->highest_end))
		rack->fack = delivery->highest_end;
}

void tcp_rack_on_delivery(struct tcp_rack *rack, const struct tcp_scoreboard *board,
			  const struct tcp_delivery *delivery, bool is_dsack_sound, uint64_t now_ns)
{
	update_newest(rack, delivery, now_ns);
	update_reordering(rack, delivery);
	if (rack->in_dsack_round && !tcp_before(board->una, rack->dsack_round))
		rack->in_dsack_round = false;
	if (rack->in_dsack_round || !is_dsack_sound)
		return;
	rack->in_dsack_round = true;
	rack->dsack_round = board->nxt;
	if (rack->mult < TCP_RACK_MULT_MAX)
		rack->mult++;
	rack->persist = TCP_RACK_PERSIST;
}

void tcp_rack_on_recovery_end(struct tcp_rack *rack)
{
	if (rack->persist && --rack->persist)
		return;
	rack->mult = 1;
}

uint64_t tcp_rack_reordering_window(const struct tcp_rack *rack, const struct tcp_scoreboard *board,
				    bool in_recovery, uint64_t srtt_ns, uint32_t mss)
{
	if (rack->min_rtt_ns == UINT64_MAX)
		return 0;
	if (!rack->reordering_seen && (in_recovery || board->sacked_ranges >= TCP_RACK_DUP_THRESH ||
				       board->sacked > (uint64_t)(TCP_RACK_DUP_THRESH - 1) * mss))
		return 0;
	return min64(rack->min_rtt_ns / 4 * rack->mult, srtt_ns ? srtt_ns : rack->min_rtt_ns);
}

uint64_t tcp_rack_detect_loss(const struct tcp_rack *rack, struct tcp_scoreboard *board,
			      uint64_t window_ns, uint64_t now_ns, uint32_t *lost)
{
	uint32_t lost_before = board->lost;
	uint64_t next_ns = 0;
	uint16_t i, later;

	if (!rack->has_newest)
		return 0;
	for (i = board->oldest; i != TCP_RANGE_NONE; i = later) {
		const struct tcp_range *range = &board->ranges[i];
		uint64_t due_ns = range->sent_ns + rack->rtt_ns + window_ns;

		later = range->later;
		if (range->sent_ns > rack->newest_ns)
			break;
		if (!sent_after(rack->newest_ns, rack->newest_end, range->sent_ns, range->end))
			continue;
		if (due_ns > now_ns) {
			next_ns = due_ns;
			break;
		}
		tcp_scoreboard_mark_lost(board, i);
	}
	*lost += board->lost - lost_before;
	return next_ns;
}

uint32_t tcp_rack_mark_losses_on_rto(const struct tcp_rack *rack, struct tcp_scoreboard *board,
				     uint64_t window_ns, uint32_t mss, uint64_t now_ns)
{
	uint32_t lost_before = board->lost;
	uint16_t i, later;

	for (i = board->oldest; i != TCP_RANGE_NONE; i = later) {
		const struct tcp_range *range = &board->ranges[i];

		later = range->later;
		if (range->sent_ns + rack->rtt_ns + window_ns > now_ns)
			break;
		tcp_scoreboard_mark_lost(board, i);
	}
	tcp_scoreboard_mark_first_lost(board, mss);
	return board->lost - lost_before;
}

/* ---- tail loss probes ---- */

uint64_t tcp_tlp_timeout_ns(uint64_t srtt_ns, bool is_one, uint64_t rto_left_ns)
{
	uint64_t timeout = TCP_TLP_PTO_INITIAL_NS;

	if (srtt_ns) {
		timeout = 2 * srtt_ns;
		timeout += is_one ? TCP_TLP_ACK_DELAY_NS : TCP_TLP_PTO_MIN_NS;
	}
	return min64(timeout, rto_left_ns);
}

void tcp_tlp_on_probe(struct tcp_tlp *tlp, uint32_t nxt, bool is_retransmit)
{
	tlp->end = nxt;
	tlp->is_out = true;
	tlp->is_retransmit = is_retransmit;
}

bool tcp_tlp_on_ack(struct tcp_tlp *tlp, uint32_t ack, const struct tcp_delivery *delivery,
		    bool is_plain_duplicate)
{
	if (!tlp->is_out || tcp_before(ack, tlp->end))
		return false;
	if (!tlp->is_retransmit || (delivery->has_dsack && delivery->dsack_end == tlp->end)) {
		/* New data has arrived, or the probe did and so had what it repeated. */
		tlp->is_out = false;
		return false;
	}
	if (tcp_before(tlp->end, ack)) {
		tlp->is_out = false;
		return true;
	}
	/* Acknowledged twice: the original and the probe, by a peer without D-SACK. */
	if (is_plain_duplicate)
		tlp->is_out = false;
	return false;
}
