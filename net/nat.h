/* SPDX-License-Identifier: ISC */
/*
 * Rewriting packets of both IP versions from one tuple of their flow to the other.
 * Checksums change by the difference (RFC 1624), computed once for each flow; a payload
 * is never read. Which translation a flow has is chosen in nat_choose.h.
 *
 * Ports belong to TCP and UDP, an echo's identifier to ICMP and ICMPv6; of all other
 * protocols only the addresses change, and with them the checksums of UDP-Lite and DCCP,
 * which cover them (SCTP's does not).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/packet.h"
#include "net/flow.h"
#include "net/fragments.h"
#include "net/packet_info.h"

/* Computes the differences for a flow whose tuples are not mirror images. */
void nat_prepare(struct flow *flow);

/*
 * False: an authentication header covers the addresses (RFC 4302), so that a packet of a
 * FLOW_TRANSLATED flow must be dropped rather than rewritten.
 */
bool nat_may_translate(const struct packet_info *info);

/*
 * Rewrites a packet that arrived as the flow's `direction`: addresses, ports or echo
 * identifier, TTL or hop limit less one, checksums. A first fragment too: its checksum is
 * that of the whole datagram, which changes by the same difference. A blank checksum
 * (PACKET_CSUM_BLANK) stays blank. A UDP checksum of 0 stays 0 and none becomes 0.
 */
void nat_rewrite(struct packet *packet, const struct packet_info *info, const struct flow *flow,
		 enum flow_direction direction);

/*
 * The same for an ICMP or ICMPv6 error that arrived on the side of `direction` and quotes
 * a packet that had gone the other way: the quoted headers inside out, then the outer
 * ones (RFC 5508, section 4). When that side's end has another name outside, whoever
 * speaks from there is given it, also a router in between. The length does not change;
 * what is cut off of the quote is not missed.
 */
void nat_rewrite_error(struct packet *packet, const struct packet_info *info,
		       const struct quoted_packet *quoted, const struct flow *flow,
		       enum flow_direction direction);

/*
 * Rewrites a later fragment, after what its first one's verdict says: addresses,
 * identification, TTL less one. `header`: offset of its fragment header from data (IPv6
 * only); `id` in host order, for IPv4 16 bits of it. Its transport checksum is in the first.
 */
void nat_rewrite_fragment(struct packet *packet, uint8_t version, uint16_t header,
			  const union fragment_address *source,
			  const union fragment_address *destination, uint32_t id);

/*
 * Other addresses for an IPv4 packet that belongs to no flow here, in any of its fragments;
 * ports stay. And the same for what an ICMP error quotes, as its sender wrote it; of `quoted`
 * only the addresses need to have been read.
 */
void nat_readdress(struct packet *packet, const struct packet_info *info, be32 source,
		   be32 destination);
void nat_readdress_quote(struct packet *packet, const struct quoted_packet *quoted, be32 source,
			 be32 destination);

/* The identification alone, for a first fragment beside nat_rewrite(). */
void nat_set_fragment_id(struct packet *packet, uint8_t version, uint16_t header, uint32_t id);

/* Takes one from the TTL and corrects the header checksum, or from the hop limit. */
void nat_decrement_ttl(struct packet *packet, uint8_t version);
