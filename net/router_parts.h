/* SPDX-License-Identifier: ISC */
/* What the parts of the router know of each other; nobody else includes this. */
#pragma once

#include "net/parse.h"
#include "net/router.h"

/* router_forward.c: a packet that has been parsed and checked. Consumes it. */
void router_forward(struct router *router, struct router_interface *in, struct packet *packet,
		    const struct packet_info *info);

/* router_local.c: a packet to our own address that no flow claims. Consumes it. */
void router_local(struct router *router, struct router_interface *in, struct packet *packet,
		  const struct packet_info *info);

/*
 * router_judge.c: asks the rules; `in` or `out` is `on`. False: the packet was blocked,
 * has been answered where the rule says so, and has been consumed.
 */
must_check bool router_judge(struct router *router, struct router_interface *in,
			     struct router_interface *on, enum rules_direction direction,
			     struct packet *packet, const struct packet_info *info,
			     struct rules_verdict *verdict);

/* May another ICMP error or reset be sent to this interface now? Takes a token. */
must_check bool router_may_answer(struct router *router, struct router_interface *in);

/* Sends an ICMP error about the packet if that is allowed, and drops it. */
void router_refuse(struct router *router, struct router_interface *in, struct packet *packet,
		   const struct packet_info *info, enum drop_reason reason, uint8_t type,
		   uint8_t code, uint16_t mtu);

/* Answers a packet that is refused (net/reject.h). The packet stays the caller's. */
void router_reject(struct router *router, struct router_interface *in, const struct packet *packet,
		   const struct packet_info *info);

/* The client that has `address`, or NULL. */
struct router_interface *router_client_of(struct router *router, be32 address);

/*
 * router_egress.c: sends a packet whose headers from IPv4 on are complete towards
 * `destination`: fills the Ethernet addresses, or lets it wait for them. Consumes it.
 */
void router_egress(struct router *router, struct router_interface *out, struct packet *packet,
		   be32 destination);

/* Does the packet, as it came, fit the link? Segmented ones by their segments. */
bool router_egress_fits(const struct router_interface *out, const struct packet *packet,
			const struct packet_info *info);

/* Hands every vector that holds packets to its driver. */
void router_flush(struct router *router);

/* For struct own. */
struct packet *router_own_make(void *context, struct netdev *netdev, size_t bytes);
void router_own_send(void *context, struct netdev *netdev, struct packet *packet);
