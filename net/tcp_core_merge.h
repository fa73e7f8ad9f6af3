/* SPDX-License-Identifier: ISC */
/*
 * Segments of one connection that come one behind another in one round become one segment: it
 * is looked up, judged and acknowledged once. Only what says the same but for its place joins,
 * so a connection sees the same bytes in the same order, and a sender one acknowledgement for
 * what a link would have merged. Nothing is copied; the packets are kept until the round ends.
 */
#pragma once

#include "lib/packet.h"
#include "net/tcp_core_segment.h"

struct tcp_merge {
	struct tcp_segment segment;
	struct netdev *netdev;
	uint32_t each; /* payload of its segments; the last may have less */
	uint32_t count;
	struct packet *packets[TCP_PIECES_MAX];
};

/*
 * Takes the packet and what has been read out of it, if it can be the first. False: it stays
 * the caller's. Only when nothing is held.
 */
must_check bool tcp_merge_begin(struct tcp_merge *merge, struct netdev *netdev,
				struct packet *packet, const struct tcp_segment *segment);

/* Takes the packet if it continues what is held. False: it stays the caller's. */
must_check bool tcp_merge_join(struct tcp_merge *merge, const struct netdev *netdev,
			       struct packet *packet, const struct tcp_segment *segment);

/* Can nothing more join? */
bool tcp_merge_is_complete(const struct tcp_merge *merge);

/* Frees the packets: nothing is held. */
void tcp_merge_end(struct tcp_merge *merge);
