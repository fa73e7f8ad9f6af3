/* SPDX-License-Identifier: ISC */
/* Asking the rules, and answering what they refuse. */
#include "net/icmp4.h"
#include "net/icmp6.h"
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

static void refuse4(struct router *router, struct router_interface *in, struct packet *packet,
		    const struct packet_info *info, enum router_refusal refusal, uint16_t mtu)
{
	static const struct {
		uint8_t type, code;
	} errors[] = {
		[ROUTER_NO_ROUTE] = { ICMP4_UNREACHABLE, ICMP4_NET_UNREACHABLE },
		[ROUTER_TIME_EXCEEDED] = { ICMP4_TIME_EXCEEDED, 0 },
		[ROUTER_TOO_BIG] = { ICMP4_UNREACHABLE, ICMP4_FRAGMENTATION_NEEDED },
	};

	if (router->has4 && icmp4_may_report(info) && router_may_answer(router, in))
		icmp4_send_error(&router->own, in->netdev, packet, router->ip4.address,
				 errors[refusal].type, errors[refusal].code, mtu);
}

static void refuse6(struct router *router, struct router_interface *in, struct packet *packet,
		    const struct packet_info *info, enum router_refusal refusal, uint16_t mtu)
{
	static const struct {
		uint8_t type, code;
	} errors[] = {
		[ROUTER_NO_ROUTE] = { ICMP6_UNREACHABLE, ICMP6_NO_ROUTE },
		[ROUTER_TIME_EXCEEDED] = { ICMP6_TIME_EXCEEDED, ICMP6_HOP_LIMIT_EXCEEDED },
		[ROUTER_TOO_BIG] = { ICMP6_PACKET_TOO_BIG, 0 },
	};
	uint8_t type = errors[refusal].type, code = errors[refusal].code;
	struct ip_address own = router_own_address(router, in, 6);
	struct ip6_address from;

	__builtin_memcpy(from.bytes, own.bytes, sizeof(from.bytes));
	if (icmp6_may_report(packet, info, type, code) && router_may_answer(router, in))
		icmp6_send_error(&router->own, in->netdev, packet, &from, type, code, mtu);
}

void router_refuse(struct router *router, struct router_interface *in, struct packet *packet,
		   const struct packet_info *info, enum router_refusal refusal, uint16_t mtu)
{
	static const enum drop_reason reasons[] = {
		[ROUTER_NO_ROUTE] = DROP_NO_ROUTE,
		[ROUTER_TIME_EXCEEDED] = DROP_TTL,
		[ROUTER_TOO_BIG] = DROP_TOO_BIG,
	};

	if (info->key.version == 4)
		refuse4(router, in, packet, info, refusal, mtu);
	else
		refuse6(router, in, packet, info, refusal, mtu);
	packet_drop(packet, reasons[refusal]);
}

struct rules_query router_query(const struct router *router, const struct router_interface *on,
				enum rules_direction direction, const struct packet_info *info)
{
	struct rules_query query = judge_query(info, direction, on->name, group_of(on));
	const struct router_redirect *redirect = router_redirect_of(router, info);

	if (redirect)
		query.destination = redirect->to;
	query.source_is_self = router_is_own(router, on, &query.source);
	query.destination_is_self = router_is_own(router, on, &query.destination);
	return query;
}

bool router_judge(struct router *router, struct router_interface *in, struct router_interface *on,
		  enum rules_direction direction, struct packet *packet,
		  const struct packet_info *info, struct rules_verdict *verdict)
{
	const struct judge_log log = { .lines = &router->log,
				       .records = router->packet_log,
				       .now_ns = router_clock_ns(router, router->now_ns) };
	struct rules_query query;

	if (!router->rules) {
		packet_drop(packet, DROP_NO_RULES);
		return false;
	}
	if (unlikely(!on->netdev)) { /* the uplink is away */
		packet_drop(packet, DROP_LINK_DOWN);
		return false;
	}
	query = router_query(router, on, direction, info);
	*verdict = judge_ask(router->rules, &query, packet, &log);
	if (verdict->action == RULES_PASS)
		return true;
	if (verdict->action != RULES_BLOCK_DROP && router_may_answer(router, in)) {
		struct ip_address own = router_own_address(router, in, info->key.version);

		reject_by_verdict(&router->own, in->netdev, packet, info, &own, verdict);
	}
	packet_drop(packet, DROP_BLOCKED);
	return false;
}
