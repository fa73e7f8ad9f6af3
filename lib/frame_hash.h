/* SPDX-License-Identifier: ISC */
/*
 * A number for the flow that a frame belongs to, so that a frame's queue follows from
 * its flow and frames of one flow stay in order. Cheap, and not for tables: whoever
 * sends the frames can make them all fall on one number.
 */
#pragma once

#include <stdint.h>

#include "lib/packet.h"

/*
 * The frame's flow, 0 .. bound - 1; `bound` is at least 1. Addresses, protocol and, for
 * TCP and UDP, ports of an IPv4 or IPv6 frame; of a fragment no ports, for only the first
 * has them. 0 for everything that is not IP. Reads the head only.
 */
uint32_t frame_hash(const struct packet *packet, uint32_t bound);
