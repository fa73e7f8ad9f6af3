/* SPDX-License-Identifier: ISC */
/*
 * The memory is the entries, then the buckets of the external and of the internal side,
 * as many of each as there are entries or up to twice that.
 */
#include "net/nat_mapping.h"

#include <string.h>

#include "lib/panic.h"

/* What an internal end point's chain is found by. */
struct internal_key {
	struct nat_endpoint internal;
	struct ip6_address outside;
	uint8_t interface;
	uint8_t zero[3];
};
static_assert(sizeof(struct internal_key) == 40, "hashed as one piece");

static uint32_t bucket_count(uint32_t mappings)
{
	uint32_t count = 1;

	while (count < mappings)
		count *= 2;
	return count;
}

size_t nat_mappings_bytes(uint32_t mappings)
{
	return (size_t)mappings * sizeof(struct nat_mapping) +
	       2 * (size_t)bucket_count(mappings) * sizeof(uint32_t);
}

void nat_mappings_init(struct nat_mappings *table, void *memory, uint32_t mappings,
		       struct random *random)
{
	uint32_t buckets = bucket_count(mappings);

	memset(table, 0, sizeof(*table));
	memset(memory, 0, nat_mappings_bytes(mappings));
	table->entries = memory;
	table->external = (uint32_t *)(table->entries + mappings);
	table->internal = table->external + buckets;
	table->bucket_mask = buckets - 1;
	table->total = mappings;
	random_bytes(random, &table->hash_key, sizeof(table->hash_key));
	for (uint32_t i = mappings; i > 0; i--) {
		table->entries[i - 1].next_external = table->free;
		table->free = i;
	}
}

static struct nat_endpoint endpoint_of(const struct flow_key *key, be32 address,
				       const struct ip6_address *address6, be16 port)
{
	struct nat_endpoint endpoint = { .port = port,
					 .protocol = key->protocol,
					 .version = key->version };

	if (key->version == 6)
		endpoint.address = *address6;
	else
		__builtin_memcpy(endpoint.address.bytes, &address, sizeof(address));
	return endpoint;
}

struct nat_endpoint nat_source_of(const struct flow_tuple *tuple)
{
	return endpoint_of(&tuple->key, tuple->key.source, &tuple->ip6.source,
			   tuple->key.source_port);
}

struct nat_endpoint nat_destination_of(const struct flow_tuple *tuple)
{
	return endpoint_of(&tuple->key, tuple->key.destination, &tuple->ip6.destination,
			   tuple->key.destination_port);
}

static uint32_t *external_bucket(const struct nat_mappings *table,
				 const struct nat_endpoint *external)
{
	uint64_t hash = siphash(&table->hash_key, external, sizeof(*external));

	return &table->external[hash & table->bucket_mask];
}

static uint32_t *internal_bucket(const struct nat_mappings *table, const struct internal_key *key)
{
	uint64_t hash = siphash(&table->hash_key, key, sizeof(*key));

	return &table->internal[hash & table->bucket_mask];
}

static struct internal_key key_of(const struct nat_mapping *mapping)
{
	return (struct internal_key){
		.internal = { .address = mapping->address,
			      .port = mapping->port,
			      .protocol = mapping->external.protocol,
			      .version = mapping->external.version },
		.outside = mapping->external.address,
		.interface = mapping->interface,
	};
}

struct nat_mapping *nat_mapping_find(const struct nat_mappings *table,
				     const struct nat_endpoint *external)
{
	uint32_t next = *external_bucket(table, external);

	while (next) {
		struct nat_mapping *mapping = &table->entries[next - 1];

		if (memcmp(&mapping->external, external, sizeof(*external)) == 0)
			return mapping;
		next = mapping->next_external;
	}
	return NULL;
}

struct nat_mapping *nat_mapping_of(const struct nat_mappings *table,
				   const struct nat_endpoint *internal, uint8_t interface,
				   const struct ip6_address *outside, uint16_t low, uint16_t high)
{
	const struct internal_key wanted = { .internal = *internal,
					     .outside = *outside,
					     .interface = interface };
	uint32_t next = *internal_bucket(table, &wanted);

	while (next) {
		struct nat_mapping *mapping = &table->entries[next - 1];
		const struct internal_key key = key_of(mapping);
		uint16_t port = be16_get(mapping->external.port);

		if (port >= low && port <= high && memcmp(&key, &wanted, sizeof(key)) == 0)
			return mapping;
		next = mapping->next_internal;
	}
	return NULL;
}

struct nat_mapping *nat_mapping_add(struct nat_mappings *table, enum nat_mapping_kind kind,
				    const struct nat_endpoint *external,
				    const struct nat_endpoint *internal, uint8_t interface)
{
	struct nat_mapping *mapping;
	struct internal_key key;
	uint32_t *bucket;

	if (!table->free)
		return NULL;
	mapping = &table->entries[table->free - 1];
	table->free = mapping->next_external;
	*mapping = (struct nat_mapping){
		.external = *external, .interface = interface, .kind = (uint8_t)kind, .flows = 1
	};
	bucket = external_bucket(table, external);
	mapping->next_external = *bucket;
	*bucket = (uint32_t)(mapping - table->entries) + 1;
	if (kind == NAT_MAPPING_OWN) {
		mapping->address = internal->address;
		mapping->port = internal->port;
		key = key_of(mapping);
		bucket = internal_bucket(table, &key);
		mapping->next_internal = *bucket;
		*bucket = (uint32_t)(mapping - table->entries) + 1;
		table->owned[interface]++;
	}
	table->used++;
	return mapping;
}

static void external_remove(struct nat_mappings *table, const struct nat_mapping *mapping)
{
	uint32_t *link = external_bucket(table, &mapping->external);

	while (*link && &table->entries[*link - 1] != mapping)
		link = &table->entries[*link - 1].next_external;
	if (!*link)
		panic("a port mapping is not in its external chain");
	*link = mapping->next_external;
}

static void internal_remove(struct nat_mappings *table, const struct nat_mapping *mapping)
{
	const struct internal_key key = key_of(mapping);
	uint32_t *link = internal_bucket(table, &key);

	while (*link && &table->entries[*link - 1] != mapping)
		link = &table->entries[*link - 1].next_internal;
	if (!*link)
		panic("a port mapping is not in its internal chain");
	*link = mapping->next_internal;
}

void nat_mapping_release(struct nat_mappings *table, struct nat_mapping *mapping)
{
	if (--mapping->flows)
		return;
	external_remove(table, mapping);
	if (mapping->kind == NAT_MAPPING_OWN) {
		internal_remove(table, mapping);
		table->owned[mapping->interface]--;
	}
	mapping->kind = NAT_MAPPING_FREE;
	mapping->next_external = table->free;
	table->free = (uint32_t)(mapping - table->entries) + 1;
	table->used--;
}

/* Entries in all chains of one side. */
static uint32_t linked(const struct nat_mappings *table, bool external)
{
	const uint32_t *buckets = external ? table->external : table->internal;
	uint32_t count = 0;

	for (uint32_t i = 0; i <= table->bucket_mask; i++) {
		uint32_t next = buckets[i];

		while (next && count <= table->total) {
			const struct nat_mapping *mapping = &table->entries[next - 1];

			count++;
			next = external ? mapping->next_external : mapping->next_internal;
		}
	}
	return count;
}

/* Is it what a look-up finds, and alone in having what it has? */
static bool is_found(const struct nat_mappings *table, const struct nat_mapping *mapping)
{
	const struct internal_key key = key_of(mapping);
	uint16_t port = be16_get(mapping->external.port);

	return mapping->flows && nat_mapping_find(table, &mapping->external) == mapping &&
	       (mapping->kind != NAT_MAPPING_OWN ||
		nat_mapping_of(table, &key.internal, key.interface, &key.outside, port, port) ==
			mapping);
}

bool nat_mappings_are_valid(const struct nat_mappings *table)
{
	uint32_t owned[NAT_OWNERS] = { 0 };
	uint32_t used = 0, own = 0, free_count = 0;

	for (uint32_t i = 0; i < table->total; i++) {
		const struct nat_mapping *mapping = &table->entries[i];

		if (mapping->kind == NAT_MAPPING_FREE)
			continue;
		if (!is_found(table, mapping))
			return false;
		used++;
		if (mapping->kind == NAT_MAPPING_OWN) {
			own++;
			owned[mapping->interface]++;
		}
	}
	for (uint32_t next = table->free; next && free_count <= table->total;
	     next = table->entries[next - 1].next_external)
		free_count++;
	return used == table->used && used + free_count == table->total &&
	       linked(table, true) == used && linked(table, false) == own &&
	       memcmp(owned, table->owned, sizeof(owned)) == 0;
}
