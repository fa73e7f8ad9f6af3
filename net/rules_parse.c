/* SPDX-License-Identifier: ISC */
/*
 * The parser: one line, one statement. See RULES.md for the language. Macros are texts
 * that are read in place of their name.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/rules_parser.h"

int rules_fail_at(struct rules_parser *p, const struct rules_token *token, const char *format, ...)
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
int rules_expected(struct rules_parser *p, const char *what)
{
	const struct rules_token *t = &p->token;

	if (t->kind == RULES_TOKEN_LINE_END || t->kind == RULES_TOKEN_END)
		return rules_fail_at(p, t, "expected %s before the end of the line", what);
	return rules_fail_at(p, t, "expected %s, not \"%.*s\"", what,
			     (int)(t->length < 24 ? t->length : 24), t->text);
}

static const struct rules_macro *macro_find(const struct rules_parser *p, const char *name,
					    size_t length)
{
	for (uint32_t i = 0; i < p->macro_count; i++)
		if (p->macros[i].name_length == length &&
		    memcmp(p->macros[i].name, name, length) == 0)
			return &p->macros[i];
	return NULL;
}

int rules_advance(struct rules_parser *p)
{
	const struct rules_macro *macro;

	if (p->in_macro) {
		p->token = rules_lexer_next(&p->macro);
		p->token.line = p->macro_use.line;
		p->token.column = p->macro_use.column;
		if (p->token.kind != RULES_TOKEN_END)
			return p->token.kind == RULES_TOKEN_BAD ? rules_expected(p, "a word") : 0;
		p->in_macro = false;
	}
	p->token = rules_lexer_next(&p->file);
	if (p->token.kind == RULES_TOKEN_BAD)
		return p->token.text[0] == '"'
			       ? rules_fail_at(p, &p->token, "the quote does not end")
			       : rules_expected(p, "a word");
	if (p->token.kind != RULES_TOKEN_WORD || p->token.text[0] != '$')
		return 0;
	macro = macro_find(p, p->token.text + 1, p->token.length - 1);
	if (!macro)
		return rules_fail_at(p, &p->token, "macro \"%.*s\" is not defined",
				     (int)(p->token.length < 24 ? p->token.length : 24),
				     p->token.text);
	p->macro_bytes += macro->length;
	if (p->macro_bytes > RULES_MACRO_BYTES_MAX)
		return rules_fail_at(p, &p->token, "macros are used for more than %u bytes",
				     RULES_MACRO_BYTES_MAX);
	p->macro_use = p->token;
	p->in_macro = true;
	rules_lexer_init(&p->macro, macro->text, macro->length);
	/* A macro's text may not use macros: its words are taken as they stand. */
	return rules_advance(p);
}

bool rules_at(const struct rules_parser *p, const char *word)
{
	return rules_token_is(&p->token, word);
}

bool rules_at_line_end(const struct rules_parser *p)
{
	return p->token.kind == RULES_TOKEN_LINE_END || p->token.kind == RULES_TOKEN_END;
}

int rules_pass_word(struct rules_parser *p, const char *word)
{
	char what[24];

	if (rules_at(p, word))
		return rules_advance(p);
	snprintf(what, sizeof(what), "\"%s\"", word);
	return rules_expected(p, what);
}

int rules_parse_list(struct rules_parser *p, int (*item)(struct rules_parser *p, void *to),
		     void *to)
{
	struct rules_token open = p->token;
	uint32_t depth = 0;
	int error = 0;

	do {
		if (rules_at(p, "{")) {
			depth++;
			error = rules_advance(p);
		} else if (depth && rules_at(p, "}")) {
			depth--;
			error = rules_advance(p);
		} else if (depth && p->token.kind == RULES_TOKEN_END) {
			return rules_fail_at(p, &open, "the list does not end");
		} else if (depth && (rules_at(p, ",") || p->token.kind == RULES_TOKEN_LINE_END)) {
			error = rules_advance(p);
		} else {
			error = item(p, to);
		}
	} while (!error && depth);
	return error;
}

/* ---- whole rules ---- */

void rules_begin(struct rules_parser *p)
{
	memset(&p->rule, 0, sizeof(p->rule));
	memset(&p->parameters, 0, sizeof(p->parameters));
	p->start = p->token;
	p->rule.line = p->token.line;
	p->rule.directions = RULES_IN | RULES_OUT;
	p->protocol_count = 0;
	p->interface_count = 0;
	p->icmp_count = 0;
	p->sources.count = 0;
	p->destinations.count = 0;
	p->source_ports.count = 0;
	p->destination_ports.count = 0;
	p->has_ports = false;
	p->has_icmp = false;
	p->has_icmp6 = false;
	p->has_flags = false;
	p->has_translation = false;
	p->has_state = false;
	p->is_binat = false;
}

/* A code of unreachable, by pf's name or its number. */
static int parse_code(struct rules_parser *p, const char *const *names, uint32_t count,
		      uint8_t *code)
{
	uint32_t number;
	int error;

	for (uint32_t i = 0; i < count; i++)
		if (rules_at(p, names[i])) {
			*code = (uint8_t)i;
			return rules_advance(p);
		}
	error = rules_pass_number(p, count - 1, "a code of ICMP unreachable", &number);
	*code = (uint8_t)number;
	return error;
}

static int parse_code4(struct rules_parser *p)
{
	/* RFC 1812, 5.2.7.1, in the order of the codes. */
	static const char *const names[] = {
		"net-unr",  "host-unr",	     "proto-unr",   "port-unr",
		"needfrag", "srcfail",	     "net-unk",	    "host-unk",
		"isolate",  "net-prohib",    "host-prohib", "net-tos",
		"host-tos", "filter-prohib", "host-preced", "cutoff-preced",
	};

	return parse_code(p, names, ARRAY_SIZE(names), &p->rule.icmp4_answer);
}

static int parse_code6(struct rules_parser *p)
{
	/* RFC 4443, 3.1. */
	static const char *const names[] = { "noroute-unr", "admin-unr", "beyond-unr", "addr-unr",
					     "port-unr" };

	return parse_code(p, names, ARRAY_SIZE(names), &p->rule.icmp6_answer);
}

/* "return-icmp [ ( CODE [ , CODE6 ] ) ]", "return-icmp6 [ ( CODE6 ) ]", behind the word. */
static int parse_return_icmp(struct rules_parser *p, bool six)
{
	int error;

	p->rule.action = RULES_BLOCK_ICMP;
	p->rule.icmp4_answer = RULES_ICMP4_PORT_UNREACHABLE;
	p->rule.icmp6_answer = RULES_ICMP6_PORT_UNREACHABLE;
	if (!rules_at(p, "("))
		return 0;
	error = rules_advance(p);
	if (!error)
		error = six ? parse_code6(p) : parse_code4(p);
	if (!error && !six && rules_at(p, ",")) {
		error = rules_advance(p);
		if (!error)
			error = parse_code6(p);
	}
	return error ? error : rules_pass_word(p, ")");
}

static int parse_block(struct rules_parser *p)
{
	struct rules_token word;
	int error = rules_advance(p);

	p->rule.action = p->block_returns ? RULES_BLOCK_RETURN : RULES_BLOCK_DROP;
	if (error)
		return error;
	word = p->token;
	if (rules_at(p, "drop"))
		p->rule.action = RULES_BLOCK_DROP;
	else if (rules_at(p, "return"))
		p->rule.action = RULES_BLOCK_RETURN;
	else if (rules_at(p, "return-rst"))
		p->rule.action = RULES_BLOCK_RST;
	else if (!rules_at(p, "return-icmp") && !rules_at(p, "return-icmp6"))
		return 0;
	error = rules_advance(p);
	if (error || rules_token_is(&word, "drop") || rules_token_is(&word, "return"))
		return error;
	if (p->rule.action != RULES_BLOCK_RST)
		return parse_return_icmp(p, rules_token_is(&word, "return-icmp6"));
	if (rules_at(p, "("))
		return rules_fail_at(p, &p->token, "the TTL of a reset cannot be chosen");
	return 0;
}

static int parse_action(struct rules_parser *p)
{
	if (rules_at(p, "block"))
		return parse_block(p);
	if (rules_at(p, "match")) {
		p->rule.action = RULES_MATCH;
	} else {
		p->rule.action = RULES_PASS;
		p->rule.keep_state = true;
	}
	return rules_advance(p);
}

static int parse_rule(struct rules_parser *p)
{
	int error;

	rules_begin(p);
	error = parse_action(p);
	while (!error && !rules_at_line_end(p))
		error = rules_parse_clause(p);
	return error ? error : rules_expand(p);
}

/* name = "text" | word | { list } */
static int parse_macro(struct rules_parser *p, const struct rules_token *name)
{
	struct rules_macro *macro = &p->macros[p->macro_count];
	int error;

	if (macro_find(p, name->text, name->length))
		return rules_fail_at(p, name, "the macro is defined twice");
	if (p->macro_count == RULES_MACROS_MAX)
		return rules_fail_at(p, name, "more than %u macros", RULES_MACROS_MAX);
	error = rules_advance(p);
	if (error)
		return error;
	macro->name = name->text;
	macro->name_length = name->length;
	macro->text = p->token.text;
	macro->length = p->token.length;
	if (p->in_macro)
		return rules_fail_at(p, &p->token, "a macro cannot be made of another one");
	if (rules_at(p, "{")) {
		while (!error && !rules_at(p, "}")) {
			if (p->token.kind == RULES_TOKEN_END)
				return rules_fail_at(p, name, "the list does not end");
			error = rules_advance(p);
			if (!error && p->in_macro)
				return rules_fail_at(p, &p->token,
						     "a macro cannot be made of another one");
		}
		macro->length = (size_t)(p->token.text + 1 - macro->text);
	} else if (p->token.kind != RULES_TOKEN_TEXT && p->token.kind != RULES_TOKEN_WORD) {
		return rules_expected(p, "the macro's text");
	}
	if (error)
		return error;
	p->macro_count++;
	return rules_advance(p);
}

static int parse_line(struct rules_parser *p)
{
	struct rules_token first = p->token;
	int error;

	if (rules_at_line_end(p))
		return 0;
	if (rules_at(p, "block") || rules_at(p, "pass") || rules_at(p, "match"))
		return parse_rule(p);
	if (rules_at(p, "set"))
		return rules_parse_set(p);
	if (rules_at(p, "table"))
		return rules_parse_table(p);
	if (rules_at(p, "antispoof"))
		return rules_parse_antispoof(p);
	if (first.kind != RULES_TOKEN_WORD)
		return rules_expected(p, "pass, block, match, set, table or a macro");
	error = rules_advance(p);
	if (error)
		return error;
	if (!rules_at(p, "=") && rules_refuse(p, &first, RULES_REFUSE_STATEMENT))
		return -EINVAL;
	if (!rules_at(p, "="))
		return rules_fail_at(
			p, &first,
			"expected pass, block, match, set, table or a macro, not \"%.*s\"",
			(int)(first.length < 24 ? first.length : 24), first.text);
	return parse_macro(p, &first);
}

static int parse_file(struct rules_parser *p)
{
	int error = rules_advance(p);

	while (!error && p->token.kind != RULES_TOKEN_END) {
		error = parse_line(p);
		if (!error && !rules_at_line_end(p))
			error = rules_expected(p, "the end of the line");
		if (!error && p->token.kind == RULES_TOKEN_LINE_END)
			error = rules_advance(p);
	}
	return error ? error : rules_finish_tables(p);
}

int ruleset_read(const char *text, size_t bytes, struct ruleset **set, struct rules_error *error)
{
	struct rules_parser *p = calloc(1, sizeof(*p));
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

int ruleset_parse(const char *text, size_t bytes, struct ruleset **set, struct rules_error *error)
{
	struct ruleset *read = NULL;
	int result = ruleset_read(text, bytes, &read, error);

	if (result)
		return result;
	result = ruleset_compile(read);
	if (result)
		ruleset_free(read);
	else
		*set = read;
	return result;
}
