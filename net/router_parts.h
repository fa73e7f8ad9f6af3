/* SPDX-License-Identifier: ISC */
/* What the parts of the router know of each other; nobody else includes this. */
#pragma once

#include "net/nat.h"
#include "net/packet_info.h"
#include "net/router.h"

/* What the rules said of a packet that begins a flow, on either interface. */
struct router_verdicts {
	struct rules_verdict in, out;
};

/* Where a packet goes. */
struct router_destination {
	struct ip_address address;
	bool changed;		      /* it is not what the sender wrote */
	uint16_t port_low, port_high; /* the new port, when it changes; else 0 */
	uint16_t port_base;	      /* the first port that goes there */
};

/* Does a client take itself for somebody else? */
static inline bool router_is_visible(const struct router_interface *interface)
{
	return interface->is_visible;
}

/* router_forward.c: a packet that has been parsed and checked. Consumes it. */
void router_forward(struct router *router, struct router_interface *in, struct packet *packet,
		    const struct packet_info *info);

/*
 * Link, TTL and size, with the errors that they call for. False: consumed. While the
 * uplink is away nothing is said: its flows go on when it returns.
 */
must_check bool router_may_leave(struct router *router, struct router_interface *in,
				 const struct router_interface *out, struct packet *packet,
				 const struct packet_info *info);

/*
 * router_fragment.c: a part of a datagram that has been parsed and checked. Consumes it.
 */
void router_fragment(struct router *router, struct router_interface *in, struct packet *packet,
		     const struct packet_info *info);

/* The first part of a datagram has been rewritten and is about to leave by `out`. */
void router_fragment_passes(struct router *router, struct packet *packet,
			    const struct packet_info *info, const struct router_interface *out);

/*
 * router_local.c: a packet to our own address that no flow claims and that the rules let in
 * on `in`. Consumes it.
 */
void router_local(struct router *router, struct router_interface *in, struct packet *packet,
		  const struct packet_info *info);

/* router_neighbour.c: ARP, and ICMPv6 of the link. Consume the packet. */
void router_input_arp(struct router *router, struct router_interface *in, struct packet *packet);
void router_input_ndp(struct router *router, struct router_interface *in, struct packet *packet,
		      const struct packet_info *info);

/* Is it a message that router_input_ndp() takes? */
must_check static inline bool router_is_ndp(const struct packet_info *info)
{
	return info->key.protocol == IP_PROTOCOL_ICMP6 && info->key.version == 6 &&
	       info->icmp_type >= ICMP6_ROUTER_SOLICITATION && info->icmp_type <= ICMP6_REDIRECT;
}

/* A client whose MAC the toolstack did not tell is believed when its address is right. */
void router_learn_client(struct router_interface *in, const uint8_t *mac);

/*
 * router_judge.c: asks the rules; `in` or `out` is `on`. False: the packet was blocked,
 * has been answered where the rule says so, and has been consumed.
 */
must_check bool router_judge(struct router *router, struct router_interface *in,
			     struct router_interface *on, enum rules_direction direction,
			     struct packet *packet, const struct packet_info *info,
			     struct rules_verdict *verdict);

/* What the rules are asked about a packet on `on`. */
struct rules_query router_query(const struct router *router, const struct router_interface *on,
				enum rules_direction direction, const struct packet_info *info);

/* May another ICMP error or reset be sent to this interface now? Takes a token. */
must_check bool router_may_answer(struct router *router, struct router_interface *in);

enum router_refusal { ROUTER_NO_ROUTE, ROUTER_TIME_EXCEEDED, ROUTER_TOO_BIG };

/*
 * Tells the sender by ICMP or ICMPv6, if that is allowed, and drops the packet. `mtu` is for
 * ROUTER_TOO_BIG.
 */
void router_refuse(struct router *router, struct router_interface *in, struct packet *packet,
		   const struct packet_info *info, enum router_refusal refusal, uint16_t mtu);

/* router.c: how many flows one owner may have. */
struct router_quota {
	uint32_t flows, flows6;
};
struct router_quota router_quota(const struct router *router, bool inbound);

/* router_address.c: who has an address? */
struct ip_address router_source(const struct packet_info *info);
struct ip_address router_destination(const struct packet_info *info);
struct ip_address router_tuple_source(const struct flow_tuple *tuple);
struct ip_address router_tuple_destination(const struct flow_tuple *tuple);

/* The client that has `address`, or NULL. */
struct router_interface *router_client_of(struct router *router, const struct ip_address *address);

/* May this client use `address`? */
must_check bool router_client_has(const struct router_interface *client,
				  const struct ip_address *address);

/* Is it a client's own, and not just inside a network of his? */
must_check bool router_is_clients_own(const struct router *router,
				      const struct ip_address *address);

/* Is it ours, as seen on this interface? */
must_check bool router_is_own(const struct router *router, const struct router_interface *on,
			      const struct ip_address *address);

/* What we send from on this interface: 4 or 6. Version 0: we have no such address. */
struct ip_address router_own_address(const struct router *router, const struct router_interface *on,
				     uint8_t version);

/* Is it what rules make of somebody's address on the uplink, in the uplink's network? */
must_check bool router_claims(struct router *router, const struct ip_address *address);

/* Never a sender, never forwarded to. */
must_check bool router_is_martian(const struct ip_address *address);
must_check bool router_is_multicast(const struct ip_address *address);

/*
 * router_translate.c: the reply tuple of a new flow and what else it needs, after the
 * verdicts. 0; else a negative errno and `*reason`.
 */
must_check int router_make_flow(struct router *router, const struct router_interface *in,
				const struct router_interface *out, const struct packet_info *info,
				const struct router_verdicts *verdicts,
				const struct router_destination *destination, struct flow **flow,
				enum drop_reason *reason);

/* The largest segment that a SYN may ask for; 0: any. */
uint16_t router_max_mss(const struct router_verdicts *verdicts);

/* Where a packet goes after what the rules said on its way in. */
struct router_destination router_new_destination(struct router *router,
						 const struct router_interface *in,
						 const struct packet_info *info,
						 const struct rules_verdict *verdict);

/* How the flow that begins with `original` is translated. */
void router_translation(const struct router *router, const struct router_interface *in,
			const struct router_interface *out, const struct flow_tuple *original,
			const struct router_verdicts *verdicts,
			const struct router_destination *destination, struct nat_request *request);

/* router_dns.c: the name server that a client's packet is for, when it has another name. */
const struct router_redirect *router_redirect_of(const struct router *router,
						 const struct packet_info *info);

/* router.c: a place for a netdev, or NULL; how much everybody may have of what is shared. */
struct router_interface *router_interface_begin(struct router *router, struct netdev *netdev,
						enum router_kind kind);
void router_share(struct router *router);

/* router_rejudge.c: ends the flows that the rules of now do not allow. */
void router_rejudge(struct router *router);

/* A part of what router_rejudge_soon() asked for. */
void router_rejudge_run(struct router *router);

/*
 * router_egress.c: sends a packet whose headers from IP on are complete towards
 * `destination`: fills the Ethernet addresses, or lets it wait for them. Consumes it.
 */
void router_egress4(struct router *router, struct router_interface *out, struct packet *packet,
		    be32 destination);
void router_egress6(struct router *router, struct router_interface *out, struct packet *packet,
		    const struct ip6_address *destination);

/* Sends it to the destination in its IP header. */
void router_egress(struct router *router, struct router_interface *out, struct packet *packet,
		   uint8_t version);

/* The largest packet of that version on the link, bytes. */
static inline uint16_t router_mtu(const struct router_interface *out, uint8_t version)
{
	const struct router *router = out->router;
	uint16_t mtu = out->netdev->mtu, told;

	if (out->kind != ROUTER_UPLINK)
		return mtu;
	told = version == 4 ? router->ip4.mtu : router->ip6.mtu;
	return told && told < mtu ? told : mtu;
}

/* Does the packet, as it came, fit the link? Segmented ones by their segments. */
static inline bool router_egress_fits(const struct router_interface *out,
				      const struct packet *packet, const struct packet_info *info)
{
	uint32_t bytes = info->ip_length;

	if (packet->gso_type)
		bytes = (uint32_t)info->header_length + packet->gso_size;
	return bytes <= router_mtu(out, info->key.version);
}

/* Hands every vector that holds packets to its driver. */
void router_flush(struct router *router);

/* For struct own. */
struct packet *router_own_make(void *context, struct netdev *netdev, size_t bytes);
void router_own_send(void *context, struct netdev *netdev, struct packet *packet);
