/* SPDX-License-Identifier: ISC */
#include "net/tcp_mss.h"

#include "lib/checksum.h"
#include "net/wire.h"

#define TCP_OPTION_MSS 2u
#define TCP_OPTION_MSS_BYTES 4u

static be16 swapped(be16 value)
{
	return (be16){ __builtin_bswap16(value.raw) };
}

/* The option's value, at `at` bytes from the TCP header. */
static void lower(struct packet *packet, uint32_t at, uint16_t max_mss)
{
	struct tcp_header *tcp = tcp_of(packet);
	be16 *field = (be16 *)((uint8_t *)tcp + at);
	be16 from = *field, to = be16_of(max_mss);

	if (be16_get(from) <= max_mss)
		return;
	*field = to;
	if (packet->flags & PACKET_CSUM_BLANK) /* the options are not in it yet */
		return;
	/* At an odd offset its bytes lie the other way round in the words of the sum. */
	tcp->checksum = at & 1 ? checksum_replace_be16(tcp->checksum, swapped(from), swapped(to))
			       : checksum_replace_be16(tcp->checksum, from, to);
}

void tcp_mss_clamp(struct packet *packet, const struct packet_info *info, uint16_t max_mss)
{
	const uint8_t *header = packet->data + packet->l4_offset;
	uint32_t at = sizeof(struct tcp_header), end;

	if (info->key.protocol != IP_PROTOCOL_TCP || !(info->tcp_flags & TCP_SYN) ||
	    info->authenticated)
		return;
	end = (tcp_of(packet)->data_offset >> 4) * 4u;
	while (at < end && header[at] != TCP_OPTION_END) {
		if (header[at] == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || header[at + 1] < 2 || header[at + 1] > end - at)
			return;
		if (header[at] == TCP_OPTION_MSS && header[at + 1] == TCP_OPTION_MSS_BYTES)
			lower(packet, at + 2, max_mss);
		at += header[at + 1];
	}
}

uint16_t tcp_mss_of_mtu(uint8_t version, uint16_t mtu)
{
	uint32_t headers = (uint32_t)sizeof(struct tcp_header) +
			   (version == 6 ? (uint32_t)sizeof(struct ip6_header)
					 : (uint32_t)sizeof(struct ip4_header));

	return mtu > headers ? (uint16_t)(mtu - headers) : 0;
}
