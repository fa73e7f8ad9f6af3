/* SPDX-License-Identifier: ISC */
/* Tables in the parser: their lines, and their names in rules. */
#include <errno.h>

#include "net/rules_parser.h"

int rules_parse_table_name(struct rules_parser *p, struct rules_table **table)
{
	struct rules_token open = p->token;
	int error = rules_pass_word(p, "<");

	if (error)
		return error;
	if (p->token.kind != RULES_TOKEN_WORD)
		return rules_expected(p, "a table's name");
	if (p->token.length >= RULES_TABLE_NAME_BYTES)
		return rules_fail_at(p, &p->token, "a table's name has at most %u bytes",
				     RULES_TABLE_NAME_BYTES - 1);
	*table = rules_table_get(p->set, p->token.text, p->token.length);
	if (!*table && p->set->table_count == RULES_TABLES_MAX)
		return rules_fail_at(p, &p->token, "more than %u tables", RULES_TABLES_MAX);
	if (!*table)
		return -ENOMEM;
	if (!(*table)->line) {
		(*table)->line = open.line;
		(*table)->column = open.column;
	}
	error = rules_advance(p);
	return error ? error : rules_pass_word(p, ">");
}

static int parse_entry(struct rules_parser *p, void *to)
{
	struct rules_entry entry = { 0 };
	uint16_t name;
	int error = 0;

	if (rules_at(p, "!")) {
		entry.negated = true;
		error = rules_advance(p);
	}
	if (error)
		return error;
	if (rules_token_address(&p->token, &entry.address, &entry.prefix)) {
		error = rules_table_add(p->set, to, &entry);
	} else {
		error = rules_token_name(p, &name);
		if (error == 1)
			return rules_expected(p, "a host name or an address like 10.0.0.0/8");
		if (error)
			return error;
		error = rules_table_add_name(p->set, to, name, entry.negated);
	}
	if (error == -E2BIG)
		rules_fail_at(p, &p->token, "more than %u entries in all tables",
			      RULES_TABLE_ENTRIES_MAX);
	return error ? error : rules_advance(p);
}

/* table <name> [ persist ] [ const ] [ { entries } ] */
int rules_parse_table(struct rules_parser *p)
{
	struct rules_table *table = NULL;
	struct rules_token name;
	int error = rules_advance(p);

	name = p->token;
	if (!error)
		error = rules_parse_table_name(p, &table);
	if (error || !table)
		return error;
	if (table->defined)
		return rules_fail_at(p, &name, "the table is defined twice");
	table->defined = true;
	while (!error && (rules_at(p, "persist") || rules_at(p, "const")))
		error = rules_advance(p);
	if (error || rules_at_line_end(p))
		return error;
	if (rules_at(p, "file"))
		return rules_fail_at(p, &p->token, "there are no files: write the addresses here");
	if (!rules_at(p, "{"))
		return rules_expected(p, "persist, const or { addresses }");
	return rules_parse_list(p, parse_entry, table);
}

int rules_finish_tables(struct rules_parser *p)
{
	for (uint32_t i = 0; i < p->set->table_count; i++) {
		struct rules_table *table = &p->set->tables[i];
		struct rules_token at = { .line = table->line, .column = table->column };
		int error;

		if (!table->defined)
			return rules_fail_at(p, &at, "table <%s> is not defined", table->name);
		error = rules_table_finish(table);
		if (error)
			return error;
	}
	return 0;
}
