/* SPDX-License-Identifier: ISC */
#include "lib/json.h"

#include <errno.h>
#include <string.h>

/* Where reading is; nothing beyond `end` is looked at. */
struct reader {
	const char *p;
	const char *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void skip_blanks(struct reader *reader)
{
	while (reader->p < reader->end && is_blank(*reader->p))
		reader->p++;
}

static bool take(struct reader *reader, char c)
{
	if (reader->p == reader->end || *reader->p != c)
		return false;
	reader->p++;
	return true;
}

/* ---- is it JSON? ---- */

static bool take_escape(struct reader *reader)
{
	if (reader->p == reader->end)
		return false;
	if (*reader->p != 'u')
		return *reader->p && strchr("\"\\/bfnrt", *reader->p++);
	reader->p++;
	for (int i = 0; i < 4; i++)
		if (reader->p == reader->end || !is_hex(*reader->p++))
			return false;
	return true;
}

static bool take_string(struct reader *reader)
{
	if (!take(reader, '"'))
		return false;
	while (reader->p < reader->end) {
		unsigned char c = (unsigned char)*reader->p++;

		if (c == '"')
			return true;
		if (c < ' ' || (c == '\\' && !take_escape(reader)))
			return false;
	}
	return false;
}

static bool take_digits(struct reader *reader)
{
	const char *begin = reader->p;

	while (reader->p < reader->end && is_digit(*reader->p))
		reader->p++;
	return reader->p > begin;
}

static bool take_number(struct reader *reader)
{
	(void)take(reader, '-');
	if (!take(reader, '0') && !take_digits(reader))
		return false;
	if (take(reader, '.') && !take_digits(reader))
		return false;
	if (!take(reader, 'e') && !take(reader, 'E'))
		return true;
	if (!take(reader, '+'))
		(void)take(reader, '-');
	return take_digits(reader);
}

static bool take_word(struct reader *reader, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(reader->end - reader->p) < length || memcmp(reader->p, word, length) != 0)
		return false;
	reader->p += length;
	return true;
}

/* A value that holds no other one. */
static bool take_plain(struct reader *reader)
{
	if (reader->p == reader->end)
		return false;
	switch (*reader->p) {
	case '"':
		return take_string(reader);
	case 't':
		return take_word(reader, "true");
	case 'f':
		return take_word(reader, "false");
	case 'n':
		return take_word(reader, "null");
	default:
		return take_number(reader);
	}
}

/* In an object what stands before a value. */
static bool take_name(struct reader *reader)
{
	skip_blanks(reader);
	if (!take_string(reader))
		return false;
	skip_blanks(reader);
	return take(reader, ':');
}

/* Which brackets are open, the innermost last. */
struct open {
	uint32_t depth;
	char bracket[JSON_DEPTH_MAX];
};

/* An opening bracket; *empty: and its closing one. */
static bool take_opening(struct reader *reader, struct open *open, bool *empty)
{
	char bracket = *reader->p++;

	skip_blanks(reader);
	*empty = take(reader, bracket == '{' ? '}' : ']');
	if (*empty)
		return true;
	if (open->depth == JSON_DEPTH_MAX)
		return false;
	open->bracket[open->depth++] = bracket;
	return bracket == '[' || take_name(reader);
}

/* Behind a value: closing brackets, or a comma and what stands before the next value. */
static bool take_behind(struct reader *reader, struct open *open)
{
	while (open->depth) {
		bool object = open->bracket[open->depth - 1] == '{';

		skip_blanks(reader);
		if (take(reader, ','))
			return !object || take_name(reader);
		if (!take(reader, object ? '}' : ']'))
			return false;
		open->depth--;
	}
	return true;
}

static bool take_value(struct reader *reader)
{
	struct open open = { 0 };

	do {
		bool empty = false;

		skip_blanks(reader);
		if (reader->p < reader->end && (*reader->p == '{' || *reader->p == '[')) {
			if (!take_opening(reader, &open, &empty))
				return false;
			if (!empty)
				continue;
		} else if (!take_plain(reader)) {
			return false;
		}
		if (!take_behind(reader, &open))
			return false;
	} while (open.depth);
	return true;
}

int json_parse(const char *text, size_t length, struct json *value)
{
	struct reader reader = { text, text + length };
	const char *begin;

	skip_blanks(&reader);
	begin = reader.p;
	if (!take_value(&reader))
		return -EINVAL;
	*value = (struct json){ begin, (size_t)(reader.p - begin) };
	skip_blanks(&reader);
	return reader.p == reader.end ? 0 : -EINVAL;
}

/* ---- looking into what is JSON ---- */

static bool next_value(struct reader *reader, struct json *value)
{
	skip_blanks(reader);
	value->text = reader->p;
	if (!take_value(reader))
		return false;
	value->length = (size_t)(reader->p - value->text);
	return true;
}

static struct reader inside(const struct json *value, char bracket)
{
	struct reader reader = { value->text, value->text + value->length };

	if (!take(&reader, bracket))
		reader.p = reader.end;
	return reader;
}

bool json_member(const struct json *object, const char *name, struct json *value)
{
	struct reader reader = inside(object, '{');
	size_t length = strlen(name);

	do {
		const char *begin;

		skip_blanks(&reader);
		begin = reader.p + 1;
		if (!take_name(&reader) || !next_value(&reader, value))
			return false;
		if ((size_t)(reader.end - begin) > length && memcmp(begin, name, length) == 0 &&
		    begin[length] == '"')
			return true;
		skip_blanks(&reader);
	} while (take(&reader, ','));
	return false;
}

bool json_element(const struct json *array, size_t *at, struct json *value)
{
	struct reader reader = inside(array, '[');

	if (*at)
		reader.p = array->text + *at;
	if (!next_value(&reader, value))
		return false;
	skip_blanks(&reader);
	if (!take(&reader, ','))
		reader.p = reader.end;
	*at = (size_t)(reader.p - array->text);
	return true;
}

bool json_is_true(const struct json *value)
{
	return value->length == 4 && memcmp(value->text, "true", 4) == 0;
}

static int64_t saturated(uint64_t magnitude, bool negative)
{
	if (magnitude > INT64_MAX)
		return negative ? INT64_MIN : INT64_MAX;
	return negative ? -(int64_t)magnitude : (int64_t)magnitude;
}

/* The digits before the exponent as one number; *places: how many stood behind the point. */
static uint64_t mantissa(struct reader *reader, int64_t *places)
{
	uint64_t sum = 0;
	bool behind = false;

	for (*places = 0; reader->p < reader->end; reader->p++) {
		char c = *reader->p;

		if (c == '.') {
			behind = true;
			continue;
		}
		if (!is_digit(c))
			break;
		if (sum > (UINT64_MAX - 9) / 10) {
			/* Digits that do not fit count for their place alone. */
			*places -= !behind;
			continue;
		}
		sum = sum * 10 + (uint64_t)(c - '0');
		*places += behind;
	}
	return sum;
}

static int64_t exponent(struct reader *reader)
{
	int64_t sum = 0;
	bool negative;

	if (!take(reader, 'e') && !take(reader, 'E'))
		return 0;
	negative = take(reader, '-');
	if (!negative)
		(void)take(reader, '+');
	for (; reader->p < reader->end && is_digit(*reader->p); reader->p++)
		if (sum < 1000)
			sum = sum * 10 + (*reader->p - '0');
	return negative ? -sum : sum;
}

bool json_number(const struct json *value, unsigned int decimals, int64_t *number)
{
	struct reader reader = { value->text, value->text + value->length };
	bool negative = take(&reader, '-');
	uint64_t sum;
	int64_t places, shift;

	if (reader.p == reader.end || !is_digit(*reader.p))
		return false;
	sum = mantissa(&reader, &places);
	shift = exponent(&reader) - places + (int64_t)decimals;
	for (; shift < 0 && sum; shift++)
		sum /= 10;
	for (; shift > 0 && sum; shift--)
		sum = sum > UINT64_MAX / 10 ? UINT64_MAX : sum * 10;
	*number = saturated(sum, negative);
	return true;
}

/* ---- writing ---- */

void json_writer_init(struct json_writer *writer, char *to, size_t room)
{
	*writer = (struct json_writer){ .to = to, .room = room };
}

static void put(struct json_writer *writer, const char *text, size_t length)
{
	if (length > writer->room - writer->used) {
		writer->overflow = true;
		return;
	}
	memcpy(writer->to + writer->used, text, length);
	writer->used += length;
}

static void put_quoted(struct json_writer *writer, const char *text)
{
	put(writer, "\"", 1);
	put(writer, text, strlen(text));
	put(writer, "\"", 1);
}

static void begin(struct json_writer *writer, const char *name)
{
	if (writer->comma)
		put(writer, ",", 1);
	writer->comma = true;
	if (!name)
		return;
	put_quoted(writer, name);
	put(writer, ":", 1);
}

void json_open(struct json_writer *writer, const char *name, char bracket)
{
	begin(writer, name);
	put(writer, &bracket, 1);
	writer->comma = false;
}

void json_close(struct json_writer *writer, char bracket)
{
	put(writer, &bracket, 1);
	writer->comma = true;
}

void json_add_true(struct json_writer *writer, const char *name)
{
	begin(writer, name);
	put(writer, "true", 4);
}

void json_add_string(struct json_writer *writer, const char *name, const char *text)
{
	begin(writer, name);
	put_quoted(writer, text);
}

void json_add_number(struct json_writer *writer, const char *name, int64_t number,
		     unsigned int decimals)
{
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	char digits[24];
	size_t at = sizeof(digits);
	unsigned int place = 0;

	do {
		if (place && place == decimals)
			digits[--at] = '.';
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
		place++;
	} while (left || place <= decimals);
	if (number < 0)
		digits[--at] = '-';
	begin(writer, name);
	put(writer, digits + at, sizeof(digits) - at);
}

size_t json_end(const struct json_writer *writer)
{
	return writer->overflow ? 0 : writer->used;
}
