/* SPDX-License-Identifier: ISC */
#include "net/rules_lex.h"

#include <string.h>

void rules_lexer_init(struct rules_lexer *lexer, const char *text, size_t bytes)
{
	*lexer = (struct rules_lexer){ .text = text, .bytes = bytes, .line = 1 };
}

static int byte_at(const struct rules_lexer *lexer, size_t at)
{
	return at < lexer->bytes ? (unsigned char)lexer->text[at] : -1;
}

static bool is_word_byte(int c)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))
		return true;
	return c == '.' || c == '-' || c == ':' || c == '/' || c == '_' || c == '$' || c == '+' ||
	       c == '*';
}

static void line_pass(struct rules_lexer *lexer)
{
	lexer->at++;
	lexer->line++;
	lexer->line_start = lexer->at;
}

/* Blanks, comments, and line ends behind a backslash. */
static void blanks_skip(struct rules_lexer *lexer)
{
	for (;;) {
		int c = byte_at(lexer, lexer->at);

		if (c == ' ' || c == '\t' || c == '\r') {
			lexer->at++;
		} else if (c == '\\' && byte_at(lexer, lexer->at + 1) == '\n') {
			lexer->at++;
			line_pass(lexer);
		} else if (c == '#') {
			while (lexer->at < lexer->bytes && lexer->text[lexer->at] != '\n')
				lexer->at++;
		} else {
			return;
		}
	}
}

static size_t mark_length(const struct rules_lexer *lexer)
{
	int c = byte_at(lexer, lexer->at);
	int next = byte_at(lexer, lexer->at + 1);

	if ((c == '!' || c == '<' || c == '>') && next == '=')
		return 2;
	if ((c == '>' && next == '<') || (c == '<' && next == '>'))
		return 2;
	return c > 0 && strchr("{}(),=!<>", c) ? 1 : 0;
}

struct rules_token rules_lexer_next(struct rules_lexer *lexer)
{
	struct rules_token token;
	size_t start;
	int c;

	blanks_skip(lexer);
	start = lexer->at;
	c = byte_at(lexer, start);
	token = (struct rules_token){ .kind = RULES_TOKEN_BAD,
				      .text = lexer->text + start,
				      .length = 1,
				      .line = lexer->line,
				      .column = (uint32_t)(start - lexer->line_start) + 1 };
	if (c < 0) {
		token.kind = RULES_TOKEN_END;
		token.length = 0;
	} else if (c == '\n') {
		token.kind = RULES_TOKEN_LINE_END;
		line_pass(lexer);
	} else if (c == '"') {
		const char *end = memchr(token.text + 1, '"', lexer->bytes - start - 1);

		if (!end || memchr(token.text, '\n', (size_t)(end - token.text)))
			return token;
		token.kind = RULES_TOKEN_TEXT;
		token.text++;
		token.length = (size_t)(end - token.text);
		lexer->at += token.length + 2;
	} else if (mark_length(lexer)) {
		token.kind = RULES_TOKEN_MARK;
		token.length = mark_length(lexer);
		lexer->at += token.length;
	} else if (is_word_byte(c)) {
		token.kind = RULES_TOKEN_WORD;
		while (is_word_byte(byte_at(lexer, lexer->at)))
			lexer->at++;
		token.length = lexer->at - start;
	}
	return token;
}

bool rules_token_is(const struct rules_token *token, const char *word)
{
	if (token->kind != RULES_TOKEN_WORD && token->kind != RULES_TOKEN_MARK)
		return false;
	/* Most words differ in their first letters: this is asked many times for each token. */
	for (size_t i = 0; i < token->length; i++)
		if (word[i] == '\0' || word[i] != token->text[i])
			return false;
	return word[token->length] == '\0';
}
