/* SPDX-License-Identifier: ISC */
/*
 * The way out: the next hop's MAC, what the link cannot do for itself, and the vector
 * that goes to the driver once for all packets of a round.
 */
#include <string.h>

#include "net/offload.h"
#include "net/router_parts.h"

bool router_egress_fits(const struct router_interface *out, const struct packet *packet,
			const struct packet_info *info)
{
	uint32_t bytes = info->ip_length;

	if (packet->gso_type)
		bytes = (uint32_t)info->header_length + packet->gso_size;
	return bytes <= out->netdev->mtu;
}

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
	if (out->out.count == 0)
		list_push_back(&out->router->pending, &out->pending);
	packet_vector_add(&out->out, packet);
	if (packet_vector_is_full(&out->out))
		flush_interface(out);
}

static bool link_can_segment(const struct netdev *netdev)
{
	const uint32_t needed = NETDEV_TX_GSO_TCPV4 | NETDEV_TX_CSUM_IPV4 | NETDEV_TX_SG;

	return (netdev->features & needed) == needed;
}

/* Without scatter-gather: one slot of the uplink's ring, one buffer of the client's. */
static bool is_one_piece(const struct router_interface *out, const struct packet *packet)
{
	return out->kind == ROUTER_UPLINK ? packet->frag_count == 0 : packet->length <= IOPAGE_SIZE;
}

/* A complete frame; does in software what the link cannot. */
static void out_send(struct router *router, struct router_interface *out, struct packet *packet)
{
	uint32_t features = out->netdev->features;

	if (unlikely(packet->gso_type && !link_can_segment(out->netdev))) {
		offload_segment(&router->own, out->netdev, packet);
		return;
	}
	if (unlikely(packet->flags & PACKET_CSUM_BLANK && !(features & NETDEV_TX_CSUM_IPV4)) &&
	    offload_checksum(packet, ip4_of(packet)->protocol)) {
		packet_drop(packet, DROP_NO_MEMORY);
		return;
	}
	if (unlikely(!(features & NETDEV_TX_SG) && !is_one_piece(out, packet))) {
		packet = offload_linearise(&router->own, out->netdev, packet);
		if (!packet)
			return;
	}
	out_add(out, packet);
}

static be32 next_hop(const struct router *router, const struct router_interface *out,
		     be32 destination)
{
	if (out->kind == ROUTER_CLIENT)
		return destination;
	if (((destination.raw ^ router->address.raw) & router->mask.raw) == 0)
		return destination;
	return router->gateway;
}

/* NULL: not known yet. */
static const uint8_t *next_mac(struct router *router, const struct router_interface *out, be32 hop)
{
	if (out->peer_known)
		return out->peer_mac;
	return arp_find(&router->arp, out->netdev, hop);
}

void router_egress(struct router *router, struct router_interface *out, struct packet *packet,
		   be32 destination)
{
	struct ethernet_header *ethernet = ethernet_of(packet);
	be32 hop = next_hop(router, out, destination);
	const uint8_t *mac;

	if (!out->netdev->up) {
		packet_drop(packet, DROP_LINK_DOWN);
		return;
	}
	mac = next_mac(router, out, hop);
	mac_copy(ethernet->source, out->netdev->mac);
	if (!mac) {
		arp_queue(&router->arp, out->netdev, router->address, hop,
			  be32_equal(hop, router->gateway), packet, router->now_ns);
		return;
	}
	mac_copy(ethernet->destination, mac);
	out_send(router, out, packet);
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

struct packet *router_own_make(void *context, struct netdev *netdev, size_t bytes)
{
	struct packet *packet = alloc_for(context, netdev->stack, bytes);
	uint8_t *data;

	if (!packet)
		return NULL;
	data = packet_append(packet, bytes);
	if (!data) {
		packet_free(packet);
		return NULL;
	}
	memset(data, 0, bytes);
	return packet;
}

void router_own_send(void *context, struct netdev *netdev, struct packet *packet)
{
	if (!netdev->up) {
		packet_drop(packet, DROP_LINK_DOWN);
		return;
	}
	out_send(context, netdev->stack, packet);
}
