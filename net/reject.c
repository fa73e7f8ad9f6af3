/* SPDX-License-Identifier: ISC */
#include "net/reject.h"

#include <string.h>

#include "lib/checksum.h"
#include "net/icmp4.h"

static void fill_ethernet(struct packet *reset, const struct netdev *netdev,
			  const struct packet *packet)
{
	struct ethernet_header *ethernet = ethernet_of(reset);

	mac_copy(ethernet->destination, ethernet_of(packet)->source);
	mac_copy(ethernet->source, netdev->mac);
	ethernet->type = be16_of(ETHERTYPE_IP4);
	reset->l3_offset = sizeof(*ethernet);
	reset->l4_offset = sizeof(*ethernet) + sizeof(struct ip4_header);
}

static void fill_ip4(struct packet *reset, const struct packet_info *info)
{
	struct ip4_header *ip = ip4_of(reset);

	ip->version_length = IP4_VERSION_NO_OPTIONS;
	ip->total_length = be16_of(sizeof(*ip) + sizeof(struct tcp_header));
	ip->fragment = be16_of(IP4_DONT_FRAGMENT);
	ip->ttl = IP4_DEFAULT_TTL;
	ip->protocol = IP_PROTOCOL_TCP;
	ip->source = info->key.destination;
	ip->destination = info->key.source;
	ip->checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
}

static void fill_tcp(struct packet *reset, const struct packet_info *info)
{
	struct tcp_header *tcp = tcp_of(reset);
	uint32_t length = info->payload_length + (info->tcp_flags & TCP_SYN ? 1u : 0u) +
			  (info->tcp_flags & TCP_FIN ? 1u : 0u);
	uint32_t sum = checksum_pseudo_ip4(info->key.destination, info->key.source, IP_PROTOCOL_TCP,
					   sizeof(*tcp));

	tcp->source_port = info->key.destination_port;
	tcp->destination_port = info->key.source_port;
	tcp->data_offset = sizeof(*tcp) / 4 << 4;
	if (info->tcp_flags & TCP_ACK) {
		tcp->sequence = be32_of(info->tcp_acknowledgement);
		tcp->flags = TCP_RST;
	} else {
		tcp->acknowledgement = be32_of(info->tcp_sequence + length);
		tcp->flags = TCP_RST | TCP_ACK;
	}
	tcp->checksum = checksum_finish(checksum_add(sum, tcp, sizeof(*tcp)));
}

static void send_reset(const struct own *own, struct netdev *netdev, const struct packet *packet,
		       const struct packet_info *info)
{
	struct packet *reset;

	if (info->tcp_flags & TCP_RST)
		return;
	reset = own_make(own, netdev,
			 sizeof(struct ethernet_header) + sizeof(struct ip4_header) +
				 sizeof(struct tcp_header));
	if (!reset)
		return;
	fill_ethernet(reset, netdev, packet);
	fill_ip4(reset, info);
	fill_tcp(reset, info);
	own_send(own, netdev, reset);
}

void reject_packet(const struct own *own, struct netdev *netdev, const struct packet *packet,
		   const struct packet_info *info, be32 own_address)
{
	uint8_t code = info->key.protocol == IP_PROTOCOL_UDP ? ICMP4_PORT_UNREACHABLE
							     : ICMP4_ADMIN_PROHIBITED;

	if (!icmp4_may_report(info))
		return;
	if (info->key.protocol == IP_PROTOCOL_TCP)
		send_reset(own, netdev, packet, info);
	else
		icmp4_send_error(own, netdev, packet, own_address, ICMP4_UNREACHABLE, code, 0);
}

void reject_by_verdict(const struct own *own, struct netdev *netdev, const struct packet *packet,
		       const struct packet_info *info, be32 own_address,
		       const struct rules_verdict *verdict)
{
	bool is_tcp = info->key.protocol == IP_PROTOCOL_TCP;

	if (verdict->action == RULES_BLOCK_RETURN || (verdict->action == RULES_BLOCK_RST && is_tcp))
		reject_packet(own, netdev, packet, info, own_address);
	else if (verdict->action == RULES_BLOCK_ICMP && icmp4_may_report(info))
		icmp4_send_error(own, netdev, packet, own_address, ICMP4_UNREACHABLE,
				 verdict->icmp4_answer, 0);
}
