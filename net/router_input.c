/* SPDX-License-Identifier: ISC */
/*
 * The way in: Ethernet, one parse, and who may send what from where. Several passes over a
 * vector, so that the memory of the flow table is on its way while the next packets are
 * parsed.
 */
#include <string.h>

#include "net/martian6.h"
#include "net/parse.h"
#include "net/parse6.h"
#include "net/router_parts.h"
#include "net/uplink_config.h"
#include "net/visible.h"

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

void router_learn_client(struct router_interface *in, const uint8_t *mac)
{
	if (in->kind != ROUTER_CLIENT || in->peer_fixed)
		return;
	mac_copy(in->peer_mac, mac);
	in->peer_known = true;
}

static bool client_source_is_good(const struct router_interface *in, const struct packet_info *info)
{
	struct ip_address source;

	if (info->key.version == 4 && likely(be32_equal(info->key.source, in->address)))
		return true;
	source = router_source(info);
	if (router_client_has(in, &source))
		return true;
	/* Neighbours talk link-locally: to us and no further. */
	return info->key.version == 6 && ip6_address_is_link_local(&info->ip6.source) &&
	       memcmp(&info->ip6.destination, &in->link_local, sizeof(in->link_local)) == 0;
}

static bool uplink_source_is_good(const struct router *router, const struct router_interface *in,
				  const struct packet_info *info)
{
	if (info->key.version == 4)
		return !address_is_martian(info->key.source) &&
		       !(router->has4 && be32_equal(info->key.source, router->ip4.address));
	if (router->has6 && ip6_address_equal(&info->ip6.source, &router->ip6.address))
		return false;
	if (!ip6_address_is_martian(&info->ip6.source))
		return true;
	return ip6_address_is_link_local(&info->ip6.source) &&
	       ip6_address_equal(&info->ip6.destination, &in->link_local);
}

/* Who claims to have sent it? */
static bool source_is_good(const struct router *router, const struct router_interface *in,
			   const struct packet_info *info, enum drop_reason *reason)
{
	*reason = in->kind == ROUTER_CLIENT ? DROP_SPOOFED : DROP_MARTIAN;
	return in->kind == ROUTER_CLIENT ? client_source_is_good(in, info)
					 : uplink_source_is_good(router, in, info);
}

static bool parse_ip(struct packet *packet, uint8_t interface, uint16_t type,
		     struct packet_info *info, enum drop_reason *reason)
{
	return type == ETHERTYPE_IP4 ? parse_ip4(packet, interface, info, reason)
				     : parse_ip6(packet, interface, info, reason);
}

/* To a group: only neighbour discovery has business there. Consumes the packet. */
static void input_group(struct router *router, struct router_interface *in, struct packet *packet,
			uint16_t type)
{
	enum drop_reason reason = DROP_MULTICAST;
	struct packet_info info;

	if (type == ETHERTYPE_IP6 && parse_ip6(packet, in->index, &info, &reason)) {
		if (router_is_ndp(&info)) {
			router_input_ndp(router, in, packet, &info);
			return;
		}
		reason = DROP_MULTICAST;
	}
	packet_drop(packet, reason);
}

/* Checks one frame. False: it has been consumed. */
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
	if (in->kind == ROUTER_UPLINK && router->uplink_config && uplink_config_wants(packet) &&
	    uplink_config_packet(router->uplink_config, packet, router->now_ns))
		return false;
	type = be16_get(ethernet->type);
	if (!ethernet_is_good(in, ethernet)) {
		packet_drop(packet, DROP_BAD_MAC);
		return false;
	}
	if (type == ETHERTYPE_ARP) {
		router_input_arp(router, in, packet);
		return false;
	}
	if (type != ETHERTYPE_IP4 && (type != ETHERTYPE_IP6 || router_is_visible(in))) {
		packet_drop(packet, DROP_BAD_ETHERTYPE);
		return false;
	}
	if (mac_is_group(ethernet->destination)) {
		input_group(router, in, packet, type);
		return false;
	}
	if (!parse_ip(packet, in->index, type, info, &reason)) {
		packet_drop(packet, reason);
		return false;
	}
	if (unlikely(router_is_ndp(info))) { /* its sender may be nobody yet */
		router_input_ndp(router, in, packet, info);
		return false;
	}
	if (unlikely(router_is_visible(in)) &&
	    !visible_enter(packet, info, &in->visible, router->ip4.address)) {
		packet_drop(packet, DROP_SPOOFED);
		return false;
	}
	if (!source_is_good(router, in, info, &reason)) {
		packet_drop(packet, reason);
		return false;
	}
	router_learn_client(in, ethernet->source);
	return true;
}

/* Packets of one flow often come together; the hash is the dearest part of a look-up. */
static void hash_tuple(const struct router *router, struct packet_info *info,
		       const struct packet_info *before)
{
	if (before && flow_tuple_equal(&info->tuple, &before->tuple)) {
		info->hash = before->hash;
		return;
	}
	info->hash = flow_hash(&router->flows, &info->tuple);
	flow_prefetch_bucket(&router->flows, info->hash);
}

/* Brings near what the look-ups will read; of one packet alone nothing is gained by it. */
static void prefetch_flows(const struct router *router, const struct packet_info *infos,
			   uint32_t count)
{
	if (count == 1)
		return;
	for (uint32_t i = 0; i < count; i++)
		flow_prefetch_entry(&router->flows, infos[i].hash);
	for (uint32_t i = 0; i < count; i++)
		if (infos[i].key.version == 6)
			flow_prefetch_addresses6(&router->flows, infos[i].hash);
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
		hash_tuple(router, &infos[count], count ? &infos[count - 1] : NULL);
		packets[count++] = vector->packets[i];
	}
	vector->count = 0;
	prefetch_flows(router, infos, count);
	for (uint32_t i = 0; i < count; i++) {
		if (unlikely(packet_is_fragment(&infos[i])))
			router_fragment(router, in, packets[i], &infos[i]);
		else
			router_forward(router, in, packets[i], &infos[i]);
	}
	router_flush(router);
}
