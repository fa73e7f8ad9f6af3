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

/* Protocol 1 in IPv6 and 58 in IPv4 are like any other that nobody knows. */
static inline bool flow_is_icmp(const struct flow_key *key)
{
	return key->version == 6 ? key->protocol == IP_PROTOCOL_ICMP6
				 : key->protocol == IP_PROTOCOL_ICMP;
}

/* The state of a flow that this packet begins. */
static inline enum flow_state flow_first_state(const struct packet_info *info)
{
	if (info->key.protocol == IP_PROTOCOL_TCP)
		return FLOW_TCP_SYN_SENT;
	if (info->key.protocol == IP_PROTOCOL_UDP)
		return FLOW_UDP_NEW;
	return flow_is_icmp(&info->key) ? FLOW_ICMP : FLOW_OTHER;
}

/* May this packet begin a flow? Else it is an answer, or the middle of something. */
static inline bool flow_may_begin(const struct packet_info *info)
{
	if (info->key.protocol == IP_PROTOCOL_TCP)
		return flow_tcp_is_first(info);
	if (!flow_is_icmp(&info->key))
		return true;
	return info->icmp_type ==
	       (info->key.version == 6 ? ICMP6_ECHO_REQUEST : ICMP4_ECHO_REQUEST);
}

/*
 * Whoever began an echo sends requests and gets replies. Other messages have no ports, and
 * the flow of an echo with identifier 0 looks like theirs: it is not.
 */
static inline bool flow_icmp_fits(enum flow_direction direction, const struct packet_info *info)
{
	bool six = info->key.version == 6;

	if (direction == FLOW_ORIGINAL)
		return info->icmp_type == (six ? ICMP6_ECHO_REQUEST : ICMP4_ECHO_REQUEST);
	return info->icmp_type == (six ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY);
}

/* The state after a packet of anything but TCP. */
static inline enum flow_state flow_state_after(const struct flow *flow,
					       enum flow_direction direction)
{
	switch (flow->state) {
	case FLOW_UDP_NEW:
	case FLOW_UDP_SINGLE:
		if (direction == FLOW_REPLY)
			return FLOW_UDP_REPLIED;
		return flow->flags & FLOW_CONTINUED ? FLOW_UDP_SINGLE : FLOW_UDP_NEW;
	case FLOW_OTHER:
	case FLOW_OTHER_SINGLE:
		if (direction == FLOW_REPLY)
			return FLOW_OTHER_REPLIED;
		return flow->flags & FLOW_CONTINUED ? FLOW_OTHER_SINGLE : FLOW_OTHER;
	case FLOW_ICMP:
		return direction == FLOW_REPLY ? FLOW_ICMP_REPLIED : FLOW_ICMP;
	default:
		return flow->state;
	}
}

/*
 * A packet of the flow is about to be forwarded, its first one too: the flow's state
 * follows it, and its idle time begins again. False and `*reason`: it must be dropped.
 */
must_check static inline bool flow_follow(struct flow *flow, enum flow_direction direction,
					  const struct packet *packet,
					  const struct packet_info *info, uint64_t now_ns,
					  enum drop_reason *reason)
{
	enum flow_state state;

	if (info->key.protocol == IP_PROTOCOL_TCP)
		return flow_tcp_track(flow, direction, packet, info, now_ns, reason);
	if (flow_is_icmp(&info->key) && unlikely(!flow_icmp_fits(direction, info))) {
		*reason = DROP_NO_FLOW;
		return false;
	}
	state = flow_state_after(flow, direction);
	flow->flags |= FLOW_CONTINUED;
	if (unlikely(state != flow->state))
		flow_set_state(flow, state, now_ns);
	else
		flow_refresh(flow, now_ns);
	return true;
}
