/* SPDX-License-Identifier: ISC */
#include "net/ip6_make.h"

#include "lib/checksum.h"

const struct ip6_address ip6_all_nodes = { { 0xff, 0x02, [15] = 1 } };
const struct ip6_address ip6_all_routers = { { 0xff, 0x02, [15] = 2 } };

void ip6_make_headers(struct packet *packet, const struct netdev *netdev,
		      const struct ip6_make *make)
{
	struct ethernet_header *ethernet = ethernet_of(packet);
	struct ip6_header *ip;

	mac_copy(ethernet->destination, make->to_mac);
	mac_copy(ethernet->source, netdev->mac);
	ethernet->type = be16_of(ETHERTYPE_IP6);
	packet->l3_offset = sizeof(*ethernet);
	packet->l4_offset = IP6_MAKE_START;
	ip = ip6_of(packet);
	ip->version_class_flow = be32_of(6u << 28 | (uint32_t)make->traffic_class << 20);
	ip->payload_length = be16_of((uint16_t)(packet->length - IP6_MAKE_START));
	ip->next_header = make->protocol;
	ip->hop_limit = make->hop_limit;
	memcpy(ip->source, make->source, sizeof(ip->source));
	memcpy(ip->destination, make->destination, sizeof(ip->destination));
}

uint32_t ip6_make_sum(const struct packet *packet)
{
	const struct ip6_header *ip = ip6_of(packet);
	uint16_t bytes = be16_get(ip->payload_length);

	return checksum_add(
		checksum_pseudo_ip6(ip->source, ip->destination, ip->next_header, bytes), ip + 1,
		bytes);
}

void ip6_make_icmp_checksum(struct packet *packet)
{
	struct icmp6_header *icmp = (struct icmp6_header *)(ip6_of(packet) + 1);

	icmp->checksum = (be16){ 0 };
	icmp->checksum = checksum_finish(ip6_make_sum(packet));
}

struct ip6_address ip6_link_local_of_mac(const uint8_t *mac)
{
	return (struct ip6_address){ { 0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe,
				       mac[3], mac[4], mac[5] } };
}

struct ip6_address ip6_solicited_node(const struct ip6_address *address)
{
	return (struct ip6_address){ { 0xff, 0x02, [11] = 1, 0xff, address->bytes[13],
				       address->bytes[14], address->bytes[15] } };
}

void ip6_multicast_mac(const struct ip6_address *group, uint8_t *mac)
{
	mac[0] = 0x33;
	mac[1] = 0x33;
	memcpy(mac + 2, group->bytes + 12, 4);
}
