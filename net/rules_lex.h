/* SPDX-License-Identifier: ISC */
/*
 * Words of a rule file. A token is a word, a quoted text, or one of the marks
 * { } ( ) , = ! < > != <= >= ; the end of a line is a token too, unless a backslash
 * comes before it. Comments run from # to the end of the line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rules_token_kind {
	RULES_TOKEN_WORD,
	RULES_TOKEN_TEXT, /* "quoted", without the quotes */
	RULES_TOKEN_MARK,
	RULES_TOKEN_LINE_END,
	RULES_TOKEN_END,
	RULES_TOKEN_BAD, /* a quote that does not end, or a byte that has no meaning */
};

struct rules_token {
	enum rules_token_kind kind;
	const char *text;
	size_t length;
	uint32_t line, column; /* from 1 */
};

struct rules_lexer {
	const char *text;
	size_t bytes;
	size_t at;
	uint32_t line;
	size_t line_start;
};

void rules_lexer_init(struct rules_lexer *lexer, const char *text, size_t bytes);

/* The next token; after the end it is RULES_TOKEN_END for ever. */
struct rules_token rules_lexer_next(struct rules_lexer *lexer);

/* Is the token this word or mark? */
bool rules_token_is(const struct rules_token *token, const char *word);
