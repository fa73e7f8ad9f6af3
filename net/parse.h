/* SPDX-License-Identifier: ISC */
/*
 * One parse of an IPv4 packet into plain numbers; every later decision is made on
 * these. Only the head's bytes are looked at.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/drop.h"
#include "lib/packet.h"
#include "net/flow_key.h"
#include "net/wire.h"

enum packet_kind {
	PACKET_ORDINARY,   /* has a flow of its own */
	PACKET_ICMP_ERROR, /* belongs to the flow of the packet it quotes */
	PACKET_ICMP_OTHER, /* an ICMP message that is neither an echo nor an error */
};

/* Addresses and ports in network order as in the key; everything else in host order. */
struct packet_info {
	struct flow_key key;
	uint32_t hash; /* of the key; filled by whoever looks it up */
	uint8_t kind;  /* enum packet_kind */
	uint8_t ttl;
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t tcp_flags;
	bool dont_fragment;
	uint16_t ip_length;	   /* bytes from the IPv4 header to the end */
	uint16_t transport_length; /* bytes from the transport header to the end */
	uint16_t header_length;	   /* bytes of IPv4 and transport header */
	uint16_t payload_length;   /* bytes behind the transport header */
	uint16_t tcp_window;	   /* as it stands, not scaled */
	uint32_t tcp_sequence;
	uint32_t tcp_acknowledgement;
};

/*
 * Parses the packet whose Ethernet header is at data and whose type is IPv4. Cuts
 * off Ethernet padding, sets l3_offset and l4_offset, and brings segmentation data into one
 * form (gso_type is set only when there is more than one segment, and the checksum is
 * blank then). False: `*reason` says why the packet is to be dropped. RFC 791, 792,
 * 768, 9293; RFC 1812 5.2.2.
 */
must_check bool parse_ip4(struct packet *packet, uint8_t interface, struct packet_info *info,
			  enum drop_reason *reason);

/* The packet that an ICMP error quotes. */
struct quoted_packet {
	struct flow_key answer; /* the key of answers to it, on the error's own interface */
	uint16_t ip_offset;	/* of its IPv4 header, from data */
	uint16_t transport_offset;
	uint8_t icmp_type; /* when it is ICMP: an echo request or reply */
};

/*
 * Parses what the ICMP error in `packet` quotes: an IPv4 header and at least 8 bytes of
 * transport header, not a later fragment, of a protocol that has flows.
 */
must_check bool parse_quoted(const struct packet *packet, const struct packet_info *info,
			     struct quoted_packet *quoted);

/* 0/8, 127/8, 169.254/16, 224/4, 240/4: never a sender, never forwarded (RFC 6890). */
bool address_is_martian(be32 address);

/* 224/4 and 255.255.255.255. */
bool address_is_multicast(be32 address);

/* False: a combination of TCP_* that no TCP sends and that confuses state machines. */
bool tcp_flags_are_sane(uint8_t flags);
