/* SPDX-License-Identifier: ISC */
#include "configs/echo_frame.h"

#include <stddef.h>
#include <string.h>

#include "lib/checksum.h"

#define ETHERTYPE_IP4 0x0800u
#define ETHERNET_BYTES offsetof(struct echo_frame, version_ihl)
#define ICMP_BYTES (ECHO_FRAME_BYTES - offsetof(struct echo_frame, type))

void echo_frame_make_request(struct echo_frame *frame, const uint8_t from[6], const uint8_t to[6])
{
	struct echo_frame made = {
		.ethertype = be16_of(ETHERTYPE_IP4),
		.version_ihl = 0x45,
		.total_length = be16_of(ECHO_FRAME_BYTES - ETHERNET_BYTES),
		.ttl = 64,
		.protocol = 1,
		.source = frame->source,
		.destination = frame->destination,
		.type = 8,
		.echo_id = frame->echo_id,
		.sequence = frame->sequence,
	};

	memcpy(made.from, from, sizeof(made.from));
	memcpy(made.to, to, sizeof(made.to));
	made.header_sum = checksum_finish(checksum_add(0, &made.version_ihl, 20));
	made.sum = checksum_finish(checksum_add(0, &made.type, ICMP_BYTES));
	*frame = made;
}
