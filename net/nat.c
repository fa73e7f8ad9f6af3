/* SPDX-License-Identifier: ISC */
#include "net/nat.h"

#include "net/nat_parts.h"

#define IP_PROTOCOL_DCCP 33u	  /* RFC 4340 */
#define IP_PROTOCOL_UDP_LITE 136u /* RFC 3828 */

/* What is added to an IPv4 header's sum when its TTL falls by one: the word that begins
 * with the TTL loses 1 in its first byte. */
#define TTL_DELTA ((uint16_t)~be16_of(0x0100).raw)

/* Sum of the complement of what goes and of what comes (RFC 1624, eqn. 3). */
static uint32_t delta_be32(uint32_t sum, be32 from, be32 to)
{
	return checksum_add_be32(checksum_add_be32(sum, (be32){ ~from.raw }), to);
}

static uint32_t delta_be16(uint32_t sum, be16 from, be16 to)
{
	return checksum_add_be16(checksum_add_be16(sum, (be16){ (uint16_t)~from.raw }), to);
}

/* ffff is the other 0 of ones' complement. */
static uint16_t delta_fold(uint32_t sum)
{
	uint16_t delta = checksum_fold(sum).raw;

	return delta == 0xffff ? 0 : delta;
}

static uint16_t delta_of_addresses(const struct flow *flow)
{
	const struct flow_key *from = &flow->key[FLOW_ORIGINAL];
	const struct flow_key *to = &flow->key[FLOW_REPLY];
	const struct flow_addresses6 *from6 = flow_addresses6_of(flow, FLOW_ORIGINAL);
	const struct flow_addresses6 *to6 = flow_addresses6_of(flow, FLOW_REPLY);

	if (from6)
		return nat6_delta(&from6->source, &from6->destination, &to6->destination,
				  &to6->source);
	return checksum_fold(delta_be32(delta_be32(0, from->source, to->destination),
					from->destination, to->source))
		.raw;
}

void nat_prepare(struct flow *flow)
{
	const struct flow_key *from = &flow->key[FLOW_ORIGINAL];
	const struct flow_key *to = &flow->key[FLOW_REPLY];
	uint16_t addresses = delta_of_addresses(flow);
	uint32_t transport;

	transport = delta_be16(0, from->source_port, to->destination_port);
	transport = delta_be16(transport, from->destination_port, to->source_port);
	/* Of all checksums ICMP's alone covers no addresses. */
	if (from->version == 6 || from->protocol != IP_PROTOCOL_ICMP)
		transport += addresses;
	flow->address_delta = delta_fold(addresses);
	flow->transport_delta = delta_fold(transport);
	flow->flags |= FLOW_TRANSLATED;
}

bool nat_may_translate(const struct packet_info *info)
{
	return !info->authenticated &&
	       !(info->key.version == 4 && info->key.protocol == IP6_AUTHENTICATION);
}

/* A blank field holds the pseudo-header's sum itself: addresses alone, not complemented. */
static inline be16 changed_checksum(be16 field, const struct nat_change *change)
{
	if (change->blank)
		return checksum_fold((uint32_t)field.raw + change->address_delta);
	return nat_field_add(field, change->transport_delta);
}

/* Where there is a checksum that 0 in its field would deny; its other name is ffff. */
static be16 changed_nonzero(be16 field, const struct nat_change *change)
{
	be16 changed = changed_checksum(field, change);

	return changed.raw ? changed : (be16){ 0xffff };
}

static void change_tcp(struct packet *packet, uint32_t offset, const struct nat_change *change)
{
	const uint32_t at = offset + (uint32_t)offsetof(struct tcp_header, checksum);
	struct udp_header *ports = udp_at(packet, offset);
	be16 *checksum = wire_at(packet, at, sizeof(*checksum));

	if (ports) { /* they are where UDP's are */
		ports->source_port = change->source_port;
		ports->destination_port = change->destination_port;
	}
	if (checksum)
		*checksum = changed_checksum(*checksum, change);
}

static void change_udp(struct packet *packet, uint32_t offset, const struct nat_change *change)
{
	struct udp_header *udp = udp_at(packet, offset);

	if (!udp)
		return;
	udp->source_port = change->source_port;
	udp->destination_port = change->destination_port;
	if (udp->checksum.raw) /* 0: there is none, and a sum of a pseudo-header is never 0 */
		udp->checksum = changed_nonzero(udp->checksum, change);
}

static void change_icmp(struct packet *packet, uint32_t offset, uint8_t request, uint8_t reply,
			const struct nat_change *change)
{
	struct icmp4_header *icmp = icmp4_at(packet, offset); /* ICMPv6's looks the same */

	if (!icmp)
		return;
	if (icmp->type == request)
		icmp->id = change->source_port;
	else if (icmp->type == reply)
		icmp->id = change->destination_port;
	icmp->checksum = nat_field_add(icmp->checksum, change->transport_delta);
}

/* UDP-Lite and DCCP have theirs where UDP has; ports are not known here. */
static void change_like_udp(struct packet *packet, uint32_t offset, bool zero_means_none,
			    const struct nat_change *change)
{
	struct udp_header *udp = udp_at(packet, offset);

	if (udp)
		udp->checksum = zero_means_none ? changed_nonzero(udp->checksum, change)
						: changed_checksum(udp->checksum, change);
}

void nat_change_transport(struct packet *packet, uint32_t offset, uint8_t version, uint8_t protocol,
			  const struct nat_change *change)
{
	switch (protocol) {
	case IP_PROTOCOL_TCP:
		change_tcp(packet, offset, change);
		break;
	case IP_PROTOCOL_UDP:
		change_udp(packet, offset, change);
		break;
	case IP_PROTOCOL_ICMP:
		if (version == 4)
			change_icmp(packet, offset, ICMP4_ECHO_REQUEST, ICMP4_ECHO_REPLY, change);
		break;
	case IP_PROTOCOL_ICMP6:
		if (version == 6)
			change_icmp(packet, offset, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY, change);
		break;
	case IP_PROTOCOL_UDP_LITE:
	case IP_PROTOCOL_DCCP:
		change_like_udp(packet, offset, protocol == IP_PROTOCOL_UDP_LITE, change);
		break;
	default:
		break;
	}
}

void nat_decrement_ttl(struct packet *packet, uint8_t version)
{
	struct ip4_header *ip = ip4_of(packet);

	if (version == 6) {
		ip6_of(packet)->hop_limit--;
		return;
	}
	ip->ttl--;
	ip->checksum = nat_field_add(ip->checksum, TTL_DELTA);
}

void nat_rewrite(struct packet *packet, const struct packet_info *info, const struct flow *flow,
		 enum flow_direction direction)
{
	/* It leaves as the mirror image of the other tuple. */
	const struct flow_key *to = &flow->key[!direction];
	struct ip4_header *ip = ip4_of(packet);
	struct nat_change change;

	if (!(flow->flags & FLOW_TRANSLATED)) {
		nat_decrement_ttl(packet, info->key.version);
		return;
	}
	change.source_port = to->destination_port;
	change.destination_port = to->source_port;
	change.address_delta = nat_delta_towards(flow->address_delta, direction);
	change.transport_delta = nat_delta_towards(flow->transport_delta, direction);
	change.blank = packet->flags & PACKET_CSUM_BLANK;
	if (to->version == 6) {
		nat6_rewrite(packet, flow_addresses6_of(flow, !direction));
	} else {
		ip->source = to->destination;
		ip->destination = to->source;
		ip->ttl--;
		ip->checksum =
			nat_field_add(ip->checksum, (uint32_t)change.address_delta + TTL_DELTA);
	}
	nat_change_transport(packet, packet->l4_offset, to->version, to->protocol, &change);
}

/* IPv4's header is covered by a checksum, IPv6's is not. */
void nat_set_fragment_id(struct packet *packet, uint8_t version, uint16_t header, uint32_t id)
{
	struct ip4_header *ip = ip4_of(packet);
	be16 id4 = be16_of((uint16_t)id);

	if (version == 6) {
		struct ip6_fragment_header *fragment = ip6_fragment_at(packet, header);

		if (fragment)
			fragment->id = be32_of(id);
		return;
	}
	ip->checksum = checksum_replace_be16(ip->checksum, ip->id, id4);
	ip->id = id4;
}

void nat_rewrite_fragment(struct packet *packet, uint8_t version, uint16_t header,
			  const union fragment_address *source,
			  const union fragment_address *destination, uint32_t id)
{
	struct ip4_header *ip = ip4_of(packet);
	uint32_t delta;

	nat_decrement_ttl(packet, version);
	nat_set_fragment_id(packet, version, header, id);
	if (version == 6) {
		nat6_set_addresses(ip6_of(packet), &source->ip6, &destination->ip6);
		return;
	}
	delta = delta_be32(delta_be32(0, ip->source, source->ip4), ip->destination,
			   destination->ip4);
	ip->checksum = nat_field_add(ip->checksum, checksum_fold(delta).raw);
	ip->source = source->ip4;
	ip->destination = destination->ip4;
}

void nat_readdress(struct packet *packet, const struct packet_info *info, be32 source,
		   be32 destination)
{
	struct ip4_header *ip = ip4_of(packet);
	uint16_t delta = delta_fold(
		delta_be32(delta_be32(0, ip->source, source), ip->destination, destination));
	const struct nat_change change = {
		.source_port = info->key.source_port,
		.destination_port = info->key.destination_port,
		.address_delta = delta,
		.transport_delta = info->key.protocol == IP_PROTOCOL_ICMP ? 0 : delta,
		.blank = packet->flags & PACKET_CSUM_BLANK,
	};

	ip->source = source;
	ip->destination = destination;
	ip->checksum = nat_field_add(ip->checksum, delta);
	if (!parse6_is_later_fragment(&info->fragment))
		nat_change_transport(packet, packet->l4_offset, 4, info->key.protocol, &change);
}
