/* SPDX-License-Identifier: ISC */
/* ICMP and ICMPv6 errors: two packets in one, the inner one seen from the other side. */
#include "net/nat_parts.h"

#define QUOTED_TRANSPORT_BYTES ((uint32_t)sizeof(struct tcp_header)) /* that may change */

/* Bytes of the quote that may change and lie in the head; an odd last one does not. */
static uint32_t quoted_bytes(const struct packet *packet, const struct quoted_packet *quoted)
{
	uint32_t end = quoted->transport_offset + QUOTED_TRANSPORT_BYTES;

	if (end > packet->head_length)
		end = packet->head_length;
	return end - quoted->ip_offset;
}

static uint16_t quoted_sum(const struct packet *packet, const struct quoted_packet *quoted)
{
	return checksum_fold(checksum_add(0, packet->data + quoted->ip_offset,
					  quoted_bytes(packet, quoted)))
		.raw;
}

/* The sum of the quoted packet's pseudo-header. */
static be16 quoted_pseudo(const struct packet *packet, const struct quoted_packet *quoted,
			  uint8_t version, uint8_t protocol)
{
	const uint16_t headers = (uint16_t)(quoted->transport_offset - quoted->ip_offset);
	const uint8_t *at = packet->data + quoted->ip_offset;
	const struct ip4_header *ip4 = (const struct ip4_header *)at;
	const struct ip6_header *ip6 = (const struct ip6_header *)at;
	uint16_t length;

	if (version == 4) {
		length = (uint16_t)(be16_get(ip4->total_length) - headers);
		return checksum_fold(
			checksum_pseudo_ip4(ip4->source, ip4->destination, protocol, length));
	}
	length = (uint16_t)(be16_get(ip6->payload_length) + sizeof(*ip6) - headers);
	return checksum_fold(checksum_pseudo_ip6(ip6->source, ip6->destination, protocol, length));
}

/*
 * A neighbour that got a packet with a blank checksum from us quotes it like that, and
 * nothing says so but the value.
 */
static bool quoted_is_blank(const struct packet *packet, const struct quoted_packet *quoted,
			    uint8_t version, uint8_t protocol)
{
	size_t at = quoted->transport_offset;
	const be16 *checksum;

	if (protocol == IP_PROTOCOL_TCP)
		at += offsetof(struct tcp_header, checksum);
	else if (protocol == IP_PROTOCOL_UDP)
		at += offsetof(struct udp_header, checksum);
	else
		return false;
	checksum = wire_at(packet, at, sizeof(*checksum));
	return checksum && be16_equal(*checksum, quoted_pseudo(packet, quoted, version, protocol));
}

/* The addresses of the quoted header; returns what its pseudo-header's sum changes by. */
static uint16_t quoted_readdress(struct packet *packet, const struct quoted_packet *quoted,
				 const struct flow_tuple *to)
{
	uint8_t *at = packet->data + quoted->ip_offset;
	struct ip4_header *ip4 = (struct ip4_header *)at;
	struct ip6_header *ip6 = (struct ip6_header *)at;
	uint32_t before, after;
	uint16_t delta;

	if (to->key.version == 6) {
		delta = nat6_delta(ip6->source, ip6->destination, &to->ip6.source,
				   &to->ip6.destination);
		nat6_set_addresses(ip6, &to->ip6.source, &to->ip6.destination);
		return delta;
	}
	before = checksum_add_be32(checksum_add_be32(0, ip4->source), ip4->destination);
	ip4->source = to->key.source;
	ip4->destination = to->key.destination;
	after = checksum_add_be32(checksum_add_be32(0, ip4->source), ip4->destination);
	delta = checksum_fold((uint32_t)(uint16_t)~checksum_fold(before).raw +
			      checksum_fold(after).raw)
			.raw;
	ip4->checksum = nat_field_add(ip4->checksum, delta);
	return delta;
}

static void quoted_rewrite(struct packet *packet, const struct quoted_packet *quoted,
			   const struct flow *flow, const struct flow_tuple *to,
			   enum flow_direction direction)
{
	struct nat_change change = {
		.source_port = to->key.source_port,
		.destination_port = to->key.destination_port,
		/* The opposite of what was done to the quoted packet, which went the other way. */
		.transport_delta = nat_delta_towards(flow->transport_delta, direction),
		.blank = quoted_is_blank(packet, quoted, to->key.version, to->key.protocol),
	};

	change.address_delta = quoted_readdress(packet, quoted, to);
	nat_change_transport(packet, quoted->transport_offset, to->key.version, to->key.protocol,
			     &change);
}

/* The outer addresses; returns what their sum changes by. */
static uint16_t outer_readdress4(struct packet *packet, const struct flow_key *arrived,
				 const struct flow_key *to)
{
	struct ip4_header *ip = ip4_of(packet);
	be32 source = be32_equal(arrived->source, to->destination) ? ip->source : to->destination;
	uint32_t sum;

	sum = checksum_add_be32(0, (be32){ ~ip->source.raw });
	sum = checksum_add_be32(sum, (be32){ ~ip->destination.raw });
	sum = checksum_add_be32(checksum_add_be32(sum, source), to->source);
	ip->source = source;
	ip->destination = to->source;
	ip->checksum = nat_field_add(ip->checksum, checksum_fold(sum).raw);
	return checksum_fold(sum).raw;
}

static uint16_t outer_readdress6(struct packet *packet, const struct flow_addresses6 *arrived,
				 const struct flow_addresses6 *to)
{
	struct ip6_header *ip = ip6_of(packet);
	struct ip6_address source = to->destination;
	uint16_t delta;

	if (__builtin_memcmp(&arrived->source, &to->destination, sizeof(source)) == 0)
		__builtin_memcpy(&source, ip->source, sizeof(source));
	delta = nat6_delta(ip->source, ip->destination, &source, &to->source);
	nat6_set_addresses(ip, &source, &to->source);
	return delta;
}

void nat_rewrite_error(struct packet *packet, const struct packet_info *info,
		       const struct quoted_packet *quoted, const struct flow *flow,
		       enum flow_direction direction)
{
	/* The quoted packet arrived as the other tuple and must look like that again. */
	const struct flow_tuple arrived = flow_tuple_of(flow, direction);
	const struct flow_tuple to = flow_tuple_of(flow, !direction);
	struct icmp4_header *icmp = icmp4_of(packet); /* ICMPv6's looks the same */
	uint32_t delta;

	nat_decrement_ttl(packet, info->key.version);
	if (!(flow->flags & FLOW_TRANSLATED))
		return;
	delta = (uint16_t)~quoted_sum(packet, quoted);
	quoted_rewrite(packet, quoted, flow, &to, direction);
	delta += quoted_sum(packet, quoted);
	if (to.key.version == 6)
		delta += outer_readdress6(packet, &arrived.ip6, &to.ip6);
	else
		outer_readdress4(packet, &arrived.key, &to.key);
	icmp->checksum = nat_field_add(icmp->checksum, delta);
}

void nat_readdress_quote(struct packet *packet, const struct quoted_packet *quoted, be32 source,
			 be32 destination)
{
	const struct flow_key *answer = &quoted->answer.key;
	const struct flow_tuple to = {
		.key = { .version = 4, .source = source, .destination = destination }
	};
	struct icmp4_header *icmp = icmp4_of(packet);
	uint32_t delta = (uint16_t)~quoted_sum(packet, quoted);
	struct nat_change change = {
		.source_port = answer->destination_port,
		.destination_port = answer->source_port,
		.blank = quoted_is_blank(packet, quoted, 4, answer->protocol),
	};

	change.address_delta = quoted_readdress(packet, quoted, &to);
	if (answer->protocol != IP_PROTOCOL_ICMP)
		change.transport_delta = change.address_delta;
	nat_change_transport(packet, quoted->transport_offset, 4, answer->protocol, &change);
	delta += quoted_sum(packet, quoted);
	icmp->checksum = nat_field_add(icmp->checksum, delta);
}
