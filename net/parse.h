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
#include "net/packet_info.h"
#include "net/wire.h"

/*
 * Parses the packet whose Ethernet header is at data and whose type is IPv4. Cuts
 * off Ethernet padding, sets l3_offset and l4_offset, and brings segmentation data into one
 * form (gso_type is set only when there is more than one segment, and the checksum is
 * blank then). False: `*reason` says why the packet is to be dropped. RFC 791, 792,
 * 768, 9293; RFC 1812 5.2.2.
 */
must_check bool parse_ip4(struct packet *packet, uint8_t interface, struct packet_info *info,
			  enum drop_reason *reason);

/*
 * Parses what the ICMP error in `packet` quotes: an IPv4 header and at least 8 bytes of
 * transport header, not a later fragment, of a protocol that has flows.
 */
must_check bool parse_quoted(const struct packet *packet, const struct packet_info *info,
			     struct quoted_packet *quoted);

/* 0/8, 127/8, 169.254/16, 224/4, 240/4: never a sender, never forwarded (RFC 6890). */
static inline bool address_is_martian(be32 address)
{
	uint32_t a = be32_get(address);
	uint32_t first = a >> 24;

	return first == 0 || first == 127 || first >= 224 || a >> 16 == 0xa9fe;
}

/* 224/4 and 255.255.255.255. */
bool address_is_multicast(be32 address);

/* False: a combination of TCP_* that no TCP sends and that confuses state machines. */
bool tcp_flags_are_sane(uint8_t flags);
