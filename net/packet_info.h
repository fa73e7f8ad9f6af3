/* SPDX-License-Identifier: ISC */
/*
 * What one parse finds out about a packet, in plain numbers; every later decision is
 * made on these. Made by parse_ip4() and parse_ip6().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/flow_key.h"
#include "net/parse6_chain.h"

enum packet_kind {
	PACKET_ORDINARY,   /* has a flow of its own */
	PACKET_ICMP_ERROR, /* belongs to the flow of the packet it quotes */
	PACKET_ICMP_OTHER, /* an ICMP message that is neither an echo nor an error */
};

/*
 * Addresses and ports in network order as in the key; everything else in host order. Of a
 * later fragment nothing of the transport header is known: ports are 0, and IPv6's
 * protocol is only what it claims.
 */
struct packet_info {
	union {
		struct flow_tuple tuple;
		struct {
			struct flow_key key;
			struct flow_addresses6 ip6; /* IPv6 only */
		};
	};
	uint32_t hash; /* of the tuple; filled by whoever looks it up */
	uint8_t kind;  /* enum packet_kind */
	uint8_t ttl;   /* or hop limit */
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t tcp_flags;
	bool dont_fragment;	   /* always in IPv6 */
	bool router_alert;	   /* IPv6 */
	bool authenticated;	   /* IPv6: nothing behind the authentication header may change */
	uint8_t traffic_class;	   /* IPv6 */
	uint32_t flow_label;	   /* IPv6 */
	uint32_t ip_length;	   /* bytes from the IP header to the end */
	uint16_t transport_length; /* bytes from the transport header to the end */
	uint16_t header_length;	   /* bytes of IP, extension and transport headers */
	uint16_t payload_length;   /* bytes behind the transport header */
	uint16_t tcp_window;	   /* as it stands, not scaled */
	uint32_t tcp_sequence;
	uint32_t tcp_acknowledgement;
	struct parse6_fragment fragment; /* in IPv4 `header` is the IP header */
};

/* Is it a part of a datagram, and not the whole of it (RFC 6946)? */
static inline bool packet_is_fragment(const struct packet_info *info)
{
	return info->fragment.header && (info->fragment.offset || info->fragment.more);
}

/*
 * Begins a description: nothing known but where it came from, ip6 undefined. In two pieces,
 * for one of more than 48 bytes would be a slow string instruction where there are no
 * vector registers.
 */
static inline void packet_info_begin(struct packet_info *info, uint8_t interface, uint8_t version)
{
	const size_t middle = offsetof(struct packet_info, payload_length);

	info->key = (struct flow_key){ .interface = interface, .version = version };
	__builtin_memset(&info->hash, 0, middle - offsetof(struct packet_info, hash));
	__builtin_memset(&info->payload_length, 0, sizeof(*info) - middle);
}

/* The packet that an ICMP error quotes. */
struct quoted_packet {
	struct flow_tuple answer; /* answers to it look so, on the error's own interface */
	uint16_t ip_offset;	  /* of its IP header, from data */
	uint16_t transport_offset;
	uint8_t icmp_type; /* when it is ICMP: an echo request or reply */
};
