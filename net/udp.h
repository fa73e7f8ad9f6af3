/* SPDX-License-Identifier: ISC */
/* Single UDP datagrams (RFC 768): what we say ourselves, and what a packet holds. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/ip_address.h"
#include "net/own.h"
#include "net/packet_info.h"

struct udp_ends {
	struct ip_address from, to; /* of one version */
	uint16_t from_port, to_port;
};

/*
 * A packet for `netdev` with UDP/IPv4 or UDP/IPv6 headers, complete with checksums, around
 * a copy of `data`; the Ethernet header has only its type. l3_offset and l4_offset are set.
 * NULL: no memory, or larger than the link's MTU or OWN_MAX_BYTES. The caller owns it.
 */
must_check struct packet *udp_make(const struct own *own, struct netdev *netdev,
				   const struct udp_ends *ends, const void *data, size_t bytes);

/*
 * Copies the payload of a parsed UDP packet, not a fragment, to `to`. Its bytes; -E2BIG:
 * more than `room`; -EINVAL: wrong length or checksum. A blank checksum, or one that the
 * sender vouches for, is not looked at.
 */
must_check int udp_copy(const struct packet *packet, const struct packet_info *info, void *to,
			size_t room);

/* The packet's source or destination address. */
struct ip_address packet_source(const struct packet_info *info);
struct ip_address packet_destination(const struct packet_info *info);
