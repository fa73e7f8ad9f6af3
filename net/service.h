/* SPDX-License-Identifier: ISC */
/*
 * What runs on a router itself and takes packets: how the router asks it, without
 * knowing it. The counterpart of own.h, by which it sends.
 */
#pragma once

#include <stdbool.h>

#include "net/netdev.h"
#include "net/packet_info.h"

/* Would the rules let this in if it came now? `info` has addresses, ports, protocol and flags. */
typedef bool service_may_begin(void *judge, const struct packet_info *info);

struct router_service {
	/* Is this packet, which came to an address of ours and to no flow, for the service? */
	bool (*wants)(void *context, const struct packet_info *info);
	/* A packet that it wants, parsed (l3_offset and l4_offset are set). Consumes it. */
	void (*input)(void *context, struct netdev *netdev, struct packet *packet,
		      const struct packet_info *info);
	void *context;
	/*
	 * Of those that it wants, is it a part of something that is under way, an answer to what
	 * we have asked for example? No rule is asked about that; about all others the rules
	 * are, as about what is forwarded. NULL: none is.
	 */
	bool (*owns)(void *context, const struct packet_info *info);
	/*
	 * Would it take a packet with these addresses and ports? Then address translation gives
	 * them to nobody else. Nothing else of `info` is set. NULL: what it wants.
	 */
	bool (*holds)(void *context, const struct packet_info *info);
	/*
	 * The rules, or our addresses, are others than before: ends what others have begun and what
	 * may not begin now. NULL: there is never any.
	 */
	void (*rejudge)(void *context, service_may_begin *may_begin, void *judge);
	struct router_service *next; /* another one, asked when this one does not want it */
};

static inline bool service_wants(const struct router_service *service,
				 const struct packet_info *info)
{
	return service && service->wants(service->context, info);
}

/* The first of a chain that wants a packet, and the first that owns it; NULL: none does. */
static inline const struct router_service *service_that_wants(const struct router_service *first,
							      const struct packet_info *info)
{
	while (first && !first->wants(first->context, info))
		first = first->next;
	return first;
}

static inline const struct router_service *service_that_owns(const struct router_service *first,
							     const struct packet_info *info)
{
	while (first && !(first->owns && first->owns(first->context, info)))
		first = first->next;
	return first;
}

static inline bool service_holds(const struct router_service *service,
				 const struct packet_info *info)
{
	return service->holds ? service->holds(service->context, info)
			      : service->wants(service->context, info);
}

/* The first of a chain that would take such a packet; NULL: none would. */
static inline const struct router_service *service_that_holds(const struct router_service *first,
							      const struct packet_info *info)
{
	while (first && !service_holds(first, info))
		first = first->next;
	return first;
}

static inline void service_input(const struct router_service *service, struct netdev *netdev,
				 struct packet *packet, const struct packet_info *info)
{
	service->input(service->context, netdev, packet, info);
}
