/* SPDX-License-Identifier: ISC */
#include "net/icmp4.h"

#include <string.h>

#include "lib/checksum.h"

#define TOS_INTERNET_CONTROL 0xc0u /* RFC 1812, 4.3.2.5 */

bool icmp4_may_report(const struct packet_info *info)
{
	if (info->key.protocol == IP_PROTOCOL_ICMP && info->kind != PACKET_ORDINARY)
		return false;
	if (info->fragment.offset)
		return false;
	return !address_is_martian(info->key.source) &&
	       !address_is_multicast(info->key.destination);
}

/* Lays Ethernet and IPv4 headers for an answer to the sender of `packet`. */
static struct ip4_header *answer_headers(struct packet *answer, const struct netdev *netdev,
					 const struct packet *packet, be32 from)
{
	const struct ethernet_header *asked = ethernet_of(packet);
	struct ethernet_header *ethernet = ethernet_of(answer);
	struct ip4_header *ip;

	mac_copy(ethernet->destination, asked->source);
	mac_copy(ethernet->source, netdev->mac);
	ethernet->type = be16_of(ETHERTYPE_IP4);
	answer->l3_offset = sizeof(*ethernet);
	answer->l4_offset = sizeof(*ethernet) + sizeof(*ip);
	ip = ip4_of(answer);
	ip->version_length = IP4_VERSION_NO_OPTIONS;
	ip->total_length = be16_of((uint16_t)(answer->length - sizeof(*ethernet)));
	/* Never fragmented on the way, so it needs no identification (RFC 6864). */
	ip->fragment = be16_of(IP4_DONT_FRAGMENT);
	ip->ttl = IP4_DEFAULT_TTL;
	ip->protocol = IP_PROTOCOL_ICMP;
	ip->source = from;
	ip->destination = ip4_of(packet)->source;
	return ip;
}

static void ip4_finish(struct ip4_header *ip)
{
	ip->checksum = (be16){ 0 };
	ip->checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
}

void icmp4_send_error(const struct own *own, struct netdev *netdev, const struct packet *packet,
		      be32 own_address, uint8_t type, uint8_t code, uint16_t mtu)
{
	const size_t headers = sizeof(struct ip4_header) + sizeof(struct icmp4_header);
	size_t quote = (size_t)packet->head_length - packet->l3_offset;
	struct icmp4_header *icmp;
	struct packet *error;
	struct ip4_header *ip;

	if (quote > ICMP4_ERROR_MAX_BYTES - headers)
		quote = ICMP4_ERROR_MAX_BYTES - headers;
	error = own_make(own, netdev, sizeof(struct ethernet_header) + headers + quote);
	if (!error)
		return;
	ip = answer_headers(error, netdev, packet, own_address);
	ip->tos = TOS_INTERNET_CONTROL;
	ip4_finish(ip);
	icmp = icmp4_of(error);
	icmp->type = type;
	icmp->code = code;
	icmp->sequence = be16_of(mtu);
	memcpy(icmp + 1, packet->data + packet->l3_offset, quote);
	icmp->checksum = checksum_finish(checksum_add(0, icmp, sizeof(*icmp) + quote));
	own_send(own, netdev, error);
}

void icmp4_echo(const struct own *own, struct netdev *netdev, struct packet *packet)
{
	struct icmp4_header *icmp;
	struct packet *answer;
	struct ip4_header *ip;
	uint8_t tos = ip4_of(packet)->tos;
	be32 asked = ip4_of(packet)->destination;
	size_t bytes;

	if (packet->length > OWN_MAX_BYTES ||
	    packet->length > netdev->mtu + sizeof(struct ethernet_header)) {
		packet_drop(packet, DROP_TOO_BIG);
		return;
	}
	answer = own_make(own, netdev, packet->length);
	if (!answer || packet_copy_out(packet, 0, answer->data, packet->length)) {
		packet_free(answer);
		packet_drop(packet, DROP_NO_MEMORY);
		return;
	}
	ip = answer_headers(answer, netdev, packet, asked);
	ip->tos = tos;
	ip4_finish(ip);
	icmp = icmp4_of(answer);
	bytes = answer->length - answer->l4_offset;
	if (checksum_fold(checksum_add(0, icmp, bytes)).raw != 0xffff) {
		packet_free(answer);
		packet_drop(packet, DROP_BAD_CHECKSUM);
		return;
	}
	icmp->type = ICMP4_ECHO_REPLY;
	icmp->checksum = (be16){ 0 };
	icmp->checksum = checksum_finish(checksum_add(0, icmp, bytes));
	packet_free(packet);
	own_send(own, netdev, answer);
}
