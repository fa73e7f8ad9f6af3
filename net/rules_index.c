/* SPDX-License-Identifier: ISC */
/* Compiling rules; see rules_index.h. */
#include "net/rules_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/rules_axis.h"
#include "net/rules_index_names.h"

static const struct rules_rule *rule_at(const struct ruleset *set, const struct rules_index *index,
					uint32_t place)
{
	return &set->rules[index->ids[place]];
}

static bool self_fits(const struct rules_host *host, bool is_self)
{
	return host->kind != RULES_HOST_SELF || is_self != host->negated;
}

static int make_self(const struct ruleset *set, struct rules_index *index, struct rules_painter *p)
{
	for (uint32_t key = 0; key < RULES_SELF_KEYS; key++) {
		uint8_t direction = key & 1 ? RULES_OUT : RULES_IN;

		rules_painter_clear(p);
		for (uint32_t place = 0; place < index->count; place++) {
			const struct rules_rule *rule = rule_at(set, index, place);

			rules_painter_put(p, place,
					  (rule->directions & direction) &&
						  self_fits(&rule->source, key & 2) &&
						  self_fits(&rule->destination, key & 4));
		}
		if (rules_painter_set(p, &index->self[key]))
			return -ENOMEM;
	}
	return 0;
}

/* ---- interfaces ---- */

/* Does the rule match on an interface of the group whose name it does not say? */
static bool on_other(const struct rules_rule *rule, uint32_t group)
{
	if (!rule->interface[0])
		return true;
	return (rules_index_group(rule->interface) == group) != rule->interface_negated;
}

struct named {
	const char *name;
	uint32_t place;
	bool in;
};

static int named_order(const void *left, const void *right)
{
	const struct named *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	if (order)
		return order;
	return a->place < b->place ? -1 : a->place > b->place;
}

static struct rules_interface *interface_get(struct rules_index *index, const char *name)
{
	uint32_t at = rules_index_hash(name) & index->interface_mask;

	while (index->interfaces[at].name && strcmp(index->interfaces[at].name, name) != 0)
		at = (at + 1) & index->interface_mask;
	index->interfaces[at].name = name;
	return &index->interfaces[at];
}

/* The sets of every name in one group: each differs from the others' in its own rules. */
static int make_group(const struct ruleset *set, struct rules_index *index, struct rules_painter *p,
		      const struct named *named, uint32_t count, uint32_t group)
{
	rules_painter_clear(p);
	for (uint32_t place = 0; place < index->count; place++)
		rules_painter_put(p, place, on_other(rule_at(set, index, place), group));
	if (rules_painter_set(p, &index->other_interfaces[group]))
		return -ENOMEM;
	for (uint32_t i = 0, end; i < count; i = end) {
		struct rules_interface *interface = interface_get(index, named[i].name);

		for (end = i; end < count && strcmp(named[end].name, named[i].name) == 0; end++)
			rules_painter_put(p, named[end].place, named[end].in);
		if (rules_painter_set(p, &interface->sets[group]))
			return -ENOMEM;
		for (uint32_t k = i; k < end; k++)
			rules_painter_put(p, named[k].place,
					  on_other(rule_at(set, index, named[k].place), group));
	}
	return 0;
}

static uint32_t collect_named(const struct ruleset *set, const struct rules_index *index,
			      struct named *named)
{
	uint32_t count = 0;

	for (uint32_t place = 0; place < index->count; place++) {
		const struct rules_rule *rule = rule_at(set, index, place);

		if (rule->interface[0])
			named[count++] =
				(struct named){ rule->interface, place, !rule->interface_negated };
	}
	if (count)
		qsort(named, count, sizeof(*named), named_order);
	return count;
}

static int make_interfaces(const struct ruleset *set, struct rules_index *index,
			   struct rules_painter *p)
{
	struct named *named = malloc((index->count + 1) * sizeof(*named));
	uint32_t count, places = 2;
	int error = -ENOMEM;

	if (!named)
		return -ENOMEM;
	count = collect_named(set, index, named);
	while (places < 2 * count)
		places *= 2;
	index->interface_mask = places - 1;
	index->interfaces = calloc(places, sizeof(*index->interfaces));
	if (index->interfaces)
		error = 0;
	for (uint32_t group = 0; group < RULES_GROUPS && !error; group++)
		error = make_group(set, index, p, named, count, group);
	free(named);
	return error;
}

/* ---- the whole ---- */

static int make_all(const struct ruleset *set, struct rules_index *index)
{
	struct rules_painter *p = malloc(sizeof(*p));
	int error;

	if (!p)
		return -ENOMEM;
	error = rules_painter_begin(p, &index->sets, index->count);
	if (!error)
		error = make_self(set, index, p);
	if (!error)
		error = make_interfaces(set, index, p);
	for (uint32_t i = 0; i < RULES_AXES && !error; i++)
		error = rules_axis_make(set, index, p, (enum rules_axis_name)i, &index->axes[i]);
	if (!error)
		error = rules_index_names_make(set, index, p);
	rules_painter_end(p);
	free(p);
	return error;
}

int rules_index_make(const struct ruleset *set, uint32_t *ids, uint32_t count,
		     struct rules_index **index)
{
	struct rules_index *made = calloc(1, sizeof(*made));
	int error;

	if (!made) {
		free(ids);
		return -ENOMEM;
	}
	made->ids = ids;
	made->count = count;
	error = count ? make_all(set, made) : 0;
	if (error)
		rules_index_free(made);
	else
		*index = made;
	return error;
}

void rules_index_free(struct rules_index *index)
{
	if (!index)
		return;
	for (uint32_t i = 0; i < RULES_AXES; i++) {
		free(index->axes[i].narrow);
		free(index->axes[i].wide);
		free(index->axes[i].sets);
		free(index->axes[i].roots);
	}
	for (uint32_t side = 0; side < RULES_SIDES; side++)
		free(index->names[side].sets);
	free(index->sets.blocks);
	free(index->sets.references);
	free(index->sets.summaries);
	free(index->interfaces);
	free(index->ids);
	free(index);
}

/* Appends the rules for which `action` and `quick` hold, forwards or backwards. */
static uint32_t collect(const struct ruleset *set, uint32_t *ids, bool match, bool quick,
			bool backwards)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < set->count; i++) {
		uint32_t id = backwards ? set->count - 1 - i : i;
		const struct rules_rule *rule = &set->rules[id];

		if ((rule->action == RULES_MATCH) == match && rule->quick == quick)
			ids[count++] = id;
	}
	return count;
}

int ruleset_compile(struct ruleset *set)
{
	uint32_t *deciders = malloc((set->count + 1) * sizeof(*deciders));
	uint32_t *matches = malloc((set->count + 1) * sizeof(*matches));
	uint32_t count;
	int error;

	ruleset_trim(set);
	error = deciders && matches ? ruleset_collect_claims(set) : -ENOMEM;
	if (error) {
		free(deciders);
		free(matches);
		return error;
	}
	count = collect(set, deciders, false, true, false);
	count += collect(set, deciders + count, false, false, true);
	error = rules_index_make(set, deciders, count, &set->deciders);
	if (error) {
		free(matches);
		return error;
	}
	return rules_index_make(set, matches, collect(set, matches, true, false, false),
				&set->matches);
}
