/* SPDX-License-Identifier: ISC */
/*
 * ICMP of our own (RFC 792, RFC 1122 3.2.2, RFC 1812 4.3): echo replies and errors.
 * What is sent goes back to the frame's sender on the interface it came from, so no
 * route and no neighbour is needed. Rationing is the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/packet.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/parse.h"

#define ICMP4_ERROR_MAX_BYTES 576u /* RFC 1812, 4.3.2.3: the whole IPv4 packet */

/*
 * May an error be sent about this packet? Not about ICMP errors and later fragments, nor
 * to or about addresses that stand for many or nobody. (Group MACs never get here.)
 */
bool icmp4_may_report(const struct packet_info *info);

/*
 * Sends an error about `packet`, as it came in on `netdev`, from our address `own_address`.
 * `mtu`: of the next link, for ICMP4_FRAGMENTATION_NEEDED; else 0. The packet stays the
 * caller's.
 */
void icmp4_send_error(const struct own *own, struct netdev *netdev, const struct packet *packet,
		      be32 own_address, uint8_t type, uint8_t code, uint16_t mtu);

/* Answers an echo request to us; consumes it (DROP_BAD_CHECKSUM, DROP_TOO_BIG). */
void icmp4_echo(const struct own *own, struct netdev *netdev, struct packet *packet);
