/* SPDX-License-Identifier: ISC */
#include "net/fragment_make.h"

#include <string.h>

#include "lib/checksum.h"
#include "net/wire.h"

#define MTU_MIN 68u /* RFC 791 */

/* The headers of the part at byte `offset` of the packet's own payload. */
static void lay_headers(struct packet *part, const struct packet *packet, uint32_t offset,
			uint32_t bytes, bool more)
{
	const size_t headers = sizeof(struct ethernet_header) + sizeof(struct ip4_header);
	const struct ip4_header *from = ip4_of(packet);
	uint16_t fragment = be16_get(from->fragment);
	struct ip4_header *ip;

	memcpy(part->data, packet->data, headers);
	part->l3_offset = sizeof(struct ethernet_header);
	part->l4_offset = (uint16_t)headers;
	ip = ip4_of(part);
	ip->total_length = be16_of((uint16_t)(sizeof(*ip) + bytes));
	ip->fragment = be16_of((uint16_t)((fragment & IP4_MORE_FRAGMENTS) |
					  ((fragment & IP4_OFFSET_MASK) + offset / 8)));
	if (more)
		ip->fragment.raw |= be16_of(IP4_MORE_FRAGMENTS).raw;
	ip->checksum = (be16){ 0 };
	ip->checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
}

/* Makes and sends one part. False: no memory. */
static bool send_part(const struct own *own, struct netdev *netdev, const struct packet *packet,
		      uint32_t offset, uint32_t bytes, bool more)
{
	const uint32_t headers = sizeof(struct ethernet_header) + sizeof(struct ip4_header);
	struct packet *part = own_make(own, netdev, headers + bytes);

	if (!part)
		return false;
	if (packet_copy_out(packet, headers + offset, part->data + headers, bytes)) {
		packet_free(part);
		return false;
	}
	lay_headers(part, packet, offset, bytes, more);
	part->in = packet->in;
	own_send(own, netdev, part);
	return true;
}

void fragment_make4(const struct own *own, struct netdev *netdev, uint16_t mtu,
		    struct packet *packet)
{
	const uint32_t headers = sizeof(struct ethernet_header) + sizeof(struct ip4_header);
	const struct ip4_header *ip = ip4_of(packet);
	uint32_t payload = packet->length - headers;
	const uint32_t most = OWN_MAX_BYTES - sizeof(struct ethernet_header);
	uint32_t room = mtu < most ? mtu : most;
	uint32_t step;

	if (ip->version_length >> 4 != 4 || be16_get(ip->fragment) & IP4_DONT_FRAGMENT ||
	    room < MTU_MIN) {
		packet_drop(packet, DROP_TOO_BIG);
		return;
	}
	step = (room - (uint32_t)sizeof(*ip)) & ~7u;
	for (uint32_t offset = 0; offset < payload; offset += step) {
		bool more = payload - offset > step;

		if (!send_part(own, netdev, packet, offset, more ? step : payload - offset, more)) {
			packet_drop(packet, DROP_NO_MEMORY);
			return;
		}
	}
	packet_free(packet);
}
