/* SPDX-License-Identifier: ISC */
/*
 * How a flow begins and goes on, whatever its protocol. For everybody who lets packets
 * pass by state: the router and the bridge's filter.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "net/flow.h"
#include "net/flow_tcp.h"
#include "net/parse.h"

/* The state of a flow that this packet begins. */
static inline enum flow_state flow_first_state(const struct packet_info *info)
{
	switch (info->key.protocol) {
	case IP_PROTOCOL_TCP:
		return FLOW_TCP_SYN_SENT;
	case IP_PROTOCOL_UDP:
		return FLOW_UDP_NEW;
	case IP_PROTOCOL_ICMP:
	case IP_PROTOCOL_ICMP6:
		return FLOW_ICMP;
	default:
		return FLOW_OTHER;
	}
}

/* May this packet begin a flow? Else it is an answer, or the middle of something. */
static inline bool flow_may_begin(const struct packet_info *info)
{
	if (info->key.protocol == IP_PROTOCOL_TCP)
		return flow_tcp_is_first(info);
	if (info->key.protocol == IP_PROTOCOL_ICMP)
		return info->icmp_type == ICMP4_ECHO_REQUEST;
	if (info->key.protocol == IP_PROTOCOL_ICMP6)
		return info->icmp_type == ICMP6_ECHO_REQUEST;
	return true;
}

/*
 * A packet of the flow is about to be forwarded: the flow's state follows it, and its
 * idle time begins again. False: it is impossible in that state and must be dropped.
 */
must_check static inline bool flow_follow(struct flow *flow, enum flow_direction direction,
					  const struct packet *packet,
					  const struct packet_info *info, uint64_t now_ns,
					  enum drop_reason *reason)
{
	*reason = DROP_FLOW_STATE;
	if (info->key.protocol == IP_PROTOCOL_TCP)
		return flow_tcp_track(flow, direction, packet, info, now_ns);
	if (flow->state == FLOW_UDP_NEW && direction == FLOW_REPLY)
		flow_set_state(flow, FLOW_UDP_REPLIED, now_ns);
	else
		flow_refresh(flow, now_ns);
	return true;
}
