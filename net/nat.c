/* SPDX-License-Identifier: ISC */
#include "net/nat.h"

#include <errno.h>

#include "lib/checksum.h"

/* What is added to an IPv4 header's sum when its TTL falls by one: the word that begins
 * with the TTL loses 1 in its first byte. */
#define TTL_DELTA ((uint16_t)~be16_of(0x0100).raw)

static bool tuple_is_free(const struct flow_table *table, const struct flow_tuple *tuple)
{
	enum flow_direction direction;

	return !flow_find(table, tuple, flow_hash(table, tuple), &direction);
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IP_PROTOCOL_TCP || protocol == IP_PROTOCOL_UDP ||
	       protocol == IP_PROTOCOL_ICMP;
}

int nat_choose_reply(const struct flow_table *table, struct random *random,
		     const struct flow_tuple *original, uint8_t interface, be32 address,
		     struct flow_tuple *reply)
{
	uint8_t protocol = original->key.protocol;
	uint32_t lowest = protocol == IP_PROTOCOL_ICMP ? 0 : NAT_FIRST_PORT;

	*reply = flow_tuple_reverse(original, interface);
	reply->key.destination = address;
	/* UDP port 0 means that no answer is wanted; on the way back it would not do. */
	if ((original->key.source_port.raw || !has_ports(protocol) || lowest == 0) &&
	    tuple_is_free(table, reply))
		return 0;
	if (!has_ports(protocol))
		return -EADDRINUSE;
	for (uint32_t i = 0; i < NAT_PROBES; i++) {
		uint32_t port = lowest + random_below(random, 65536u - lowest);

		reply->key.destination_port = be16_of((uint16_t)port);
		if (tuple_is_free(table, reply))
			return 0;
	}
	return -EADDRINUSE;
}

/* Sum of the complement of what goes and of what comes (RFC 1624, eqn. 3). */
static uint32_t delta_be32(uint32_t sum, be32 from, be32 to)
{
	return checksum_add_be32(checksum_add_be32(sum, (be32){ ~from.raw }), to);
}

static uint32_t delta_be16(uint32_t sum, be16 from, be16 to)
{
	return checksum_add_be16(checksum_add_be16(sum, (be16){ (uint16_t)~from.raw }), to);
}

void nat_prepare(struct flow *flow)
{
	const struct flow_key *from = &flow->key[FLOW_ORIGINAL];
	const struct flow_key *to = &flow->key[FLOW_REPLY];
	uint32_t addresses, ports;

	addresses = delta_be32(0, from->source, to->destination);
	addresses = delta_be32(addresses, from->destination, to->source);
	ports = delta_be16(0, from->source_port, to->destination_port);
	ports = delta_be16(ports, from->destination_port, to->source_port);
	/* ICMP's checksum covers no addresses. */
	if (from->protocol != IP_PROTOCOL_ICMP)
		ports = checksum_add_be16(ports, checksum_fold(addresses));
	flow->address_delta = checksum_fold(addresses).raw;
	flow->transport_delta = checksum_fold(ports).raw;
	flow->flags |= FLOW_TRANSLATED;
}

/* A complemented field after its sum has grown by `delta`. */
static be16 field_add(be16 field, uint32_t delta)
{
	return checksum_finish((uint16_t)~field.raw + delta);
}

/* A blank field holds the pseudo-header's sum itself: addresses alone, not complemented. */
static be16 blank_add(be16 field, uint16_t address_delta)
{
	return checksum_fold((uint32_t)field.raw + address_delta);
}

/* 0 in a UDP header means that there is no checksum; its other name is 0xffff. */
static be16 udp_checksum(be16 field)
{
	return field.raw ? field : (be16){ 0xffff };
}

static void rewrite_tcp(struct packet *packet, const struct flow_key *to, uint16_t address_delta,
			uint16_t transport_delta)
{
	struct tcp_header *tcp = tcp_of(packet);

	tcp->source_port = to->destination_port;
	tcp->destination_port = to->source_port;
	if (packet->flags & PACKET_CSUM_BLANK)
		tcp->checksum = blank_add(tcp->checksum, address_delta);
	else
		tcp->checksum = field_add(tcp->checksum, transport_delta);
}

static void rewrite_udp(struct packet *packet, const struct flow_key *to, uint16_t address_delta,
			uint16_t transport_delta)
{
	struct udp_header *udp = udp_of(packet);

	udp->source_port = to->destination_port;
	udp->destination_port = to->source_port;
	if (packet->flags & PACKET_CSUM_BLANK)
		udp->checksum = blank_add(udp->checksum, address_delta);
	else if (udp->checksum.raw)
		udp->checksum = udp_checksum(field_add(udp->checksum, transport_delta));
}

static void rewrite_icmp(struct packet *packet, const struct packet_info *info,
			 const struct flow_key *to, uint16_t transport_delta)
{
	struct icmp4_header *icmp = icmp4_of(packet);

	icmp->id = info->icmp_type == ICMP4_ECHO_REQUEST ? to->destination_port : to->source_port;
	icmp->checksum = field_add(icmp->checksum, transport_delta);
}

void nat_decrement_ttl(struct packet *packet)
{
	struct ip4_header *ip = ip4_of(packet);

	ip->ttl--;
	ip->checksum = field_add(ip->checksum, TTL_DELTA);
}

void nat_rewrite(struct packet *packet, const struct packet_info *info, const struct flow *flow,
		 enum flow_direction direction)
{
	/* It leaves as the mirror image of the other key. */
	const struct flow_key *to = &flow->key[!direction];
	struct ip4_header *ip = ip4_of(packet);
	uint16_t address_delta = flow->address_delta;
	uint16_t transport_delta = flow->transport_delta;

	if (!(flow->flags & FLOW_TRANSLATED)) {
		nat_decrement_ttl(packet);
		return;
	}
	if (direction == FLOW_REPLY) { /* the complement takes away what was added */
		address_delta = (uint16_t)~address_delta;
		transport_delta = (uint16_t)~transport_delta;
	}
	ip->source = to->destination;
	ip->destination = to->source;
	ip->ttl--;
	ip->checksum = field_add(ip->checksum, (uint32_t)address_delta + TTL_DELTA);
	if (to->protocol == IP_PROTOCOL_TCP)
		rewrite_tcp(packet, to, address_delta, transport_delta);
	else if (to->protocol == IP_PROTOCOL_UDP)
		rewrite_udp(packet, to, address_delta, transport_delta);
	else if (to->protocol == IP_PROTOCOL_ICMP)
		rewrite_icmp(packet, info, to, transport_delta);
}

/* The quoted transport header; the checksum often lies beyond the quote. */
static void rewrite_quoted_transport(struct packet *packet, const struct quoted_packet *quoted,
				     const struct flow_key *to, uint16_t transport_delta)
{
	struct udp_header *udp = udp_at(packet, quoted->transport_offset);
	struct tcp_header *tcp = tcp_at(packet, quoted->transport_offset);
	struct icmp4_header *icmp = icmp4_at(packet, quoted->transport_offset);

	switch (to->protocol) {
	case IP_PROTOCOL_TCP:
		udp->source_port = to->source_port;
		udp->destination_port = to->destination_port;
		if (tcp)
			tcp->checksum = field_add(tcp->checksum, transport_delta);
		break;
	case IP_PROTOCOL_UDP:
		udp->source_port = to->source_port;
		udp->destination_port = to->destination_port;
		if (udp->checksum.raw)
			udp->checksum = udp_checksum(field_add(udp->checksum, transport_delta));
		break;
	case IP_PROTOCOL_ICMP:
		icmp->id = quoted->icmp_type == ICMP4_ECHO_REQUEST ? to->source_port
								   : to->destination_port;
		icmp->checksum = field_add(icmp->checksum, transport_delta);
		break;
	default:
		break;
	}
}

/* Bytes of the quote that may change and lie in the head, an even number of them. */
static uint16_t quoted_bytes(const struct packet *packet, const struct quoted_packet *quoted)
{
	uint32_t end = quoted->transport_offset + (uint32_t)sizeof(struct tcp_header);

	if (end > packet->head_length)
		end = packet->head_length;
	return (uint16_t)((end - quoted->ip_offset) & ~1u);
}

void nat_rewrite_error(struct packet *packet, const struct quoted_packet *quoted,
		       const struct flow *flow, enum flow_direction direction)
{
	/* The quoted packet arrived as the other key and must look like that again. */
	const struct flow_key *arrived = &flow->key[direction];
	const struct flow_key *to = &flow->key[!direction];
	struct ip4_header *outer = ip4_of(packet);
	struct ip4_header *inner = ip4_at(packet, quoted->ip_offset);
	struct icmp4_header *icmp = icmp4_of(packet);
	uint16_t bytes = quoted_bytes(packet, quoted);
	uint16_t before, after;
	uint32_t delta;
	be32 source = outer->source;

	nat_decrement_ttl(packet);
	if (!(flow->flags & FLOW_TRANSLATED))
		return;
	/* The quoted headers take the same differences with the opposite sign of an answer. */
	before = checksum_fold(checksum_add(0, inner, bytes)).raw;
	delta = delta_be32(delta_be32(0, inner->source, to->source), inner->destination,
			   to->destination);
	inner->source = to->source;
	inner->destination = to->destination;
	inner->checksum = field_add(inner->checksum, checksum_fold(delta).raw);
	rewrite_quoted_transport(packet, quoted, to,
				 direction == FLOW_ORIGINAL ? flow->transport_delta
							    : (uint16_t)~flow->transport_delta);
	after = checksum_fold(checksum_add(0, inner, bytes)).raw;
	icmp->checksum = field_add(icmp->checksum, (uint32_t)(uint16_t)~before + after);

	/* The outer ones: an end of the flow is renamed, a router on the way is not. */
	if (be32_equal(source, arrived->source))
		source = to->destination;
	delta = delta_be32(delta_be32(0, outer->source, source), outer->destination, to->source);
	outer->source = source;
	outer->destination = to->source;
	outer->checksum = field_add(outer->checksum, checksum_fold(delta).raw);
}
