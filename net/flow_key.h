/* SPDX-License-Identifier: ISC */
/*
 * What tells one flow's packets from all others, as seen on one interface in one
 * direction. The interface is part of it: a packet that claims a flow from the wrong
 * side does not find it.
 *
 * A key is the part that has the same size for both IP versions; a tuple adds what only
 * IPv6 needs. Whoever only knows IPv4 may ignore `ip6`.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "net/wire.h"

struct flow_key {
	be32 source; /* IPv6: the last four bytes of the address */
	be32 destination;
	/*
	 * TCP, UDP: the ports. ICMP echo: the identifier is the source port of a
	 * request and the destination port of a reply, the other is 0. Else 0.
	 */
	be16 source_port;
	be16 destination_port;
	uint8_t protocol;
	uint8_t interface; /* index of the interface that it arrives on */
	uint8_t version;   /* 4 or 6 */
	uint8_t zero;
};
static_assert(sizeof(struct flow_key) == 16, "hashed and compared as two words");

/* The addresses of an IPv6 packet. */
struct flow_addresses6 {
	struct ip6_address source;
	struct ip6_address destination;
};

struct flow_tuple {
	struct flow_key key;
	struct flow_addresses6 ip6; /* anything in IPv4 */
};
static_assert(offsetof(struct flow_tuple, ip6) == 16 && sizeof(struct flow_tuple) == 48,
	      "hashed as one piece");

static inline bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	return ((word64_at(a, 0) ^ word64_at(b, 0)) | (word64_at(a, 1) ^ word64_at(b, 1))) == 0;
}

static inline bool flow_addresses6_equal(const struct flow_addresses6 *a,
					 const struct flow_addresses6 *b)
{
	return ((word64_at(a, 0) ^ word64_at(b, 0)) | (word64_at(a, 1) ^ word64_at(b, 1)) |
		(word64_at(a, 2) ^ word64_at(b, 2)) | (word64_at(a, 3) ^ word64_at(b, 3))) == 0;
}

static inline bool flow_tuple_equal(const struct flow_tuple *a, const struct flow_tuple *b)
{
	return flow_key_equal(&a->key, &b->key) &&
	       (a->key.version != 6 || flow_addresses6_equal(&a->ip6, &b->ip6));
}

/* What the key holds of an IPv6 address. */
static inline be32 flow_key_address6(const struct ip6_address *address)
{
	be32 last;

	__builtin_memcpy(&last, address->bytes + 12, sizeof(last));
	return last;
}

static inline void flow_tuple_set_source6(struct flow_tuple *tuple,
					  const struct ip6_address *address)
{
	tuple->ip6.source = *address;
	tuple->key.source = flow_key_address6(address);
}

static inline void flow_tuple_set_destination6(struct flow_tuple *tuple,
					       const struct ip6_address *address)
{
	tuple->ip6.destination = *address;
	tuple->key.destination = flow_key_address6(address);
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
		.version = key->version,
	};
}

static inline struct flow_tuple flow_tuple_reverse(const struct flow_tuple *tuple,
						   uint8_t interface)
{
	struct flow_tuple reverse;

	reverse.key = flow_key_reverse(&tuple->key, interface);
	reverse.ip6.source = tuple->ip6.destination;
	reverse.ip6.destination = tuple->ip6.source;
	return reverse;
}
