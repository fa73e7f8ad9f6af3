/* SPDX-License-Identifier: ISC */
/*
 * Two hash tables with chains by index, both in the caller's memory: rules by number and
 * generation, sources by rule, owner and address. An entry lives while it counts
 * something.
 */
#include "net/flow_limits.h"

#include <errno.h>
#include <string.h>

#include "lib/panic.h"

static uint32_t bucket_count(uint32_t entries)
{
	uint32_t count = 2;

	while (count < entries)
		count *= 2;
	return count;
}

size_t flow_limits_bytes(uint32_t rules, uint32_t sources)
{
	return (size_t)rules * sizeof(struct flow_limits_rule) +
	       (size_t)sources * sizeof(struct flow_limits_source) +
	       ((size_t)bucket_count(rules) + bucket_count(sources)) * sizeof(uint32_t);
}

void flow_limits_init(struct flow_limits *limits, void *memory, uint32_t rules, uint32_t sources,
		      struct random *random)
{
	memset(limits, 0, sizeof(*limits));
	memset(memory, 0, flow_limits_bytes(rules, sources));
	limits->rules = memory;
	limits->sources = (struct flow_limits_source *)(limits->rules + rules);
	limits->rule_buckets = (uint32_t *)(limits->sources + sources);
	limits->source_buckets = limits->rule_buckets + bucket_count(rules);
	limits->rules_total = rules;
	limits->sources_total = sources;
	random_bytes(random, &limits->hash_key, sizeof(limits->hash_key));
	for (uint32_t i = rules; i > 0; i--) {
		limits->rules[i - 1].next = limits->rules_free;
		limits->rules_free = i;
	}
	for (uint32_t i = sources; i > 0; i--) {
		limits->sources[i - 1].next = limits->sources_free;
		limits->sources_free = i;
	}
}

void flow_limits_renew(struct flow_limits *limits)
{
	limits->generation++;
}

/* ---- rules ---- */

static uint32_t *rule_bucket(const struct flow_limits *limits, uint32_t generation, uint32_t rule)
{
	/* Nobody outside chooses these numbers. */
	return &limits->rule_buckets[(rule + generation) & (bucket_count(limits->rules_total) - 1)];
}

/* Index + 1, or 0. */
static uint32_t rule_find(const struct flow_limits *limits, uint32_t rule)
{
	uint32_t at = *rule_bucket(limits, limits->generation, rule);

	while (at && (limits->rules[at - 1].rule != rule ||
		      limits->rules[at - 1].generation != limits->generation))
		at = limits->rules[at - 1].next;
	return at;
}

uint32_t flow_limits_count(const struct flow_limits *limits, uint32_t rule)
{
	uint32_t at = rule_find(limits, rule);

	return at ? limits->rules[at - 1].states : 0;
}

static uint32_t rule_make(struct flow_limits *limits, const struct flow_limit *limit)
{
	uint32_t *bucket = rule_bucket(limits, limits->generation, limit->rule);
	uint32_t at = limits->rules_free;
	struct flow_timeouts timeouts = flow_timeouts_of_rules(limit->limits->timeout);
	struct flow_limits_rule *entry;

	if (!at)
		return 0;
	entry = &limits->rules[at - 1];
	limits->rules_free = entry->next;
	limits->rules_used++;
	entry->rule = limit->rule;
	entry->generation = limits->generation;
	entry->states = 0;
	entry->max_states = limit->limits->max_states;
	entry->max_source_states = limit->limits->max_source_states;
	for (unsigned int state = 0; state < FLOW_STATE_COUNT; state++)
		entry->idle[state] = flow_idle_ticks(timeouts.seconds[state]);
	entry->next = *bucket;
	*bucket = at;
	return at;
}

/* Frees a rule that counts nothing any more. */
static void rule_end(struct flow_limits *limits, uint32_t at)
{
	struct flow_limits_rule *entry = &limits->rules[at - 1];
	uint32_t *link = rule_bucket(limits, entry->generation, entry->rule);

	if (entry->states)
		return;
	while (*link != at) {
		if (!*link)
			panic("limits of rule %u are not in their chain", entry->rule);
		link = &limits->rules[*link - 1].next;
	}
	*link = entry->next;
	entry->next = limits->rules_free;
	limits->rules_free = at;
	limits->rules_used--;
}

/* ---- sources ---- */

static struct flow_limits_source source_of(uint32_t rule, const struct flow_tuple *original,
					   uint8_t owner)
{
	struct flow_limits_source source = {
		.rule = (uint16_t)rule,
		.version = original->key.version,
		.owner = owner,
	};

	if (original->key.version == 6)
		memcpy(source.address, &original->ip6.source, sizeof(source.address));
	else
		memcpy(source.address, &original->key.source, sizeof(original->key.source));
	return source;
}

#define SOURCE_KEY_OFFSET offsetof(struct flow_limits_source, address)
#define SOURCE_KEY_BYTES (sizeof(struct flow_limits_source) - SOURCE_KEY_OFFSET)
static_assert(SOURCE_KEY_BYTES == 20, "no holes: hashed and compared as bytes");

static const void *key_of(const struct flow_limits_source *source)
{
	return (const uint8_t *)source + SOURCE_KEY_OFFSET;
}

static uint32_t *source_bucket(const struct flow_limits *limits,
			       const struct flow_limits_source *source)
{
	uint64_t hash = siphash(&limits->hash_key, key_of(source), SOURCE_KEY_BYTES);

	return &limits->source_buckets[hash & (bucket_count(limits->sources_total) - 1)];
}

/* The link that leads to the source's entry, or the 0 at the end of its chain. */
static uint32_t *source_link(const struct flow_limits *limits,
			     const struct flow_limits_source *source)
{
	uint32_t *link = source_bucket(limits, source);

	while (*link &&
	       memcmp(key_of(&limits->sources[*link - 1]), key_of(source), SOURCE_KEY_BYTES) != 0)
		link = &limits->sources[*link - 1].next;
	return link;
}

static int source_take(struct flow_limits *limits, uint32_t rule, uint32_t max,
		       const struct flow_limits_payer *payer)
{
	struct flow_limits_source source = source_of(rule, payer->original, payer->owner);
	uint32_t *link = source_link(limits, &source);
	uint32_t at = *link;

	if (at) {
		if (limits->sources[at - 1].states >= max)
			return -EMLINK;
		limits->sources[at - 1].states++;
		return 0;
	}
	at = limits->sources_free;
	if (!at || limits->owned[payer->owner] >= payer->sources)
		return -ENOBUFS;
	limits->sources_free = limits->sources[at - 1].next;
	limits->sources_used++;
	limits->owned[payer->owner]++;
	source.states = 1;
	limits->sources[at - 1] = source;
	*link = at;
	return 0;
}

static void source_give(struct flow_limits *limits, uint32_t rule,
			const struct flow_tuple *original, uint8_t owner)
{
	struct flow_limits_source source = source_of(rule, original, owner);
	uint32_t *link = source_link(limits, &source);
	uint32_t at = *link;

	if (!at)
		panic("a flow of rule %u is not counted for its source", rule);
	if (--limits->sources[at - 1].states)
		return;
	*link = limits->sources[at - 1].next;
	limits->sources[at - 1].next = limits->sources_free;
	limits->sources_free = at;
	limits->sources_used--;
	limits->owned[owner]--;
}

/* ---- flows ---- */

static int count(struct flow_limits *limits, uint32_t at, const struct flow_limits_payer *payer,
		 bool forced)
{
	struct flow_limits_rule *rule = &limits->rules[at - 1];
	uint32_t max_source = forced ? UINT32_MAX : rule->max_source_states;
	int error = 0;

	if (!forced && rule->max_states && rule->states >= rule->max_states)
		return -EMFILE;
	if (rule->max_source_states)
		error = source_take(limits, at, max_source, payer);
	if (!error)
		rule->states++;
	return error;
}

int flow_limits_take(struct flow_limits *limits, const struct flow_limit *limit,
		     const struct flow_limits_payer *payer, bool forced, uint16_t *reference)
{
	uint32_t at;
	int error;

	*reference = 0;
	if (!limit->limits)
		return 0;
	at = rule_find(limits, limit->rule);
	if (!at)
		at = rule_make(limits, limit);
	if (!at)
		return -ENOBUFS;
	error = count(limits, at, payer, forced);
	if (error)
		rule_end(limits, at);
	else
		*reference = (uint16_t)at;
	return error;
}

void flow_limits_give(struct flow_limits *limits, uint16_t reference,
		      const struct flow_tuple *original, uint8_t owner)
{
	struct flow_limits_rule *rule;

	if (!reference)
		return;
	rule = &limits->rules[reference - 1];
	rule->states--;
	if (rule->max_source_states)
		source_give(limits, reference, original, owner);
	rule_end(limits, reference);
}

uint32_t flow_limits_idle(const struct flow_limits *limits, uint16_t reference,
			  enum flow_state state)
{
	return reference ? limits->rules[reference - 1].idle[state] : 0;
}

/* ---- for tests ---- */

static bool rules_are_valid(const struct flow_limits *limits)
{
	uint32_t linked = 0, unused = 0;

	for (uint32_t i = 0; i < bucket_count(limits->rules_total); i++)
		for (uint32_t at = limits->rule_buckets[i]; at && linked <= limits->rules_used;
		     at = limits->rules[at - 1].next, linked++)
			if (!limits->rules[at - 1].states)
				return false;
	for (uint32_t at = limits->rules_free; at && unused <= limits->rules_total;
	     at = limits->rules[at - 1].next)
		unused++;
	return linked == limits->rules_used && linked + unused == limits->rules_total;
}

static bool sources_are_valid(const struct flow_limits *limits)
{
	uint32_t linked = 0, unused = 0, owned = 0;
	uint64_t states = 0, counted = 0;

	for (uint32_t i = 0; i < bucket_count(limits->sources_total); i++)
		for (uint32_t at = limits->source_buckets[i]; at && linked <= limits->sources_used;
		     at = limits->sources[at - 1].next, linked++) {
			if (!limits->sources[at - 1].states)
				return false;
			states += limits->sources[at - 1].states;
		}
	for (uint32_t at = limits->sources_free; at && unused <= limits->sources_total;
	     at = limits->sources[at - 1].next)
		unused++;
	for (uint32_t i = 0; i < 256; i++)
		owned += limits->owned[i];
	for (uint32_t i = 0; i < limits->rules_total; i++)
		if (limits->rules[i].max_source_states)
			counted += limits->rules[i].states;
	return linked == limits->sources_used && linked + unused == limits->sources_total &&
	       owned == linked && states == counted;
}

bool flow_limits_is_valid(const struct flow_limits *limits)
{
	return rules_are_valid(limits) && sources_are_valid(limits);
}
