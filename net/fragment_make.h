/* SPDX-License-Identifier: ISC */
/* Cutting IPv4 packets that a link cannot take and whose sender allows it (RFC 791). */
#pragma once

#include "lib/packet.h"
#include "net/netdev.h"
#include "net/own.h"

/*
 * Cuts a packet into frames of at most `mtu` bytes of IP and gives each to own->send. Its
 * headers are complete, its checksum is not blank, it has no options, and it may be a
 * fragment itself. Consumes it (DROP_TOO_BIG: an IPv6 packet, "don't fragment", or a link
 * too narrow for IP; DROP_NO_MEMORY).
 */
void fragment_make4(const struct own *own, struct netdev *netdev, uint16_t mtu,
		    struct packet *packet);
