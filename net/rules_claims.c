/* SPDX-License-Identifier: ISC */
/*
 * Addresses that are somebody's only because rules translate to or from them: whoever
 * wants to reach one must be told that it is here. Collected once, asked as sorted ranges.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/rules_internal.h"

static bool is_of_uplink(const struct rules_rule *rule)
{
	return !rule->interface[0] ||
	       (strncmp(rule->interface, "uplink", 6) == 0) != rule->interface_negated;
}

static struct rules_entry prefix_of(const struct ip_address *address, uint8_t prefix)
{
	struct rules_entry entry = { .address = *address, .prefix = prefix };

	ip_address_mask(&entry.address, prefix);
	return entry;
}

/* What the rule makes of a sender's address on its way out. */
static bool outer_of_nat(const struct rules_rule *rule, const struct rules_parameters *p,
			 struct rules_entry *entry)
{
	if (!p->has_nat || !(rule->directions & RULES_OUT) || !p->nat_to.address.version)
		return false;
	*entry = prefix_of(&p->nat_to.address, p->nat_to.prefix);
	return true;
}

/* What it takes for another's on the way in: an address, or prefix for prefix. */
static bool outer_of_rdr(const struct rules_rule *rule, const struct rules_parameters *p,
			 struct rules_entry *entry)
{
	const struct rules_host *to = &rule->destination;
	bool by_prefix =
		p->rdr_to.mode == RULES_TARGET_BITMASK || p->rdr_to.mode == RULES_TARGET_NPTV6;

	if (!p->has_rdr || !(rule->directions & RULES_IN) || to->kind != RULES_HOST_PREFIX ||
	    to->negated)
		return false;
	if (!by_prefix && to->prefix != ip_address_bits(to->address.version))
		return false;
	*entry = prefix_of(&to->address, to->prefix);
	return true;
}

int ruleset_collect_claims(struct ruleset *set)
{
	struct rules_table *claims = &set->claims;

	if (!set->parameter_count || !set->count)
		return 0;
	claims->entries = malloc(2 * (size_t)set->count * sizeof(*claims->entries));
	if (!claims->entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->count; i++) {
		const struct rules_rule *rule = &set->rules[i];
		const struct rules_parameters *p;

		if (!rule->parameters || !is_of_uplink(rule))
			continue;
		p = &set->parameters[rule->parameters - 1];
		if (outer_of_nat(rule, p, &claims->entries[claims->entry_count]))
			claims->entry_count++;
		if (outer_of_rdr(rule, p, &claims->entries[claims->entry_count]))
			claims->entry_count++;
	}
	return rules_table_finish(claims);
}

bool ruleset_claims(const struct ruleset *set, const struct ip_address *address,
		    const struct ip_address *gateway)
{
	const struct rules_range *range = set ? rules_table_range(&set->claims, address) : NULL;
	ip_number outside;

	if (!range)
		return false;
	if (gateway->version != address->version)
		return true;
	outside = ip_address_number(gateway);
	return outside < range->first || outside > range->last;
}
