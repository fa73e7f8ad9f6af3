/* SPDX-License-Identifier: ISC */
/*
 * Tables of addresses. What is written are prefixes, some of them negated, of which the
 * narrowest around an address decides; what is asked are sorted ranges without overlap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/rules_internal.h"

#define FIRST_CAPACITY 16u
#define DEPTH_MAX 130u /* prefixes inside one another: at most 129 lengths */

struct rules_table *rules_table_get(struct ruleset *set, const char *name, size_t length)
{
	struct rules_table *table;

	for (uint32_t i = 0; i < set->table_count; i++)
		if (strlen(set->tables[i].name) == length &&
		    memcmp(set->tables[i].name, name, length) == 0)
			return &set->tables[i];
	if (set->table_count == RULES_TABLES_MAX || length >= RULES_TABLE_NAME_BYTES)
		return NULL;
	if (!set->tables)
		set->tables = calloc(RULES_TABLES_MAX, sizeof(*set->tables));
	if (!set->tables)
		return NULL;
	table = &set->tables[set->table_count++];
	memcpy(table->name, name, length);
	return table;
}

int rules_table_add(struct ruleset *set, struct rules_table *table, const struct rules_entry *entry)
{
	if (set->entries == RULES_TABLE_ENTRIES_MAX)
		return -E2BIG;
	if (table->entry_count == table->entry_capacity) {
		uint32_t capacity =
			table->entry_capacity ? table->entry_capacity * 2 : FIRST_CAPACITY;
		struct rules_entry *grown = realloc(table->entries, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->entries = grown;
		table->entry_capacity = capacity;
	}
	table->entries[table->entry_count++] = *entry;
	set->entries++;
	return 0;
}

/* By version, then by where they begin, the wider first, the negated first. */
static int entry_order(const void *left, const void *right)
{
	const struct rules_entry *a = left, *b = right;
	int order;

	if (a->address.version != b->address.version)
		return a->address.version < b->address.version ? -1 : 1;
	order = memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes));
	if (order)
		return order;
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return (int)b->negated - (int)a->negated;
}

struct sweep {
	struct rules_range *ranges;
	uint32_t count;
	const struct rules_entry *open[DEPTH_MAX]; /* the prefixes around `at` */
	uint32_t depth;
	ip_number at; /* all before is decided */
};

static ip_number entry_last(const struct rules_entry *entry)
{
	return ip_address_number(&entry->address) |
	       ip_number_host_bits(entry->address.version, entry->prefix);
}

/* Decides at .. last by the innermost open prefix. */
static void sweep_decide(struct sweep *s, ip_number last)
{
	struct rules_range *before = s->count ? &s->ranges[s->count - 1] : NULL;

	if (!s->depth || s->open[s->depth - 1]->negated)
		return;
	if (before && before->last + 1 == s->at)
		before->last = last;
	else
		s->ranges[s->count++] = (struct rules_range){ s->at, last };
}

/* Closes the prefixes that end before `next`, or all. */
static void sweep_close(struct sweep *s, ip_number next, bool all)
{
	while (s->depth) {
		ip_number last = entry_last(s->open[s->depth - 1]);

		if (!all && last >= next)
			return;
		/* A zero `at` behind the last address: an outer prefix ends there too. */
		if (s->at <= last)
			sweep_decide(s, last);
		s->at = last + 1;
		s->depth--;
		if (s->at == 0)
			s->depth = 0;
	}
}

static void sweep_entry(struct sweep *s, const struct rules_entry *entry)
{
	ip_number first = ip_address_number(&entry->address);
	const struct rules_entry *inner;

	sweep_close(s, first, false);
	if (s->depth && s->at < first)
		sweep_decide(s, first - 1);
	s->at = first;
	inner = s->depth ? s->open[s->depth - 1] : NULL;
	if (inner && inner->prefix == entry->prefix &&
	    ip_address_equal(&inner->address, &entry->address))
		return; /* said twice; negated comes first and stays */
	s->open[s->depth++] = entry;
}

/* The ranges of entries[0 .. count), all of one version. */
static int ranges_make(const struct rules_entry *entries, uint32_t count,
		       struct rules_range **ranges, uint32_t *range_count)
{
	struct sweep s = { 0 };

	if (!count)
		return 0;
	s.ranges = malloc((2 * (size_t)count + 1) * sizeof(*s.ranges));
	if (!s.ranges)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		sweep_entry(&s, &entries[i]);
	sweep_close(&s, 0, true);
	*ranges = s.count ? realloc(s.ranges, s.count * sizeof(*s.ranges)) : NULL;
	if (!*ranges)
		*ranges = s.ranges;
	*range_count = s.count;
	return 0;
}

static bool is_denied(const struct rules_entry *entry)
{
	return entry->negated && entry->prefix == ip_address_bits(entry->address.version);
}

/* From a table with host names, the addresses that it denies by themselves. */
static int denied_make(struct rules_table *table)
{
	uint32_t count = 0;

	if (!table->host_count)
		return 0;
	for (uint32_t i = 0; i < table->entry_count; i++)
		count += is_denied(&table->entries[i]);
	if (!count)
		return 0;
	table->denied = malloc(count * sizeof(*table->denied));
	if (!table->denied)
		return -ENOMEM;
	for (uint32_t i = 0; i < table->entry_count; i++)
		if (is_denied(&table->entries[i]))
			table->denied[table->denied_count++] = table->entries[i].address;
	return 0;
}

int rules_table_finish(struct rules_table *table)
{
	uint32_t split = 0;
	int error;

	if (table->entry_count)
		qsort(table->entries, table->entry_count, sizeof(*table->entries), entry_order);
	while (split < table->entry_count && table->entries[split].address.version == 4)
		split++;
	rules_table_sort_names(table);
	error = ranges_make(table->entries, split, &table->ranges4, &table->count4);
	if (!error && table->entry_count > split)
		error = ranges_make(table->entries + split, table->entry_count - split,
				    &table->ranges6, &table->count6);
	if (!error)
		error = denied_make(table);
	if (error)
		return error;
	free(table->entries);
	table->entries = NULL;
	table->entry_count = 0;
	table->entry_capacity = 0;
	return 0;
}

const struct rules_range *rules_table_range(const struct rules_table *table,
					    const struct ip_address *address)
{
	const struct rules_range *ranges = address->version == 4 ? table->ranges4 : table->ranges6;
	uint32_t low = 0, high = address->version == 4 ? table->count4 : table->count6;
	ip_number number = ip_address_number(address);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (number > ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	high = address->version == 4 ? table->count4 : table->count6;
	return low < high && number >= ranges[low].first ? &ranges[low] : NULL;
}

bool rules_table_contains(const struct rules_table *table, const struct ip_address *address)
{
	return rules_table_range(table, address) != NULL;
}

void rules_table_free(struct rules_table *table)
{
	free(table->entries);
	free(table->ranges4);
	free(table->ranges6);
	free(table->hosts);
	free(table->denied);
}

void rules_tables_free(struct ruleset *set)
{
	for (uint32_t i = 0; i < set->table_count; i++)
		rules_table_free(&set->tables[i]);
	free(set->tables);
}
