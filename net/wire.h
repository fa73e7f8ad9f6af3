/* SPDX-License-Identifier: ISC */
/*
 * Headers as they lie on the wire: Ethernet (IEEE 802.3), ARP (RFC 826), IPv4
 * (RFC 791), ICMP (RFC 792), IPv6 (RFC 8200), UDP (RFC 768), TCP (RFC 9293). All fields
 * are bytes or be16/be32, so a struct may be laid over any address.
 *
 * Access is by the *_at() functions: one check that the whole fixed part lies in the
 * packet's head, after which no field access can fail.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/packet.h"

#define MAC_BYTES 6u

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_ARP 0x0806u
#define ETHERTYPE_IP6 0x86ddu

struct ethernet_header {
	uint8_t destination[MAC_BYTES];
	uint8_t source[MAC_BYTES];
	be16 type;
};
static_assert(sizeof(struct ethernet_header) == 14, "RFC 894");

#define ARP_HARDWARE_ETHERNET 1u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u

struct arp_header {
	be16 hardware_type;
	be16 protocol_type;
	uint8_t hardware_bytes;
	uint8_t protocol_bytes;
	be16 operation;
	uint8_t sender_mac[MAC_BYTES];
	be32 sender;
	uint8_t target_mac[MAC_BYTES];
	be32 target;
};
static_assert(sizeof(struct arp_header) == 28, "RFC 826");

#define IP_PROTOCOL_ICMP 1u
#define IP_PROTOCOL_TCP 6u
#define IP_PROTOCOL_UDP 17u

#define IP4_VERSION_NO_OPTIONS 0x45u
#define IP4_DONT_FRAGMENT 0x4000u
#define IP4_MORE_FRAGMENTS 0x2000u
#define IP4_OFFSET_MASK 0x1fffu
#define IP4_DEFAULT_TTL 64u

struct ip4_header {
	uint8_t version_length; /* version << 4 | header length in 32-bit words */
	uint8_t tos;
	be16 total_length; /* bytes, with this header */
	be16 id;
	be16 fragment; /* flags and offset in units of 8 bytes */
	uint8_t ttl;
	uint8_t protocol;
	be16 checksum;
	be32 source;
	be32 destination;
};
static_assert(sizeof(struct ip4_header) == 20, "RFC 791");

#define IP6_ADDRESS_BYTES 16u
/* Extension headers that may stand before a transport header, RFC 8200 section 4 */
#define IP6_HOP_BY_HOP 0u
#define IP6_ROUTING 43u
#define IP6_DESTINATION_OPTIONS 60u
#define IP6_EXTENSION_UNIT 8u /* bytes; the length field counts them without the first */
#define IP6_FRAGMENT 44u
#define IP6_AUTHENTICATION 51u /* RFC 4302: its length field counts words without two */
#define IP6_NO_NEXT_HEADER 59u
#define IP6_MOBILITY 135u	    /* RFC 6275 */
#define IP6_HIP 139u		    /* RFC 7401 */
#define IP6_SHIM6 140u		    /* RFC 5533 */
#define IP6_ROUTING_SOURCE_ROUTE 0u /* RFC 5095: obsolete and dangerous */
#define IP6_OPTION_PAD1 0u
#define IP6_OPTION_ROUTER_ALERT 0x05u /* RFC 2711 */
#define IP6_OPTION_JUMBO 0xc2u	      /* RFC 2675 */
#define IP6_OPTION_MUST_KNOW 0xc0u    /* not 0: who does not know it does not pass it on */
#define IP6_MORE_FRAGMENTS 1u
#define IP6_OFFSET_MASK 0xfff8u
#define IP_PROTOCOL_IGMP 2u
#define IP_PROTOCOL_ICMP6 58u

struct ip6_address {
	uint8_t bytes[IP6_ADDRESS_BYTES];
};
static_assert(sizeof(struct ip6_address) == 16, "RFC 4291");

struct ip6_header {
	be32 version_class_flow; /* version in the first four bits */
	be16 payload_length;	 /* bytes behind this header */
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t source[IP6_ADDRESS_BYTES];
	uint8_t destination[IP6_ADDRESS_BYTES];
};
static_assert(sizeof(struct ip6_header) == 40, "RFC 8200, 3");

struct ip6_fragment_header {
	uint8_t next_header;
	uint8_t reserved;
	be16 offset; /* in bytes, with IP6_MORE_FRAGMENTS in the lowest bit */
	be32 id;
};
static_assert(sizeof(struct ip6_fragment_header) == 8, "RFC 8200, 4.5");

/* RFC 4443; the codes of neighbour discovery: RFC 4861 */
#define ICMP6_UNREACHABLE 1u
#define ICMP6_PACKET_TOO_BIG 2u
#define ICMP6_TIME_EXCEEDED 3u
#define ICMP6_PARAMETER_PROBLEM 4u
#define ICMP6_ECHO_REQUEST 128u
#define ICMP6_ECHO_REPLY 129u
#define ICMP6_ROUTER_SOLICITATION 133u
#define ICMP6_ROUTER_ADVERTISEMENT 134u
#define ICMP6_NEIGHBOUR_SOLICITATION 135u
#define ICMP6_NEIGHBOUR_ADVERTISEMENT 136u
#define ICMP6_REDIRECT 137u
#define ICMP6_NDP_HOP_LIMIT 255u /* what has crossed no router still has */

struct icmp6_header {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	be16 id; /* echo; with `sequence` the MTU in ICMP6_PACKET_TOO_BIG */
	be16 sequence;
};
static_assert(sizeof(struct icmp6_header) == 8, "RFC 4443");

#define ICMP4_ECHO_REPLY 0u
#define ICMP4_UNREACHABLE 3u
#define ICMP4_SOURCE_QUENCH 4u
#define ICMP4_REDIRECT 5u
#define ICMP4_ECHO_REQUEST 8u
#define ICMP4_TIME_EXCEEDED 11u
#define ICMP4_PARAMETER_PROBLEM 12u

/* Codes of ICMP4_UNREACHABLE */
#define ICMP4_NET_UNREACHABLE 0u
#define ICMP4_HOST_UNREACHABLE 1u
#define ICMP4_PROTOCOL_UNREACHABLE 2u
#define ICMP4_PORT_UNREACHABLE 3u
#define ICMP4_FRAGMENTATION_NEEDED 4u
#define ICMP4_ADMIN_PROHIBITED 13u

struct icmp4_header {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	be16 id;       /* echo; unused or zero in errors */
	be16 sequence; /* echo; the next hop's MTU in ICMP4_FRAGMENTATION_NEEDED */
};
static_assert(sizeof(struct icmp4_header) == 8, "RFC 792");

struct udp_header {
	be16 source_port;
	be16 destination_port;
	be16 length;   /* bytes, with this header */
	be16 checksum; /* 0: none */
};
static_assert(sizeof(struct udp_header) == 8, "RFC 768");

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u
#define TCP_URG 0x20u
#define TCP_ECE 0x40u
#define TCP_CWR 0x80u

#define TCP_OPTION_END 0u
#define TCP_OPTION_NOP 1u
#define TCP_OPTION_WINDOW_SCALE 3u

struct tcp_header {
	be16 source_port;
	be16 destination_port;
	be32 sequence;
	be32 acknowledgement;
	uint8_t data_offset; /* header length in 32-bit words << 4 */
	uint8_t flags;
	be16 window;
	be16 checksum;
	be16 urgent;
};
static_assert(sizeof(struct tcp_header) == 20, "RFC 9293, 3.1");

/* `bytes` bytes at `offset` from data, or NULL when the head does not hold them all. */
static inline void *wire_at(const struct packet *packet, size_t offset, size_t bytes)
{
	if (offset > packet->head_length || bytes > packet->head_length - offset)
		return NULL;
	return packet->data + offset;
}

static inline struct ethernet_header *ethernet_at(const struct packet *packet)
{
	return wire_at(packet, 0, sizeof(struct ethernet_header));
}

static inline struct arp_header *arp_at(const struct packet *packet, size_t offset)
{
	return wire_at(packet, offset, sizeof(struct arp_header));
}

static inline struct ip4_header *ip4_at(const struct packet *packet, size_t offset)
{
	return wire_at(packet, offset, sizeof(struct ip4_header));
}

static inline struct ip6_header *ip6_at(const struct packet *packet, size_t offset)
{
	return wire_at(packet, offset, sizeof(struct ip6_header));
}

static inline struct icmp4_header *icmp4_at(const struct packet *packet, size_t offset)
{
	return wire_at(packet, offset, sizeof(struct icmp4_header));
}

static inline struct ip6_fragment_header *ip6_fragment_at(const struct packet *packet,
							  size_t offset)
{
	return wire_at(packet, offset, sizeof(struct ip6_fragment_header));
}

static inline struct icmp6_header *icmp6_at(const struct packet *packet, size_t offset)
{
	return wire_at(packet, offset, sizeof(struct icmp6_header));
}

static inline struct udp_header *udp_at(const struct packet *packet, size_t offset)
{
	return wire_at(packet, offset, sizeof(struct udp_header));
}

static inline struct tcp_header *tcp_at(const struct packet *packet, size_t offset)
{
	return wire_at(packet, offset, sizeof(struct tcp_header));
}

/*
 * The same without a check, for what parse_ip4() has checked or we have just made:
 * the headers at data, l3_offset and l4_offset.
 */
static inline struct ethernet_header *ethernet_of(const struct packet *packet)
{
	return (struct ethernet_header *)packet->data;
}

static inline struct ip4_header *ip4_of(const struct packet *packet)
{
	return (struct ip4_header *)(packet->data + packet->l3_offset);
}

static inline struct ip6_header *ip6_of(const struct packet *packet)
{
	return (struct ip6_header *)(packet->data + packet->l3_offset);
}

static inline struct icmp4_header *icmp4_of(const struct packet *packet)
{
	return (struct icmp4_header *)(packet->data + packet->l4_offset);
}

static inline struct udp_header *udp_of(const struct packet *packet)
{
	return (struct udp_header *)(packet->data + packet->l4_offset);
}

static inline struct tcp_header *tcp_of(const struct packet *packet)
{
	return (struct tcp_header *)(packet->data + packet->l4_offset);
}

static inline bool mac_is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

/*
 * Builtins by name: the kernel is compiled as freestanding, where memcmp() and memcpy()
 * of six bytes would be calls.
 */
static inline bool mac_equal(const uint8_t *a, const uint8_t *b)
{
	return __builtin_memcmp(a, b, 4) == 0 && __builtin_memcmp(a + 4, b + 4, 2) == 0;
}

static inline void mac_copy(uint8_t *to, const uint8_t *from)
{
	__builtin_memcpy(to, from, MAC_BYTES);
}

static inline bool mac_is_zero(const uint8_t *mac)
{
	static const uint8_t zero[MAC_BYTES];

	return mac_equal(mac, zero);
}
