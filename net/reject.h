/* SPDX-License-Identifier: ISC */
/*
 * Telling a sender that its packet was refused, in either IP version: a TCP reset
 * (RFC 9293, 3.10.7.1) in the name of the destination, as the closed port itself would
 * send it, and for everything else an ICMP unreachable in ours.
 */
#pragma once

#include "lib/ip_address.h"
#include "lib/packet.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/packet_info.h"
#include "net/rules.h"

enum reject_kind {
	REJECT_RETURN,		 /* TCP: reset; UDP: port unreachable; else as below */
	REJECT_ADMIN_PROHIBITED, /* "communication administratively prohibited", also for TCP */
};

/*
 * Refuses `packet`, as it came in on `netdev`. `own_address`: who says so in an ICMP error, of
 * the packet's version. Nothing is sent about what must not be answered
 * (icmp4_may_report(), icmp6_may_report(), a reset). The packet stays the caller's and is only
 * read.
 */
void reject_packet(const struct own *own, struct netdev *netdev, const struct packet *packet,
		   const struct packet_info *info, const struct ip_address *own_address,
		   enum reject_kind kind);

/* The same as a blocking verdict says it: not at all, a reset only, or an ICMP code. */
void reject_by_verdict(const struct own *own, struct netdev *netdev, const struct packet *packet,
		       const struct packet_info *info, const struct ip_address *own_address,
		       const struct rules_verdict *verdict);
