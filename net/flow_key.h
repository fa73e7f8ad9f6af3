/* SPDX-License-Identifier: ISC */
/*
 * What tells one flow's packets from all others, as seen on one interface in one
 * direction. The interface is part of the key: a packet that claims a flow from the
 * wrong side does not find it.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/byteorder.h"

struct flow_key {
	be32 source;
	be32 destination;
	/*
	 * TCP, UDP: the ports. ICMP echo: the identifier is the source port of a
	 * request and the destination port of a reply, the other is 0. Else 0.
	 */
	be16 source_port;
	be16 destination_port;
	uint8_t protocol;
	uint8_t interface; /* index of the interface that it arrives on */
	uint16_t zero;
};
static_assert(sizeof(struct flow_key) == 16, "hashed and compared as two words");

static inline bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	uint64_t x[2], y[2];

	__builtin_memcpy(x, a, sizeof(x)); /* never calls, also where freestanding */
	__builtin_memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* The key of an answer that arrives on `interface`. */
static inline struct flow_key flow_key_reverse(const struct flow_key *key, uint8_t interface)
{
	return (struct flow_key){
		.source = key->destination,
		.destination = key->source,
		.source_port = key->destination_port,
		.destination_port = key->source_port,
		.protocol = key->protocol,
		.interface = interface,
	};
}
