/* SPDX-License-Identifier: ISC */
/*
 * The addresses of all who belong behind us. A packet is looked up when it begins a flow, or
 * belongs to none; flows that a new set forbids end when it comes, so that none is looked up
 * again.
 */
#include "net/router_parts.h"

static void visit(void *context, struct flow *flow)
{
	const struct router *router = context;

	for (unsigned int direction = 0; direction < 2; direction++) {
		struct flow_tuple tuple = flow_tuple_of(flow, direction);
		struct ip_address source = router_tuple_source(&tuple);

		if (router->interfaces[tuple.key.interface].kind == ROUTER_UPLINK &&
		    address_set_has(&router->downstream, &source)) {
			flow_remove(flow);
			return;
		}
	}
}

static bool is_news(const struct address_set *set, const struct ip_address *addresses,
		    uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!address_set_has(set, &addresses[i]))
			return true;
	return false;
}

int router_set_downstream(struct router *router, const struct ip_address *addresses, uint32_t count)
{
	bool news = is_news(&router->downstream, addresses, count);
	int error = address_set_fill(&router->downstream, addresses, count);
	uint32_t at = 0;

	/* What is not forbidden anew goes on, be it in the middle of a datagram. */
	if (error || !news)
		return error;
	do
		at = flow_visit(&router->flows, at, router->flows.total, visit, router);
	while (at);
	fragments_purge_all(&router->fragments, DROP_DOWNSTREAM);
	return 0;
}

bool router_is_behind(struct router *router, const struct ip_address *address)
{
	return address_set_has(&router->downstream, address) || router_client_of(router, address);
}
