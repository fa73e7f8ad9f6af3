/* SPDX-License-Identifier: ISC */
/*
 * From the lists of QubesOS to a rule set. "The first that matches decides" is `quick` on
 * every rule. The rules judge what a client sends when it comes in; where it may go out is
 * for the base to say.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip_text.h"
#include "net/qubes_rules_internal.h"
#include "net/rules_internal.h"

#define DNS_PORT 53u

const char qubes_rules_base[] =
	"block drop quick out on clients\n"
	"block drop in quick on clients inet6 from fe80::/10\n"
	"block drop in quick on clients inet proto udp to self port 68\n"
	"pass in quick on clients proto { icmp icmp6 } to self\n"
	"block return-icmp ( host-prohib, admin-unr ) in quick on clients to self\n"
	"match out on uplink nat-to (uplink)\n"
	"pass out on uplink\n";

struct compiler {
	const struct qubes_rules_compile *how;
	struct ruleset *set;
	struct qubes_source *source;
	uint32_t room; /* the count of rules that this source must not pass */
	uint64_t expiry;
};

static int number_order(const void *left, const void *right)
{
	const struct qubes_rule *a = left, *b = right;

	return (int)a->number - (int)b->number;
}

/* In order; two of one number close the source. */
static void source_settle(struct qubes_source *source)
{
	if (source->crowded) {
		source->crowded = false;
		source->closed = false;
	}
	if (source->policy == QUBES_POLICY_NONE)
		qubes_source_close(source, QUBES_RULES_POLICY, 0, "there is no policy");
	if (source->count)
		qsort(source->rules, source->count, sizeof(*source->rules), number_order);
	for (uint32_t i = 1; i < source->count; i++)
		if (source->rules[i].number == source->rules[i - 1].number)
			qubes_source_close(source, source->rules[i].number, 0,
					   "the rule is there twice");
}

/* "ADDRESS NNNN"; the longest addresses are cut. */
static void label_write(const struct qubes_source *source, const char *what, char *label)
{
	char address[IP_TEXT_BYTES];

	ip_text_format(&source->address, address);
	snprintf(label, RULES_LABEL_BYTES, "%.*s %s", (int)(RULES_LABEL_BYTES - 8), address, what);
}

/* A rule that matches all that the source sends. */
static struct rules_rule rule_of(const struct qubes_source *source, bool accept, const char *what)
{
	struct rules_rule rule = {
		.source = { .address = source->address,
			    .prefix = (uint8_t)ip_address_bits(source->address.version),
			    .kind = RULES_HOST_PREFIX },
		.destination = { .kind = RULES_HOST_ANY },
		.source_ports = { 0, UINT16_MAX, false },
		.destination_ports = { 0, UINT16_MAX, false },
		.protocol = RULES_ANY_PROTOCOL,
		.icmp_type = RULES_ANY_ICMP,
		.icmp_code = RULES_ANY_ICMP,
		.action = accept ? RULES_PASS : RULES_BLOCK_ICMP,
		.icmp4_answer = RULES_ICMP4_FILTER_PROHIBITED,
		.icmp6_answer = RULES_ICMP6_ADMIN_PROHIBITED,
		.version = source->address.version,
		.directions = RULES_IN,
		.quick = true,
		.keep_state = accept,
		.interface = "clients",
	};

	label_write(source, what, rule.label);
	return rule;
}

/* -EINVAL: the source has no room left. */
static int add(struct compiler *c, const struct rules_rule *rule)
{
	return c->set->count < c->room ? ruleset_add(c->set, rule) : -EINVAL;
}

/* For the protocol; when there are ports and it is not said, for TCP and UDP. */
static int add_protocols(struct compiler *c, const struct qubes_rule *from, struct rules_rule *rule)
{
	int error;

	rule->protocol = from->protocol;
	if (from->protocol != RULES_ANY_PROTOCOL || (!from->has_ports && !from->dns))
		return add(c, rule);
	rule->protocol = RULES_TCP;
	error = add(c, rule);
	rule->protocol = RULES_UDP;
	return error ? error : add(c, rule);
}

static bool prefix_has(const struct qubes_rule *from, const struct ip_address *address)
{
	struct ip_address masked = *address;

	if (!from->destination.version)
		return true;
	ip_address_mask(&masked, from->prefix);
	return ip_address_equal(&masked, &from->destination);
}

/* One rule for each of our DNS servers that has the source's version. */
static int add_dns(struct compiler *c, const struct qubes_rule *from, struct rules_rule *rule)
{
	int error = 0;

	/* Beside dns other ports than its own can never match, as in the reference. */
	if (from->has_ports && (from->port_low != DNS_PORT || from->port_high != DNS_PORT))
		return 0;
	rule->destination_ports = (struct rules_ports){ DNS_PORT, DNS_PORT, false };
	for (uint32_t i = 0; i < c->how->dns_count && !error; i++) {
		const struct ip_address *server = &c->how->dns[i];

		if (server->version != rule->version || !prefix_has(from, server))
			continue;
		rule->destination = (struct rules_host){ .address = *server,
							 .prefix = rule->source.prefix,
							 .kind = RULES_HOST_PREFIX };
		error = add_protocols(c, from, rule);
	}
	return error;
}

/* -EINVAL: it is no host name, or one too many. */
static int name_operand(struct ruleset *set, const char *name, bool accept, struct rules_host *host)
{
	int error;

	/* A drop must not let through what it will drop once the name is known. */
	*host = (struct rules_host){ .kind = RULES_HOST_NAME, .when_unknown = !accept };
	error = ruleset_add_name(set, name, strlen(name), &host->name);
	return error == -E2BIG ? -EINVAL : error;
}

static int add_rule(struct compiler *c, const struct qubes_rule *from)
{
	char what[8];
	struct rules_rule rule;

	snprintf(what, sizeof(what), "%04u", from->number);
	rule = rule_of(c->source, from->accept, what);
	rule.line = from->number;
	rule.icmp_type = from->icmp_type;
	if (from->dns)
		return add_dns(c, from, &rule);
	if (from->has_ports)
		rule.destination_ports =
			(struct rules_ports){ from->port_low, from->port_high, false };
	if (from->destination.version)
		rule.destination = (struct rules_host){ .address = from->destination,
							.prefix = from->prefix,
							.kind = RULES_HOST_PREFIX };
	if (from->name) {
		int error = name_operand(c->set, from->name, from->accept, &rule.destination);

		if (error == -EINVAL)
			qubes_source_close(c->source, from->number, 0,
					   "host name \"%.40s\" is refused", from->name);
		if (error)
			return error;
	}
	return add_protocols(c, from, &rule);
}

static bool counts(struct compiler *c, const struct qubes_rule *rule)
{
	if (!rule->expire)
		return true;
	if (rule->expire <= c->how->now)
		return false;
	if (!c->expiry || rule->expire < c->expiry)
		c->expiry = rule->expire;
	return true;
}

/* The rules and the policy. -EINVAL: closed or without room, and nothing of it may stay. */
static int add_list(struct compiler *c)
{
	const struct qubes_source *source = c->source;
	struct rules_rule last;
	int error = source->closed ? -EINVAL : 0;

	for (uint32_t i = 0; i < source->count && !error; i++)
		if (counts(c, &source->rules[i]))
			error = add_rule(c, &source->rules[i]);
	if (error)
		return error;
	last = rule_of(source, source->policy == QUBES_POLICY_ACCEPT, "policy");
	return add(c, &last);
}

static int add_source(struct compiler *c)
{
	uint32_t before = c->set->count;
	uint64_t expiry = c->expiry;
	struct rules_rule closed;
	int error = add_list(c);

	if (error != -EINVAL)
		return error;
	if (!c->source->closed) {
		qubes_source_close(c->source, QUBES_RULES_POLICY, 0,
				   "no room for its rules, a set has at most %u", RULES_MAX);
		c->source->crowded = true;
	}
	c->set->count = before;
	c->expiry = expiry;
	closed = rule_of(c->source, false, "closed");
	return ruleset_add(c->set, &closed);
}

static int add_sources(struct compiler *c, struct qubes_rules *rules, struct rules_error *why)
{
	int error = 0;

	if (c->set->count + rules->count > RULES_MAX) {
		snprintf(why->message, sizeof(why->message),
			 "no room for %u lists beside the rules of the base",
			 (unsigned int)rules->count);
		return -E2BIG;
	}
	for (uint32_t i = 0; i < rules->count && !error; i++) {
		c->source = &rules->sources[i];
		/* Every source that follows has room to be closed at least. */
		c->room = RULES_MAX - (rules->count - 1 - i);
		source_settle(c->source);
		error = add_source(c);
	}
	return error;
}

int qubes_rules_compile(struct qubes_rules *rules, const struct qubes_rules_compile *how,
			struct ruleset **set, uint64_t *expiry, struct rules_error *error)
{
	const char *base = how->base ? how->base : qubes_rules_base;
	struct compiler c = { .how = how };
	int result = ruleset_read(base, how->base ? how->base_bytes : strlen(base), &c.set, error);

	if (result)
		return result;
	result = add_sources(&c, rules, error);
	if (!result)
		result = ruleset_compile(c.set);
	if (result) {
		ruleset_free(c.set);
		return result;
	}
	*set = c.set;
	*expiry = c.expiry;
	return 0;
}
