/* SPDX-License-Identifier: ISC */
#include "net/reject.h"

#include <string.h>

#include "lib/checksum.h"
#include "net/icmp4.h"
#include "net/icmp6.h"
#include "net/ip6_make.h"

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

/* `sum`: of the pseudo-header. */
static void fill_tcp(struct packet *reset, const struct packet_info *info, uint32_t sum)
{
	struct tcp_header *tcp = tcp_of(reset);
	uint32_t length = info->payload_length + (info->tcp_flags & TCP_SYN ? 1u : 0u) +
			  (info->tcp_flags & TCP_FIN ? 1u : 0u);

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

static void send_reset4(const struct own *own, struct netdev *netdev, const struct packet *packet,
			const struct packet_info *info)
{
	struct packet *reset = own_make(own, netdev,
					sizeof(struct ethernet_header) + sizeof(struct ip4_header) +
						sizeof(struct tcp_header));

	if (!reset)
		return;
	fill_ethernet(reset, netdev, packet);
	fill_ip4(reset, info);
	fill_tcp(reset, info,
		 checksum_pseudo_ip4(info->key.destination, info->key.source, IP_PROTOCOL_TCP,
				     sizeof(struct tcp_header)));
	own_send(own, netdev, reset);
}

static void send_reset6(const struct own *own, struct netdev *netdev, const struct packet *packet,
			const struct packet_info *info)
{
	struct packet *reset = own_make(own, netdev, IP6_MAKE_START + sizeof(struct tcp_header));
	const struct ip6_make make = {
		.to_mac = ethernet_of(packet)->source,
		.source = &info->ip6.destination,
		.destination = &info->ip6.source,
		.protocol = IP_PROTOCOL_TCP,
		.hop_limit = IP6_DEFAULT_HOP_LIMIT,
	};

	if (!reset)
		return;
	ip6_make_headers(reset, netdev, &make);
	fill_tcp(reset, info,
		 checksum_pseudo_ip6(info->ip6.destination.bytes, info->ip6.source.bytes,
				     IP_PROTOCOL_TCP, sizeof(struct tcp_header)));
	own_send(own, netdev, reset);
}

/* RFC 9293, 3.10.7.1; the length that it must acknowledge is not known from a first fragment. */
static bool may_reset(const struct packet_info *info)
{
	return !(info->tcp_flags & TCP_RST) && !parse6_is_first_fragment(&info->fragment);
}

static void reject4(const struct own *own, struct netdev *netdev, const struct packet *packet,
		    const struct packet_info *info, const struct ip_address *own_address,
		    enum reject_kind kind)
{
	uint8_t code = ICMP4_ADMIN_PROHIBITED;

	if (!icmp4_may_report(info))
		return;
	if (kind == REJECT_RETURN && info->key.protocol == IP_PROTOCOL_TCP) {
		if (may_reset(info))
			send_reset4(own, netdev, packet, info);
		return;
	}
	if (kind == REJECT_RETURN && info->key.protocol == IP_PROTOCOL_UDP)
		code = ICMP4_PORT_UNREACHABLE;
	if (own_address->version != 4)
		return;
	icmp4_send_error(own, netdev, packet, ip_address_get4(own_address), ICMP4_UNREACHABLE, code,
			 0);
}

static void reject6(const struct own *own, struct netdev *netdev, const struct packet *packet,
		    const struct packet_info *info, const struct ip_address *own_address,
		    enum reject_kind kind)
{
	uint8_t code = ICMP6_ADMIN_PROHIBITED;
	struct ip6_address from;

	if (kind == REJECT_RETURN && info->key.protocol == IP_PROTOCOL_UDP)
		code = ICMP6_PORT_UNREACHABLE;
	if (!icmp6_may_report(packet, info, ICMP6_UNREACHABLE, code))
		return;
	if (kind == REJECT_RETURN && info->key.protocol == IP_PROTOCOL_TCP) {
		if (may_reset(info))
			send_reset6(own, netdev, packet, info);
		return;
	}
	memcpy(&from, own_address->bytes, sizeof(from));
	icmp6_send_error(own, netdev, packet, &from, ICMP6_UNREACHABLE, code, 0);
}

void reject_packet(const struct own *own, struct netdev *netdev, const struct packet *packet,
		   const struct packet_info *info, const struct ip_address *own_address,
		   enum reject_kind kind)
{
	if (info->key.version == 6)
		reject6(own, netdev, packet, info, own_address, kind);
	else
		reject4(own, netdev, packet, info, own_address, kind);
}

static void answer_code(const struct own *own, struct netdev *netdev, const struct packet *packet,
			const struct packet_info *info, const struct ip_address *own_address,
			const struct rules_verdict *verdict)
{
	struct ip6_address from;

	if (info->key.version == 4) {
		if (icmp4_may_report(info) && own_address->version == 4)
			icmp4_send_error(own, netdev, packet, ip_address_get4(own_address),
					 ICMP4_UNREACHABLE, verdict->icmp4_answer, 0);
		return;
	}
	memcpy(&from, own_address->bytes, sizeof(from));
	if (icmp6_may_report(packet, info, ICMP6_UNREACHABLE, verdict->icmp6_answer))
		icmp6_send_error(own, netdev, packet, &from, ICMP6_UNREACHABLE,
				 verdict->icmp6_answer, 0);
}

void reject_by_verdict(const struct own *own, struct netdev *netdev, const struct packet *packet,
		       const struct packet_info *info, const struct ip_address *own_address,
		       const struct rules_verdict *verdict)
{
	bool is_tcp = info->key.protocol == IP_PROTOCOL_TCP;

	if (verdict->action == RULES_BLOCK_RETURN || (verdict->action == RULES_BLOCK_RST && is_tcp))
		reject_packet(own, netdev, packet, info, own_address, REJECT_RETURN);
	else if (verdict->action == RULES_BLOCK_ICMP)
		answer_code(own, netdev, packet, info, own_address, verdict);
}
