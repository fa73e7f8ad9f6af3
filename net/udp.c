/* SPDX-License-Identifier: ISC */
#include "net/udp.h"

#include <errno.h>
#include <string.h>

#include "lib/checksum.h"
#include "net/wire.h"

struct ip_address packet_source(const struct packet_info *info)
{
	return info->key.version == 6 ? ip_address_of6(info->ip6.source.bytes)
				      : ip_address_of4(info->key.source);
}

struct ip_address packet_destination(const struct packet_info *info)
{
	return info->key.version == 6 ? ip_address_of6(info->ip6.destination.bytes)
				      : ip_address_of4(info->key.destination);
}

/* The sum of the pseudo-header for `length` bytes of UDP. */
static uint32_t pseudo(const struct ip_address *from, const struct ip_address *to, uint16_t length)
{
	if (from->version == 6)
		return checksum_pseudo_ip6(from->bytes, to->bytes, IP_PROTOCOL_UDP, length);
	return checksum_pseudo_ip4(ip_address_get4(from), ip_address_get4(to), IP_PROTOCOL_UDP,
				   length);
}

static void put_ip4(struct packet *packet, const struct udp_ends *ends)
{
	struct ip4_header *ip = ip4_of(packet);

	ip->version_length = IP4_VERSION_NO_OPTIONS;
	ip->total_length = be16_of((uint16_t)(packet->length - packet->l3_offset));
	/* Never fragmented on the way, so it needs no identification (RFC 6864). */
	ip->fragment = be16_of(IP4_DONT_FRAGMENT);
	ip->ttl = IP4_DEFAULT_TTL;
	ip->protocol = IP_PROTOCOL_UDP;
	ip->source = ip_address_get4(&ends->from);
	ip->destination = ip_address_get4(&ends->to);
	ip->checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
}

static void put_ip6(struct packet *packet, const struct udp_ends *ends)
{
	struct ip6_header *ip = ip6_of(packet);

	ip->version_class_flow = be32_of(6u << 28);
	ip->payload_length = be16_of((uint16_t)(packet->length - packet->l4_offset));
	ip->next_header = IP_PROTOCOL_UDP;
	ip->hop_limit = IP4_DEFAULT_TTL;
	memcpy(ip->source, ends->from.bytes, sizeof(ip->source));
	memcpy(ip->destination, ends->to.bytes, sizeof(ip->destination));
}

struct packet *udp_make(const struct own *own, struct netdev *netdev, const struct udp_ends *ends,
			const void *data, size_t bytes)
{
	bool six = ends->from.version == 6;
	size_t l4 = sizeof(struct ethernet_header) +
		    (six ? sizeof(struct ip6_header) : sizeof(struct ip4_header));
	size_t total = l4 + sizeof(struct udp_header) + bytes;
	uint16_t length = (uint16_t)(sizeof(struct udp_header) + bytes);
	struct packet *packet;
	struct udp_header *udp;

	if (total > OWN_MAX_BYTES || total - sizeof(struct ethernet_header) > netdev->mtu ||
	    ends->from.version != ends->to.version)
		return NULL;
	packet = own_make(own, netdev, total);
	if (!packet)
		return NULL;
	packet->l3_offset = sizeof(struct ethernet_header);
	packet->l4_offset = (uint16_t)l4;
	ethernet_of(packet)->type = be16_of(six ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
	if (six)
		put_ip6(packet, ends);
	else
		put_ip4(packet, ends);
	udp = udp_of(packet);
	udp->source_port = be16_of(ends->from_port);
	udp->destination_port = be16_of(ends->to_port);
	udp->length = be16_of(length);
	memcpy(udp + 1, data, bytes);
	udp->checksum =
		checksum_finish(checksum_add(pseudo(&ends->from, &ends->to, length), udp, length));
	if (udp->checksum.raw == 0)
		udp->checksum.raw = UINT16_MAX; /* 0 says that there is none */
	return packet;
}

static bool checksum_is_right(const struct packet *packet, const struct packet_info *info,
			      const struct udp_header *udp, const void *data, size_t bytes)
{
	struct ip_address from = packet_source(info), to = packet_destination(info);
	uint32_t sum;

	if (packet->flags & (PACKET_CSUM_BLANK | PACKET_CSUM_VALID))
		return true;
	if (udp->checksum.raw == 0)
		return info->key.version == 4; /* RFC 8200, 8.1 */
	sum = pseudo(&from, &to, be16_get(udp->length));
	sum = checksum_add(sum, udp, sizeof(*udp));
	return checksum_fold(checksum_add(sum, data, bytes)).raw == UINT16_MAX;
}

int udp_copy(const struct packet *packet, const struct packet_info *info, void *to, size_t room)
{
	const struct udp_header *udp = udp_at(packet, packet->l4_offset);
	size_t length = udp ? be16_get(udp->length) : 0;

	if (length < sizeof(*udp) || length > info->transport_length)
		return -EINVAL;
	length -= sizeof(*udp);
	if (length > room)
		return -E2BIG;
	if (packet_copy_out(packet, packet->l4_offset + (uint32_t)sizeof(*udp), to, length) ||
	    !checksum_is_right(packet, info, udp, to, length))
		return -EINVAL;
	return (int)length;
}
