/* SPDX-License-Identifier: ISC */
/*
 * Laying the headers of IPv6 packets of our own, and the addresses that follow from others
 * (RFC 4291).
 */
#pragma once

#include <stdint.h>

#include "lib/packet.h"
#include "net/netdev.h"
#include "net/wire.h"

/* Offset of what follows the Ethernet and IPv6 headers. */
#define IP6_MAKE_START (sizeof(struct ethernet_header) + sizeof(struct ip6_header))

#define IP6_DEFAULT_HOP_LIMIT 64u
#define IP6_CLASS_INTERNET_CONTROL 0xc0u /* as RFC 1812, 4.3.2.5, has it for IPv4 */

/* ff02::1 and ff02::2 (RFC 4291, 2.7.1) */
extern const struct ip6_address ip6_all_nodes;
extern const struct ip6_address ip6_all_routers;

struct ip6_make {
	const uint8_t *to_mac;
	const struct ip6_address *source;
	const struct ip6_address *destination;
	uint8_t protocol;
	uint8_t hop_limit;
	uint8_t traffic_class;
};

/*
 * Fills the Ethernet and IPv6 headers of a packet that is all in its head, and
 * l3_offset and l4_offset. What is behind them is the payload: there are no
 * extension headers.
 */
void ip6_make_headers(struct packet *packet, const struct netdev *netdev,
		      const struct ip6_make *make);

/* The sum of a packet so laid: pseudo-header and everything behind the IPv6 header. */
uint32_t ip6_make_sum(const struct packet *packet);

/* Fills in the checksum of an ICMPv6 message so laid. */
void ip6_make_icmp_checksum(struct packet *packet);

/* fe80::/64 and the EUI-64 of a MAC (RFC 4291, appendix A). */
struct ip6_address ip6_link_local_of_mac(const uint8_t *mac);

/* The group in which an address is asked for: ff02::1:ff and its last three bytes. */
struct ip6_address ip6_solicited_node(const struct ip6_address *address);

/* The MAC of a multicast address: 33:33 and its last four bytes (RFC 2464, 7). */
void ip6_multicast_mac(const struct ip6_address *group, uint8_t *mac);
