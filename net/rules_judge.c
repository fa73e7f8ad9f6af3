/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/rules.h"
#include "net/rules_internal.h"

#define PROTOCOL_ICMP 1u
#define PROTOCOL_TCP 6u
#define FIRST_CAPACITY 16u

int ruleset_add(struct ruleset *set, const struct rules_rule *rule)
{
	if (set->count == RULES_MAX)
		return -E2BIG;
	if (set->count == set->capacity) {
		uint32_t capacity = set->capacity ? set->capacity * 2 : FIRST_CAPACITY;
		struct rules_rule *grown = realloc(set->rules, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->rules = grown;
		set->capacity = capacity;
	}
	set->rules[set->count++] = *rule;
	return 0;
}

void ruleset_free(struct ruleset *set)
{
	if (!set)
		return;
	free(set->rules);
	free(set);
}

static bool host_matches(const struct rules_host *host, be32 address, bool is_self)
{
	bool matches = true;

	if (host->kind == RULES_HOST_PREFIX)
		matches = (be32_get(address) & host->mask) == host->address;
	else if (host->kind == RULES_HOST_SELF)
		matches = is_self;
	return matches != host->negated;
}

static bool ports_match(const struct rules_ports *ports, uint16_t port)
{
	bool inside = port >= ports->low && port <= ports->high;

	return inside != ports->outside;
}

static bool interface_matches(const struct rules_rule *rule, const struct rules_query *query)
{
	bool matches;

	if (!rule->interface[0])
		return true;
	matches = strcmp(rule->interface, query->interface) == 0 ||
		  strcmp(rule->interface, query->interface_group) == 0;
	return matches != rule->interface_negated;
}

static bool transport_matches(const struct rules_rule *rule, const struct rules_query *query)
{
	if (query->protocol == PROTOCOL_TCP &&
	    (query->tcp_flags & rule->flags_mask) != rule->flags_set)
		return false;
	if (rule->protocol == RULES_ANY_PROTOCOL)
		return true;
	if (rule->protocol != query->protocol)
		return false;
	if (rule->protocol == PROTOCOL_ICMP)
		return rule->icmp_type == RULES_ANY_ICMP ||
		       (rule->icmp_type == query->icmp_type &&
			(rule->icmp_code == RULES_ANY_ICMP || rule->icmp_code == query->icmp_code));
	return ports_match(&rule->source_ports, query->source_port) &&
	       ports_match(&rule->destination_ports, query->destination_port);
}

static bool rule_matches(const struct rules_rule *rule, const struct rules_query *query)
{
	return (rule->directions & query->direction) && transport_matches(rule, query) &&
	       host_matches(&rule->destination, query->destination, query->destination_is_self) &&
	       host_matches(&rule->source, query->source, query->source_is_self) &&
	       interface_matches(rule, query);
}

struct rules_verdict ruleset_judge(struct ruleset *set, const struct rules_query *query)
{
	struct rules_verdict verdict = { .action = RULES_BLOCK_DROP, .rule = RULES_NO_RULE };
	uint32_t count = set ? set->count : 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!rule_matches(&set->rules[i], query))
			continue;
		verdict.rule = i;
		if (set->rules[i].quick)
			break;
	}
	if (verdict.rule == RULES_NO_RULE)
		return verdict;
	verdict.action = (enum rules_action)set->rules[verdict.rule].action;
	verdict.keep_state = set->rules[verdict.rule].keep_state;
	verdict.log = set->rules[verdict.rule].log;
	set->rules[verdict.rule].hits++;
	return verdict;
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
