/* SPDX-License-Identifier: ISC */
/*
 * What is addressed to the firewall itself. It answers pings and offers nothing but what its
 * services do.
 */
#include "net/icmp4.h"
#include "net/icmp6.h"
#include "net/reject.h"
#include "net/router_parts.h"

static bool is_icmp(const struct packet_info *info, uint8_t type4, uint8_t type6)
{
	if (info->key.version == 4)
		return info->key.protocol == IP_PROTOCOL_ICMP && info->icmp_type == type4;
	return info->key.protocol == IP_PROTOCOL_ICMP6 && info->icmp_type == type6;
}

void router_local(struct router *router, struct router_interface *in, struct packet *packet,
		  const struct packet_info *info)
{
	const struct router_service *service;
	struct ip_address own;

	/* Nothing is put together here. */
	if (packet_is_fragment(info)) {
		packet_drop(packet, DROP_FRAGMENT);
		return;
	}
	/* Replies to what nobody here has sent. */
	if (is_icmp(info, ICMP4_ECHO_REPLY, ICMP6_ECHO_REPLY)) {
		packet_drop(packet, DROP_NO_FLOW);
		return;
	}
	if (is_icmp(info, ICMP4_ECHO_REQUEST, ICMP6_ECHO_REQUEST)) {
		if (info->key.version == 4)
			icmp4_echo(&router->own, in->netdev, packet);
		else
			icmp6_echo(&router->own, in->netdev, packet, info);
		return;
	}
	own = router_destination(info);
	service = service_that_wants(router->service, info);
	/* Not what a rule has sent here under another name. */
	if (service && router_is_own(router, in, &own)) {
		service_input(service, in->netdev, packet, info);
		return;
	}
	if (router_may_answer(router, in))
		reject_packet(&router->own, in->netdev, packet, info, &own, REJECT_RETURN);
	packet_drop(packet, DROP_NOT_OURS);
}
