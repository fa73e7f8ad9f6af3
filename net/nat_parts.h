/* SPDX-License-Identifier: ISC */
/* What net/nat*.c share. */
#pragma once

#include "lib/checksum.h"
#include "net/nat.h"

/* What a transport header changes to, and by how much the sums over it change. */
struct nat_change {
	be16 source_port; /* of an echo request: its identifier */
	be16 destination_port;
	uint16_t address_delta;
	uint16_t transport_delta;
	bool blank; /* the checksum holds the pseudo-header's sum alone */
};

/* The transport header at `offset`, as far as it lies in the head. */
void nat_change_transport(struct packet *packet, uint32_t offset, uint8_t version, uint8_t protocol,
			  const struct nat_change *change);

/* IPv6 addresses; to the version's fixed header at `offset`. */
void nat6_set_addresses(struct ip6_header *ip, const struct ip6_address *source,
			const struct ip6_address *destination);

/* What the sum over both addresses changes by. */
uint16_t nat6_delta(const void *source, const void *destination, const void *new_source,
		    const void *new_destination);

/* A rewrite of IPv6's own header, addresses from `to` inside out. */
void nat6_rewrite(struct packet *packet, const struct flow_addresses6 *to);

/* A complemented field after its sum has grown by `delta`. */
static inline be16 nat_field_add(be16 field, uint32_t delta)
{
	return checksum_finish((uint16_t)~field.raw + delta);
}

/* The difference in the other direction. */
static inline uint16_t nat_delta_towards(uint16_t delta, enum flow_direction direction)
{
	return direction == FLOW_REPLY ? (uint16_t)~delta : delta;
}
