/* SPDX-License-Identifier: ISC */
#include "net/ndp_send.h"

#include <string.h>

#include "net/ip6_make.h"

struct packet *ndp_make(const struct own *own, struct netdev *netdev, const uint8_t *to_mac,
			const struct ip6_address *source, const struct ip6_address *destination,
			uint8_t type, size_t bytes)
{
	struct packet *packet = own_make(own, netdev, IP6_MAKE_START + bytes);
	uint8_t group_mac[MAC_BYTES];
	const struct ip6_make make = {
		.to_mac = to_mac ? to_mac : group_mac,
		.source = source,
		.destination = destination,
		.protocol = IP_PROTOCOL_ICMP6,
		.hop_limit = ICMP6_NDP_HOP_LIMIT,
	};
	struct icmp6_header *icmp;

	if (!packet)
		return NULL;
	if (!to_mac)
		ip6_multicast_mac(destination, group_mac);
	ip6_make_headers(packet, netdev, &make);
	icmp = ndp_of(packet);
	icmp->type = type;
	return packet;
}

void *ndp_of(const struct packet *packet)
{
	return packet->data + IP6_MAKE_START;
}

void ndp_fill_mac(struct ndp_option_mac *option, uint8_t type, const struct netdev *netdev)
{
	option->option.type = type;
	option->option.units = sizeof(*option) / NDP_OPTION_UNIT;
	mac_copy(option->mac, netdev->mac);
}

void ndp_send(const struct own *own, struct netdev *netdev, struct packet *packet)
{
	ip6_make_icmp_checksum(packet);
	own_send(own, netdev, packet);
}

void ndp_solicit(const struct own *own, struct netdev *netdev, const uint8_t *to_mac,
		 const struct ip6_address *source, const struct ip6_address *target)
{
	const struct ip6_address group = ip6_solicited_node(target);
	struct ndp_neighbour *solicitation;
	struct packet *packet = ndp_make(
		own, netdev, to_mac, source, to_mac ? target : &group, ICMP6_NEIGHBOUR_SOLICITATION,
		sizeof(struct ndp_neighbour) + sizeof(struct ndp_option_mac));

	if (!packet)
		return;
	solicitation = ndp_of(packet);
	memcpy(solicitation->target, target, sizeof(solicitation->target));
	ndp_fill_mac((struct ndp_option_mac *)(solicitation + 1), NDP_OPTION_SOURCE_MAC, netdev);
	ndp_send(own, netdev, packet);
}

void ndp_solicit_probe(const struct own *own, struct netdev *netdev,
		       const struct ip6_address *target, const uint8_t *nonce)
{
	static const struct ip6_address unspecified;
	const struct ip6_address group = ip6_solicited_node(target);
	struct ndp_option_nonce *option;
	struct ndp_neighbour *solicitation;
	struct packet *packet =
		ndp_make(own, netdev, NULL, &unspecified, &group, ICMP6_NEIGHBOUR_SOLICITATION,
			 sizeof(*solicitation) + sizeof(*option));

	if (!packet)
		return;
	solicitation = ndp_of(packet);
	memcpy(solicitation->target, target, sizeof(solicitation->target));
	option = (struct ndp_option_nonce *)(solicitation + 1);
	option->option.type = NDP_OPTION_NONCE;
	option->option.units = sizeof(*option) / NDP_OPTION_UNIT;
	memcpy(option->nonce, nonce, sizeof(option->nonce));
	ndp_send(own, netdev, packet);
}
