/* SPDX-License-Identifier: ISC */
/*
 * Messages of neighbour discovery (RFC 4861), read once and checked: what all of them are
 * to one another is decided on these.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/packet_info.h"
#include "net/wire.h"

#define NDP_NONCE_BYTES 6u /* RFC 3971, 5.3.2: of the shortest nonce, which is ours */

struct ndp_message {
	uint8_t type;		   /* ICMP6_NEIGHBOUR_..., ICMP6_ROUTER_... */
	struct ip6_address source; /* :: for who looks for an address: see ndp_is_probe() */
	struct ip6_address destination;
	struct ip6_address target;     /* of a neighbour message */
	uint8_t sender_mac[MAC_BYTES]; /* the frame's source; an option may not say another */
	bool has_mac;		       /* there was a link-layer address option */
	bool router;		       /* neighbour advertisement: flags R, S, O */
	bool solicited;
	bool override;
	bool has_nonce; /* RFC 7527; of another length it is nobody's that we know */
	uint8_t nonce[NDP_NONCE_BYTES];
	uint16_t lifetime_s; /* router advertisement: as a default router; 0: it is none */
};

/*
 * Reads a message from what parse_ip6() has parsed. False: to be dropped (DROP_BAD_NDP).
 * Does not consume the packet, and does not write to it.
 *
 * Checked, beyond what parse_ip6() has (hop limit, code, not a fragment): RFC 4861 6.1 and 7.1
 * with its checksum, unless a neighbour on this machine vouches for that; and more
 * strictly than that
 *
 *	a link-layer address option is the frame's source, an individual MAC
 *	the target is one host's address, and so is a source that is not ::
 *	a solicitation goes to its target or to its target's group
 *
 * Redirects (which could lead around a firewall) are no messages that are read.
 */
must_check bool ndp_parse(const struct packet *packet, const struct packet_info *info,
			  struct ndp_message *message);

/*
 * A solicitation of somebody who wants to know whether the target is free (RFC 4862, 5.4);
 * or a router solicitation of a host that has no address yet.
 */
bool ndp_is_probe(const struct ndp_message *message);
