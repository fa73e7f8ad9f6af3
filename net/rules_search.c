/* SPDX-License-Identifier: ISC */
/* Finding the rule that decides in the compiled form; see rules_index.h. */
#include <string.h>

#include "net/rules_index.h"
#include "net/rules_verdict.h"

uint32_t rules_index_group(const char *group)
{
	if (strcmp(group, "uplink") == 0)
		return 0;
	return strcmp(group, "clients") == 0 ? 1 : RULES_GROUPS;
}

/* FNV-1a; names come from the toolstack and the rules, not from packets. */
uint32_t rules_index_hash(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash ^ hash >> 15;
}

/* Where the search for a key begins and among how many ranges. */
static uint32_t axis_root(const struct rules_axis *axis, uint32_t key, uint32_t *left)
{
	uint32_t step;

	*left = axis->count;
	if (!axis->steps)
		return 0;
	*left = 1;
	if (key < axis->narrow[1])
		return 0;
	step = (key - axis->narrow[1]) >> axis->shift;
	if (step >= axis->steps)
		return axis->count - 1;
	*left = axis->roots[step + 1] - axis->roots[step] + 1;
	return axis->roots[step];
}

/* The last start that is not behind the key, without a branch that depends on it. */
static uint32_t axis_narrow(const struct rules_axis *axis, uint32_t key)
{
	uint32_t left;
	const uint32_t *base = axis->narrow + axis_root(axis, key, &left);

	while (left > 1) {
		uint32_t half = left / 2;

		base = base[half] <= key ? base + half : base;
		left -= half;
	}
	return axis->sets[base - axis->narrow];
}

static uint32_t axis_wide(const struct rules_axis *axis, ip_number key)
{
	const ip_number *base = axis->wide;

	for (uint32_t left = axis->count; left > 1;) {
		uint32_t half = left / 2;

		base = base[half] <= key ? base + half : base;
		left -= half;
	}
	return axis->sets[base - axis->wide];
}

static uint32_t interface_set(const struct rules_index *index, const char *name, uint32_t group)
{
	uint32_t at = rules_index_hash(name) & index->interface_mask;

	for (; index->interfaces[at].name; at = (at + 1) & index->interface_mask)
		if (strcmp(index->interfaces[at].name, name) == 0)
			return index->interfaces[at].sets[group];
	return index->other_interfaces[group];
}

static uint32_t protocol_key(const struct rules_query *query)
{
	if (query->protocol == RULES_ICMP)
		return RULES_KEY_ICMP + query->icmp_type;
	if (query->protocol == RULES_ICMP6)
		return RULES_KEY_ICMP6 + query->icmp_type;
	return query->protocol;
}

/* An address adds a dimension: the set of its axis, with those of its names. */
static void search_address(struct rules_search *s, uint32_t side, const struct ip_address *address,
			   uint32_t number)
{
	const struct rules_index_names *names = &s->index->names[side];
	const struct rules_resolver *resolver = &s->set->resolver;
	uint16_t found[RULES_SEARCH_NAMES];
	struct rules_union *u;
	uint32_t count = 0;

	if (names->sets && resolver->names_of)
		count = resolver->names_of(resolver->context, address, found, RULES_SEARCH_NAMES);
	if (!count) {
		s->sets[s->dimensions++] = number;
		return;
	}
	u = &s->unions[s->union_count++];
	u->sets[0] = number;
	u->count = 1;
	if (count > RULES_SEARCH_NAMES) {
		u->sets[u->count++] = names->any;
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		u->sets[u->count++] = names->sets[found[i]];
}

static void search_addresses(struct rules_search *s)
{
	const struct rules_axis *axes = s->index->axes;
	const struct rules_query *q = s->query;

	if (q->source.version == 4) {
		search_address(s, 0, &q->source,
			       axis_narrow(&axes[RULES_AXIS_SOURCE4],
					   be32_get(ip_address_get4(&q->source))));
		search_address(s, 1, &q->destination,
			       axis_narrow(&axes[RULES_AXIS_DESTINATION4],
					   be32_get(ip_address_get4(&q->destination))));
		return;
	}
	search_address(s, 0, &q->source,
		       axis_wide(&axes[RULES_AXIS_SOURCE6], ip_address_number(&q->source)));
	search_address(
		s, 1, &q->destination,
		axis_wide(&axes[RULES_AXIS_DESTINATION6], ip_address_number(&q->destination)));
}

bool rules_search_begin(struct rules_search *s, const struct ruleset *set,
			const struct rules_index *index, const struct rules_query *query)
{
	uint32_t group = rules_index_group(query->interface_group);
	uint32_t self = (query->direction == RULES_OUT ? 1u : 0) |
			(query->source_is_self ? 2u : 0) | (query->destination_is_self ? 4u : 0);

	if (group == RULES_GROUPS || query->source.version != query->destination.version)
		return false;
	s->set = set;
	s->index = index;
	s->query = query;
	s->at = 0;
	s->dimensions = 0;
	s->union_count = 0;
	if (index->count == 0)
		return true;
	s->sets[s->dimensions++] = index->self[self];
	s->sets[s->dimensions++] = interface_set(index, query->interface, group);
	s->sets[s->dimensions++] =
		axis_narrow(&index->axes[RULES_AXIS_PROTOCOL], protocol_key(query));
	search_addresses(s);
	if (query->protocol != RULES_TCP && query->protocol != RULES_UDP)
		return true;
	s->sets[s->dimensions++] =
		axis_narrow(&index->axes[RULES_AXIS_SOURCE_PORT], query->source_port);
	s->sets[s->dimensions++] =
		axis_narrow(&index->axes[RULES_AXIS_DESTINATION_PORT], query->destination_port);
	return true;
}

/* Word w of block b in a set. */
static uint64_t set_word(const struct rules_sets *sets, uint32_t set, uint32_t b, uint32_t w)
{
	return sets->blocks[sets->references[(size_t)set * sets->width + b]].words[w];
}

/* Word w of what is common to all dimensions in block b. */
static uint64_t common_word(const struct rules_search *s, uint32_t b, uint32_t w)
{
	const struct rules_sets *sets = &s->index->sets;
	uint64_t word = ~(uint64_t)0;

	for (uint32_t d = 0; d < s->dimensions; d++)
		word &= set_word(sets, s->sets[d], b, w);
	for (uint32_t u = 0; u < s->union_count; u++) {
		uint64_t either = 0;

		for (uint32_t i = 0; i < s->unions[u].count; i++)
			either |= set_word(sets, s->unions[u].sets[i], b, w);
		word &= either;
	}
	return word;
}

/* The first place from s->at on in block b that all sets have and that matches. */
static uint32_t block_next(struct rules_search *s, uint32_t b)
{
	uint32_t base = b * RULES_BLOCK_BITS;
	uint32_t from = s->at > base ? s->at - base : 0;

	for (uint32_t w = from / 64; w < RULES_BLOCK_WORDS; w++) {
		uint64_t word = common_word(s, b, w);

		if (w == from / 64)
			word &= ~(uint64_t)0 << from % 64;
		for (; word; word &= word - 1) {
			uint32_t place = base + w * 64 + (uint32_t)__builtin_ctzll(word);
			uint32_t id = s->index->ids[place];

			s->at = place + 1;
			if (rules_rule_matches(s->set, &s->set->rules[id], s->query))
				return id;
		}
	}
	s->at = base + RULES_BLOCK_BITS;
	return RULES_NO_RULE;
}

uint32_t rules_search_next(struct rules_search *s)
{
	uint32_t summary = s->index->count ? ~0u : 0;

	for (uint32_t d = 0; d < s->dimensions; d++)
		summary &= s->index->sets.summaries[s->sets[d]];
	for (uint32_t u = 0; u < s->union_count; u++) {
		uint32_t either = 0;

		for (uint32_t i = 0; i < s->unions[u].count; i++)
			either |= s->index->sets.summaries[s->unions[u].sets[i]];
		summary &= either;
	}
	for (; summary; summary &= summary - 1) {
		uint32_t b = (uint32_t)__builtin_ctz(summary);
		uint32_t id;

		if ((b + 1) * RULES_BLOCK_BITS <= s->at)
			continue;
		id = block_next(s, b);
		if (id != RULES_NO_RULE)
			return id;
	}
	s->at = s->index->sets.width * RULES_BLOCK_BITS;
	return RULES_NO_RULE;
}

/* Adds what the match rules before rule `end` say. */
static void apply_matches(struct ruleset *set, const struct rules_query *query, uint32_t end,
			  uint32_t hit, struct rules_verdict *verdict)
{
	struct rules_search search;
	uint32_t id;

	if (!rules_search_begin(&search, set, set->matches, query))
		return;
	while ((id = rules_search_next(&search)) < end) {
		rules_verdict_apply(set, id, verdict);
		set->rules[id].hits += hit;
	}
}

/* `hit`: what the rules that apply are credited with. */
static struct rules_verdict judge(struct ruleset *set, const struct rules_query *query,
				  uint32_t hit)
{
	struct rules_verdict verdict = { .action = RULES_BLOCK_DROP, .rule = RULES_NO_RULE };
	struct rules_search search;
	uint32_t decided, end;

	if (!set)
		return verdict;
	if (!set->deciders || !rules_search_begin(&search, set, set->deciders, query)) {
		verdict = rules_walk(set, query);
		decided = verdict.rule;
	} else {
		decided = rules_search_next(&search);
		end = decided != RULES_NO_RULE && set->rules[decided].quick ? decided : set->count;
		if (set->matches->count)
			apply_matches(set, query, end, hit, &verdict);
		rules_verdict_decide(set, decided, &verdict);
	}
	if (decided != RULES_NO_RULE)
		set->rules[decided].hits += hit;
	return verdict;
}

struct rules_verdict ruleset_judge(struct ruleset *set, const struct rules_query *query)
{
	return judge(set, query, 1);
}

struct rules_verdict ruleset_peek(struct ruleset *set, const struct rules_query *query)
{
	return judge(set, query, 0);
}
