/* SPDX-License-Identifier: ISC */
/* Whether one rule matches, and what the matching ones say together. */
#include <string.h>

#include "net/rules_internal.h"
#include "net/rules_verdict.h"

static bool prefix_matches(const struct rules_host *host, const struct ip_address *address)
{
	if (address->version != host->address.version)
		return false;
	return ((ip_address_number(address) ^ ip_address_number(&host->address)) &
		~ip_number_host_bits(address->version, host->prefix)) == 0;
}

/* Of a name that is not known the safe thing is believed; see ruleset_set_resolver(). */
static bool host_matches(const struct ruleset *set, const struct rules_rule *rule,
			 const struct rules_host *host, const struct ip_address *address,
			 bool is_self)
{
	bool blocks = rule->action < RULES_PASS;
	bool matches = true, unknown = false;

	if (host->kind == RULES_HOST_PREFIX)
		matches = prefix_matches(host, address);
	else if (host->kind == RULES_HOST_SELF)
		matches = is_self;
	else if (host->kind == RULES_HOST_TABLE)
		matches = rules_table_has(set, &set->tables[host->table], address, &unknown);
	else if (host->kind == RULES_HOST_NAME)
		matches = rules_name_has(set, host->name, address, &unknown);
	if (unknown && host->when_unknown)
		return true;
	return matches != host->negated && (blocks || !unknown);
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

static bool icmp_matches(const struct rules_rule *rule, const struct rules_query *query)
{
	if (rule->icmp_type == RULES_ANY_ICMP)
		return true;
	return rule->icmp_type == query->icmp_type &&
	       (rule->icmp_code == RULES_ANY_ICMP || rule->icmp_code == query->icmp_code);
}

static bool transport_matches(const struct rules_rule *rule, const struct rules_query *query)
{
	if (query->protocol == RULES_TCP &&
	    (query->tcp_flags & rule->flags_mask) != rule->flags_set)
		return false;
	if (rule->protocol == RULES_ANY_PROTOCOL)
		return true;
	if (rule->protocol != query->protocol)
		return false;
	if (rule->protocol == RULES_ICMP || rule->protocol == RULES_ICMP6)
		return icmp_matches(rule, query);
	return ports_match(&rule->source_ports, query->source_port) &&
	       ports_match(&rule->destination_ports, query->destination_port);
}

bool rules_rule_matches(const struct ruleset *set, const struct rules_rule *rule,
			const struct rules_query *query)
{
	if (rule->version && rule->version != query->source.version)
		return false;
	return (rule->directions & query->direction) && transport_matches(rule, query) &&
	       host_matches(set, rule, &rule->destination, &query->destination,
			    query->destination_is_self) &&
	       host_matches(set, rule, &rule->source, &query->source, query->source_is_self) &&
	       interface_matches(rule, query);
}

/* What a rule's parameters say replaces what earlier ones said, each for itself. */
void rules_verdict_apply(const struct ruleset *set, uint32_t rule, struct rules_verdict *verdict)
{
	const struct rules_rule *r = &set->rules[rule];
	const struct rules_parameters *p;

	verdict->log |= r->log;
	if (!r->parameters)
		return;
	p = &set->parameters[r->parameters - 1];
	if (p->has_nat || p->no_nat)
		verdict->nat_to = p->has_nat ? &p->nat_to : NULL;
	if (p->has_rdr || p->no_rdr) {
		verdict->rdr_to = p->has_rdr ? &p->rdr_to : NULL;
		verdict->rdr_port = r->destination_ports.outside ? 0 : r->destination_ports.low;
	}
	if (p->has_limits)
		verdict->limits = &p->limits;
	if (p->max_mss)
		verdict->max_mss = p->max_mss;
}

void rules_verdict_decide(const struct ruleset *set, uint32_t rule, struct rules_verdict *verdict)
{
	verdict->rule = rule;
	if (rule == RULES_NO_RULE)
		return;
	verdict->action = (enum rules_action)set->rules[rule].action;
	verdict->keep_state = set->rules[rule].keep_state;
	verdict->icmp4_answer = set->rules[rule].icmp4_answer;
	verdict->icmp6_answer = set->rules[rule].icmp6_answer;
	rules_verdict_apply(set, rule, verdict);
}

struct rules_verdict rules_walk(const struct ruleset *set, const struct rules_query *query)
{
	struct rules_verdict verdict = { .action = RULES_BLOCK_DROP, .rule = RULES_NO_RULE };
	uint32_t count = set ? set->count : 0, decided = RULES_NO_RULE;

	for (uint32_t i = 0; i < count; i++) {
		const struct rules_rule *rule = &set->rules[i];

		if (!rules_rule_matches(set, rule, query))
			continue;
		if (rule->action == RULES_MATCH) {
			rules_verdict_apply(set, i, &verdict);
			continue;
		}
		decided = i;
		if (rule->quick)
			break;
	}
	rules_verdict_decide(set, decided, &verdict);
	return verdict;
}
