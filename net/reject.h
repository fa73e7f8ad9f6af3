/* SPDX-License-Identifier: ISC */
/*
 * Telling a sender that its packet was refused: a TCP reset (RFC 9293, 3.10.7.1) in the
 * name of the destination, as the closed port itself would send it, and for everything
 * else an ICMP unreachable in ours.
 */
#pragma once

#include "lib/byteorder.h"
#include "lib/packet.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/parse.h"
#include "net/rules.h"

/* Refuses `packet`, as it came in on `netdev`. The packet stays the caller's. */
void reject_packet(const struct own *own, struct netdev *netdev, const struct packet *packet,
		   const struct packet_info *info, be32 own_address);

/* The same as a blocking verdict says it: not at all, a reset only, or an ICMP code. */
void reject_by_verdict(const struct own *own, struct netdev *netdev, const struct packet *packet,
		       const struct packet_info *info, be32 own_address,
		       const struct rules_verdict *verdict);
