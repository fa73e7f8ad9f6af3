/* SPDX-License-Identifier: ISC */
#include "net/parse.h"

#include "lib/checksum.h"

#define TRANSPORT_MINIMUM 8u /* of any protocol that is not TCP, in a first fragment */
#define QUOTED_BYTES 8u	     /* of a transport header in an ICMP error: RFC 792 */
#define TCP_FLAGS_CHECKED (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG)

bool address_is_multicast(be32 address)
{
	uint32_t a = be32_get(address);

	return a >> 28 == 14 || a == UINT32_MAX;
}

bool tcp_flags_are_sane(uint8_t flags)
{
	switch (flags & (TCP_SYN | TCP_FIN | TCP_RST)) {
	case TCP_SYN:
	case TCP_RST:
		return true;
	case TCP_FIN:
		return flags & TCP_ACK;
	case 0:
		return flags & TCP_FLAGS_CHECKED;
	default:
		return false;
	}
}

/* What is cut off: a lie, or a fragment that hides ports (RFC 1858, RFC 3128). */
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
	if (!tcp || info->transport_length < sizeof(*tcp))
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
	if (!udp || info->transport_length < sizeof(*udp))
		return false;
	*reason = DROP_BAD_TRANSPORT;
	if (udp->destination_port.raw == 0 || be16_get(udp->length) < sizeof(*udp))
		return false;
	/* A first fragment's length is that of the whole datagram. */
	if (!parse6_is_first_fragment(&info->fragment) &&
	    be16_get(udp->length) > info->transport_length)
		return false;
	info->key.source_port = udp->source_port;
	info->key.destination_port = udp->destination_port;
	info->header_length = (uint16_t)(info->header_length + sizeof(*udp));
	return true;
}

static bool parse_icmp(const struct packet *packet, struct packet_info *info,
		       enum drop_reason *reason)
{
	const struct icmp4_header *icmp = icmp4_at(packet, packet->l4_offset);

	*reason = cut_reason(info);
	if (!icmp || info->transport_length < sizeof(*icmp))
		return false;
	info->icmp_type = icmp->type;
	info->icmp_code = icmp->code;
	info->header_length = (uint16_t)(info->header_length + sizeof(*icmp));
	switch (icmp->type) {
	case ICMP4_ECHO_REQUEST:
		info->key.source_port = icmp->id;
		break;
	case ICMP4_ECHO_REPLY:
		info->key.destination_port = icmp->id;
		break;
	case ICMP4_UNREACHABLE:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAMETER_PROBLEM:
		info->kind = PACKET_ICMP_ERROR;
		break;
	default: /* source quench and redirect too: nobody should obey them */
		info->kind = PACKET_ICMP_OTHER;
		break;
	}
	return true;
}

static bool parse_transport(const struct packet *packet, struct packet_info *info,
			    enum drop_reason *reason)
{
	if (unlikely(parse6_is_later_fragment(&info->fragment)))
		return true;
	switch (info->key.protocol) {
	case IP_PROTOCOL_TCP:
		return parse_tcp(packet, info, reason);
	case IP_PROTOCOL_UDP:
		return parse_udp(packet, info, reason);
	case IP_PROTOCOL_ICMP:
		return parse_icmp(packet, info, reason);
	default:
		*reason = DROP_FRAGMENT_TINY;
		return !parse6_is_first_fragment(&info->fragment) ||
		       info->transport_length >= TRANSPORT_MINIMUM;
	}
}

static uint64_t load32(const uint8_t *p)
{
	uint32_t word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
}

/*
 * The sum of exactly 20 bytes, for every packet. Ones' complement sums are sums modulo
 * ffff, for words of 32 bits as for those of 16; good is 0, and this one's words are not
 * all 0: it has a version.
 */
static bool header_sum_is_good(const struct ip4_header *ip)
{
	const uint8_t *p = (const uint8_t *)ip;

	static_assert(sizeof(*ip) == 20, "five words");
	return (load32(p) + load32(p + 4) + load32(p + 8) + load32(p + 12) + load32(p + 16)) %
		       0xffff ==
	       0;
}

/* The IPv4 header itself; fills what follows from it. */
static bool parse_header(struct packet *packet, struct packet_info *info, enum drop_reason *reason)
{
	const struct ip4_header *ip = ip4_at(packet, sizeof(struct ethernet_header));
	uint32_t available = packet->length - (uint32_t)sizeof(struct ethernet_header);
	uint16_t total, fragment;

	*reason = DROP_SHORT;
	if (!ip)
		return false;
	total = be16_get(ip->total_length);
	fragment = be16_get(ip->fragment);
	*reason = DROP_BAD_IP_HEADER;
	if (unlikely(ip->version_length != IP4_VERSION_NO_OPTIONS)) {
		if (ip->version_length >> 4 == 4 && (ip->version_length & 15) > 5 &&
		    total >= sizeof(*ip))
			*reason = DROP_IP_OPTIONS;
		return false;
	}
	if (total < sizeof(*ip))
		return false;
	if (total > available) {
		*reason = DROP_SHORT;
		return false;
	}
	if (!header_sum_is_good(ip)) {
		*reason = DROP_BAD_CHECKSUM;
		return false;
	}
	if (unlikely(fragment & (IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK))) {
		info->fragment.header = sizeof(struct ethernet_header);
		info->fragment.offset = (uint16_t)((fragment & IP4_OFFSET_MASK) * 8u);
		info->fragment.more = fragment & IP4_MORE_FRAGMENTS;
		info->fragment.id = be16_get(ip->id);
	}
	if (total < available)
		packet_trim(packet, total + (uint32_t)sizeof(struct ethernet_header));
	packet->l3_offset = sizeof(struct ethernet_header);
	packet->l4_offset = sizeof(struct ethernet_header) + sizeof(struct ip4_header);
	info->ttl = ip->ttl;
	info->dont_fragment = fragment & IP4_DONT_FRAGMENT;
	info->ip_length = total;
	info->transport_length = (uint16_t)(total - sizeof(*ip));
	info->header_length = sizeof(*ip);
	info->key.source = ip->source;
	info->key.destination = ip->destination;
	info->key.protocol = ip->protocol;
	return true;
}

/* A large packet's checksum is what its segments will be given: always blank here. */
static void make_blank(struct packet *packet, const struct packet_info *info)
{
	struct tcp_header *tcp = tcp_at(packet, packet->l4_offset);

	if (packet->flags & PACKET_CSUM_BLANK)
		return;
	tcp->checksum = checksum_fold(checksum_pseudo_ip4(info->key.source, info->key.destination,
							  IP_PROTOCOL_TCP, info->transport_length));
	packet->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
}

static bool parse_offloads(struct packet *packet, const struct packet_info *info,
			   enum drop_reason *reason)
{
	uint8_t protocol = info->key.protocol;

	*reason = DROP_BAD_OFFLOAD;
	if (info->fragment.header)
		return false;
	if (packet->gso_type) {
		*reason = DROP_BAD_GSO;
		if (packet->gso_type != PACKET_GSO_TCPV4 || protocol != IP_PROTOCOL_TCP ||
		    packet->gso_size == 0 || (info->tcp_flags & (TCP_SYN | TCP_RST | TCP_URG)))
			return false;
		make_blank(packet, info);
		if (info->payload_length <= packet->gso_size) {
			packet->gso_type = PACKET_GSO_NONE;
			packet->gso_size = 0;
		}
	}
	if (packet->flags & PACKET_CSUM_BLANK && protocol != IP_PROTOCOL_TCP &&
	    protocol != IP_PROTOCOL_UDP) {
		*reason = DROP_BAD_OFFLOAD;
		return false;
	}
	return true;
}

bool parse_ip4(struct packet *packet, uint8_t interface, struct packet_info *info,
	       enum drop_reason *reason)
{
	packet_info_begin(info, interface, 4);
	if (!parse_header(packet, info, reason))
		return false;
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
	const struct icmp4_header *icmp;
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
	case IP_PROTOCOL_ICMP:
		icmp = icmp4_at(packet, quoted->transport_offset);
		if (!icmp)
			return false;
		quoted->icmp_type = icmp->type;
		if (icmp->type == ICMP4_ECHO_REQUEST)
			answer->destination_port = icmp->id;
		else if (icmp->type == ICMP4_ECHO_REPLY)
			answer->source_port = icmp->id;
		else
			return false;
		return true;
	default: /* what stands there is its own affair, but it has to be there */
		return wire_at(packet, quoted->transport_offset, QUOTED_BYTES);
	}
}

bool parse_quoted(const struct packet *packet, const struct packet_info *info,
		  struct quoted_packet *quoted)
{
	uint16_t offset = (uint16_t)(packet->l4_offset + sizeof(struct icmp4_header));
	const struct ip4_header *ip = ip4_at(packet, offset);
	uint16_t bytes;

	*quoted = (struct quoted_packet){ 0 };
	if (!ip || ip->version_length >> 4 != 4)
		return false;
	bytes = (uint16_t)((ip->version_length & 15) * 4u);
	if (bytes < sizeof(*ip) || be16_get(ip->fragment) & IP4_OFFSET_MASK)
		return false;
	quoted->ip_offset = offset;
	quoted->transport_offset = (uint16_t)(offset + bytes);
	quoted->answer.key.source = ip->destination;
	quoted->answer.key.destination = ip->source;
	quoted->answer.key.protocol = ip->protocol;
	quoted->answer.key.interface = info->key.interface;
	quoted->answer.key.version = 4;
	return quoted_ports(packet, quoted);
}
