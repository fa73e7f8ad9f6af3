/* SPDX-License-Identifier: ISC */
/*
 * From one interface to another: packets of flows on a short path, first packets of
 * new flows past the rules. Whatever has to be said to the sender is said before a
 * byte is rewritten, so that it is told about the packet that it sent.
 */
#include <errno.h>

#include "net/flow_follow.h"
#include "net/icmp4.h"
#include "net/nat.h"
#include "net/router_parts.h"

struct router_interface *router_client_of(struct router *router, be32 address)
{
	struct router_interface *found = NULL;

	for (uint32_t i = 0; i < router->interfaces_used; i++) {
		struct router_interface *interface = &router->interfaces[i];

		if (interface->netdev && interface->kind == ROUTER_CLIENT &&
		    be32_equal(interface->address, address) &&
		    (!found || interface->attached > found->attached))
			found = interface;
	}
	return found;
}

/*
 * Link, TTL and size, with the errors that they call for. False: consumed. While the
 * uplink is away nothing is said: its flows go on when it returns.
 */
static bool may_leave(struct router *router, struct router_interface *in,
		      const struct router_interface *out, struct packet *packet,
		      const struct packet_info *info)
{
	if (unlikely(!out->netdev)) {
		packet_drop(packet, DROP_LINK_DOWN);
		return false;
	}
	if (unlikely(info->ttl <= 1)) {
		router_refuse(router, in, packet, info, DROP_TTL, ICMP4_TIME_EXCEEDED, 0, 0);
		return false;
	}
	if (likely(router_egress_fits(out, packet, info)))
		return true;
	if (info->dont_fragment || packet->gso_type)
		router_refuse(router, in, packet, info, DROP_TOO_BIG, ICMP4_UNREACHABLE,
			      ICMP4_FRAGMENTATION_NEEDED, out->netdev->mtu);
	else
		packet_drop(packet, DROP_TOO_BIG);
	return false;
}

/* A packet of a flow. */
static void forward_known(struct router *router, struct router_interface *in, struct packet *packet,
			  const struct packet_info *info, struct flow *flow,
			  enum flow_direction direction)
{
	const struct flow_key *leaves = &flow->key[!direction];
	struct router_interface *out = &router->interfaces[leaves->interface];
	enum drop_reason reason;

	if (!may_leave(router, in, out, packet, info))
		return;
	if (!flow_follow(flow, direction, packet, info, router->now_ns, &reason)) {
		packet_drop(packet, reason);
		return;
	}
	nat_rewrite(packet, info, flow, direction);
	router_egress(router, out, packet, leaves->source);
}

/* An ICMP error goes where the packet that it quotes came from. */
static void forward_error(struct router *router, struct router_interface *in, struct packet *packet,
			  const struct packet_info *info)
{
	struct quoted_packet quoted;
	enum flow_direction direction;
	struct router_interface *out;
	struct flow *flow;

	if (!parse_quoted(packet, info, &quoted)) {
		packet_drop(packet, DROP_BAD_TRANSPORT);
		return;
	}
	/* The quoted packet went the other way: an answer to it would come this way. */
	flow = flow_find(&router->flows, &quoted.answer, flow_hash(&router->flows, &quoted.answer),
			 &direction);
	if (!flow || !be32_equal(info->key.destination, quoted.answer.key.destination)) {
		packet_drop(packet, DROP_NO_FLOW);
		return;
	}
	out = &router->interfaces[flow->key[!direction].interface];
	if (!may_leave(router, in, out, packet, info))
		return;
	nat_rewrite_error(packet, &quoted, flow, direction);
	router_egress(router, out, packet, flow->key[!direction].source);
}

/* However many clients use up theirs, there is a share left for one more. */
static uint32_t quota_of(const struct router *router)
{
	uint32_t quota = router->flows.total / (router->clients + 1);

	return quota ? quota : 1;
}

/* 0 and `*flow`, or a negative number and the reason for the drop. */
static int make_flow(struct router *router, const struct router_interface *out,
		     const struct packet_info *info, struct flow **flow, enum drop_reason *reason)
{
	struct flow_tuple reply = flow_tuple_reverse(&info->tuple, out->index);
	const struct flow_request request = {
		.original = &info->tuple,
		.reply = &reply,
		.owner = info->key.interface,
		.state = flow_first_state(info),
		.quota = quota_of(router),
		.quota6 = quota_of(router) / 2,
	};
	int error;

	*reason = DROP_NAT_PORTS;
	if (out->kind == ROUTER_UPLINK &&
	    nat_choose_reply(&router->flows, router->random, &info->tuple, out->index,
			     router->address, &reply))
		return -EADDRINUSE;
	error = flow_create(&router->flows, &request, router->now_ns, flow);
	*reason = flow_drop_reason(error);
	if (!error && out->kind == ROUTER_UPLINK)
		nat_prepare(*flow);
	return error;
}

/* Where a packet goes, or NULL: it has been consumed. */
static struct router_interface *route(struct router *router, struct router_interface *in,
				      struct packet *packet, const struct packet_info *info)
{
	struct router_interface *out;

	if (address_is_martian(info->key.destination) ||
	    be32_equal(info->key.destination, in->address)) {
		packet_drop(packet, address_is_multicast(info->key.destination) ? DROP_MULTICAST
										: DROP_MARTIAN);
		return NULL;
	}
	out = router_client_of(router, info->key.destination);
	if (!out && in->kind == ROUTER_CLIENT)
		out = router->uplink;
	if (!out) {
		router_refuse(router, in, packet, info, DROP_NO_ROUTE, ICMP4_UNREACHABLE,
			      ICMP4_NET_UNREACHABLE, 0);
		return NULL;
	}
	return out;
}

/* A packet that no flow claims. */
static void forward_new(struct router *router, struct router_interface *in, struct packet *packet,
			const struct packet_info *info)
{
	struct rules_verdict verdict_in, verdict_out;
	struct router_interface *out;
	enum drop_reason reason;
	struct flow *flow;

	if (!router_judge(router, in, in, RULES_IN, packet, info, &verdict_in))
		return;
	out = route(router, in, packet, info);
	if (!out || !router_judge(router, in, out, RULES_OUT, packet, info, &verdict_out) ||
	    !may_leave(router, in, out, packet, info))
		return;
	if (out->kind == ROUTER_CLIENT && !(verdict_in.keep_state && verdict_out.keep_state)) {
		nat_decrement_ttl(packet);
		router_egress(router, out, packet, info->key.destination);
		return;
	}
	if (!flow_may_begin(info)) {
		packet_drop(packet, DROP_NO_FLOW);
		return;
	}
	if (make_flow(router, out, info, &flow, &reason)) {
		packet_drop(packet, reason);
		return;
	}
	forward_known(router, in, packet, info, flow, FLOW_ORIGINAL);
}

void router_forward(struct router *router, struct router_interface *in, struct packet *packet,
		    const struct packet_info *info)
{
	enum flow_direction direction = FLOW_ORIGINAL;
	struct flow *flow;

	if (unlikely(info->kind == PACKET_ICMP_ERROR)) {
		forward_error(router, in, packet, info);
		return;
	}
	flow = flow_find(&router->flows, &info->tuple, info->hash, &direction);
	if (flow && unlikely(info->key.protocol == IP_PROTOCOL_TCP &&
			     flow_tcp_is_reuse(flow, direction, info))) {
		flow_remove(flow);
		flow = NULL;
	}
	if (likely(flow))
		forward_known(router, in, packet, info, flow, direction);
	else if (in->kind == ROUTER_UPLINK && router_client_of(router, info->key.source))
		packet_drop(packet, DROP_SPOOFED);
	else if (be32_equal(info->key.destination, router->address))
		router_local(router, in, packet, info);
	else
		forward_new(router, in, packet, info);
}
