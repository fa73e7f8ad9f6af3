/* SPDX-License-Identifier: ISC */
/* See net/tcp_rto.h. */
#include "net/tcp_rto.h"

#define GRANULARITY_NS TCP_RTO_MS /* G of RFC 6298, 2.3: what peers' timestamps can tell */

static void set_timeout(struct tcp_rto *rto)
{
	uint64_t spread = 4 * rto->rttvar_ns;
	uint64_t timeout = rto->srtt_ns + (spread > GRANULARITY_NS ? spread : GRANULARITY_NS);

	if (timeout < rto->min_ns)
		timeout = rto->min_ns;
	if (timeout > rto->max_ns)
		timeout = rto->max_ns;
	rto->rto_ns = timeout;
}

void tcp_rto_init(struct tcp_rto *rto, uint64_t min_ns, uint64_t max_ns)
{
	*rto = (struct tcp_rto){ .min_ns = min_ns ? min_ns : TCP_RTO_MIN_NS,
				 .max_ns = max_ns ? max_ns : TCP_RTO_MAX_NS };
	if (rto->max_ns < rto->min_ns)
		rto->max_ns = rto->min_ns;
	rto->rto_ns = TCP_RTO_INITIAL_NS < rto->max_ns ? TCP_RTO_INITIAL_NS : rto->max_ns;
	if (rto->rto_ns < rto->min_ns)
		rto->rto_ns = rto->min_ns;
}

void tcp_rto_on_sample(struct tcp_rto *rto, uint64_t rtt_ns, uint32_t expected)
{
	uint64_t error, share = expected ? expected : 1;

	if (!rtt_ns)
		rtt_ns = 1;
	if (rtt_ns > rto->max_ns)
		rtt_ns = rto->max_ns;
	rto->backoff = 0;
	if (!rto->srtt_ns) {
		rto->srtt_ns = rtt_ns;
		rto->rttvar_ns = rtt_ns / 2;
		set_timeout(rto);
		return;
	}
	error = rtt_ns > rto->srtt_ns ? rtt_ns - rto->srtt_ns : rto->srtt_ns - rtt_ns;
	/* beta is 1/4 and alpha 1/8 of a sample for each round trip. */
	if (error > rto->rttvar_ns)
		rto->rttvar_ns += (error - rto->rttvar_ns) / (4 * share);
	else
		rto->rttvar_ns -= (rto->rttvar_ns - error) / (4 * share);
	if (rtt_ns > rto->srtt_ns)
		rto->srtt_ns += error / (8 * share);
	else
		rto->srtt_ns -= error / (8 * share);
	set_timeout(rto);
}

void tcp_rto_on_syn_lost(struct tcp_rto *rto)
{
	rto->backoff = 0;
	if (!rto->srtt_ns && rto->rto_ns < TCP_RTO_INITIAL_SYN_LOST_NS)
		rto->rto_ns = TCP_RTO_INITIAL_SYN_LOST_NS < rto->max_ns
				      ? TCP_RTO_INITIAL_SYN_LOST_NS
				      : rto->max_ns;
}

void tcp_rto_on_expiry(struct tcp_rto *rto)
{
	if (rto->backoff < TCP_RTO_BACKOFF_MAX)
		rto->backoff++;
}

void tcp_rto_end_backoff(struct tcp_rto *rto)
{
	rto->backoff = 0;
}

uint64_t tcp_rto_timeout_ns(const struct tcp_rto *rto)
{
	uint64_t timeout = rto->rto_ns;

	for (uint8_t i = 0; i < rto->backoff && timeout < rto->max_ns; i++)
		timeout *= 2;
	return timeout < rto->max_ns ? timeout : rto->max_ns;
}

/* ---- F-RTO ---- */

void tcp_frto_begin(struct tcp_frto *frto, uint32_t nxt, bool is_repeated)
{
	frto->recover = nxt;
	frto->step = is_repeated ? TCP_FRTO_OFF : TCP_FRTO_FIRST;
}

static enum tcp_frto_verdict end(struct tcp_frto *frto, enum tcp_frto_verdict verdict)
{
	frto->step = TCP_FRTO_OFF;
	return verdict;
}

static enum tcp_frto_verdict first_ack(struct tcp_frto *frto, const struct tcp_frto_ack *ack)
{
	/* With SACK, duplicates only fill the scoreboard until something is acknowledged. */
	if (!ack->advances)
		return ack->is_duplicate && !ack->has_sack ? end(frto, TCP_FRTO_REAL)
							   : TCP_FRTO_UNDECIDED;
	/* 2a: all of it, or not even what was sent again; or 2b with nothing to send. */
	if ((int32_t)(ack->una - frto->recover) >= 0 || !ack->covers_resent || !ack->may_send_new)
		return end(frto, TCP_FRTO_REAL);
	frto->step = TCP_FRTO_SECOND;
	return TCP_FRTO_SEND_NEW;
}

static enum tcp_frto_verdict second_ack(struct tcp_frto *frto, const struct tcp_frto_ack *ack)
{
	if (!ack->advances && !ack->is_duplicate)
		return TCP_FRTO_UNDECIDED;
	if (!ack->has_sack)
		return end(frto, ack->advances ? TCP_FRTO_SPURIOUS : TCP_FRTO_REAL);
	/* 3a: what was sent after the timeout has overtaken what was sent before it. */
	if (ack->covers_new || !ack->delivers_old)
		return end(frto, TCP_FRTO_REAL);
	return end(frto, TCP_FRTO_SPURIOUS);
}

enum tcp_frto_verdict tcp_frto_on_ack(struct tcp_frto *frto, const struct tcp_frto_ack *ack)
{
	switch (frto->step) {
	case TCP_FRTO_FIRST:
		return first_ack(frto, ack);
	case TCP_FRTO_SECOND:
		return second_ack(frto, ack);
	default:
		return TCP_FRTO_UNDECIDED;
	}
}
