/* SPDX-License-Identifier: ISC */
/* The state of the parser of rule files, shared by its parts; private to net/rules_parse*.c. */
#pragma once

#include "net/rules_internal.h"
#include "net/rules_lex.h"

#define RULES_LIST_MAX 256u
#define RULES_MACROS_MAX 256u
/* What macros may come to, where they are used, and what lists may, to be left out again. */
#define RULES_MACRO_BYTES_MAX (4 * RULES_MAX_BYTES)
#define RULES_LEFT_OUT_MAX (16 * RULES_MAX)

struct rules_macro {
	const char *name;
	size_t name_length;
	const char *text;
	size_t length;
};

struct rules_hosts {
	uint32_t count;
	struct rules_host items[RULES_LIST_MAX];
};

struct rules_port_list {
	uint32_t count;
	struct rules_ports items[RULES_LIST_MAX];
};

struct rules_icmp {
	uint16_t type, code;
};

struct rules_interface_name {
	char name[RULES_INTERFACE_BYTES];
	bool negated;
};

/* Where a word stands that is of pf, but not of this language. */
enum rules_refusals {
	RULES_REFUSE_STATEMENT,
	RULES_REFUSE_SET,
	RULES_REFUSE_CLAUSE,
	RULES_REFUSE_HOST,
	RULES_REFUSE_STATE,
	RULES_REFUSE_SCRUB,
};

struct rules_parser {
	struct rules_lexer file;
	struct rules_lexer macro; /* inside a macro's text while in_macro */
	bool in_macro;
	struct rules_token macro_use; /* where its name stands */
	struct rules_token token;     /* the current one */
	struct rules_macro macros[RULES_MACROS_MAX];
	uint32_t macro_count;
	size_t macro_bytes; /* of all that were used */
	uint32_t left_out;  /* combinations of different versions */
	bool block_returns;
	struct ruleset *set;
	struct rules_error *error;
	/* Of the rule being read. */
	struct rules_rule rule;
	struct rules_parameters parameters;
	uint16_t protocols[RULES_LIST_MAX];
	uint32_t protocol_count;
	struct rules_interface_name interfaces[RULES_LIST_MAX];
	uint32_t interface_count;
	struct rules_icmp icmps[RULES_LIST_MAX];
	uint32_t icmp_count;
	struct rules_hosts sources, destinations;
	struct rules_port_list source_ports, destination_ports;
	struct rules_token start, ports_at, icmp_at, flags_at, translation_at, state_at;
	bool has_ports, has_icmp, has_icmp6, has_flags, has_translation, has_state;
	bool is_binat;
};

/* Each leaves the current token behind what it read. 0, -EINVAL with the error filled, -ENOMEM. */
int rules_advance(struct rules_parser *p);
int rules_fail_at(struct rules_parser *p, const struct rules_token *token, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int rules_expected(struct rules_parser *p, const char *what);
bool rules_at(const struct rules_parser *p, const char *word);
bool rules_at_line_end(const struct rules_parser *p);

/* Fails unless the current token is `word`; passes it. */
int rules_pass_word(struct rules_parser *p, const char *word);

/* A decimal number up to `limit`. */
int rules_pass_number(struct rules_parser *p, uint32_t limit, const char *what, uint32_t *number);

/* One item, or { item [,] item { item } ... } over any number of lines. */
int rules_parse_list(struct rules_parser *p, int (*item)(struct rules_parser *p, void *to),
		     void *to);

/* Items; `to` is what the list fills. */
int rules_parse_protocol(struct rules_parser *p, void *to);
int rules_parse_host(struct rules_parser *p, void *to); /* struct rules_hosts */
int rules_parse_port(struct rules_parser *p, void *to); /* struct rules_port_list */
int rules_parse_icmp4(struct rules_parser *p, void *to);
int rules_parse_icmp6(struct rules_parser *p, void *to);
int rules_parse_timeout(struct rules_parser *p, void *to); /* uint32_t[RULES_TIMEOUTS] */

/* A bare address of either version; false when the token is none. */
bool rules_token_address(const struct rules_token *token, struct ip_address *address,
			 uint8_t *prefix);

/*
 * A host name as it may stand in a rule: with a dot, and not all digits behind the last
 * one, so that neither a word that was misspelt nor a wrong address becomes a name. 1: the
 * token is none. Does not advance.
 */
int rules_token_name(struct rules_parser *p, uint16_t *name);

/* table <name> ..., at the first word; and, at the end, whether all are defined. */
int rules_parse_table(struct rules_parser *p);
int rules_finish_tables(struct rules_parser *p);

/* <name>, at the mark. */
int rules_parse_table_name(struct rules_parser *p, struct rules_table **table);

/* Fails, and says why, when pf has the word there and this language has not; else 0. */
int rules_refuse(struct rules_parser *p, const struct rules_token *word, enum rules_refusals where);

/* An interface, perhaps negated; to p->interfaces. */
int rules_parse_interface(struct rules_parser *p, void *to);

/* antispoof, at that word. */
int rules_parse_antispoof(struct rules_parser *p);

/* Forgets the rule before. */
void rules_begin(struct rules_parser *p);

/* Does the host that a bitmask takes the rest of have as many bits as the target? */
int rules_check_bitmask(struct rules_parser *p);

/* Both rules of binat-to, made of one. -E2BIG, -ENOMEM. */
int rules_add_binat(struct rules_parser *p, const struct rules_rule *out);

/* nat-to, rdr-to, binat-to, no, scrub, behind that word. */
int rules_parse_target(struct rules_parser *p, const struct rules_token *word);
int rules_parse_no_translation(struct rules_parser *p, const struct rules_token *word);
int rules_parse_scrub(struct rules_parser *p);
int rules_parse_state_options(struct rules_parser *p);

int rules_parse_clause(struct rules_parser *p);
int rules_parse_set(struct rules_parser *p);

/* Makes rules of what was read since the line began. */
int rules_expand(struct rules_parser *p);
