/* SPDX-License-Identifier: ISC */
/*
 * ICMPv6 of our own (RFC 4443): echo replies and errors. What is sent goes back to the
 * frame's sender on the interface it came from, so no route and no neighbour is needed.
 * Rationing is the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/packet.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/packet_info.h"
#include "net/wire.h"

#define ICMP6_ERROR_MAX_BYTES 1280u /* RFC 4443, 2.4 (c): the whole IPv6 packet */

/* Codes of ICMP6_UNREACHABLE */
#define ICMP6_NO_ROUTE 0u
#define ICMP6_ADMIN_PROHIBITED 1u
#define ICMP6_ADDRESS_UNREACHABLE 3u
#define ICMP6_PORT_UNREACHABLE 4u

/* Codes of ICMP6_TIME_EXCEEDED */
#define ICMP6_HOP_LIMIT_EXCEEDED 0u
#define ICMP6_REASSEMBLY_TIME 1u

/* Codes of ICMP6_PARAMETER_PROBLEM */
#define ICMP6_BAD_FIELD 0u
#define ICMP6_BAD_NEXT_HEADER 1u
#define ICMP6_BAD_OPTION 2u

/*
 * May an error of this type and code be sent about this packet? RFC 4443, 2.4 (e): not about
 * errors and redirects, not to those who are many or nobody, not about what was sent to
 * many, by address or by MAC, unless it is too big or has a bad option. Nor about later
 * fragments and neighbour discovery.
 */
bool icmp6_may_report(const struct packet *packet, const struct packet_info *info, uint8_t type,
		      uint8_t code);

/*
 * Sends an error about `packet`, as it came in on `netdev`, from our address `own_address`.
 * `value`: the next link's MTU in ICMP6_PACKET_TOO_BIG, the offset of the bad byte from the
 * IPv6 header in ICMP6_PARAMETER_PROBLEM; else 0. What it quotes is the packet's head, so far as
 * it fits. The packet stays the caller's and is only read.
 */
void icmp6_send_error(const struct own *own, struct netdev *netdev, const struct packet *packet,
		      const struct ip6_address *own_address, uint8_t type, uint8_t code,
		      uint32_t value);

/*
 * Answers an echo request to us, from the address that was asked and without the request's
 * extension headers; consumes it (DROP_FRAGMENT, DROP_BAD_CHECKSUM, DROP_TOO_BIG,
 * DROP_MULTICAST).
 */
void icmp6_echo(const struct own *own, struct netdev *netdev, struct packet *packet,
		const struct packet_info *info);
