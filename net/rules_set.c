/* SPDX-License-Identifier: ISC */
/* A rule set as a thing that grows, is asked about, and is freed. */
#include <errno.h>
#include <stdlib.h>

#include "net/rules_index.h"

#define FIRST_CAPACITY 16u

int ruleset_add(struct ruleset *set, const struct rules_rule *rule)
{
	if (set->count == RULES_MAX)
		return -E2BIG;
	if (set->count == set->capacity) {
		uint32_t capacity = set->capacity + set->capacity / 2 + FIRST_CAPACITY;
		struct rules_rule *grown = realloc(set->rules, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->rules = grown;
		set->capacity = capacity;
	}
	set->rules[set->count++] = *rule;
	return 0;
}

void ruleset_trim(struct ruleset *set)
{
	struct rules_rule *cut = set->count ? realloc(set->rules, set->count * sizeof(*cut)) : NULL;

	if (!cut)
		return;
	set->rules = cut;
	set->capacity = set->count;
}

int ruleset_add_parameters(struct ruleset *set, const struct rules_parameters *parameters,
			   uint32_t *index)
{
	struct rules_parameters *grown = set->parameters;
	uint32_t count = set->parameter_count;

	/* Room doubles whenever the count is a power of two. */
	if ((count & (count - 1)) == 0)
		grown = realloc(grown, (count ? count * 2 : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	set->parameters = grown;
	grown[count] = *parameters;
	*index = ++set->parameter_count;
	return 0;
}

void ruleset_free(struct ruleset *set)
{
	if (!set)
		return;
	rules_index_free(set->deciders);
	rules_index_free(set->matches);
	rules_tables_free(set);
	rules_table_free(&set->claims);
	ruleset_names_free(set);
	free(set->parameters);
	free(set->rules);
	free(set);
}

const struct rules_options *ruleset_options(const struct ruleset *set)
{
	static const struct rules_options none;

	return set ? &set->options : &none;
}

uint32_t ruleset_count(const struct ruleset *set)
{
	return set ? set->count : 0;
}

uint32_t ruleset_rule_line(const struct ruleset *set, uint32_t rule)
{
	return set->rules[rule].line;
}

const char *ruleset_rule_label(const struct ruleset *set, uint32_t rule)
{
	return set->rules[rule].label;
}

uint64_t ruleset_rule_hits(const struct ruleset *set, uint32_t rule)
{
	return set->rules[rule].hits;
}
