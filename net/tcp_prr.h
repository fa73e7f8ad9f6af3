/* SPDX-License-Identifier: ISC */
/*
 * Proportional Rate Reduction (RFC 9937, which replaces RFC 6937): how much may be sent while a
 * loss is being repaired, so that the congestion window glides to ssthresh instead of falling.
 * All in bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tcp_prr {
	uint32_t delivered; /* prr_delivered: since the recovery began */
	uint32_t out;	    /* prr_out: sent since then, new and again */
	uint32_t flight;    /* RecoverFS: what was outstanding then */
	uint32_t ssthresh;  /* what the congestion control aims at */
	uint32_t window;    /* what it said last */
};

/* A recovery begins. */
void tcp_prr_begin(struct tcp_prr *prr, uint32_t flight, uint32_t ssthresh);

/*
 * An ACK during it, the one that began it included: returns the congestion window for now.
 * is_safe: SND.UNA advanced and nothing more was found lost.
 */
uint32_t tcp_prr_on_ack(struct tcp_prr *prr, uint32_t delivered, uint32_t pipe, bool is_safe,
			uint32_t mss);

/* Anything was sent, new or again. */
static inline void tcp_prr_on_send(struct tcp_prr *prr, uint32_t bytes)
{
	prr->out = prr->out + bytes < bytes ? UINT32_MAX : prr->out + bytes;
}
