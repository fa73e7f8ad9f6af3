/* SPDX-License-Identifier: ISC */
/*
 * The neighbours' protocols: ARP and neighbour discovery, on the uplink as one host among
 * others, towards clients as everybody.
 *
 * A client's whole world is behind us, whatever netmask it believes in: everything but its
 * own addresses is here. Its probes for an address (RFC 5227, RFC 4862) are for it to win.
 */
#include <string.h>

#include "net/martian6.h"
#include "net/ndp_dad.h"
#include "net/parse.h"
#include "net/router_parts.h"

/* ---- ARP ---- */

/* Ours on the uplink, or somebody's whom our rules make known there by this address. */
static bool is_here(struct router *router, const struct router_interface *in,
		    const struct ip_address *address)
{
	return router_is_own(router, in, address) || router_claims(router, address);
}

static bool uplink_arp(struct router *router, const struct router_interface *in,
		       const struct arp_message *message)
{
	const struct ip_address target = ip_address_of4(message->target);

	if ((router->has4 && be32_equal(message->sender, router->ip4.address)) ||
	    (message->sender.raw && address_is_martian(message->sender)))
		return false;
	arp_learn(&router->arp, in->netdev, message, router->now_ns);
	if (message->operation == ARP_REQUEST && is_here(router, in, &target))
		arp_answer(&router->arp, in->netdev, message);
	return true;
}

/* Is it the client's, as it sees itself? */
static bool client_has4(const struct router_interface *in, be32 address)
{
	struct ip_address any = ip_address_of4(address);

	if (router_is_visible(in))
		return be32_equal(address, in->visible.address);
	return router_client_has(in, &any);
}

static bool client_arp(struct router *router, struct router_interface *in,
		       const struct arp_message *message)
{
	if (message->operation == ARP_REQUEST && message->sender.raw == 0)
		return true;
	if (!client_has4(in, message->sender))
		return false;
	router_learn_client(in, message->sender_mac);
	arp_learn(&router->arp, in->netdev, message, router->now_ns);
	if (message->operation == ARP_REQUEST && !client_has4(in, message->target))
		arp_answer(&router->arp, in->netdev, message);
	return true;
}

void router_input_arp(struct router *router, struct router_interface *in, struct packet *packet)
{
	struct arp_message message;
	bool good = arp_parse(packet, &message);

	if (good && in->kind == ROUTER_UPLINK)
		good = uplink_arp(router, in, &message);
	else if (good)
		good = client_arp(router, in, &message);
	if (good)
		packet_free(packet);
	else
		packet_drop(packet, DROP_BAD_ARP);
}

/* ---- neighbour discovery ---- */

static bool is_own6(const struct router *router, const struct router_interface *on,
		    const struct ip6_address *address)
{
	struct ip_address any = ip_address_of6(address->bytes);

	return router_is_own(router, on, &any);
}

static bool uplink_ndp(struct router *router, const struct router_interface *in,
		       const struct ndp_message *message)
{
	const struct ip_address target = ip_address_of6(message->target.bytes);

	if (is_own6(router, in, &message->source) ||
	    (message->type == ICMP6_NEIGHBOUR_ADVERTISEMENT && is_here(router, in, &target)))
		return false;
	ndp_learn(&router->ndp, in->netdev, message, router->now_ns);
	if (message->type == ICMP6_NEIGHBOUR_SOLICITATION && is_here(router, in, &target))
		ndp_answer(&router->ndp, in->netdev, message, NDP_OWN);
	return true;
}

/* May the client speak as `address` on its link? */
static bool client_speaks_as(const struct router_interface *in, const struct ip6_address *address)
{
	struct ip_address any = ip_address_of6(address->bytes);

	if (ip6_address_is_unspecified(address))
		return true;
	if (ip6_address_is_link_local(address))
		return !ip6_address_equal(address, &in->link_local);
	return router_client_has(in, &any);
}

static bool client_is_asked(const struct router_interface *in, const struct ip6_address *target)
{
	struct ip_address any = ip_address_of6(target->bytes);

	if (ip6_address_is_link_local(target))
		return !ip6_address_equal(target, &in->link_local);
	return router_client_has(in, &any);
}

static bool client_ndp(struct router *router, struct router_interface *in,
		       const struct ndp_message *message)
{
	const struct ndp_router self = {
		.lifetime_s = router->has6 ? ROUTER_LIFETIME_S : 0,
		.mtu = in->netdev->mtu >= ROUTER_MTU_MIN6 ? in->netdev->mtu : 0,
	};

	if (!client_speaks_as(in, &message->source) || message->type == ICMP6_ROUTER_ADVERTISEMENT)
		return false;
	if (message->type == ICMP6_NEIGHBOUR_ADVERTISEMENT &&
	    !client_is_asked(in, &message->target))
		return false;
	if (!ip6_address_is_unspecified(&message->source))
		router_learn_client(in, message->sender_mac);
	ndp_learn(&router->ndp, in->netdev, message, router->now_ns);
	if (message->type == ICMP6_NEIGHBOUR_SOLICITATION && !client_is_asked(in, &message->target))
		ndp_answer(&router->ndp, in->netdev, message,
			   is_own6(router, in, &message->target) ? NDP_OWN : NDP_PROXY);
	else if (message->type == ICMP6_ROUTER_SOLICITATION && router_may_answer(router, in))
		ndp_answer_router(&router->ndp, in->netdev, message, &self);
	return true;
}

void router_input_ndp(struct router *router, struct router_interface *in, struct packet *packet,
		      const struct packet_info *info)
{
	struct ndp_message message;
	bool good = ndp_parse(packet, info, &message);

	if (good && !ndp_dad_hear(&router->ndp, in->netdev, &message, router->now_ns))
		good = in->kind == ROUTER_UPLINK ? uplink_ndp(router, in, &message)
						 : client_ndp(router, in, &message);
	if (good)
		packet_free(packet);
	else
		packet_drop(packet, DROP_BAD_NDP);
}
