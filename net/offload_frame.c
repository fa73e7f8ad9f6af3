/* SPDX-License-Identifier: ISC */
#include "net/offload_frame.h"

#include "net/offload.h"
#include "net/wire.h"

#define EXTENSIONS_MAX 8u

/* Where a frame's headers are, as far as offloads are concerned with them. */
struct headers {
	bool ip6;
	uint8_t protocol;
	uint32_t transport; /* offset from data */
	uint32_t end;	    /* of the IP packet */
};

static bool can_segment(const struct netdev *netdev, const struct packet *packet)
{
	uint32_t needed = packet->gso_type == PACKET_GSO_TCPV6
				  ? NETDEV_TX_GSO_TCPV6 | NETDEV_TX_CSUM_IPV6 | NETDEV_TX_SG
				  : NETDEV_TX_GSO_TCPV4 | NETDEV_TX_CSUM_IPV4 | NETDEV_TX_SG;

	return (netdev->features & needed) == needed;
}

static bool is_one_piece(enum offload_piece piece, const struct packet *packet)
{
	return piece == OFFLOAD_PIECE_PAGE ? packet->length <= IOPAGE_SIZE
					   : packet->frag_count == 0;
}

bool offload_frame_is_needed(const struct netdev *netdev, enum offload_piece piece,
			     const struct packet *packet)
{
	const uint32_t checksums = NETDEV_TX_CSUM_IPV4 | NETDEV_TX_CSUM_IPV6;

	if (packet->gso_type && !can_segment(netdev, packet))
		return true;
	/* Of what family it is, is seen when its headers are. */
	if (packet->flags & PACKET_CSUM_BLANK && (netdev->features & checksums) != checksums)
		return true;
	return !(netdev->features & NETDEV_TX_SG) && !is_one_piece(piece, packet);
}

/* ---- headers ---- */

static bool find_ip4(const struct packet *packet, struct headers *headers)
{
	const struct ip4_header *ip = ip4_at(packet, sizeof(struct ethernet_header));
	uint32_t bytes;

	if (!ip || ip->version_length >> 4 != 4)
		return false;
	bytes = (ip->version_length & 15u) * 4u;
	if (bytes < sizeof(*ip) || be16_get(ip->fragment) & (IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK))
		return false;
	headers->ip6 = false;
	headers->protocol = ip->protocol;
	headers->transport = (uint32_t)sizeof(struct ethernet_header) + bytes;
	headers->end = (uint32_t)sizeof(struct ethernet_header) + be16_get(ip->total_length);
	return true;
}

static bool is_extension(uint8_t protocol)
{
	return protocol == IP6_HOP_BY_HOP || protocol == IP6_ROUTING ||
	       protocol == IP6_DESTINATION_OPTIONS;
}

static bool find_ip6(const struct packet *packet, struct headers *headers)
{
	const struct ip6_header *ip = ip6_at(packet, sizeof(struct ethernet_header));

	if (!ip || be32_get(ip->version_class_flow) >> 28 != 6)
		return false;
	headers->ip6 = true;
	headers->protocol = ip->next_header;
	headers->transport = (uint32_t)(sizeof(struct ethernet_header) + sizeof(*ip));
	headers->end = headers->transport + be16_get(ip->payload_length);
	for (unsigned int i = 0; i < EXTENSIONS_MAX && is_extension(headers->protocol); i++) {
		const uint8_t *extension = wire_at(packet, headers->transport, 2);

		if (!extension)
			return false;
		headers->protocol = extension[0];
		headers->transport += (extension[1] + 1u) * IP6_EXTENSION_UNIT;
	}
	return true;
}

static bool find_transport(const struct packet *packet, struct headers *headers)
{
	const struct tcp_header *tcp;
	uint32_t bytes;

	if (headers->protocol == IP_PROTOCOL_UDP)
		return udp_at(packet, headers->transport);
	if (headers->protocol != IP_PROTOCOL_TCP)
		return false;
	tcp = tcp_at(packet, headers->transport);
	bytes = tcp ? (tcp->data_offset >> 4) * 4u : 0;
	return bytes >= sizeof(*tcp) && wire_at(packet, headers->transport, bytes) &&
	       headers->transport + bytes <= headers->end;
}

/* False: not a packet with a checksum that somebody could fill. */
static bool headers_find(const struct packet *packet, struct headers *headers)
{
	const struct ethernet_header *ethernet = ethernet_at(packet);
	uint16_t type = ethernet ? be16_get(ethernet->type) : 0;

	if (type == ETHERTYPE_IP4 ? !find_ip4(packet, headers)
				  : type != ETHERTYPE_IP6 || !find_ip6(packet, headers))
		return false;
	return find_transport(packet, headers) && headers->end <= packet->length;
}

/* ---- work ---- */

static bool gso_is_good(const struct packet *packet, const struct headers *headers)
{
	const struct tcp_header *tcp = tcp_at(packet, headers->transport);
	uint8_t type = headers->ip6 ? PACKET_GSO_TCPV6 : PACKET_GSO_TCPV4;

	return packet->gso_type == type && headers->protocol == IP_PROTOCOL_TCP &&
	       packet->gso_size && !(tcp->flags & (TCP_SYN | TCP_RST | TCP_URG)) &&
	       headers->transport + (tcp->data_offset >> 4) * 4u < headers->end;
}

static bool can_checksum(const struct netdev *netdev, const struct headers *headers)
{
	return netdev->features & (headers->ip6 ? NETDEV_TX_CSUM_IPV6 : NETDEV_TX_CSUM_IPV4);
}

/* True: the packet goes on. False: it has become segments, or nothing. */
static bool transport_do(const struct own *own, struct netdev *netdev, struct packet *packet)
{
	struct headers headers;

	if (!packet->gso_type && !(packet->flags & PACKET_CSUM_BLANK))
		return true;
	if (!headers_find(packet, &headers) ||
	    (packet->gso_type && !gso_is_good(packet, &headers))) {
		packet_drop(packet, packet->gso_type ? DROP_BAD_GSO : DROP_BAD_OFFLOAD);
		return false;
	}
	packet_trim(packet, headers.end);
	packet->l3_offset = sizeof(struct ethernet_header);
	packet->l4_offset = (uint16_t)headers.transport;
	if (packet->gso_type && !can_segment(netdev, packet)) {
		offload_segment(own, netdev, packet);
		return false;
	}
	if (packet->flags & PACKET_CSUM_BLANK && !can_checksum(netdev, &headers) &&
	    offload_checksum(packet, headers.protocol)) {
		packet_drop(packet, DROP_NO_MEMORY);
		return false;
	}
	return true;
}

void offload_frame_send(const struct own *own, struct netdev *netdev, enum offload_piece piece,
			struct packet *packet)
{
	if (!transport_do(own, netdev, packet))
		return;
	if (!(netdev->features & NETDEV_TX_SG) && !is_one_piece(piece, packet)) {
		packet = offload_linearise(own, netdev, packet);
		if (!packet)
			return;
	}
	own_send(own, netdev, packet);
}
