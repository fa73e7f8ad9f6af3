/* SPDX-License-Identifier: ISC */
#include "net/ndp_message.h"

#include <string.h>

#include "lib/checksum.h"
#include "net/ip6_make.h"
#include "net/martian6.h"
#include "net/ndp_wire.h"

#define MESSAGE_MAX 1460u /* bytes of ICMPv6: longer ones fit no Ethernet unfragmented */

/* The bytes of one message, all of them private. */
struct bytes {
	const uint8_t *at;
	size_t count;
};

/* The type of the option that holds the sender's MAC, if the message is of such a kind. */
static uint8_t mac_option_of(uint8_t type)
{
	return type == ICMP6_NEIGHBOUR_ADVERTISEMENT ? NDP_OPTION_TARGET_MAC
						     : NDP_OPTION_SOURCE_MAC;
}

static bool read_mac(const struct bytes *option, struct ndp_message *message)
{
	const struct ndp_option_mac *mac = (const struct ndp_option_mac *)option->at;

	if (option->count != sizeof(*mac) || !mac_equal(mac->mac, message->sender_mac))
		return false;
	message->has_mac = true;
	return true;
}

static void read_nonce(const struct bytes *option, struct ndp_message *message)
{
	const struct ndp_option_nonce *nonce = (const struct ndp_option_nonce *)option->at;

	if (option->count != sizeof(*nonce))
		return;
	message->has_nonce = true;
	memcpy(message->nonce, nonce->nonce, sizeof(message->nonce));
}

static bool read_options(struct bytes rest, struct ndp_message *message)
{
	while (rest.count) {
		const struct ndp_option *option = (const struct ndp_option *)rest.at;
		struct bytes one = { rest.at, 0 };

		if (rest.count < sizeof(*option))
			return false;
		one.count = (size_t)option->units * NDP_OPTION_UNIT;
		if (one.count == 0 || one.count > rest.count)
			return false;
		if (option->type == mac_option_of(message->type)) {
			if (!read_mac(&one, message))
				return false;
		} else if (option->type == NDP_OPTION_NONCE) {
			read_nonce(&one, message);
		}
		rest.at += one.count;
		rest.count -= one.count;
	}
	return true;
}

/* RFC 4861, 7.1.1, and 4.3 for where it goes */
static bool solicitation_is_good(const struct ndp_message *message)
{
	struct ip6_address group = ip6_solicited_node(&message->target);
	bool to_group = ip6_address_equal(&message->destination, &group);

	if (ndp_is_probe(message))
		return to_group && !message->has_mac;
	return to_group || ip6_address_equal(&message->destination, &message->target);
}

/* RFC 4861, 7.1.2: a solicited one answers one host. */
static bool advertisement_is_good(const struct ndp_message *message)
{
	return ip6_address_is_one_host(&message->source) &&
	       !(message->solicited && ip6_address_is_multicast(&message->destination));
}

static bool read_neighbour(const struct bytes *bytes, struct ndp_message *message)
{
	const struct ndp_neighbour *neighbour = (const struct ndp_neighbour *)bytes->at;
	const size_t fixed = sizeof(*neighbour);

	if (bytes->count < fixed)
		return false;
	memcpy(&message->target, neighbour->target, sizeof(message->target));
	if (!ip6_address_is_one_host(&message->target) ||
	    !read_options((struct bytes){ bytes->at + fixed, bytes->count - fixed }, message))
		return false;
	if (message->type == ICMP6_NEIGHBOUR_SOLICITATION)
		return solicitation_is_good(message);
	message->router = neighbour->flags & NDP_FLAG_ROUTER;
	message->solicited = neighbour->flags & NDP_FLAG_SOLICITED;
	message->override = neighbour->flags & NDP_FLAG_OVERRIDE;
	return advertisement_is_good(message);
}

/* RFC 4861, 6.1.1 */
static bool read_router_solicitation(const struct bytes *bytes, struct ndp_message *message)
{
	const size_t fixed = sizeof(struct ndp_router_solicitation);

	if (bytes->count < fixed ||
	    !read_options((struct bytes){ bytes->at + fixed, bytes->count - fixed }, message))
		return false;
	return !(ndp_is_probe(message) && message->has_mac);
}

/* RFC 4861, 6.1.2 */
static bool read_router_advertisement(const struct bytes *bytes, struct ndp_message *message)
{
	const struct ndp_router_advertisement *router =
		(const struct ndp_router_advertisement *)bytes->at;
	const size_t fixed = sizeof(*router);

	if (bytes->count < fixed || !ip6_address_is_link_local(&message->source))
		return false;
	message->lifetime_s = be16_get(router->lifetime);
	return read_options((struct bytes){ bytes->at + fixed, bytes->count - fixed }, message);
}

static bool read_message(const struct bytes *bytes, struct ndp_message *message)
{
	switch (message->type) {
	case ICMP6_ROUTER_SOLICITATION:
		return read_router_solicitation(bytes, message);
	case ICMP6_ROUTER_ADVERTISEMENT:
		return read_router_advertisement(bytes, message);
	case ICMP6_NEIGHBOUR_SOLICITATION:
	case ICMP6_NEIGHBOUR_ADVERTISEMENT:
		return read_neighbour(bytes, message);
	default:
		return false;
	}
}

static bool checksum_is_good(const struct packet *packet, const struct packet_info *info,
			     const struct bytes *bytes)
{
	uint32_t sum;

	if (packet->flags & (PACKET_CSUM_BLANK | PACKET_CSUM_VALID))
		return true;
	sum = checksum_pseudo_ip6(info->ip6.source.bytes, info->ip6.destination.bytes,
				  IP_PROTOCOL_ICMP6, (uint16_t)bytes->count);
	return checksum_fold(checksum_add(sum, bytes->at, bytes->count)).raw == 0xffff;
}

static bool parse_bytes(const struct packet *packet, const struct packet_info *info,
			const struct bytes *bytes, struct ndp_message *message)
{
	*message = (struct ndp_message){
		.type = info->icmp_type,
		.source = info->ip6.source,
		.destination = info->ip6.destination,
	};
	mac_copy(message->sender_mac, ethernet_of(packet)->source);
	if (mac_is_group(message->sender_mac) || (!ip6_address_is_one_host(&message->source) &&
						  !ip6_address_is_unspecified(&message->source)))
		return false;
	return checksum_is_good(packet, info, bytes) && read_message(bytes, message);
}

/* What is not in the head may still be written by others: it is read from a copy. */
static bool parse_copy(const struct packet *packet, const struct packet_info *info,
		       struct ndp_message *message)
{
	uint8_t copy[MESSAGE_MAX];
	const struct bytes bytes = { copy, info->transport_length };

	if (bytes.count > sizeof(copy) ||
	    packet_copy_out(packet, packet->l4_offset, copy, bytes.count))
		return false;
	return parse_bytes(packet, info, &bytes, message);
}

bool ndp_parse(const struct packet *packet, const struct packet_info *info,
	       struct ndp_message *message)
{
	const struct bytes bytes = { wire_at(packet, packet->l4_offset, info->transport_length),
				     info->transport_length };

	if (info->key.protocol != IP_PROTOCOL_ICMP6 || info->ttl != ICMP6_NDP_HOP_LIMIT ||
	    info->fragment.header || info->icmp_code != 0)
		return false;
	if (!bytes.at)
		return parse_copy(packet, info, message);
	return parse_bytes(packet, info, &bytes, message);
}

bool ndp_is_probe(const struct ndp_message *message)
{
	return (message->type == ICMP6_NEIGHBOUR_SOLICITATION ||
		message->type == ICMP6_ROUTER_SOLICITATION) &&
	       ip6_address_is_unspecified(&message->source);
}
