/* SPDX-License-Identifier: ISC */
/*
 * When rules or our addresses change, every flow is looked at again as if its first packet
 * came now: what would be blocked, or would be translated in another way, ends. All
 * others go on and notice nothing.
 */
#include <string.h>

#include "net/router_parts.h"

#define REJUDGE_STEP 1024u /* places of the table that one look at the timers is worth */
#define REJUDGE_PAUSE_NS 1000000000ull

/* The packet that began it, so far as rules can tell. */
static struct packet_info first_packet(const struct flow *flow)
{
	struct packet_info info = { .kind = PACKET_ORDINARY };

	info.tuple = flow_tuple_of(flow, FLOW_ORIGINAL);
	if (info.key.protocol == IP_PROTOCOL_TCP)
		info.tcp_flags = TCP_SYN;
	else if (info.key.version == 4 && info.key.protocol == IP_PROTOCOL_ICMP)
		info.icmp_type = ICMP4_ECHO_REQUEST;
	else if (info.key.version == 6 && info.key.protocol == IP_PROTOCOL_ICMP6)
		info.icmp_type = ICMP6_ECHO_REQUEST;
	return info;
}

static bool passes(const struct router *router, const struct router_interface *on,
		   enum rules_direction direction, const struct packet_info *info,
		   struct rules_verdict *verdict)
{
	struct rules_query query = router_query(router, on, direction, info);

	*verdict = ruleset_peek(router->rules, &query);
	return verdict->action == RULES_PASS;
}

static bool has_ports(const struct flow_key *key)
{
	return key->protocol == IP_PROTOCOL_TCP || key->protocol == IP_PROTOCOL_UDP;
}

/* Would it still go to the same end? */
static bool same_destination(const struct nat_request *request, const struct flow_tuple *reply)
{
	struct ip_address far = router_tuple_source(reply);
	struct ip_address wanted = router_tuple_destination(request->original);
	be16 port = request->original->key.destination_port;

	if (request->destination.version)
		wanted = request->destination;
	if (request->destination.version && request->destination_port_low)
		port = nat_redirected_port(request, port);
	return ip_address_equal(&far, &wanted) &&
	       (!has_ports(&reply->key) || be16_get(reply->key.source_port) == be16_get(port));
}

/* Could it have the port that it has? */
static bool may_have_port(const struct nat_request *request, uint16_t port)
{
	if (request->mode == NAT_NONE || request->mode == NAT_STATIC_PORT)
		return port == be16_get(request->original->key.source_port);
	if (!request->source_port_low && !request->source_port_high)
		return true;
	return port >= request->source_port_low &&
	       (port <= request->source_port_high || port == request->source_port_low);
}

/* Would it still come from the same end? */
static bool same_source(const struct nat_request *request, const struct flow_tuple *reply)
{
	struct ip_address near = router_tuple_destination(reply);
	struct ip_address wanted = request->source;

	if (request->mode == NAT_NONE)
		wanted = router_tuple_source(request->original);
	return ip_address_equal(&near, &wanted) &&
	       (!has_ports(&reply->key) ||
		may_have_port(request, be16_get(reply->key.destination_port)));
}

static bool is_allowed(struct router *router, const struct flow *flow,
		       struct router_verdicts *verdicts)
{
	const struct router_interface *in = &router->interfaces[flow->key[FLOW_ORIGINAL].interface];
	const struct router_interface *out = &router->interfaces[flow->key[FLOW_REPLY].interface];
	struct flow_tuple reply = flow_tuple_of(flow, FLOW_REPLY);
	struct packet_info info = first_packet(flow);
	const struct router_redirect *redirect = router_redirect_of(router, &info);
	struct router_destination destination;
	struct nat_request request;

	if (redirect && !redirect->to.version)
		return false;
	if (!router->rules || !passes(router, in, RULES_IN, &info, &verdicts->in) ||
	    !passes(router, out, RULES_OUT, &info, &verdicts->out))
		return false;
	destination = router_new_destination(router, in, &info, &verdicts->in);
	router_translation(router, in, out, &info.tuple, verdicts, &destination, &request);
	return same_destination(&request, &reply) && same_source(&request, &reply);
}

static void visit(void *context, struct flow *flow)
{
	struct router *router = context;
	struct router_verdicts verdicts;

	if (is_allowed(router, flow, &verdicts)) {
		const struct flow_limit limits[FLOW_LIMITS] = {
			{ verdicts.in.limits, verdicts.in.rule },
			{ verdicts.out.limits, verdicts.out.rule },
		};

		if (flow_set_limits(flow, limits, router->now_ns) == 0)
			return;
	}
	flow_remove(flow);
}

/* What others have begun with the firewall itself. */
static bool may_begin(void *judge, const struct packet_info *first)
{
	struct router *router = judge;
	struct packet_info info = *first;
	struct ip_address source = router_source(&info);
	const struct router_interface *in = router_client_of(router, &source);
	struct router_destination destination;
	struct rules_verdict verdict;

	if (!in)
		in = router->uplink;
	if (!in)
		return router->rules; /* as flows of the uplink: they wait for the next one */
	info.key.interface = in->index;
	if (!router->rules || !passes(router, in, RULES_IN, &info, &verdict))
		return false;
	destination = router_new_destination(router, in, &info, &verdict);
	return router_is_own(router, in, &destination.address);
}

static void rejudge_services(struct router *router)
{
	for (const struct router_service *s = router->service; s; s = s->next)
		if (s->rejudge)
			s->rejudge(s->context, may_begin, router);
}

void router_rejudge_soon(struct router *router)
{
	router->rejudge_wanted = true;
}

void router_rejudge_run(struct router *router)
{
	if (router->rejudge_wanted && router->rejudge_at == 0) {
		if (router->now_ns < router->rejudge_again_ns)
			return;
		router->rejudge_wanted = false;
		router->rejudge_again_ns = router->now_ns + REJUDGE_PAUSE_NS;
		fragments_purge_all(&router->fragments, DROP_BLOCKED);
		rejudge_services(router);
		router->rejudge_at = flow_visit(&router->flows, 0, REJUDGE_STEP, visit, router);
	} else if (router->rejudge_at) {
		router->rejudge_at =
			flow_visit(&router->flows, router->rejudge_at, REJUDGE_STEP, visit, router);
	}
}

void router_rejudge(struct router *router)
{
	uint32_t at = 0;

	do
		at = flow_visit(&router->flows, at, router->flows.total, visit, router);
	while (at);
	router->rejudge_at = 0;
	router->rejudge_wanted = false;
	fragments_purge_all(&router->fragments, DROP_BLOCKED);
	rejudge_services(router);
}
