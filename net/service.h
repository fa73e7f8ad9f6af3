/* SPDX-License-Identifier: ISC */
/*
 * What runs on the firewall itself and takes packets: how the router asks it, without
 * knowing it. The counterpart of own.h, by which it sends.
 */
#pragma once

#include <stdbool.h>

#include "net/netdev.h"
#include "net/packet_info.h"

struct router_service {
	/* Is this packet, which came to an address of ours and to no flow, for the service? */
	bool (*wants)(void *context, const struct packet_info *info);
	/* A packet that it wants, parsed (l3_offset and l4_offset are set). Consumes it. */
	void (*input)(void *context, struct netdev *netdev, struct packet *packet,
		      const struct packet_info *info);
	void *context;
};

static inline bool service_wants(const struct router_service *service,
				 const struct packet_info *info)
{
	return service && service->wants(service->context, info);
}

static inline void service_input(const struct router_service *service, struct netdev *netdev,
				 struct packet *packet, const struct packet_info *info)
{
	service->input(service->context, netdev, packet, info);
}
