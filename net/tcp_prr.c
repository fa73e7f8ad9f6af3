/* SPDX-License-Identifier: ISC */
/* See net/tcp_prr.h; the names of RFC 9937, section 6, are in the comments there. */
#include "net/tcp_prr.h"

#include "lib/minmax.h"

static uint32_t excess(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

static uint32_t sum(uint32_t a, uint32_t b)
{
	return a + b < a ? UINT32_MAX : a + b;
}

void tcp_prr_begin(struct tcp_prr *prr, uint32_t flight, uint32_t ssthresh)
{
	*prr = (struct tcp_prr){ .flight = flight ? flight : 1, .ssthresh = ssthresh };
}

/* In proportion: what was sent to what has arrived as ssthresh to what was outstanding. */
static uint32_t proportional(const struct tcp_prr *prr)
{
	uint64_t due = (uint64_t)prr->delivered * prr->ssthresh;

	due = due / prr->flight + (due % prr->flight ? 1 : 0);
	return excess(due > UINT32_MAX ? UINT32_MAX : (uint32_t)due, prr->out);
}

uint32_t tcp_prr_on_ack(struct tcp_prr *prr, uint32_t delivered, uint32_t pipe, bool is_safe,
			uint32_t mss)
{
	uint32_t quota;

	prr->delivered = sum(prr->delivered, delivered);
	if (pipe > prr->ssthresh) {
		quota = proportional(prr);
	} else {
		quota = excess(prr->delivered, prr->out);
		if (quota < delivered)
			quota = delivered;
		if (is_safe)
			quota = sum(quota, mss);
		quota = min32(quota, prr->ssthresh - pipe);
	}
	/* The first retransmission always goes. */
	if (!prr->out && !quota)
		quota = mss;
	prr->window = sum(pipe, quota);
	return prr->window;
}
