/* SPDX-License-Identifier: ISC */
/*
 * The state of a TCP connection that passes by (RFC 9293 as seen from the middle), and
 * which of its segments an end could accept (van Rooij, "Real stateful TCP packet
 * filtering in IP Filter", 2001): what lies outside of the windows is dropped, and only a
 * reset that its receiver believes (RFC 5961) closes the flow.
 *
 * A connection is followed from its SYN; none is picked up in the middle.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/flow.h"
#include "net/parse.h"

/* May this packet begin a flow: a SYN and nothing that contradicts it? */
static inline bool flow_tcp_is_first(const struct packet_info *info)
{
	return (info->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/*
 * Does this packet of an old flow begin a new one between the same ports? Then the old
 * one is to be removed and the packet to be judged.
 */
static inline bool flow_tcp_is_reuse(const struct flow *flow, enum flow_direction direction,
				     const struct packet_info *info)
{
	return flow_tcp_is_first(info) &&
	       (flow->state == FLOW_TCP_CLOSED ||
		(flow->state == FLOW_TCP_FIN_WAIT && direction == FLOW_ORIGINAL));
}

/*
 * Follows one packet that is about to be forwarded and refreshes the flow. False and
 * `*reason`: it must be dropped.
 */
must_check bool flow_tcp_track(struct flow *flow, enum flow_direction direction,
			       const struct packet *packet, const struct packet_info *info,
			       uint64_t now_ns, enum drop_reason *reason);
