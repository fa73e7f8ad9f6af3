/* SPDX-License-Identifier: ISC */
/* Host names in rules: the list of those that a set mentions, and what their addresses say. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/dns_message.h"
#include "net/rules_internal.h"

#define FIRST_CAPACITY 16u
#define FIRST_SLOTS 64u
#define NAMED_ROOM 16u

/* FNV-1a; names come from who writes the rules. */
static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash ^ hash >> 15;
}

/* The slot of the name, or the free one where it belongs. */
static uint16_t *slot_of(const struct ruleset *set, const char *text)
{
	uint32_t at = hash_of(text) & set->name_slot_mask;

	while (set->name_slots[at] && strcmp(set->names[set->name_slots[at] - 1], text) != 0)
		at = (at + 1) & set->name_slot_mask;
	return &set->name_slots[at];
}

/* Room for one name more in the list and in the hash table. */
static int names_grow(struct ruleset *set)
{
	uint32_t capacity = set->name_capacity ? set->name_capacity * 2 : FIRST_CAPACITY;
	uint32_t slots = set->name_slots ? (set->name_slot_mask + 1) * 2 : FIRST_SLOTS;

	if (set->name_count == set->name_capacity) {
		char **grown = realloc(set->names, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->names = grown;
		set->name_capacity = capacity;
	}
	if (set->name_slots && 2 * (set->name_count + 1) <= set->name_slot_mask)
		return 0;
	free(set->name_slots);
	set->name_slots = calloc(slots, sizeof(*set->name_slots));
	if (!set->name_slots)
		return -ENOMEM;
	set->name_slot_mask = slots - 1;
	for (uint32_t i = 0; i < set->name_count; i++)
		*slot_of(set, set->names[i]) = (uint16_t)(i + 1);
	return 0;
}

int ruleset_add_name(struct ruleset *set, const char *text, size_t length, uint16_t *name)
{
	char lower[DNS_NAME_BYTES + 1];
	struct dns_name wire;
	uint16_t *slot;
	int error;

	if (dns_name_from_text(&wire, text, length))
		return -EINVAL;
	dns_name_to_text(&wire, lower, sizeof(lower));
	error = names_grow(set);
	if (error)
		return error;
	slot = slot_of(set, lower);
	if (!*slot) {
		if (set->name_count == RULES_NAMES_MAX)
			return -E2BIG;
		set->names[set->name_count] = strdup(lower);
		if (!set->names[set->name_count])
			return -ENOMEM;
		*slot = (uint16_t)++set->name_count;
	}
	*name = (uint16_t)(*slot - 1);
	return 0;
}

void ruleset_names_free(struct ruleset *set)
{
	for (uint32_t i = 0; i < set->name_count; i++)
		free(set->names[i]);
	free(set->names);
	free(set->name_slots);
}

uint32_t ruleset_names_count(const struct ruleset *set)
{
	return set ? set->name_count : 0;
}

const char *ruleset_name(const struct ruleset *set, uint32_t name)
{
	return set->names[name];
}

void ruleset_set_resolver(struct ruleset *set, const struct rules_resolver *resolver)
{
	set->resolver = resolver ? *resolver : (struct rules_resolver){ 0 };
}

int rules_table_add_name(struct ruleset *set, struct rules_table *table, uint16_t name,
			 bool negated)
{
	uint32_t capacity = table->host_capacity ? table->host_capacity * 2 : FIRST_CAPACITY;

	if (set->entries == RULES_TABLE_ENTRIES_MAX)
		return -E2BIG;
	if (table->host_count == table->host_capacity) {
		struct rules_table_host *grown = realloc(table->hosts, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->hosts = grown;
		table->host_capacity = capacity;
	}
	table->hosts[table->host_count++] = (struct rules_table_host){ name, negated };
	set->entries++;
	return 0;
}

bool rules_name_has(const struct ruleset *set, uint16_t name, const struct ip_address *address,
		    bool *unknown)
{
	const struct rules_resolver *resolver = &set->resolver;

	if (resolver->contains && resolver->contains(resolver->context, name, address))
		return true;
	if (!resolver->contains || !resolver->known(resolver->context, name, address->version))
		*unknown = true;
	return false;
}

/* ---- tables ---- */

static int host_order(const void *left, const void *right)
{
	const struct rules_table_host *a = left, *b = right;

	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	return (int)a->negated - (int)b->negated;
}

void rules_table_sort_names(struct rules_table *table)
{
	if (table->host_count)
		qsort(table->hosts, table->host_count, sizeof(*table->hosts), host_order);
}

static bool table_names(const struct rules_table *table, uint16_t name, bool negated)
{
	const struct rules_table_host key = { name, negated };

	return bsearch(&key, table->hosts, table->host_count, sizeof(key), host_order) != NULL;
}

/* The names that have an address, as far as there is room. */
struct named {
	uint32_t count; /* may be above the room */
	uint16_t names[NAMED_ROOM];
};

/* Does any of the table's names that are negated, or of the others, have the address? */
static bool any_has(const struct ruleset *set, const struct rules_table *table, bool negated,
		    const struct ip_address *address, const struct named *named)
{
	const struct rules_resolver *resolver = &set->resolver;

	if (named->count <= NAMED_ROOM) {
		for (uint32_t i = 0; i < named->count; i++)
			if (table_names(table, named->names[i], negated))
				return true;
		return false;
	}
	for (uint32_t i = 0; i < table->host_count; i++)
		if (table->hosts[i].negated == negated &&
		    resolver->contains(resolver->context, table->hosts[i].name, address))
			return true;
	return false;
}

static bool any_unknown(const struct ruleset *set, const struct rules_table *table, bool negated,
			uint8_t version)
{
	const struct rules_resolver *resolver = &set->resolver;

	for (uint32_t i = 0; i < table->host_count; i++)
		if (table->hosts[i].negated == negated &&
		    (!resolver->known ||
		     !resolver->known(resolver->context, table->hosts[i].name, version)))
			return true;
	return false;
}

static int address_order(const void *left, const void *right)
{
	const struct ip_address *a = left, *b = right;

	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static bool denied(const struct rules_table *table, const struct ip_address *address)
{
	return table->denied_count && bsearch(address, table->denied, table->denied_count,
					      sizeof(*table->denied), address_order) != NULL;
}

bool rules_table_has(const struct ruleset *set, const struct rules_table *table,
		     const struct ip_address *address, bool *unknown)
{
	const struct rules_resolver *resolver = &set->resolver;
	struct named named = { 0 };
	bool inside;

	if (!table->host_count)
		return rules_table_contains(table, address);
	/* Of entries as narrow as one another the negated one decides. */
	if (denied(table, address))
		return false;
	if (resolver->names_of)
		named.count =
			resolver->names_of(resolver->context, address, named.names, NAMED_ROOM);
	if (any_has(set, table, true, address, &named))
		return false;
	inside =
		rules_table_contains(table, address) || any_has(set, table, false, address, &named);
	/* What is inside may be taken out by a name, what is outside brought in. */
	if (any_unknown(set, table, inside, address->version))
		*unknown = true;
	return inside;
}
