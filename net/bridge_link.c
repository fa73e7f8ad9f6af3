/* SPDX-License-Identifier: ISC */
/*
 * Protocols of the link, without which nobody on either side finds anybody: ARP, neighbour
 * discovery, and who listens to which group. They cross without a rule, but not in the
 * direction in which only an attacker sends them, and not when they are malformed.
 */
#include "net/bridge_parts.h"
#include "net/martian6.h"
#include "net/ndp_message.h"
#include "net/wire.h"

/* RFC 2710, RFC 3810 */
#define LISTENER_QUERY 130u
#define LISTENER_REPORT 131u
#define LISTENER_DONE 132u
#define LISTENER_REPORT2 143u
#define LISTENER_HOP_LIMIT 1u

bool bridge_pass_arp(struct packet *packet)
{
	/* There is nothing in it to segment or to sum. */
	if (packet->gso_type || packet->flags & PACKET_CSUM_BLANK)
		return bridge_refuse(packet, DROP_BAD_OFFLOAD);
	return true;
}

static bool is_icmp6(const struct packet_info *info)
{
	return info->key.version == 6 && info->key.protocol == IP_PROTOCOL_ICMP6;
}

bool bridge_is_ndp(const struct packet_info *info)
{
	return is_icmp6(info) && info->icmp_type >= ICMP6_ROUTER_SOLICITATION &&
	       info->icmp_type <= ICMP6_REDIRECT;
}

bool bridge_pass_ndp(enum bridge_side side, struct packet *packet, const struct packet_info *info)
{
	struct ndp_message message;

	/* Who is behind the relay is no router for those before it (RFC 6105). */
	if (side == BRIDGE_CLIENTS && info->icmp_type == ICMP6_ROUTER_ADVERTISEMENT)
		return bridge_refuse(packet, DROP_BAD_NDP);
	if (!ndp_parse(packet, info, &message)) /* never a redirect */
		return bridge_refuse(packet, DROP_BAD_NDP);
	return true;
}

static bool is_listener_type(enum bridge_side side, uint8_t type)
{
	if (side == BRIDGE_UPLINK)
		return type == LISTENER_QUERY;
	return type == LISTENER_REPORT || type == LISTENER_DONE || type == LISTENER_REPORT2;
}

/* RFC 3810, 5.1.14 and 5.2.13: from the link and for it, and marked for routers to read. */
bool bridge_is_listener_message(enum bridge_side side, const struct packet_info *info)
{
	if (!is_icmp6(info) || !is_listener_type(side, info->icmp_type))
		return false;
	if (info->ttl != LISTENER_HOP_LIMIT || !info->router_alert || info->fragment.header ||
	    info->icmp_code != 0)
		return false;
	if (side == BRIDGE_CLIENTS && ip6_address_is_unspecified(&info->ip6.source))
		return true; /* a report before there is an address */
	return ip6_address_is_link_local(&info->ip6.source);
}
