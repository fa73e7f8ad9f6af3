/* SPDX-License-Identifier: ISC */
/* From a line as it was read to rules: defaults, what must fit together, the product of lists. */
#include <errno.h>
#include <string.h>

#include "net/rules_parser.h"

/* What was not said means all. */
static void fill_defaults(struct rules_parser *p)
{
	if (!p->protocol_count)
		p->protocols[p->protocol_count++] = RULES_ANY_PROTOCOL;
	if (!p->interface_count)
		p->interfaces[p->interface_count++] = (struct rules_interface_name){ 0 };
	if (!p->icmp_count)
		p->icmps[p->icmp_count++] = (struct rules_icmp){ RULES_ANY_ICMP, RULES_ANY_ICMP };
	if (!p->sources.count)
		p->sources.items[p->sources.count++] =
			(struct rules_host){ .kind = RULES_HOST_ANY };
	if (!p->destinations.count)
		p->destinations.items[p->destinations.count++] =
			(struct rules_host){ .kind = RULES_HOST_ANY };
	if (!p->source_ports.count)
		p->source_ports.items[p->source_ports.count++] =
			(struct rules_ports){ 0, UINT16_MAX, false };
	if (!p->destination_ports.count)
		p->destination_ports.items[p->destination_ports.count++] =
			(struct rules_ports){ 0, UINT16_MAX, false };
}

static int check_protocols(struct rules_parser *p)
{
	if (p->has_icmp && p->has_icmp6)
		return rules_fail_at(p, &p->icmp_at, "icmp-type and icmp6-type exclude each other");
	for (uint32_t i = 0; i < p->protocol_count; i++) {
		uint16_t protocol = p->protocols[i];

		if (p->has_ports && protocol != RULES_TCP && protocol != RULES_UDP)
			return rules_fail_at(p, &p->ports_at, "port needs proto tcp or udp");
		if (p->has_icmp && protocol != RULES_ICMP)
			return rules_fail_at(p, &p->icmp_at, "icmp-type needs proto icmp");
		if (p->has_icmp6 && protocol != RULES_ICMP6)
			return rules_fail_at(p, &p->icmp_at, "icmp6-type needs proto icmp6");
		if (p->has_flags && protocol != RULES_TCP)
			return rules_fail_at(p, &p->flags_at, "flags need proto tcp");
	}
	return 0;
}

static int check_parameters(struct rules_parser *p)
{
	bool both = p->rule.directions == (RULES_IN | RULES_OUT);
	bool blocks = p->rule.action < RULES_PASS;

	if (p->has_translation && blocks)
		return rules_fail_at(p, &p->translation_at, "what is blocked is not translated");
	if (p->is_binat && !both)
		return rules_fail_at(p, &p->translation_at,
				     "binat-to is for both directions: leave out in and out");
	if (p->has_translation && both && !p->is_binat)
		return rules_fail_at(p, &p->translation_at, "a translation needs in or out");
	if (p->has_translation && p->rule.action == RULES_PASS && !p->rule.keep_state)
		return rules_fail_at(p, &p->translation_at, "a translation needs state");
	if (p->parameters.max_mss && blocks)
		return rules_fail_at(p, &p->start, "what is blocked is not scrubbed");
	if (p->has_state && p->rule.action != RULES_PASS)
		return rules_fail_at(p, &p->state_at, "only pass makes state");
	if (p->rule.quick && p->rule.action == RULES_MATCH)
		return rules_fail_at(p, &p->start, "match decides nothing and cannot be quick");
	return rules_check_bitmask(p);
}

/* Narrows *version to that of the host; false when they differ. */
static bool version_fits(uint8_t *version, uint8_t other)
{
	if (other && *version && other != *version)
		return false;
	if (other)
		*version = other;
	return true;
}

static uint8_t host_version(const struct rules_host *host)
{
	return host->kind == RULES_HOST_PREFIX ? host->address.version : 0;
}

static bool choose_version(struct rules_rule *rule, uint8_t version)
{
	bool fits = version_fits(&version, host_version(&rule->source)) &&
		    version_fits(&version, host_version(&rule->destination));

	if (rule->protocol == RULES_ICMP)
		fits = fits && version_fits(&version, 4);
	else if (rule->protocol == RULES_ICMP6)
		fits = fits && version_fits(&version, 6);
	rule->version = version;
	return fits;
}

/* Takes item n of a list out of a number that counts through the product of all. */
static uint32_t take(uint64_t *rest, uint32_t count)
{
	uint32_t item = (uint32_t)(*rest % count);

	*rest /= count;
	return item;
}

static void rule_of(const struct rules_parser *p, uint64_t n, struct rules_rule *rule)
{
	const struct rules_interface_name *interface;
	const struct rules_icmp *icmp;

	*rule = p->rule;
	icmp = &p->icmps[take(&n, p->icmp_count)];
	rule->icmp_type = icmp->type;
	rule->icmp_code = icmp->code;
	rule->destination_ports = p->destination_ports.items[take(&n, p->destination_ports.count)];
	rule->destination = p->destinations.items[take(&n, p->destinations.count)];
	rule->source_ports = p->source_ports.items[take(&n, p->source_ports.count)];
	rule->source = p->sources.items[take(&n, p->sources.count)];
	rule->protocol = p->protocols[take(&n, p->protocol_count)];
	interface = &p->interfaces[take(&n, p->interface_count)];
	memcpy(rule->interface, interface->name, sizeof(rule->interface));
	rule->interface_negated = interface->negated;
}

static int too_many(struct rules_parser *p)
{
	rules_fail_at(p, &p->start, "more than %u rules after lists are expanded", RULES_MAX);
	return -E2BIG;
}

/* Combinations of different versions are left out, but not all may be. */
static int add_all(struct rules_parser *p, uint64_t total)
{
	uint32_t before = p->set->count;

	for (uint64_t n = 0; n < total; n++) {
		struct rules_rule rule;
		int error;

		rule_of(p, n, &rule);
		if (!choose_version(&rule, p->rule.version)) {
			if (++p->left_out > RULES_LEFT_OUT_MAX)
				return too_many(p);
			continue;
		}
		error = p->is_binat ? rules_add_binat(p, &rule) : ruleset_add(p->set, &rule);
		if (error)
			return error == -E2BIG ? too_many(p) : error;
	}
	if (p->set->count == before)
		return rules_fail_at(p, &p->start, "inet and inet6 do not meet in this rule");
	return 0;
}

int rules_expand(struct rules_parser *p)
{
	uint64_t total;
	int error;

	fill_defaults(p);
	error = check_protocols(p);
	if (!error)
		error = check_parameters(p);
	if (error)
		return error;
	/* As in pf, a connection that is passed with state must begin with its SYN. */
	if (!p->has_flags && p->rule.action == RULES_PASS && p->rule.keep_state) {
		p->rule.flags_set = 0x02;
		p->rule.flags_mask = 0x12;
	}
	if (p->has_translation || p->parameters.has_limits || p->parameters.max_mss)
		error = ruleset_add_parameters(p->set, &p->parameters, &p->rule.parameters);
	if (error)
		return error;
	total = (uint64_t)p->protocol_count * p->sources.count * p->source_ports.count *
		p->destinations.count * p->destination_ports.count * p->icmp_count *
		p->interface_count;
	/* Half of them, or fewer, may be left out for their version. */
	return total > 16 * (uint64_t)RULES_MAX ? too_many(p) : add_all(p, total);
}
