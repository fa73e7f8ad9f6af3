/* SPDX-License-Identifier: ISC */
/* Lowering the segment size that TCP ends announce, where path-MTU discovery fails. */
#pragma once

#include <stdint.h>

#include "lib/packet.h"
#include "net/packet_info.h"

/*
 * In a SYN that parsing has accepted, lowers every MSS option above `max_mss` (bytes) to it,
 * and corrects the checksum. Adds none, raises none, reads up to the first malformed
 * option; leaves packets alone that an authentication header covers.
 */
void tcp_mss_clamp(struct packet *packet, const struct packet_info *info, uint16_t max_mss);

/* The largest MSS whose segments fit `mtu` without options (RFC 9293, 3.7.1). */
uint16_t tcp_mss_of_mtu(uint8_t version, uint16_t mtu);
