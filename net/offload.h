/* SPDX-License-Identifier: ISC */
/*
 * What a peer with offloads would have done, in software, for peers without: correct,
 * and as slow as touching every byte is. Bytes that the uplink could still change are
 * copied into pages of ours first, so that a checksum is true of what is sent.
 */
#pragma once

#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/netdev.h"
#include "net/own.h"

#define OFFLOAD_SEGMENTS_MAX 128u /* more than this from one packet is an attack */

/*
 * Fills the checksum of a blank TCP or UDP packet of either family with l3_offset and
 * l4_offset set, all headers in its head and nothing behind the IP packet; clears
 * PACKET_CSUM_BLANK. 0, or -ENOMEM: no page for a copy. The packet stays the caller's
 * either way.
 */
must_check int offload_checksum(struct packet *packet, uint8_t protocol);

/*
 * Cuts a GSO packet of either family, like that one, into frames of gso_size bytes of payload (less
 * where a frame would not fit a page), with checksums, and gives each to own->send. Consumes the
 * packet.
 */
void offload_segment(const struct own *own, struct netdev *netdev, struct packet *packet);

/*
 * The packet in one contiguous piece of memory that `netdev` can send from, or NULL
 * when it could not be made (it has been dropped: DROP_NO_OFFLOAD, DROP_NO_MEMORY).
 * Consumes the packet.
 */
must_check struct packet *offload_linearise(const struct own *own, struct netdev *netdev,
					    struct packet *packet);
