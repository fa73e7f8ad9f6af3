/* SPDX-License-Identifier: ISC */
/* Asking the rules, and answering what they refuse. */
#include <inttypes.h>

#include "lib/ip4_text.h"
#include "net/icmp4.h"
#include "net/reject.h"
#include "net/router_parts.h"

static const char *group_of(const struct router_interface *interface)
{
	return interface->kind == ROUTER_UPLINK ? "uplink" : "clients";
}

static struct rules_query query_of(const struct router *router, const struct router_interface *on,
				   enum rules_direction direction, const struct packet_info *info)
{
	const struct flow_key *key = &info->key;
	bool has_ports = key->protocol == IP_PROTOCOL_TCP || key->protocol == IP_PROTOCOL_UDP;

	return (struct rules_query){
		.direction = direction,
		.interface = on->netdev->name,
		.interface_group = group_of(on),
		.source = key->source,
		.destination = key->destination,
		.protocol = key->protocol,
		.source_port = has_ports ? be16_get(key->source_port) : 0,
		.destination_port = has_ports ? be16_get(key->destination_port) : 0,
		.icmp_type = info->icmp_type,
		.icmp_code = info->icmp_code,
		.tcp_flags = info->tcp_flags,
		.source_is_self = be32_equal(key->source, router->address),
		.destination_is_self = be32_equal(key->destination, router->address),
	};
}

static void log_verdict(struct router *router, const struct rules_query *query,
			const struct rules_verdict *verdict)
{
	char from[IP4_TEXT_BYTES], to[IP4_TEXT_BYTES];

	log_limited(&router->log, LOG_INFO, "rules",
		    "line %" PRIu32 ": %s %s on %s proto %u %s:%u > %s:%u",
		    ruleset_rule_line(router->rules, verdict->rule),
		    verdict->action == RULES_PASS ? "pass" : "block",
		    query->direction == RULES_IN ? "in" : "out", query->interface, query->protocol,
		    ip4_text_format(query->source, from), query->source_port,
		    ip4_text_format(query->destination, to), query->destination_port);
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
	struct rules_query query = query_of(router, on, direction, info);

	if (!router->rules) {
		packet_drop(packet, DROP_NO_RULES);
		return false;
	}
	*verdict = ruleset_judge(router->rules, &query);
	if (verdict->log && verdict->rule != RULES_NO_RULE)
		log_verdict(router, &query, verdict);
	if (verdict->action == RULES_PASS)
		return true;
	if (verdict->action == RULES_BLOCK_RETURN && router_may_answer(router, in))
		reject_packet(&router->own, in->netdev, packet, info, router->address);
	packet_drop(packet, DROP_BLOCKED);
	return false;
}
