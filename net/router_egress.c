/* SPDX-License-Identifier: ISC */
/*
 * The way out: the next hop's MAC, what the link cannot do for itself, and the vector
 * that goes to the driver once for all packets of a round.
 */
#include <string.h>

#include "net/fragment_make.h"
#include "net/martian6.h"
#include "net/offload.h"
#include "net/router_parts.h"
#include "net/udp.h"
#include "net/visible.h"

static void flush_interface(struct router_interface *out)
{
	list_remove(&out->pending);
	out->netdev->ops->transmit(out->netdev, &out->out);
	out->out.count = 0;
}

void router_flush(struct router *router)
{
	while (!list_is_empty(&router->pending))
		flush_interface(list_entry(router->pending.next, struct router_interface, pending));
}

static void out_add(struct router_interface *out, struct packet *packet)
{
	if (unlikely(router_is_visible(out)) &&
	    !visible_leave(packet, &out->visible, out->router->ip4.address)) {
		packet_drop(packet, DROP_NO_TRANSLATION);
		return;
	}
	if (out->out.count == 0)
		list_push_back(&out->router->pending, &out->pending);
	packet_vector_add(&out->out, packet);
	if (packet_vector_is_full(&out->out))
		flush_interface(out);
}

static bool link_can_segment(const struct netdev *netdev, uint8_t gso_type)
{
	const uint32_t needed4 = NETDEV_TX_GSO_TCPV4 | NETDEV_TX_CSUM_IPV4 | NETDEV_TX_SG;
	const uint32_t needed6 = NETDEV_TX_GSO_TCPV6 | NETDEV_TX_CSUM_IPV6 | NETDEV_TX_SG;
	uint32_t needed = gso_type == PACKET_GSO_TCPV4 ? needed4 : needed6;

	return (netdev->features & needed) == needed;
}

/* Blank: the peer fills it. Only TCP and UDP packets are ever blank (net/parse*.h). */
static bool link_can_sum(const struct netdev *netdev, uint8_t version)
{
	return netdev->features & (version == 4 ? NETDEV_TX_CSUM_IPV4 : NETDEV_TX_CSUM_IPV6);
}

static uint8_t version_of(const struct packet *packet)
{
	return ip4_of(packet)->version_length >> 4;
}

/* Of a packet that has been parsed: there is a transport header. */
static uint8_t protocol_of(const struct packet *packet)
{
	uint32_t start = packet->l3_offset + (uint32_t)sizeof(struct ip6_header);
	struct parse6_chain chain;
	enum drop_reason reason;

	if (version_of(packet) == 4)
		return ip4_of(packet)->protocol;
	if (!parse6_chain_walk(packet, start, packet->length, ip6_of(packet)->next_header, &chain,
			       &reason))
		return IP6_NO_NEXT_HEADER;
	return chain.protocol;
}

/* Without scatter-gather: one slot of the uplink's ring, one buffer of the client's. */
static bool is_one_piece(const struct router_interface *out, const struct packet *packet)
{
	return out->kind == ROUTER_UPLINK ? packet->frag_count == 0 : packet->length <= IOPAGE_SIZE;
}

static bool sum_here(struct packet *packet)
{
	uint8_t protocol = protocol_of(packet);

	return (protocol == IP_PROTOCOL_TCP || protocol == IP_PROTOCOL_UDP) &&
	       offload_checksum(packet, protocol) == 0;
}

/* What fits no link of its own and may be cut. Consumes the packet. */
static void send_cut(struct router *router, struct router_interface *out, struct packet *packet)
{
	if (packet->flags & PACKET_CSUM_BLANK && !sum_here(packet))
		packet_drop(packet, DROP_NO_MEMORY);
	else
		fragment_make4(&router->own, out->netdev, router_mtu(out, 4), packet);
}

/* A complete frame; does in software what the link cannot. */
static void out_send(struct router *router, struct router_interface *out, struct packet *packet)
{
	const struct netdev *netdev = out->netdev;

	if (unlikely(packet->gso_type && !link_can_segment(netdev, packet->gso_type))) {
		offload_segment(&router->own, out->netdev, packet);
		return;
	}
	if (unlikely(!packet->gso_type &&
		     packet->length > router_mtu(out, version_of(packet)) +
					      sizeof(struct ethernet_header))) {
		send_cut(router, out, packet);
		return;
	}
	if (unlikely(packet->flags & PACKET_CSUM_BLANK &&
		     !link_can_sum(netdev, version_of(packet))) &&
	    !sum_here(packet)) {
		packet_drop(packet, DROP_NO_MEMORY);
		return;
	}
	if (unlikely(!(netdev->features & NETDEV_TX_SG) && !is_one_piece(out, packet))) {
		packet = offload_linearise(&router->own, out->netdev, packet);
		if (!packet)
			return;
	}
	out_add(out, packet);
}

static be32 next_hop4(const struct router *router, const struct router_interface *out,
		      be32 destination)
{
	if (out->kind == ROUTER_CLIENT)
		return unlikely(router_is_visible(out)) ? out->visible.address : destination;
	if (((destination.raw ^ router->ip4.address.raw) & router->mask4.raw) == 0)
		return destination;
	return router->ip4.gateway;
}

static const struct ip6_address *next_hop6(const struct router *router,
					   const struct router_interface *out,
					   const struct ip6_address *destination)
{
	struct ip_address masked, network;

	if (out->kind == ROUTER_CLIENT)
		return destination;
	masked = ip_address_of6(destination->bytes);
	network = ip_address_of6(router->ip6.address.bytes);
	ip_address_mask(&masked, router->ip6.prefix);
	ip_address_mask(&network, router->ip6.prefix);
	return ip_address_equal(&masked, &network) ? destination : &router->ip6.gateway;
}

/* A packet whose headers are complete but for the Ethernet destination. */
static void send_to(struct router *router, struct router_interface *out, struct packet *packet,
		    const uint8_t *mac)
{
	mac_copy(ethernet_of(packet)->destination, mac);
	out_send(router, out, packet);
}

/*
 * May it wait for a neighbour? One who sends to many that do not exist takes the questions
 * of nobody else. False: it has been dropped.
 */
static bool may_wait(const struct router *router, struct packet *packet)
{
	struct router_interface *in = packet->in ? packet->in->stack : NULL;

	if (!in || bucket_take(&in->waits, router->now_ns))
		return true;
	packet_drop(packet, DROP_RATE_LIMIT);
	return false;
}

static be32 asker4(const struct router *router, const struct router_interface *out)
{
	return router_is_visible(out) && out->visible.gateway.raw ? out->visible.gateway
								  : router->ip4.address;
}

/* To a neighbour whose MAC is not known. */
static void send_unknown4(struct router *router, struct router_interface *out,
			  struct packet *packet, be32 hop)
{
	bool is_gateway = out == router->uplink && be32_equal(hop, router->ip4.gateway);

	if (hop.raw == 0) {
		packet_drop(packet, DROP_NO_ROUTE);
	} else if (is_gateway && !mac_is_zero(router->gateway_mac)) {
		arp_ask(&router->arp, out->netdev, router->ip4.address, hop, router->now_ns);
		send_to(router, out, packet, router->gateway_mac);
	} else if (is_gateway || may_wait(router, packet)) {
		arp_queue(&router->arp, out->netdev, asker4(router, out), hop, is_gateway, packet,
			  router->now_ns);
	}
}

void router_egress4(struct router *router, struct router_interface *out, struct packet *packet,
		    be32 destination)
{
	const uint8_t *mac;
	be32 hop;

	if (!out->netdev->up) {
		packet_drop(packet, DROP_LINK_DOWN);
		return;
	}
	mac_copy(ethernet_of(packet)->source, out->netdev->mac);
	if (out->peer_known) {
		send_to(router, out, packet, out->peer_mac);
		return;
	}
	hop = next_hop4(router, out, destination);
	mac = arp_find(&router->arp, out->netdev, hop);
	if (likely(mac))
		send_to(router, out, packet, mac);
	else
		send_unknown4(router, out, packet, hop);
}

/* What neighbours are asked from: of our own addresses the one in the same scope. */
static const struct ip6_address *asker6(const struct router *router,
					const struct router_interface *out,
					const struct ip6_address *hop)
{
	return router->has6 && out->kind == ROUTER_UPLINK && !ip6_address_is_link_local(hop)
		       ? &router->ip6.address
		       : &out->link_local;
}

static void send_unknown6(struct router *router, struct router_interface *out,
			  struct packet *packet, const struct ip6_address *hop)
{
	bool is_gateway = out == router->uplink && ip6_address_equal(hop, &router->ip6.gateway);

	if (ip6_address_is_unspecified(hop)) {
		packet_drop(packet, DROP_NO_ROUTE);
	} else if (is_gateway && !mac_is_zero(router->gateway_mac)) {
		ndp_ask(&router->ndp, out->netdev, asker6(router, out, hop), hop, router->now_ns);
		send_to(router, out, packet, router->gateway_mac);
	} else if (is_gateway || may_wait(router, packet)) {
		ndp_queue(&router->ndp, out->netdev, asker6(router, out, hop), hop, is_gateway,
			  packet, router->now_ns);
	}
}

void router_egress6(struct router *router, struct router_interface *out, struct packet *packet,
		    const struct ip6_address *destination)
{
	const struct ip6_address *hop;
	const uint8_t *mac;

	if (!out->netdev->up) {
		packet_drop(packet, DROP_LINK_DOWN);
		return;
	}
	mac_copy(ethernet_of(packet)->source, out->netdev->mac);
	if (out->peer_known) {
		send_to(router, out, packet, out->peer_mac);
		return;
	}
	hop = next_hop6(router, out, destination);
	mac = ndp_find(&router->ndp, out->netdev, hop);
	if (likely(mac))
		send_to(router, out, packet, mac);
	else
		send_unknown6(router, out, packet, hop);
}

void router_egress(struct router *router, struct router_interface *out, struct packet *packet,
		   uint8_t version)
{
	struct ip6_address destination;

	if (version == 4) {
		router_egress4(router, out, packet, ip4_of(packet)->destination);
		return;
	}
	memcpy(&destination, ip6_of(packet)->destination, sizeof(destination));
	router_egress6(router, out, packet, &destination);
}

/* The uplink sends from pages that it may read, a client's driver copies from any. */
static struct packet *alloc_for(struct router *router, const struct router_interface *out,
				size_t bytes)
{
	struct packet *packet;

	if (out->kind == ROUTER_UPLINK)
		return packet_alloc_page(router->packets, IOPAGE_UPLINK_READ);
	if (bytes <= PACKET_HEAD_BYTES - PACKET_HEADROOM)
		return packet_alloc(router->packets);
	packet = packet_alloc_page(router->packets, IOPAGE_PRIVATE);
	return packet ? packet : packet_alloc_page(router->packets, IOPAGE_UPLINK_READ);
}

void router_send_udp(struct router *router, const struct ip_address *to, uint16_t from_port,
		     uint16_t to_port, const void *data, size_t bytes)
{
	struct router_interface *out = router_client_of(router, to);
	struct udp_ends ends = { .to = *to, .from_port = from_port, .to_port = to_port };
	struct packet *packet;

	if (!out)
		out = router->uplink;
	if (!out || (out == router->uplink && address_set_has(&router->downstream, to)))
		return;
	ends.from = router_own_address(router, out, to->version);
	if (ends.from.version == 0)
		return;
	packet = udp_make(&router->own, out->netdev, &ends, data, bytes);
	if (packet)
		router_egress(router, out, packet, to->version);
}

struct packet *router_own_make(void *context, struct netdev *netdev, size_t bytes)
{
	return packet_append_zeroes(alloc_for(context, netdev->stack, bytes), bytes);
}

void router_own_send(void *context, struct netdev *netdev, struct packet *packet)
{
	if (!netdev->up) {
		packet_drop(packet, DROP_LINK_DOWN);
		return;
	}
	out_send(context, netdev->stack, packet);
}
