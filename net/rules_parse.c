/* SPDX-License-Identifier: ISC */
/*
 * The parser: one line, one statement; lists are expanded into several rules. See
 * RULES.md for the language. Macros are texts that are read in place of their name.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "net/rules_internal.h"
#include "net/rules_lex.h"

#define LIST_MAX 64u
#define MACROS_MAX 64u
#define PROTOCOL_ICMP 1u
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u

struct macro {
	const char *name;
	size_t name_length;
	const char *text;
	size_t length;
};

struct host_list {
	uint32_t count;
	struct rules_host items[LIST_MAX];
};

struct port_list {
	uint32_t count;
	struct rules_ports items[LIST_MAX];
};

struct parser {
	struct rules_lexer file;
	struct rules_lexer macro; /* inside a macro's text while in_macro */
	bool in_macro;
	struct rules_token macro_use; /* where its name stands */
	struct rules_token token;     /* the current one */
	struct macro macros[MACROS_MAX];
	uint32_t macro_count;
	bool block_returns;
	struct ruleset *set;
	struct rules_error *error;
	/* Of the rule being read. */
	struct rules_rule rule;
	uint16_t protocols[LIST_MAX];
	uint32_t protocol_count;
	struct host_list sources, destinations;
	struct port_list source_ports, destination_ports;
	struct rules_token ports_at, icmp_at, flags_at;
	bool has_ports, has_icmp, has_flags;
};

static int fail_at(struct parser *p, const struct rules_token *token, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail_at(struct parser *p, const struct rules_token *token, const char *format, ...)
{
	va_list arguments;

	p->error->line = token->line;
	p->error->column = token->column;
	va_start(arguments, format);
	vsnprintf(p->error->message, sizeof(p->error->message), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* Fails at the current token, saying what was expected instead of it. */
static int expected(struct parser *p, const char *what)
{
	const struct rules_token *t = &p->token;

	if (t->kind == RULES_TOKEN_LINE_END || t->kind == RULES_TOKEN_END)
		return fail_at(p, t, "expected %s before the end of the line", what);
	return fail_at(p, t, "expected %s, not \"%.*s\"", what,
		       (int)(t->length < 24 ? t->length : 24), t->text);
}

/* ---- tokens and macros ---- */

static const struct macro *macro_find(const struct parser *p, const char *name, size_t length)
{
	for (uint32_t i = 0; i < p->macro_count; i++)
		if (p->macros[i].name_length == length &&
		    memcmp(p->macros[i].name, name, length) == 0)
			return &p->macros[i];
	return NULL;
}

static int advance(struct parser *p)
{
	const struct macro *macro;

	if (p->in_macro) {
		p->token = rules_lexer_next(&p->macro);
		p->token.line = p->macro_use.line;
		p->token.column = p->macro_use.column;
		if (p->token.kind != RULES_TOKEN_END)
			return p->token.kind == RULES_TOKEN_BAD ? expected(p, "a word") : 0;
		p->in_macro = false;
	}
	p->token = rules_lexer_next(&p->file);
	if (p->token.kind == RULES_TOKEN_BAD)
		return p->token.text[0] == '"' ? fail_at(p, &p->token, "the quote does not end")
					       : expected(p, "a word");
	if (p->token.kind != RULES_TOKEN_WORD || p->token.text[0] != '$')
		return 0;
	macro = macro_find(p, p->token.text + 1, p->token.length - 1);
	if (!macro)
		return fail_at(p, &p->token, "macro \"%.*s\" is not defined",
			       (int)(p->token.length < 24 ? p->token.length : 24), p->token.text);
	p->macro_use = p->token;
	p->in_macro = true;
	rules_lexer_init(&p->macro, macro->text, macro->length);
	/* A macro's text may not use macros: its words are taken as they stand. */
	return advance(p);
}

static bool at(const struct parser *p, const char *word)
{
	return rules_token_is(&p->token, word);
}

static bool at_line_end(const struct parser *p)
{
	return p->token.kind == RULES_TOKEN_LINE_END || p->token.kind == RULES_TOKEN_END;
}

/* ---- items ---- */

static int word_copy(struct parser *p, char *to, size_t size, const char *what)
{
	if (p->token.kind != RULES_TOKEN_WORD && p->token.kind != RULES_TOKEN_TEXT)
		return expected(p, what);
	if (p->token.length >= size)
		return fail_at(p, &p->token, "%s is too long (at most %zu bytes)", what, size - 1);
	memcpy(to, p->token.text, p->token.length);
	to[p->token.length] = '\0';
	return advance(p);
}

static int parse_protocol(struct parser *p)
{
	static const struct {
		const char *name;
		uint16_t number;
	} names[] = { { "icmp", 1 }, { "igmp", 2 }, { "tcp", 6 }, { "udp", 17 },
		      { "gre", 47 }, { "esp", 50 }, { "ah", 51 }, { "sctp", 132 } };
	uint32_t number = RULES_ANY_PROTOCOL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (at(p, names[i].name))
			number = names[i].number;
	if (number == RULES_ANY_PROTOCOL &&
	    (p->token.kind != RULES_TOKEN_WORD ||
	     ip4_text_parse_number(p->token.text, p->token.length, 255, &number)))
		return expected(p, "a protocol (tcp, udp, icmp or a number)");
	if (p->protocol_count == LIST_MAX)
		return fail_at(p, &p->token, "more than %u items in a list", LIST_MAX);
	p->protocols[p->protocol_count++] = (uint16_t)number;
	return advance(p);
}

static int host_add(struct parser *p, struct host_list *list, const struct rules_host *host)
{
	if (list->count == LIST_MAX)
		return fail_at(p, &p->token, "more than %u items in a list", LIST_MAX);
	list->items[list->count++] = *host;
	return advance(p);
}

static int parse_host(struct parser *p, struct host_list *list)
{
	struct rules_host host = { .kind = RULES_HOST_PREFIX };
	be32 address;
	uint8_t prefix;

	if (at(p, "!")) {
		int error = advance(p);

		if (error)
			return error;
		host.negated = true;
	}
	if (at(p, "any")) {
		if (host.negated)
			return fail_at(p, &p->token, "\"! any\" matches nothing");
		host.kind = RULES_HOST_ANY;
		return host_add(p, list, &host);
	}
	if (at(p, "self")) {
		host.kind = RULES_HOST_SELF;
		return host_add(p, list, &host);
	}
	if (p->token.kind != RULES_TOKEN_WORD)
		return expected(p, "any, self or an address");
	if (memchr(p->token.text, ':', p->token.length))
		return fail_at(p, &p->token, "IPv6 addresses are not supported");
	if (ip4_text_parse_prefix(p->token.text, p->token.length, &address, &prefix))
		return expected(p, "any, self or an address like 10.0.0.0/8");
	host.mask = be32_get(ip4_mask(prefix));
	host.address = be32_get(address) & host.mask;
	return host_add(p, list, &host);
}

static int port_number(struct parser *p, const char *text, size_t length, uint16_t *port)
{
	static const struct {
		const char *name;
		uint16_t number;
	} names[] = { { "ssh", 22 },	{ "smtp", 25 },	 { "domain", 53 }, { "http", 80 },
		      { "ntp", 123 },	{ "imap", 143 }, { "https", 443 }, { "submission", 587 },
		      { "imaps", 993 }, { "pop3s", 995 } };
	uint32_t number;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i].name) == length && memcmp(names[i].name, text, length) == 0) {
			*port = names[i].number;
			return 0;
		}
	if (ip4_text_parse_number(text, length, UINT16_MAX, &number))
		return expected(p, "a port (0-65535, a range a:b, or a service name)");
	*port = (uint16_t)number;
	return 0;
}

/* "80", "http", "1024:65535", ":1023", "1024:*" is not one. */
static int port_word(struct parser *p, struct rules_ports *ports)
{
	const char *text = p->token.text;
	size_t length = p->token.length;
	const char *colon = memchr(text, ':', length);
	size_t first = colon ? (size_t)(colon - text) : length;
	int error;

	if (p->token.kind != RULES_TOKEN_WORD)
		return expected(p, "a port");
	error = port_number(p, text, first, &ports->low);
	ports->high = ports->low;
	if (!error && colon)
		error = port_number(p, colon + 1, length - first - 1, &ports->high);
	if (!error && ports->low > ports->high)
		return fail_at(p, &p->token, "the range ends before it begins");
	return error ? error : advance(p);
}

/* The forms with an operator in front: = != < <= > >= */
static int port_compare(struct parser *p, struct rules_ports *ports)
{
	struct rules_token mark = p->token;
	struct rules_ports value;
	int error = advance(p);

	if (!error)
		error = port_word(p, &value);
	if (error)
		return error;
	if (value.low != value.high)
		return fail_at(p, &mark, "a range takes no operator");
	*ports = value;
	if (rules_token_is(&mark, "!="))
		ports->outside = true;
	else if (rules_token_is(&mark, "<"))
		*ports = (struct rules_ports){ value.low, UINT16_MAX, true };
	else if (rules_token_is(&mark, "<="))
		ports->low = 0;
	else if (rules_token_is(&mark, ">"))
		*ports = (struct rules_ports){ 0, value.low, true };
	else if (rules_token_is(&mark, ">="))
		ports->high = UINT16_MAX;
	else if (!rules_token_is(&mark, "="))
		return fail_at(p, &mark, "expected a port");
	return 0;
}

static int parse_port(struct parser *p, struct port_list *list)
{
	struct rules_ports ports = { 0 };
	int error;

	if (list->count == LIST_MAX)
		return fail_at(p, &p->token, "more than %u items in a list", LIST_MAX);
	if (p->token.kind == RULES_TOKEN_MARK) {
		error = port_compare(p, &ports);
	} else {
		error = port_word(p, &ports);
		/* a >< b: between, without the ends; a <> b: outside */
		if (!error && (at(p, "><") || at(p, "<>"))) {
			struct rules_token mark = p->token;
			struct rules_ports end = { 0 };

			error = advance(p);
			if (!error)
				error = port_word(p, &end);
			if (!error &&
			    (ports.low != ports.high || end.low != end.high || end.low < ports.low))
				return fail_at(p, &mark, "expected two ports in order");
			ports.high = end.low;
			if (rules_token_is(&mark, "<>")) {
				ports.outside = true;
			} else {
				if (ports.high - ports.low < 2)
					return fail_at(p, &mark, "no port lies between");
				ports.low++;
				ports.high--;
			}
		}
	}
	if (!error)
		list->items[list->count++] = ports;
	return error;
}

/* ---- lists ---- */

enum list_of { LIST_PROTOCOLS, LIST_HOSTS, LIST_PORTS };

static int parse_item(struct parser *p, enum list_of what, void *list)
{
	if (what == LIST_PROTOCOLS)
		return parse_protocol(p);
	return what == LIST_HOSTS ? parse_host(p, list) : parse_port(p, list);
}

/* One item, or { item [,] item ... } over any number of lines. */
static int parse_list(struct parser *p, enum list_of what, void *list)
{
	struct rules_token open = p->token;
	int error;

	if (!at(p, "{"))
		return parse_item(p, what, list);
	error = advance(p);
	while (!error && !at(p, "}")) {
		if (p->token.kind == RULES_TOKEN_END)
			return fail_at(p, &open, "the list does not end");
		if (at(p, ",") || p->token.kind == RULES_TOKEN_LINE_END)
			error = advance(p);
		else
			error = parse_item(p, what, list);
	}
	return error ? error : advance(p);
}

/* ---- the parts of a rule ---- */

static int parse_end_point(struct parser *p, struct host_list *hosts, struct port_list *ports)
{
	int error = 0;

	if (!at(p, "port"))
		error = parse_list(p, LIST_HOSTS, hosts);
	if (error || !at(p, "port"))
		return error;
	p->has_ports = true;
	p->ports_at = p->token;
	error = advance(p);
	return error ? error : parse_list(p, LIST_PORTS, ports);
}

static int parse_icmp(struct parser *p)
{
	static const struct {
		const char *name;
		uint16_t type;
	} names[] = { { "echorep", 0 }, { "unreach", 3 },    { "redir", 5 },	{ "echoreq", 8 },
		      { "timex", 11 },	{ "paramprob", 12 }, { "timereq", 13 }, { "timerep", 14 } };
	uint32_t number = RULES_ANY_ICMP;
	int error;

	p->has_icmp = true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (at(p, names[i].name))
			number = names[i].type;
	if (number == RULES_ANY_ICMP &&
	    ip4_text_parse_number(p->token.text, p->token.length, 255, &number))
		return expected(p, "an ICMP type");
	p->rule.icmp_type = (uint16_t)number;
	error = advance(p);
	if (error || !at(p, "code"))
		return error;
	error = advance(p);
	if (error)
		return error;
	if (ip4_text_parse_number(p->token.text, p->token.length, 255, &number))
		return expected(p, "an ICMP code");
	p->rule.icmp_code = (uint16_t)number;
	return advance(p);
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
static int parse_flags(struct parser *p)
{
	const char *text = p->token.text;
	const char *slash = memchr(text, '/', p->token.length);
	size_t first = slash ? (size_t)(slash - text) : 0;

	p->has_flags = true;
	p->rule.flags_set = 0;
	p->rule.flags_mask = 0;
	if (at(p, "any"))
		return advance(p);
	if (p->token.kind != RULES_TOKEN_WORD || !slash ||
	    flag_bits(text, first, &p->rule.flags_set) ||
	    flag_bits(slash + 1, p->token.length - first - 1, &p->rule.flags_mask) ||
	    (p->rule.flags_set & ~p->rule.flags_mask))
		return expected(p, "flags like S/SA, or any");
	return advance(p);
}

static int parse_state(struct parser *p, bool keep)
{
	if (!at(p, "state"))
		return expected(p, "\"state\"");
	p->rule.keep_state = keep;
	return advance(p);
}

static int parse_interface(struct parser *p)
{
	if (at(p, "!")) {
		int error = advance(p);

		if (error)
			return error;
		p->rule.interface_negated = true;
	}
	return word_copy(p, p->rule.interface, sizeof(p->rule.interface), "an interface");
}

/* One clause, at its first word. Their order is free. */
static int parse_clause(struct parser *p)
{
	struct rules_token word = p->token;
	int error = 0;

	if (word.kind != RULES_TOKEN_WORD)
		return expected(p, "a clause such as in, on, proto, from or to");
	error = advance(p);
	if (error)
		return error;
	if (rules_token_is(&word, "in"))
		p->rule.directions = RULES_IN;
	else if (rules_token_is(&word, "out"))
		p->rule.directions = RULES_OUT;
	else if (rules_token_is(&word, "log"))
		p->rule.log = true;
	else if (rules_token_is(&word, "quick"))
		p->rule.quick = true;
	else if (rules_token_is(&word, "inet") || rules_token_is(&word, "all"))
		return 0;
	else if (rules_token_is(&word, "on"))
		error = parse_interface(p);
	else if (rules_token_is(&word, "proto"))
		error = parse_list(p, LIST_PROTOCOLS, NULL);
	else if (rules_token_is(&word, "from"))
		error = parse_end_point(p, &p->sources, &p->source_ports);
	else if (rules_token_is(&word, "to"))
		error = parse_end_point(p, &p->destinations, &p->destination_ports);
	else if (rules_token_is(&word, "icmp-type")) {
		p->icmp_at = word;
		error = parse_icmp(p);
	} else if (rules_token_is(&word, "flags")) {
		p->flags_at = word;
		error = parse_flags(p);
	} else if (rules_token_is(&word, "keep"))
		error = parse_state(p, true);
	else if (rules_token_is(&word, "no"))
		error = parse_state(p, false);
	else if (rules_token_is(&word, "label"))
		error = word_copy(p, p->rule.label, sizeof(p->rule.label), "a label");
	else if (rules_token_is(&word, "inet6"))
		return fail_at(p, &word, "inet6 is not supported");
	else
		return fail_at(p, &word, "\"%.*s\" is not a clause of a rule",
			       (int)(word.length < 24 ? word.length : 24), word.text);
	return error;
}

/* ---- whole rules ---- */

static void rule_begin(struct parser *p)
{
	memset(&p->rule, 0, sizeof(p->rule));
	p->rule.line = p->token.line;
	p->rule.directions = RULES_IN | RULES_OUT;
	p->rule.icmp_type = RULES_ANY_ICMP;
	p->rule.icmp_code = RULES_ANY_ICMP;
	p->protocol_count = 0;
	p->sources.count = 0;
	p->destinations.count = 0;
	p->source_ports.count = 0;
	p->destination_ports.count = 0;
	p->has_ports = false;
	p->has_icmp = false;
	p->has_flags = false;
}

/* What was not said means all; and what was said must fit together. */
static int rule_complete(struct parser *p)
{
	static const struct rules_host any_host = { .kind = RULES_HOST_ANY };
	static const struct rules_ports any_port = { 0, UINT16_MAX, false };

	if (!p->protocol_count)
		p->protocols[p->protocol_count++] = RULES_ANY_PROTOCOL;
	if (!p->sources.count)
		p->sources.items[p->sources.count++] = any_host;
	if (!p->destinations.count)
		p->destinations.items[p->destinations.count++] = any_host;
	if (!p->source_ports.count)
		p->source_ports.items[p->source_ports.count++] = any_port;
	if (!p->destination_ports.count)
		p->destination_ports.items[p->destination_ports.count++] = any_port;
	for (uint32_t i = 0; i < p->protocol_count; i++) {
		uint16_t protocol = p->protocols[i];

		if (p->has_ports && protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
			return fail_at(p, &p->ports_at, "port needs proto tcp or udp");
		if (p->has_icmp && protocol != PROTOCOL_ICMP)
			return fail_at(p, &p->icmp_at, "icmp-type needs proto icmp");
		if (p->has_flags && protocol != PROTOCOL_TCP)
			return fail_at(p, &p->flags_at, "flags need proto tcp");
	}
	/* As in pf, a connection that is passed with state must begin with its SYN. */
	if (!p->has_flags && p->rule.action == RULES_PASS && p->rule.keep_state) {
		p->rule.flags_set = 0x02;
		p->rule.flags_mask = 0x12;
	}
	return 0;
}

/* The product of all lists; `n` counts through it. */
static int rule_expand(struct parser *p, const struct rules_token *where)
{
	uint64_t total = (uint64_t)p->protocol_count * p->sources.count * p->source_ports.count *
			 p->destinations.count * p->destination_ports.count;

	if (total > RULES_MAX - p->set->count) {
		fail_at(p, where, "more than %u rules after lists are expanded", RULES_MAX);
		return -E2BIG;
	}
	for (uint64_t n = 0; n < total; n++) {
		uint64_t rest = n;
		int error;

		p->rule.destination_ports =
			p->destination_ports.items[rest % p->destination_ports.count];
		rest /= p->destination_ports.count;
		p->rule.destination = p->destinations.items[rest % p->destinations.count];
		rest /= p->destinations.count;
		p->rule.source_ports = p->source_ports.items[rest % p->source_ports.count];
		rest /= p->source_ports.count;
		p->rule.source = p->sources.items[rest % p->sources.count];
		p->rule.protocol = p->protocols[rest / p->sources.count];
		error = ruleset_add(p->set, &p->rule);
		if (error)
			return error;
	}
	return 0;
}

static int parse_block(struct parser *p)
{
	int error = advance(p);

	p->rule.action = p->block_returns ? RULES_BLOCK_RETURN : RULES_BLOCK_DROP;
	if (error)
		return error;
	if (at(p, "drop"))
		p->rule.action = RULES_BLOCK_DROP;
	else if (at(p, "return"))
		p->rule.action = RULES_BLOCK_RETURN;
	else
		return 0;
	return advance(p);
}

static int parse_rule(struct parser *p)
{
	struct rules_token start = p->token;
	int error;

	rule_begin(p);
	if (at(p, "block")) {
		error = parse_block(p);
	} else {
		p->rule.action = RULES_PASS;
		p->rule.keep_state = true;
		error = advance(p);
	}
	while (!error && !at_line_end(p))
		error = parse_clause(p);
	if (!error)
		error = rule_complete(p);
	return error ? error : rule_expand(p, &start);
}

static int parse_set(struct parser *p)
{
	int error = advance(p);

	if (error)
		return error;
	if (!at(p, "block-policy"))
		return expected(p, "block-policy");
	error = advance(p);
	if (error)
		return error;
	if (!at(p, "drop") && !at(p, "return"))
		return expected(p, "drop or return");
	p->block_returns = at(p, "return");
	return advance(p);
}

/* name = "text" | word | { list } */
static int parse_macro(struct parser *p, const struct rules_token *name)
{
	struct macro *macro = &p->macros[p->macro_count];
	int error;

	if (macro_find(p, name->text, name->length))
		return fail_at(p, name, "the macro is defined twice");
	if (p->macro_count == MACROS_MAX)
		return fail_at(p, name, "more than %u macros", MACROS_MAX);
	error = advance(p);
	if (error)
		return error;
	macro->name = name->text;
	macro->name_length = name->length;
	macro->text = p->token.text;
	macro->length = p->token.length;
	if (p->in_macro)
		return fail_at(p, &p->token, "a macro cannot be made of another one");
	if (at(p, "{")) {
		while (!error && !at(p, "}")) {
			if (p->token.kind == RULES_TOKEN_END)
				return fail_at(p, name, "the list does not end");
			error = advance(p);
			if (!error && p->in_macro)
				return fail_at(p, &p->token,
					       "a macro cannot be made of another one");
		}
		macro->length = (size_t)(p->token.text + 1 - macro->text);
	} else if (p->token.kind != RULES_TOKEN_TEXT && p->token.kind != RULES_TOKEN_WORD) {
		return expected(p, "the macro's text");
	}
	if (error)
		return error;
	p->macro_count++;
	return advance(p);
}

static int parse_line(struct parser *p)
{
	struct rules_token first = p->token;
	int error;

	if (at_line_end(p))
		return 0;
	if (at(p, "block") || at(p, "pass"))
		return parse_rule(p);
	if (at(p, "set"))
		return parse_set(p);
	if (first.kind != RULES_TOKEN_WORD)
		return expected(p, "pass, block, set or a macro");
	error = advance(p);
	if (error)
		return error;
	if (!at(p, "="))
		return fail_at(p, &first, "expected pass, block, set or a macro, not \"%.*s\"",
			       (int)(first.length < 24 ? first.length : 24), first.text);
	return parse_macro(p, &first);
}

static int parse_file(struct parser *p)
{
	int error = advance(p);

	while (!error && p->token.kind != RULES_TOKEN_END) {
		error = parse_line(p);
		if (!error && !at_line_end(p))
			error = expected(p, "the end of the line");
		if (!error && p->token.kind == RULES_TOKEN_LINE_END)
			error = advance(p);
	}
	return error;
}

int ruleset_parse(const char *text, size_t bytes, struct ruleset **set, struct rules_error *error)
{
	struct parser *p = calloc(1, sizeof(*p));
	int result;

	memset(error, 0, sizeof(*error));
	if (!p)
		return -ENOMEM;
	p->error = error;
	p->set = calloc(1, sizeof(*p->set));
	rules_lexer_init(&p->file, text, bytes);
	if (!p->set) {
		result = -ENOMEM;
	} else if (bytes > RULES_MAX_BYTES) {
		snprintf(error->message, sizeof(error->message), "more than %u bytes",
			 RULES_MAX_BYTES);
		result = -E2BIG;
	} else {
		result = parse_file(p);
	}
	if (result)
		ruleset_free(p->set);
	else
		*set = p->set;
	free(p);
	return result;
}
