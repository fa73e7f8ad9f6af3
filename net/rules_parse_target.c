/* SPDX-License-Identifier: ISC */
/* nat-to, rdr-to, binat-to: their targets in a rule, and what binat-to becomes. */
#include <errno.h>

#include "net/rules_parser.h"

#define NPTV6_PREFIX_MAX 64u /* the bits that RFC 6296, 3.5, corrects must be left */

/* "(uplink)", an address, or a prefix; that may be "(egress)" too, as pf calls it. */
static int target_address(struct rules_parser *p, struct rules_target *target)
{
	int error;

	if (rules_at(p, "(")) {
		error = rules_advance(p);
		if (!error && rules_at(p, "egress"))
			error = rules_advance(p);
		else if (!error)
			error = rules_pass_word(p, "uplink");
		return error ? error : rules_pass_word(p, ")");
	}
	if (!rules_token_address(&p->token, &target->address, &target->prefix))
		return rules_expected(p, "an address or (uplink)");
	if (p->rule.version && p->rule.version != target->address.version)
		return rules_fail_at(p, &p->token, "the address is of the other version");
	p->rule.version = target->address.version;
	return rules_advance(p);
}

static int target_port(struct rules_parser *p, struct rules_target *target)
{
	struct rules_port_list list = { 0 };
	struct rules_token at;
	int error = rules_advance(p);

	at = p->token;
	if (!error)
		error = rules_parse_port(p, &list);
	if (error)
		return error;
	if (list.items[0].outside || list.items[0].low == 0)
		return rules_fail_at(p, &at, "expected a port or a range of ports");
	target->port_low = list.items[0].low;
	target->port_high = list.items[0].high;
	return 0;
}

/* "bitmask" or "nptv6": the prefix is exchanged, ports stay. */
static int target_bitmask(struct rules_parser *p, struct rules_target *target)
{
	target->mode = rules_at(p, "nptv6") ? RULES_TARGET_NPTV6 : RULES_TARGET_BITMASK;
	target->static_port = true;
	if (target->mode == RULES_TARGET_NPTV6 &&
	    (target->address.version != 6 || target->prefix > NPTV6_PREFIX_MAX))
		return rules_fail_at(p, &p->token, "nptv6 needs an IPv6 prefix of at most %u bits",
				     NPTV6_PREFIX_MAX);
	return rules_advance(p);
}

static bool is_whole_address(const struct rules_target *target)
{
	return !target->address.version ||
	       target->prefix == ip_address_bits(target->address.version);
}

/* What may stand behind the address of nat-to and rdr-to. */
static int target_options(struct rules_parser *p, struct rules_target *target,
			  const struct rules_token *at, bool is_nat)
{
	int error = 0;

	if (rules_at(p, "bitmask") || rules_at(p, "nptv6"))
		return target_bitmask(p, target);
	if (!is_whole_address(target))
		return rules_fail_at(p, at,
				     "a prefix needs bitmask or nptv6: pools are not supported");
	if (rules_at(p, "port"))
		error = target_port(p, target);
	if (!error && is_nat && rules_at(p, "static-port")) {
		if (target->port_low)
			return rules_fail_at(p, &p->token,
					     "static-port and port exclude each other");
		target->static_port = true;
		error = rules_advance(p);
	}
	if (!error && is_nat && rules_at(p, "symmetric")) {
		target->mode = RULES_TARGET_SYMMETRIC;
		error = rules_advance(p);
	}
	return error;
}

static int binat_parse(struct rules_parser *p, struct rules_target *target)
{
	int error = target_address(p, target);

	p->is_binat = true;
	if (!error && rules_at(p, "nptv6"))
		return target_bitmask(p, target);
	target->mode = RULES_TARGET_BITMASK;
	target->static_port = true;
	return error;
}

int rules_parse_target(struct rules_parser *p, const struct rules_token *word)
{
	struct rules_parameters *parameters = &p->parameters;
	bool is_rdr = rules_token_is(word, "rdr-to");
	struct rules_target *target = is_rdr ? &parameters->rdr_to : &parameters->nat_to;
	struct rules_token at = p->token;
	int error;

	if (p->has_translation)
		return rules_fail_at(p, word, "a rule has one translation");
	p->has_translation = true;
	p->translation_at = *word;
	parameters->has_rdr = is_rdr;
	parameters->has_nat = !is_rdr;
	if (rules_token_is(word, "binat-to"))
		return binat_parse(p, target);
	error = target_address(p, target);
	return error ? error : target_options(p, target, &at, !is_rdr);
}

/* "no nat", "no rdr", at the second word: what `match` said before is forgotten. */
int rules_parse_no_translation(struct rules_parser *p, const struct rules_token *word)
{
	if (p->has_translation)
		return rules_fail_at(p, word, "a rule has one translation");
	p->has_translation = true;
	p->translation_at = *word;
	p->parameters.no_nat = rules_at(p, "nat");
	p->parameters.no_rdr = !p->parameters.no_nat;
	return rules_advance(p);
}

/* Is the host of as many bits as the target? So one address becomes one other. */
static bool prefix_fits(const struct rules_host *host, const struct rules_target *target,
			bool is_rdr)
{
	uint8_t version = target->address.version;

	if (host->negated)
		return false;
	if (host->kind == RULES_HOST_SELF)
		return is_rdr && is_whole_address(target);
	if (host->kind != RULES_HOST_PREFIX)
		return false;
	return host->prefix == (version ? target->prefix : ip_address_bits(host->address.version));
}

int rules_check_bitmask(struct rules_parser *p)
{
	bool is_rdr = p->parameters.has_rdr;
	const struct rules_target *target = is_rdr ? &p->parameters.rdr_to : &p->parameters.nat_to;
	const struct rules_hosts *hosts = is_rdr ? &p->destinations : &p->sources;

	if (!p->has_translation || p->parameters.no_nat || p->parameters.no_rdr)
		return 0;
	if (target->mode != RULES_TARGET_BITMASK && target->mode != RULES_TARGET_NPTV6)
		return 0;
	for (uint32_t i = 0; i < hosts->count; i++)
		if (!prefix_fits(&hosts->items[i], target, is_rdr))
			return rules_fail_at(p, &p->translation_at,
					     "needs \"%s\" with a prefix as long as the target's",
					     is_rdr ? "to" : "from");
	return 0;
}

/* As pf does: one rule on the way out, and one for what comes in to the other address. */
int rules_add_binat(struct rules_parser *p, const struct rules_rule *out)
{
	const struct rules_target *target = &p->parameters.nat_to;
	struct rules_parameters inwards = p->parameters;
	struct rules_rule in = *out;
	int error;

	in.directions = RULES_OUT;
	error = ruleset_add(p->set, &in);
	if (error)
		return error;
	inwards.has_nat = false;
	inwards.has_rdr = true;
	inwards.rdr_to = *target;
	inwards.rdr_to.address = out->source.address;
	inwards.rdr_to.prefix = out->source.prefix;
	error = ruleset_add_parameters(p->set, &inwards, &in.parameters);
	if (error)
		return error;
	in.directions = RULES_IN;
	in.source = out->destination;
	in.source_ports = out->destination_ports;
	in.destination_ports = out->source_ports;
	in.destination = (struct rules_host){ .kind = RULES_HOST_SELF };
	if (target->address.version)
		in.destination = (struct rules_host){ .kind = RULES_HOST_PREFIX,
						      .address = target->address,
						      .prefix = target->prefix };
	return ruleset_add(p->set, &in);
}
