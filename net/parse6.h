/* SPDX-License-Identifier: ISC */
/*
 * One parse of an IPv6 packet into plain numbers, the counterpart of parse_ip4(). Only
 * the head's bytes are looked at.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/drop.h"
#include "lib/packet.h"
#include "net/packet_info.h"

/*
 * Parses the packet whose Ethernet header is at data and whose type is IPv6. Cuts off
 * Ethernet padding, sets l3_offset and l4_offset (behind all extension headers), and brings
 * segmentation data into one form, as parse_ip4() does. False: `*reason` says why the
 * packet is to be dropped. Addresses are the caller's to judge (martian6.h). RFC 8200,
 * 4443, 768, 9293; neighbour discovery must have hop limit 255 and be whole (RFC 4861,
 * 6980); a first fragment must hold the whole transport header (RFC 7112).
 */
must_check bool parse_ip6(struct packet *packet, uint8_t interface, struct packet_info *info,
			  enum drop_reason *reason);

/*
 * Parses what the ICMPv6 error in `packet` quotes: an IPv6 header, its extension headers
 * and at least 8 bytes of transport header, not a later fragment, of a protocol that
 * has flows.
 */
must_check bool parse6_quoted(const struct packet *packet, const struct packet_info *info,
			      struct quoted_packet *quoted);
