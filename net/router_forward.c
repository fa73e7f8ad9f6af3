/* SPDX-License-Identifier: ISC */
/*
 * From one interface to another: packets of flows on a short path, first packets of
 * new flows past the rules. Whatever has to be said to the sender is said before a
 * byte is rewritten, so that it is told about the packet that it sent.
 */
#include "net/flow_follow.h"
#include "net/names_udp.h"
#include "net/martian6.h"
#include "net/parse.h"
#include "net/parse6.h"
#include "net/router_parts.h"
#include "net/tcp_mss.h"

bool router_may_leave(struct router *router, struct router_interface *in,
		      const struct router_interface *out, struct packet *packet,
		      const struct packet_info *info)
{
	if (unlikely(!out->netdev)) {
		packet_drop(packet, DROP_LINK_DOWN);
		return false;
	}
	if (unlikely(info->ttl <= 1)) {
		router_refuse(router, in, packet, info, ROUTER_TIME_EXCEEDED, 0);
		return false;
	}
	if (likely(router_egress_fits(out, packet, info)))
		return true;
	if (!info->dont_fragment && !packet->gso_type)
		return true; /* the way out cuts it */
	router_refuse(router, in, packet, info, ROUTER_TOO_BIG, router_mtu(out, info->key.version));
	return false;
}

static void egress_known(struct router *router, struct router_interface *out, struct packet *packet,
			 const struct flow *flow, enum flow_direction direction)
{
	if (likely(!flow->line6))
		router_egress4(router, out, packet, flow->key[!direction].source);
	else
		router_egress6(router, out, packet, &flow_addresses6_of(flow, !direction)->source);
}

/* A question to a server, or its answer. */
static void learn_names(const struct router *router, const struct packet *packet,
			const struct packet_info *info, const struct flow *flow)
{
	struct flow_tuple reply = flow_tuple_of(flow, FLOW_REPLY);
	struct ip_address server = reply.key.version == 4 ? ip_address_of4(reply.key.source)
							  : ip_address_of6(reply.ip6.source.bytes);
	uint64_t id = (uint64_t)flow->owner << NAMES_FLOW_OWNER_SHIFT | flow->index;

	names_udp_forwarded(router->names, id, &server, packet, info);
}

/* Is there nothing for router_may_leave() to say? */
static inline bool leaves_as_it_is(const struct router_interface *out, const struct packet *packet,
				   const struct packet_info *info)
{
	return out->netdev && info->ttl > 1 && router_egress_fits(out, packet, info);
}

/*
 * The service that a packet of something under way belongs to, such as an answer to what we have
 * asked ourselves; whoever asked knows a forged one. NULL: none.
 */
static const struct router_service *owner_of(const struct router *router,
					     const struct router_interface *in,
					     const struct packet_info *info)
{
	struct ip_address destination;

	if (!router->service)
		return NULL;
	destination = router_destination(info);
	return router_is_own(router, in, &destination) ? service_that_owns(router->service, info)
						       : NULL;
}

/* Has been taken by whom it belongs to. */
static bool taken_by_owner(const struct router *router, const struct router_interface *in,
			   struct packet *packet, const struct packet_info *info)
{
	const struct router_service *owner = owner_of(router, in, info);

	if (!owner)
		return false;
	service_input(owner, in->netdev, packet, info);
	return true;
}

/* A packet of a flow. */
static void forward_known(struct router *router, struct router_interface *in, struct packet *packet,
			  const struct packet_info *info, struct flow *flow,
			  enum flow_direction direction)
{
	struct router_interface *out = &router->interfaces[flow->key[!direction].interface];
	enum drop_reason reason;

	if (unlikely(!leaves_as_it_is(out, packet, info)) &&
	    !router_may_leave(router, in, out, packet, info))
		return;
	if (unlikely(flow->flags & FLOW_TRANSLATED && info->authenticated)) {
		packet_drop(packet, DROP_NO_TRANSLATION);
		return;
	}
	if (!flow_follow(flow, direction, packet, info, router->now_ns, &reason)) {
		packet_drop(packet, reason);
		return;
	}
	if (unlikely(flow->max_mss && info->tcp_flags & TCP_SYN))
		tcp_mss_clamp(packet, info, flow->max_mss);
	if (unlikely(router->names && names_udp_cares(router->names, info))) {
		/* A client's own questions from the same port take no answer from us. */
		if (taken_by_owner(router, in, packet, info))
			return;
		learn_names(router, packet, info, flow);
	}
	nat_rewrite(packet, info, flow, direction);
	if (unlikely(router->judged))
		router_fragment_passes(router, packet, info, out);
	egress_known(router, out, packet, flow, direction);
}

static bool parse_quote(const struct packet *packet, const struct packet_info *info,
			struct quoted_packet *quoted)
{
	return info->key.version == 4 ? parse_quoted(packet, info, quoted)
				      : parse6_quoted(packet, info, quoted);
}

/* An error comes to who sent the packet that it quotes, and to nobody else. */
static bool is_for_sender(const struct packet_info *info, const struct quoted_packet *quoted)
{
	return be32_equal(info->key.destination, quoted->answer.key.destination) &&
	       (info->key.version == 4 ||
		ip6_address_equal(&info->ip6.destination, &quoted->answer.ip6.destination));
}

/* From the uplink, and with an address of somebody behind us? Then it has been dropped. */
static bool drop_spoofed(struct router *router, const struct router_interface *in,
			 struct packet *packet, const struct packet_info *info)
{
	struct ip_address source;

	if (in->kind != ROUTER_UPLINK)
		return false;
	source = router_source(info);
	if (router_client_of(router, &source))
		packet_drop(packet, DROP_SPOOFED);
	else if (address_set_has(&router->downstream, &source))
		packet_drop(packet, DROP_DOWNSTREAM);
	else
		return false;
	return true;
}

/* An ICMP error goes where the packet that it quotes came from. */
static void forward_error(struct router *router, struct router_interface *in, struct packet *packet,
			  const struct packet_info *info)
{
	struct quoted_packet quoted;
	enum flow_direction direction;
	struct router_interface *out;
	struct flow *flow;

	if (drop_spoofed(router, in, packet, info))
		return;
	if (!parse_quote(packet, info, &quoted)) {
		packet_drop(packet, DROP_BAD_TRANSPORT);
		return;
	}
	/* The quoted packet went the other way: an answer to it would come this way. */
	flow = flow_find(&router->flows, &quoted.answer, flow_hash(&router->flows, &quoted.answer),
			 &direction);
	if (!flow || !is_for_sender(info, &quoted)) {
		/* About something that we have sent ourselves? */
		if (flow || !taken_by_owner(router, in, packet, info))
			packet_drop(packet, DROP_NO_FLOW);
		return;
	}
	out = &router->interfaces[flow->key[!direction].interface];
	if (!router_may_leave(router, in, out, packet, info))
		return;
	nat_rewrite_error(packet, info, &quoted, flow, direction);
	if (unlikely(router->judged))
		router_fragment_passes(router, packet, info, out);
	egress_known(router, out, packet, flow, direction);
}

/* Of the uplink's network: a neighbour is asked for hosts, never for all (RFC 2644). */
static bool is_broadcast(const struct router *router, const struct ip_address *address)
{
	be32 address4;

	if (address->version != 4 || !router->has4 || router->ip4.prefix > 30)
		return false;
	address4 = ip_address_get4(address);
	return address4.raw == (router->ip4.address.raw | ~router->mask4.raw);
}

/* What neighbours say to each other stays on their link, whatever a rule makes of it. */
static bool is_from_link(const struct packet_info *info)
{
	return info->key.version == 6 && ip6_address_is_link_local(&info->ip6.source);
}

/* Where a packet for `destination` goes, or NULL: it has been consumed. */
static struct router_interface *route(struct router *router, struct router_interface *in,
				      struct packet *packet, const struct packet_info *info,
				      const struct ip_address *destination)
{
	struct router_interface *out;

	if (router_is_martian(destination) || router_client_has(in, destination) ||
	    is_from_link(info)) {
		packet_drop(packet,
			    router_is_multicast(destination) ? DROP_MULTICAST : DROP_MARTIAN);
		return NULL;
	}
	out = router_client_of(router, destination);
	if (!out && in->kind == ROUTER_CLIENT &&
	    (destination->version == 4 ? router->has4 : router->has6))
		out = router->uplink;
	if (!out) {
		router_refuse(router, in, packet, info, ROUTER_NO_ROUTE, 0);
	} else if (out == router->uplink && is_broadcast(router, destination)) {
		packet_drop(packet, DROP_MULTICAST);
		return NULL;
	} else if (out == router->uplink && address_set_has(&router->downstream, destination)) {
		packet_drop(packet, DROP_DOWNSTREAM);
		return NULL;
	}
	return out;
}

/* Without state: neither translated nor remembered. */
static void forward_stateless(struct router *router, struct router_interface *out,
			      struct packet *packet, const struct packet_info *info,
			      const struct router_verdicts *verdicts)
{
	uint16_t max_mss = router_max_mss(verdicts);

	if (max_mss && info->key.protocol == IP_PROTOCOL_TCP && info->tcp_flags & TCP_SYN)
		tcp_mss_clamp(packet, info, max_mss);
	nat_decrement_ttl(packet, info->key.version);
	if (unlikely(router->judged))
		router_fragment_passes(router, packet, info, out);
	router_egress(router, out, packet, info->key.version);
}

static void begin_flow(struct router *router, struct router_interface *in,
		       struct router_interface *out, struct packet *packet,
		       const struct packet_info *info, const struct router_verdicts *verdicts,
		       const struct router_destination *destination)
{
	enum drop_reason reason;
	struct flow *flow;

	if (!flow_may_begin(info)) {
		packet_drop(packet, DROP_NO_FLOW);
		return;
	}
	if (router_make_flow(router, in, out, info, verdicts, destination, &flow, &reason)) {
		packet_drop(packet, reason);
		return;
	}
	forward_known(router, in, packet, info, flow, FLOW_ORIGINAL);
}

/* A packet that no flow claims. */
static void forward_new(struct router *router, struct router_interface *in, struct packet *packet,
			const struct packet_info *info)
{
	const struct router_redirect *redirect = router_redirect_of(router, info);
	struct router_verdicts verdicts;
	struct router_destination destination;
	struct router_interface *out;

	if (redirect && !redirect->to.version) {
		packet_drop(packet, DROP_NO_TRANSLATION);
		return;
	}
	if (taken_by_owner(router, in, packet, info))
		return;
	if (!router_judge(router, in, in, RULES_IN, packet, info, &verdicts.in))
		return;
	destination = router_new_destination(router, in, info, &verdicts.in);
	if (router_is_own(router, in, &destination.address)) {
		router_local(router, in, packet, info);
		return;
	}
	out = route(router, in, packet, info, &destination.address);
	if (!out || !router_judge(router, in, out, RULES_OUT, packet, info, &verdicts.out) ||
	    !router_may_leave(router, in, out, packet, info))
		return;
	if (out->kind == ROUTER_CLIENT && !destination.changed && !verdicts.in.nat_to &&
	    !verdicts.out.nat_to && !(verdicts.in.keep_state && verdicts.out.keep_state))
		forward_stateless(router, out, packet, info, &verdicts);
	else
		begin_flow(router, in, out, packet, info, &verdicts, &destination);
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
	else if (!drop_spoofed(router, in, packet, info))
		forward_new(router, in, packet, info);
}
