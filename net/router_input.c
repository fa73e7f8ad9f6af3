/* SPDX-License-Identifier: ISC */
/*
 * The way in: Ethernet, ARP, one parse, and who may send what from where. Three passes
 * over a vector, so that the memory of the flow table is on its way while the next
 * packets are parsed.
 */
#include <string.h>

#include "net/router_parts.h"

/* Is the frame from and to whom it may be? Group addresses are left to the protocol. */
static bool ethernet_is_good(const struct router_interface *in,
			     const struct ethernet_header *ethernet)
{
	if (mac_is_group(ethernet->source))
		return false;
	if (in->peer_fixed && !mac_equal(ethernet->source, in->peer_mac))
		return false;
	return mac_is_group(ethernet->destination) ||
	       mac_equal(ethernet->destination, in->netdev->mac);
}

/* A client whose MAC the toolstack did not tell is believed when its address is right. */
static void learn_client(struct router_interface *in, const uint8_t *mac)
{
	if (in->kind != ROUTER_CLIENT || in->peer_fixed)
		return;
	mac_copy(in->peer_mac, mac);
	in->peer_known = true;
}

static bool uplink_arp(struct router *router, const struct router_interface *in,
		       const struct arp_message *message)
{
	if (be32_equal(message->sender, router->address) ||
	    (message->sender.raw && address_is_martian(message->sender)))
		return false;
	arp_learn(&router->arp, in->netdev, message, router->now_ns);
	if (message->operation == ARP_REQUEST && be32_equal(message->target, router->address))
		arp_answer(&router->arp, in->netdev, message);
	return true;
}

/*
 * The client's whole world is behind us, whatever netmask it believes in: everything but
 * its own address is here. Its probes for an address (RFC 5227) are for it to win.
 */
static bool client_arp(struct router *router, struct router_interface *in,
		       const struct arp_message *message)
{
	if (message->operation == ARP_REQUEST && message->sender.raw == 0)
		return true;
	if (!be32_equal(message->sender, in->address))
		return false;
	learn_client(in, message->sender_mac);
	arp_learn(&router->arp, in->netdev, message, router->now_ns);
	if (message->operation == ARP_REQUEST && !be32_equal(message->target, in->address))
		arp_answer(&router->arp, in->netdev, message);
	return true;
}

static void input_arp(struct router *router, struct router_interface *in, struct packet *packet)
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

/* Who claims to have sent it? */
static bool source_is_good(const struct router *router, const struct router_interface *in,
			   const struct packet_info *info, enum drop_reason *reason)
{
	if (in->kind == ROUTER_CLIENT) {
		*reason = DROP_SPOOFED;
		return be32_equal(info->key.source, in->address);
	}
	*reason = DROP_MARTIAN;
	return !address_is_martian(info->key.source) &&
	       !be32_equal(info->key.source, router->address);
}

/* Parses and checks one frame. False: it was not an IPv4 packet to look at further. */
static bool input_one(struct router *router, struct router_interface *in, struct packet *packet,
		      struct packet_info *info)
{
	const struct ethernet_header *ethernet = ethernet_at(packet);
	enum drop_reason reason = DROP_SHORT;
	uint16_t type;

	if (!ethernet) {
		packet_drop(packet, reason);
		return false;
	}
	type = be16_get(ethernet->type);
	if (!ethernet_is_good(in, ethernet)) {
		packet_drop(packet, DROP_BAD_MAC);
		return false;
	}
	if (type == ETHERTYPE_ARP) {
		input_arp(router, in, packet);
		return false;
	}
	if (type != ETHERTYPE_IP4)
		reason = DROP_BAD_ETHERTYPE;
	else if (mac_is_group(ethernet->destination))
		reason = DROP_MULTICAST;
	else if (parse_ip4(packet, in->index, info, &reason) &&
		 source_is_good(router, in, info, &reason)) {
		learn_client(in, ethernet->source);
		return true;
	}
	packet_drop(packet, reason);
	return false;
}

/* Packets of one flow often come together; the hash is the dearest part of a look-up. */
static void hash_key(const struct router *router, struct packet_info *info,
		     const struct packet_info *before)
{
	if (before && flow_tuple_equal(&info->tuple, &before->tuple)) {
		info->hash = before->hash;
		return;
	}
	info->hash = flow_hash(&router->flows, &info->tuple);
	flow_prefetch_bucket(&router->flows, info->hash);
}

void router_input(struct netdev *netdev, struct packet_vector *vector)
{
	struct router_interface *in = netdev->stack;
	struct router *router = in->router;
	struct packet_info infos[PACKET_VECTOR_MAX];
	struct packet *packets[PACKET_VECTOR_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < vector->count; i++) {
		if (!input_one(router, in, vector->packets[i], &infos[count]))
			continue;
		hash_key(router, &infos[count], count ? &infos[count - 1] : NULL);
		packets[count++] = vector->packets[i];
	}
	vector->count = 0;
	for (uint32_t i = 0; i < count; i++)
		flow_prefetch_entry(&router->flows, infos[i].hash);
	for (uint32_t i = 0; i < count; i++)
		router_forward(router, in, packets[i], &infos[i]);
	router_flush(router);
}
