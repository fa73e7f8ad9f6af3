/* SPDX-License-Identifier: ISC */
/* An echo request as ping sends it, for guests without a network stack. */
#pragma once

#include <stdint.h>

#include "lib/byteorder.h"

#define ECHO_FRAME_BYTES 98u

struct __attribute__((packed)) echo_frame {
	uint8_t to[6], from[6];
	be16 ethertype;
	uint8_t version_ihl, tos;
	be16 total_length, id, fragment;
	uint8_t ttl, protocol;
	be16 header_sum;
	be32 source, destination;
	uint8_t type, code;
	be16 sum, echo_id, sequence;
	uint8_t payload[56];
};

_Static_assert(sizeof(struct echo_frame) == ECHO_FRAME_BYTES, "an echo request as ping sends it");

/*
 * Fills in addresses and checksums of a frame whose source, destination, echo_id and
 * sequence are set, and makes all the rest what it must be in a request.
 */
void echo_frame_make_request(struct echo_frame *frame, const uint8_t from[6], const uint8_t to[6]);
