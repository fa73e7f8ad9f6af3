/* SPDX-License-Identifier: ISC */
/*
 * External end points (address, port, protocol) and who has them, for nat_choose.h. One
 * block of memory, made once; found from either side by one look-up with a keyed hash.
 * A mapping lives as long as flows hold it.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "net/flow_key.h"

#define NAT_MAPPINGS_MAX (1u << 26)
#define NAT_OWNERS 256u /* interface indices are bytes */

enum nat_mapping_kind {
	NAT_MAPPING_FREE,
	NAT_MAPPING_OWN,      /* one internal end point has it for all its flows */
	NAT_MAPPING_SHARED,   /* flows have it that differ in where they go */
	NAT_MAPPING_RESERVED, /* the firewall's own */
};

/* One side of a flow. Port: or an echo's identifier; 0 where there is neither. */
struct nat_endpoint {
	struct ip6_address address; /* IPv4: the first four bytes, then 0 */
	be16 port;
	uint8_t protocol;
	uint8_t version; /* 4 or 6 */
};
static_assert(sizeof(struct nat_endpoint) == 20, "hashed as one piece");

struct nat_mapping {
	struct nat_endpoint external;
	struct ip6_address address; /* internal, of NAT_MAPPING_OWN */
	be16 port;
	uint8_t interface;	/* of the internal end point: it is charged with it */
	uint8_t kind;		/* enum nat_mapping_kind */
	uint32_t flows;		/* that hold it */
	uint32_t next_external; /* in its chain, or of the free ones: index + 1, 0 at the end */
	uint32_t next_internal;
};
static_assert(sizeof(struct nat_mapping) <= 64, "no more than a cache line");

struct nat_mappings {
	struct nat_mapping *entries;
	uint32_t *external; /* buckets: index + 1 */
	uint32_t *internal;
	uint32_t bucket_mask;
	uint32_t total;
	uint32_t used;
	uint32_t free;		    /* index + 1 of the first free entry */
	uint32_t owned[NAT_OWNERS]; /* NAT_MAPPING_OWN, for each interface */
	struct siphash_key hash_key;
};

/* Bytes of memory for `mappings` of them (1 .. NAT_MAPPINGS_MAX). */
size_t nat_mappings_bytes(uint32_t mappings);

/* Lays an empty table over `memory`, aligned to 4 bytes, with a random hash key. */
void nat_mappings_init(struct nat_mappings *table, void *memory, uint32_t mappings,
		       struct random *random);

/* The end points of a tuple. */
struct nat_endpoint nat_source_of(const struct flow_tuple *tuple);
struct nat_endpoint nat_destination_of(const struct flow_tuple *tuple);

/* Who has this external end point, or NULL. */
struct nat_mapping *nat_mapping_find(const struct nat_mappings *table,
				     const struct nat_endpoint *external);

/*
 * The mapping to the address `outside` that `internal` on `interface` has for all its
 * flows, with a port from low to high (host order), or NULL.
 */
struct nat_mapping *nat_mapping_of(const struct nat_mappings *table,
				   const struct nat_endpoint *internal, uint8_t interface,
				   const struct ip6_address *outside, uint16_t low, uint16_t high);

/*
 * A new mapping that one flow holds; `internal` for NAT_MAPPING_OWN, else NULL. Nobody may
 * have `external`. NULL: the table is full.
 */
must_check struct nat_mapping *nat_mapping_add(struct nat_mappings *table,
					       enum nat_mapping_kind kind,
					       const struct nat_endpoint *external,
					       const struct nat_endpoint *internal,
					       uint8_t interface);

/* One flow less holds it; after the last it is gone. */
void nat_mapping_release(struct nat_mappings *table, struct nat_mapping *mapping);

/* Is the table consistent? For tests: every chain and count. */
bool nat_mappings_are_valid(const struct nat_mappings *table);
