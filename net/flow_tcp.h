/* SPDX-License-Identifier: ISC */
/*
 * The state of a TCP connection that passes by (RFC 9293 as seen from the middle):
 * just enough to know when it opens, when both ends have closed it, and whether a
 * reset is one that its receiver would believe.
 */
#pragma once

#include <stdbool.h>

#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/flow.h"
#include "net/parse.h"

/* May this packet begin a flow: a SYN and nothing that contradicts it? */
static inline bool flow_tcp_is_first(const struct packet_info *info)
{
	return (info->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* Does this packet of an old flow begin a new one between the same ports? */
static inline bool flow_tcp_is_reuse(const struct flow *flow, enum flow_direction direction,
				     const struct packet_info *info)
{
	return direction == FLOW_ORIGINAL && flow_tcp_is_first(info) &&
	       (flow->state == FLOW_TCP_CLOSED || flow->state == FLOW_TCP_FIN_WAIT);
}

/*
 * Follows one packet that is about to be forwarded and refreshes the flow. False: it is
 * impossible in the flow's state and must be dropped.
 */
must_check bool flow_tcp_track(struct flow *flow, enum flow_direction direction,
			       const struct packet *packet, const struct packet_info *info,
			       uint64_t now_ns);
