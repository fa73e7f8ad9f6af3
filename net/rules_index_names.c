/* SPDX-License-Identifier: ISC */
#include "net/rules_index_names.h"

#include <errno.h>
#include <stdlib.h>

/* Names that the rule is found by; a negated one is on the axis, everywhere. */
static uint32_t places_of(const struct ruleset *set, const struct rules_host *host)
{
	if (host->kind == RULES_HOST_TABLE)
		return set->tables[host->table].host_count;
	return host->kind == RULES_HOST_NAME && !host->negated;
}

bool rules_host_fits(const struct ruleset *set, const struct rules_host *host, uint32_t *places)
{
	uint32_t needed = places_of(set, host);

	if (needed > *places)
		return false;
	*places -= needed;
	return true;
}

struct pair {
	uint32_t name;
	uint32_t place;
};

struct pairs {
	struct pair *items;
	uint32_t count;
};

static int pair_order(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;

	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static const struct rules_host *host_of(const struct ruleset *set, const struct rules_index *index,
					uint32_t place, uint32_t side)
{
	const struct rules_rule *rule = &set->rules[index->ids[place]];

	return side ? &rule->destination : &rule->source;
}

/* With pairs->items NULL, counts only. */
static void collect(const struct ruleset *set, const struct rules_index *index, uint32_t side,
		    struct pairs *pairs)
{
	uint32_t left = RULES_NAME_PLACES_MAX;

	pairs->count = 0;
	for (uint32_t place = 0; place < index->count; place++) {
		const struct rules_host *host = host_of(set, index, place, side);
		uint32_t names = places_of(set, host);

		if (!rules_host_fits(set, host, &left))
			continue;
		for (uint32_t i = 0; i < names && pairs->items; i++)
			pairs->items[pairs->count + i] = (struct pair){
				host->kind == RULES_HOST_NAME
					? host->name
					: set->tables[host->table].hosts[i].name,
				place,
			};
		pairs->count += names;
	}
}

static int make_sets(const struct ruleset *set, struct rules_index_names *names,
		     const struct pairs *pairs, struct rules_painter *p)
{
	uint32_t i = 0, begin;

	rules_painter_clear(p);
	for (uint32_t name = 0; name < set->name_count; name++) {
		for (begin = i; i < pairs->count && pairs->items[i].name == name; i++)
			rules_painter_put(p, pairs->items[i].place, true);
		if (rules_painter_set(p, &names->sets[name]))
			return -ENOMEM;
		for (; begin < i; begin++)
			rules_painter_put(p, pairs->items[begin].place, false);
	}
	for (i = 0; i < pairs->count; i++)
		rules_painter_put(p, pairs->items[i].place, true);
	return rules_painter_set(p, &names->any);
}

static int make_side(const struct ruleset *set, struct rules_index *index, uint32_t side,
		     struct rules_painter *p)
{
	struct rules_index_names *names = &index->names[side];
	struct pairs pairs = { 0 };
	int error;

	collect(set, index, side, &pairs);
	if (!pairs.count)
		return 0;
	pairs.items = malloc(pairs.count * sizeof(*pairs.items));
	names->sets = malloc(set->name_count * sizeof(*names->sets));
	if (!pairs.items || !names->sets) {
		free(pairs.items);
		return -ENOMEM;
	}
	collect(set, index, side, &pairs);
	qsort(pairs.items, pairs.count, sizeof(*pairs.items), pair_order);
	error = make_sets(set, names, &pairs, p);
	free(pairs.items);
	return error;
}

int rules_index_names_make(const struct ruleset *set, struct rules_index *index,
			   struct rules_painter *painter)
{
	for (uint32_t side = 0; side < RULES_SIDES; side++) {
		int error = make_side(set, index, side, painter);

		if (error)
			return error;
	}
	return 0;
}
