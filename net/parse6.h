/* SPDX-License-Identifier: ISC */
/*
 * One parse of an IPv6 packet into plain numbers, the counterpart of parse_ip4(). Only
 * the head's bytes are looked at.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/drop.h"
#include "lib/packet.h"
#include "net/parse.h"
#include "net/parse6_chain.h"
#include "net/wire.h"

/* What tells conversations apart; as struct flow_key has it. */
struct packet6_key {
	struct ip6_address source;
	struct ip6_address destination;
	be16 source_port;
	be16 destination_port;
	uint8_t protocol;
	uint8_t interface; /* index of the interface that it arrives on */
	uint16_t zero;
};
static_assert(sizeof(struct packet6_key) == 40, "hashed and compared as five words");

/*
 * Addresses and ports in network order as in the key; everything else in host order. Of a
 * later fragment (parse6_is_later_fragment()) nothing of the transport header is known:
 * ports are 0, and the protocol is only what it claims.
 */
struct packet6_info {
	struct packet6_key key;
	struct parse6_fragment fragment;
	uint8_t kind; /* enum packet_kind */
	uint8_t hop_limit;
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t tcp_flags;
	bool router_alert;
	bool authenticated; /* nothing behind the authentication header may be changed */
	uint8_t traffic_class;
	uint32_t flow_label;
	uint32_t ip_length;	   /* bytes from the IPv6 header to the end */
	uint16_t transport_length; /* bytes from the transport header to the end */
	uint16_t header_length;	   /* bytes of IPv6, extension and transport headers */
	uint16_t payload_length;   /* bytes behind the transport header */
	uint16_t tcp_window;	   /* as it stands, not scaled */
	uint32_t tcp_sequence;
	uint32_t tcp_acknowledgement;
};

/*
 * Parses the packet whose Ethernet header is at data and whose type is IPv6. Cuts off
 * Ethernet padding, sets l3_offset and l4_offset (behind all extension headers), and brings
 * segmentation data into one form, as parse_ip4() does. False: `*reason` says why the
 * packet is to be dropped. Addresses are the caller's to judge (martian6.h). RFC 8200,
 * 4443, 768, 9293; neighbour discovery must have hop limit 255 and be whole (RFC 4861,
 * 6980); a first fragment must hold the whole transport header (RFC 7112).
 */
must_check bool parse_ip6(struct packet *packet, uint8_t interface, struct packet6_info *info,
			  enum drop_reason *reason);

/* The packet that an ICMPv6 error quotes. */
struct quoted6_packet {
	struct packet6_key answer; /* the key of answers to it, on the error's own interface */
	uint16_t ip_offset;	   /* of its IPv6 header, from data */
	uint16_t transport_offset;
	uint8_t icmp_type; /* when it is ICMPv6: an echo request or reply */
};

/*
 * Parses what the ICMPv6 error in `packet` quotes: an IPv6 header, its extension headers
 * and at least 8 bytes of transport header, not a later fragment, of a protocol that
 * has flows.
 */
must_check bool parse6_quoted(const struct packet *packet, const struct packet6_info *info,
			      struct quoted6_packet *quoted);
