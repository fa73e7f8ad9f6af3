/* SPDX-License-Identifier: ISC */
/* What is addressed to the firewall itself. It answers pings and offers nothing else. */
#include "net/icmp4.h"
#include "net/router_parts.h"

void router_local(struct router *router, struct router_interface *in, struct packet *packet,
		  const struct packet_info *info)
{
	struct rules_verdict verdict;

	/* Errors about, and replies to, what nobody here has sent. */
	if (info->kind == PACKET_ICMP_ERROR ||
	    (info->key.protocol == IP_PROTOCOL_ICMP && info->icmp_type == ICMP4_ECHO_REPLY)) {
		packet_drop(packet, DROP_NO_FLOW);
		return;
	}
	if (!router_judge(router, in, in, RULES_IN, packet, info, &verdict))
		return;
	if (info->key.protocol == IP_PROTOCOL_ICMP && info->icmp_type == ICMP4_ECHO_REQUEST) {
		icmp4_echo(&router->own, in->netdev, packet);
		return;
	}
	if (router_may_answer(router, in))
		router_reject(router, in, packet, info);
	packet_drop(packet, DROP_NOT_OURS);
}
