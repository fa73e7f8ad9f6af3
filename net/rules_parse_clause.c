/* SPDX-License-Identifier: ISC */
/* The clauses of a rule, in any order. */
#include <errno.h>
#include <string.h>

#include "net/rules_parser.h"

static int word_copy(struct rules_parser *p, char *to, size_t size, const char *what)
{
	if (p->token.kind != RULES_TOKEN_WORD && p->token.kind != RULES_TOKEN_TEXT)
		return rules_expected(p, what);
	if (p->token.length >= size)
		return rules_fail_at(p, &p->token, "%s is too long (at most %zu bytes)", what,
				     size - 1);
	memcpy(to, p->token.text, p->token.length);
	to[p->token.length] = '\0';
	return rules_advance(p);
}

static int parse_end_point(struct rules_parser *p, struct rules_hosts *hosts,
			   struct rules_port_list *ports)
{
	int error = 0;

	if (!rules_at(p, "port"))
		error = rules_parse_list(p, rules_parse_host, hosts);
	if (error || !rules_at(p, "port"))
		return error;
	p->has_ports = true;
	p->ports_at = p->token;
	error = rules_advance(p);
	return error ? error : rules_parse_list(p, rules_parse_port, ports);
}

static int flag_bits(const char *text, size_t length, uint8_t *bits)
{
	static const char letters[] = "FSRPAUEW";

	*bits = 0;
	for (size_t i = 0; i < length; i++) {
		const char *letter = memchr(letters, text[i], sizeof(letters) - 1);

		if (!letter)
			return -EINVAL;
		*bits |= (uint8_t)(1u << (letter - letters));
	}
	return 0;
}

/* "any", or SET/OF as pf has it: of the flags OF, exactly SET are on. */
static int parse_flags(struct rules_parser *p)
{
	const char *text = p->token.text;
	const char *slash = memchr(text, '/', p->token.length);
	size_t first = slash ? (size_t)(slash - text) : 0;

	p->has_flags = true;
	p->rule.flags_set = 0;
	p->rule.flags_mask = 0;
	if (rules_at(p, "any"))
		return rules_advance(p);
	if (p->token.kind != RULES_TOKEN_WORD || !slash ||
	    flag_bits(text, first, &p->rule.flags_set) ||
	    flag_bits(slash + 1, p->token.length - first - 1, &p->rule.flags_mask) ||
	    (p->rule.flags_set & ~p->rule.flags_mask))
		return rules_expected(p, "flags like S/SA, or any");
	return rules_advance(p);
}

int rules_parse_interface(struct rules_parser *p, void *to)
{
	struct rules_interface_name *item = &p->interfaces[p->interface_count];
	int error = 0;

	(void)to;
	if (p->interface_count == RULES_LIST_MAX)
		return rules_fail_at(p, &p->token, "more than %u items in a list", RULES_LIST_MAX);
	*item = (struct rules_interface_name){ .negated = rules_at(p, "!") };
	if (item->negated)
		error = rules_advance(p);
	if (!error)
		error = word_copy(p, item->name, sizeof(item->name), "an interface");
	/* pf's name of the group that the default route goes by. */
	if (!error && strcmp(item->name, "egress") == 0)
		strcpy(item->name, "uplink");
	p->interface_count++;
	return error;
}

static int parse_version(struct rules_parser *p, const struct rules_token *word, uint8_t version)
{
	if (p->rule.version && p->rule.version != version)
		return rules_fail_at(p, word, "inet and inet6 exclude each other");
	p->rule.version = version;
	return 0;
}

/* "keep state", "no state", "no nat", behind the first word. */
static int parse_state(struct rules_parser *p, const struct rules_token *word)
{
	int error;

	if (rules_token_is(word, "no") && (rules_at(p, "nat") || rules_at(p, "rdr")))
		return rules_parse_no_translation(p, word);
	error = rules_pass_word(p, "state");

	p->has_state = true;
	p->state_at = *word;
	p->rule.keep_state = rules_token_is(word, "keep");
	if (error || !rules_at(p, "("))
		return error;
	if (!p->rule.keep_state)
		return rules_expected(p, "no options of \"no state\"");
	return rules_parse_state_options(p);
}

/* The clauses of one word. */
static bool take_word(struct rules_parser *p, const struct rules_token *word)
{
	if (rules_token_is(word, "in"))
		p->rule.directions = RULES_IN;
	else if (rules_token_is(word, "out"))
		p->rule.directions = RULES_OUT;
	else if (rules_token_is(word, "log"))
		p->rule.log = true;
	else if (rules_token_is(word, "quick"))
		p->rule.quick = true;
	else
		return rules_token_is(word, "all");
	return true;
}

static int parse_icmp_types(struct rules_parser *p, const struct rules_token *word, bool six)
{
	p->icmp_at = *word;
	return rules_parse_list(p, six ? rules_parse_icmp6 : rules_parse_icmp4, NULL);
}

/* Clauses that say what matches. 1: it is none of them. */
static int parse_filter(struct rules_parser *p, const struct rules_token *word)
{
	if (rules_token_is(word, "inet"))
		return parse_version(p, word, 4);
	if (rules_token_is(word, "inet6"))
		return parse_version(p, word, 6);
	if (rules_token_is(word, "on"))
		return rules_parse_list(p, rules_parse_interface, NULL);
	if (rules_token_is(word, "proto"))
		return rules_parse_list(p, rules_parse_protocol, NULL);
	if (rules_token_is(word, "from"))
		return parse_end_point(p, &p->sources, &p->source_ports);
	if (rules_token_is(word, "to"))
		return parse_end_point(p, &p->destinations, &p->destination_ports);
	if (rules_token_is(word, "icmp-type"))
		return parse_icmp_types(p, word, false);
	if (rules_token_is(word, "icmp6-type"))
		return parse_icmp_types(p, word, true);
	if (!rules_token_is(word, "flags"))
		return 1;
	p->flags_at = *word;
	return parse_flags(p);
}

/* Clauses that say what is done. */
static int parse_parameter(struct rules_parser *p, const struct rules_token *word)
{
	if (rules_token_is(word, "keep") || rules_token_is(word, "no"))
		return parse_state(p, word);
	if (rules_token_is(word, "label"))
		return word_copy(p, p->rule.label, sizeof(p->rule.label), "a label");
	if (rules_token_is(word, "nat-to") || rules_token_is(word, "rdr-to") ||
	    rules_token_is(word, "binat-to"))
		return rules_parse_target(p, word);
	if (rules_token_is(word, "scrub"))
		return rules_parse_scrub(p);
	if (rules_refuse(p, word, RULES_REFUSE_CLAUSE))
		return -EINVAL;
	return rules_fail_at(p, word, "\"%.*s\" is not a clause of a rule",
			     (int)(word->length < 24 ? word->length : 24), word->text);
}

int rules_parse_clause(struct rules_parser *p)
{
	struct rules_token word = p->token;
	int error;

	if (word.kind != RULES_TOKEN_WORD)
		return rules_expected(p, "a clause such as in, on, proto, from or to");
	error = rules_advance(p);
	if (error || take_word(p, &word))
		return error;
	error = parse_filter(p, &word);
	return error == 1 ? parse_parameter(p, &word) : error;
}
