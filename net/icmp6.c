/* SPDX-License-Identifier: ISC */
#include "net/icmp6.h"

#include <string.h>

#include "lib/checksum.h"
#include "net/ip6_make.h"
#include "net/martian6.h"

#define FIRST_INFORMATIONAL 128u /* RFC 4443, 2.1: all types below are errors */

/* What may be said also about a packet that many have got. */
static bool is_for_many(uint8_t type, uint8_t code)
{
	return type == ICMP6_PACKET_TOO_BIG ||
	       (type == ICMP6_PARAMETER_PROBLEM && code == ICMP6_BAD_OPTION);
}

static bool is_silent_icmp(const struct packet_info *info)
{
	return info->icmp_type < FIRST_INFORMATIONAL ||
	       (info->icmp_type >= ICMP6_ROUTER_SOLICITATION && info->icmp_type <= ICMP6_REDIRECT);
}

bool icmp6_may_report(const struct packet *packet, const struct packet_info *info, uint8_t type,
		      uint8_t code)
{
	if (parse6_is_later_fragment(&info->fragment) ||
	    !ip6_address_is_one_host(&info->ip6.source))
		return false;
	if (info->key.protocol == IP_PROTOCOL_ICMP6 && is_silent_icmp(info))
		return false;
	if (is_for_many(type, code))
		return true;
	return !ip6_address_is_multicast(&info->ip6.destination) &&
	       !mac_is_group(ethernet_of(packet)->destination);
}

/* Lays Ethernet and IPv6 headers for an answer to the sender of `packet`. */
static void answer_headers(struct packet *answer, const struct netdev *netdev,
			   const struct packet *packet, const struct ip6_address *from,
			   uint8_t traffic_class)
{
	struct ip6_address to;
	const struct ip6_make make = {
		.to_mac = ethernet_of(packet)->source,
		.source = from,
		.destination = &to,
		.protocol = IP_PROTOCOL_ICMP6,
		.hop_limit = IP6_DEFAULT_HOP_LIMIT,
		.traffic_class = traffic_class,
	};

	memcpy(&to, ip6_of(packet)->source, sizeof(to));
	ip6_make_headers(answer, netdev, &make);
}

static struct icmp6_header *icmp6_behind(const struct packet *answer)
{
	return (struct icmp6_header *)(answer->data + IP6_MAKE_START);
}

void icmp6_send_error(const struct own *own, struct netdev *netdev, const struct packet *packet,
		      const struct ip6_address *own_address, uint8_t type, uint8_t code,
		      uint32_t value)
{
	const size_t headers = sizeof(struct ip6_header) + sizeof(struct icmp6_header);
	size_t quote = (size_t)packet->head_length - packet->l3_offset;
	struct icmp6_header *icmp;
	struct packet *error;

	if (quote > ICMP6_ERROR_MAX_BYTES - headers)
		quote = ICMP6_ERROR_MAX_BYTES - headers;
	error = own_make(own, netdev, sizeof(struct ethernet_header) + headers + quote);
	if (!error)
		return;
	answer_headers(error, netdev, packet, own_address, IP6_CLASS_INTERNET_CONTROL);
	icmp = icmp6_behind(error);
	icmp->type = type;
	icmp->code = code;
	icmp->id = be16_of((uint16_t)(value >> 16));
	icmp->sequence = be16_of((uint16_t)value);
	memcpy(icmp + 1, packet->data + packet->l3_offset, quote);
	ip6_make_icmp_checksum(error);
	own_send(own, netdev, error);
}

/* What keeps a request from being answered, or DROP_REASON_COUNT. */
static enum drop_reason echo_trouble(const struct netdev *netdev, const struct packet_info *info)
{
	size_t bytes = sizeof(struct ip6_header) + info->transport_length;

	if (parse6_is_first_fragment(&info->fragment) || parse6_is_later_fragment(&info->fragment))
		return DROP_FRAGMENT;
	if (ip6_address_is_multicast(&info->ip6.destination) ||
	    !ip6_address_is_one_host(&info->ip6.source))
		return DROP_MULTICAST;
	if (bytes > netdev->mtu || bytes + sizeof(struct ethernet_header) > OWN_MAX_BYTES)
		return DROP_TOO_BIG;
	return DROP_REASON_COUNT;
}

void icmp6_echo(const struct own *own, struct netdev *netdev, struct packet *packet,
		const struct packet_info *info)
{
	enum drop_reason trouble = echo_trouble(netdev, info);
	size_t bytes = info->transport_length;
	struct icmp6_header *icmp;
	struct packet *answer;

	if (trouble != DROP_REASON_COUNT) {
		packet_drop(packet, trouble);
		return;
	}
	answer = own_make(own, netdev, IP6_MAKE_START + bytes);
	if (!answer ||
	    packet_copy_out(packet, packet->l4_offset, answer->data + IP6_MAKE_START, bytes)) {
		packet_free(answer);
		packet_drop(packet, DROP_NO_MEMORY);
		return;
	}
	/* Both ends change places in the answer, which leaves the sum as it is. */
	answer_headers(answer, netdev, packet, &info->ip6.destination, info->traffic_class);
	if (checksum_fold(ip6_make_sum(answer)).raw != 0xffff) {
		packet_free(answer);
		packet_drop(packet, DROP_BAD_CHECKSUM);
		return;
	}
	icmp = icmp6_behind(answer);
	icmp->type = ICMP6_ECHO_REPLY;
	ip6_make_icmp_checksum(answer);
	packet_free(packet);
	own_send(own, netdev, answer);
}
