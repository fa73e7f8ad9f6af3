/* SPDX-License-Identifier: ISC */
#include "net/parse6.h"

#include "lib/checksum.h"
#include "net/parse.h"

#define QUOTED_BYTES 8u /* of a transport header in an ICMP error: RFC 792 */

#define TRANSPORT_MINIMUM 8u /* of any protocol that is not TCP, in a first fragment */

/* The chain's own reason for what is cut off: a lie, or a fragment that hides ports. */
static enum drop_reason cut_reason(const struct packet_info *info)
{
	return parse6_is_first_fragment(&info->fragment) ? DROP_FRAGMENT_TINY : DROP_BAD_TRANSPORT;
}

static bool parse_tcp(const struct packet *packet, struct packet_info *info,
		      enum drop_reason *reason)
{
	const struct tcp_header *tcp = tcp_at(packet, packet->l4_offset);
	uint16_t bytes;

	*reason = cut_reason(info);
	if (!tcp)
		return false;
	bytes = (uint16_t)((tcp->data_offset >> 4) * 4u);
	if (bytes > info->transport_length || !wire_at(packet, packet->l4_offset, bytes))
		return false;
	*reason = DROP_BAD_TRANSPORT;
	if (bytes < sizeof(*tcp) || tcp->source_port.raw == 0 || tcp->destination_port.raw == 0 ||
	    !tcp_flags_are_sane(tcp->flags))
		return false;
	info->key.source_port = tcp->source_port;
	info->key.destination_port = tcp->destination_port;
	info->tcp_flags = tcp->flags;
	info->tcp_sequence = be32_get(tcp->sequence);
	info->tcp_acknowledgement = be32_get(tcp->acknowledgement);
	info->tcp_window = be16_get(tcp->window);
	info->header_length = (uint16_t)(info->header_length + bytes);
	return true;
}

static bool parse_udp(const struct packet *packet, struct packet_info *info,
		      enum drop_reason *reason)
{
	const struct udp_header *udp = udp_at(packet, packet->l4_offset);

	*reason = cut_reason(info);
	if (!udp)
		return false;
	*reason = DROP_BAD_TRANSPORT;
	if (udp->destination_port.raw == 0 || be16_get(udp->length) < sizeof(*udp))
		return false;
	if (!parse6_is_first_fragment(&info->fragment) &&
	    be16_get(udp->length) > info->transport_length)
		return false;
	info->key.source_port = udp->source_port;
	info->key.destination_port = udp->destination_port;
	info->header_length = (uint16_t)(info->header_length + sizeof(*udp));
	return true;
}

/* It speaks of one link: whoever sends it from beyond, or in pieces, lies. */
static bool ndp_is_good(const struct packet_info *info)
{
	return info->ttl == ICMP6_NDP_HOP_LIMIT && info->icmp_code == 0 && !info->fragment.header;
}

static bool parse_icmp(const struct packet *packet, struct packet_info *info,
		       enum drop_reason *reason)
{
	const struct icmp6_header *icmp = icmp6_at(packet, packet->l4_offset);

	*reason = cut_reason(info);
	if (!icmp)
		return false;
	info->icmp_type = icmp->type;
	info->icmp_code = icmp->code;
	info->header_length = (uint16_t)(info->header_length + sizeof(*icmp));
	switch (icmp->type) {
	case ICMP6_ECHO_REQUEST:
		info->key.source_port = icmp->id;
		return true;
	case ICMP6_ECHO_REPLY:
		info->key.destination_port = icmp->id;
		return true;
	case ICMP6_UNREACHABLE:
	case ICMP6_PACKET_TOO_BIG:
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAMETER_PROBLEM:
		info->kind = PACKET_ICMP_ERROR;
		return true;
	case ICMP6_ROUTER_SOLICITATION:
	case ICMP6_ROUTER_ADVERTISEMENT:
	case ICMP6_NEIGHBOUR_SOLICITATION:
	case ICMP6_NEIGHBOUR_ADVERTISEMENT:
	case ICMP6_REDIRECT:
		info->kind = PACKET_ICMP_OTHER;
		*reason = DROP_BAD_NDP;
		return ndp_is_good(info);
	default:
		info->kind = PACKET_ICMP_OTHER;
		return true;
	}
}

static bool parse_other(const struct packet_info *info, enum drop_reason *reason)
{
	*reason = DROP_FRAGMENT_TINY;
	return !parse6_is_first_fragment(&info->fragment) ||
	       info->transport_length >= TRANSPORT_MINIMUM ||
	       info->key.protocol == IP6_NO_NEXT_HEADER;
}

static bool parse_transport(const struct packet *packet, struct packet_info *info,
			    enum drop_reason *reason)
{
	if (parse6_is_later_fragment(&info->fragment))
		return true;
	switch (info->key.protocol) {
	case IP_PROTOCOL_TCP:
		return parse_tcp(packet, info, reason);
	case IP_PROTOCOL_UDP:
		return parse_udp(packet, info, reason);
	case IP_PROTOCOL_ICMP6:
		return parse_icmp(packet, info, reason);
	default:
		return parse_other(info, reason);
	}
}

/* The fixed header; `*end`: the offset behind the packet's last byte. */
static bool parse_header(struct packet *packet, struct packet_info *info, uint32_t *end,
			 enum drop_reason *reason)
{
	const struct ip6_header *ip = ip6_at(packet, sizeof(struct ethernet_header));
	const uint32_t before = sizeof(struct ethernet_header) + sizeof(struct ip6_header);
	uint32_t first, payload;

	*reason = DROP_SHORT;
	if (!ip)
		return false;
	first = be32_get(ip->version_class_flow);
	payload = be16_get(ip->payload_length);
	*reason = DROP_BAD_IP_HEADER;
	if (first >> 28 != 6)
		return false;
	*reason = DROP_IP6_JUMBO;
	if (payload == 0 && ip->next_header == IP6_HOP_BY_HOP)
		return false;
	*reason = DROP_SHORT;
	if (payload > packet->length - before)
		return false;
	*end = before + payload;
	packet->l3_offset = sizeof(struct ethernet_header);
	info->ip_length = (uint32_t)sizeof(*ip) + payload;
	info->ttl = ip->hop_limit;
	info->traffic_class = (uint8_t)(first >> 20);
	info->flow_label = first & 0xfffff;
	info->dont_fragment = true;
	flow_tuple_set_source6(&info->tuple, (const struct ip6_address *)ip->source);
	flow_tuple_set_destination6(&info->tuple, (const struct ip6_address *)ip->destination);
	info->key.protocol = ip->next_header;
	return true;
}

/* A large packet's checksum is what its segments will be given: always blank here. */
static void make_blank(struct packet *packet, const struct packet_info *info)
{
	struct tcp_header *tcp = tcp_of(packet);

	if (packet->flags & PACKET_CSUM_BLANK)
		return;
	tcp->checksum = checksum_fold(checksum_pseudo_ip6(info->ip6.source.bytes,
							  info->ip6.destination.bytes,
							  IP_PROTOCOL_TCP, info->transport_length));
	packet->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
}

static bool parse_offloads(struct packet *packet, const struct packet_info *info,
			   enum drop_reason *reason)
{
	uint8_t protocol = info->key.protocol;

	*reason = DROP_BAD_OFFLOAD;
	if (info->fragment.header || info->authenticated)
		return false;
	if (packet->gso_type) {
		*reason = DROP_BAD_GSO;
		if (packet->gso_type != PACKET_GSO_TCPV6 || protocol != IP_PROTOCOL_TCP ||
		    packet->gso_size == 0 || (info->tcp_flags & (TCP_SYN | TCP_RST | TCP_URG)))
			return false;
		make_blank(packet, info);
		if (info->payload_length <= packet->gso_size) {
			packet->gso_type = PACKET_GSO_NONE;
			packet->gso_size = 0;
		}
	}
	*reason = DROP_BAD_OFFLOAD;
	return !(packet->flags & PACKET_CSUM_BLANK) || protocol == IP_PROTOCOL_TCP ||
	       protocol == IP_PROTOCOL_UDP;
}

bool parse_ip6(struct packet *packet, uint8_t interface, struct packet_info *info,
	       enum drop_reason *reason)
{
	const uint32_t start = sizeof(struct ethernet_header) + sizeof(struct ip6_header);
	struct parse6_chain chain;
	uint32_t end;

	packet_info_begin(info, interface, 6);
	if (!parse_header(packet, info, &end, reason))
		return false;
	if (!parse6_chain_walk(packet, start, end, info->key.protocol, &chain, reason))
		return false;
	if (end < packet->length) /* from here on what is in the head is in the packet */
		packet_trim(packet, end);
	packet->l4_offset = chain.transport;
	info->key.protocol = chain.protocol;
	info->fragment = chain.fragment;
	info->router_alert = chain.router_alert;
	info->authenticated = chain.authenticated;
	info->transport_length = (uint16_t)(end - chain.transport);
	info->header_length = (uint16_t)(chain.transport - packet->l3_offset);
	if (!parse_transport(packet, info, reason))
		return false;
	info->payload_length = (uint16_t)(info->ip_length - info->header_length);
	if (packet->gso_type || packet->flags & PACKET_CSUM_BLANK)
		return parse_offloads(packet, info, reason);
	return true;
}

static bool quoted_ports(const struct packet *packet, struct quoted_packet *quoted)
{
	struct flow_key *answer = &quoted->answer.key;
	const struct icmp6_header *icmp;
	const struct udp_header *udp;

	switch (answer->protocol) {
	case IP_PROTOCOL_TCP: /* its ports are where UDP's are */
	case IP_PROTOCOL_UDP:
		udp = udp_at(packet, quoted->transport_offset);
		if (!udp)
			return false;
		answer->source_port = udp->destination_port;
		answer->destination_port = udp->source_port;
		return true;
	case IP_PROTOCOL_ICMP6:
		icmp = icmp6_at(packet, quoted->transport_offset);
		if (!icmp)
			return false;
		quoted->icmp_type = icmp->type;
		if (icmp->type == ICMP6_ECHO_REQUEST)
			answer->destination_port = icmp->id;
		else if (icmp->type == ICMP6_ECHO_REPLY)
			answer->source_port = icmp->id;
		else
			return false;
		return true;
	default: /* what stands there is its own affair, but it has to be there */
		return wire_at(packet, quoted->transport_offset, QUOTED_BYTES);
	}
}

bool parse6_quoted(const struct packet *packet, const struct packet_info *info,
		   struct quoted_packet *quoted)
{
	uint16_t offset = (uint16_t)(packet->l4_offset + sizeof(struct icmp6_header));
	const struct ip6_header *ip = ip6_at(packet, offset);
	struct parse6_chain chain;
	enum drop_reason reason;

	*quoted = (struct quoted_packet){ 0 };
	if (!ip || be32_get(ip->version_class_flow) >> 28 != 6)
		return false;
	if (!parse6_chain_walk(packet, offset + (uint32_t)sizeof(*ip), packet->length,
			       ip->next_header, &chain, &reason) ||
	    parse6_is_later_fragment(&chain.fragment))
		return false;
	quoted->ip_offset = offset;
	quoted->transport_offset = chain.transport;
	flow_tuple_set_source6(&quoted->answer, (const struct ip6_address *)ip->destination);
	flow_tuple_set_destination6(&quoted->answer, (const struct ip6_address *)ip->source);
	quoted->answer.key.protocol = chain.protocol;
	quoted->answer.key.interface = info->key.interface;
	quoted->answer.key.version = 6;
	return quoted_ports(packet, quoted);
}
