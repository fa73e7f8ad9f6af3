/* SPDX-License-Identifier: ISC */
/* Asking the rules, and answering what they refuse. */
#include "net/icmp4.h"
#include "net/judge.h"
#include "net/reject.h"
#include "net/router_parts.h"

static const char *group_of(const struct router_interface *interface)
{
	return interface->kind == ROUTER_UPLINK ? "uplink" : "clients";
}

bool router_may_answer(struct router *router, struct router_interface *in)
{
	/* The interface's own bucket first: a flood on one takes nothing from the others. */
	if (bucket_take(&in->answers, router->now_ns) &&
	    bucket_take(&router->answers, router->now_ns))
		return true;
	router->answers_suppressed++;
	return false;
}

void router_refuse(struct router *router, struct router_interface *in, struct packet *packet,
		   const struct packet_info *info, enum drop_reason reason, uint8_t type,
		   uint8_t code, uint16_t mtu)
{
	if (icmp4_may_report(info) && router_may_answer(router, in))
		icmp4_send_error(&router->own, in->netdev, packet, router->address, type, code,
				 mtu);
	packet_drop(packet, reason);
}

bool router_judge(struct router *router, struct router_interface *in, struct router_interface *on,
		  enum rules_direction direction, struct packet *packet,
		  const struct packet_info *info, struct rules_verdict *verdict)
{
	struct rules_query query = judge_query(info, direction, on->netdev->name, group_of(on));

	if (!router->rules) {
		packet_drop(packet, DROP_NO_RULES);
		return false;
	}
	query.source_is_self = be32_equal(info->key.source, router->address);
	query.destination_is_self = be32_equal(info->key.destination, router->address);
	*verdict = judge_ask(router->rules, &query, &router->log);
	if (verdict->action == RULES_PASS)
		return true;
	if (verdict->action != RULES_BLOCK_DROP && router_may_answer(router, in))
		reject_by_verdict(&router->own, in->netdev, packet, info, router->address, verdict);
	packet_drop(packet, DROP_BLOCKED);
	return false;
}
