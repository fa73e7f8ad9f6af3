/* SPDX-License-Identifier: ISC */
/*
 * JSON (RFC 8259) read in place and written into a buffer, without floating point and without
 * allocation. Numbers are integers of a unit that the caller names by its decimal places.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define JSON_DEPTH_MAX 16u

/* A value within a text that json_parse() has found good; it lives as long as that. */
struct json {
	const char *text;
	size_t length;
};

/*
 * The one value that all of `length` bytes are, blanks around it apart. -EINVAL: it is not
 * JSON, or deeper than JSON_DEPTH_MAX. Takes time in proportion to `length`.
 */
must_check int json_parse(const char *text, size_t length, struct json *value);

/* The first member of an object with that name, which is compared as it stands in the text. */
must_check bool json_member(const struct json *object, const char *name, struct json *value);

/* The next element of an array; *at is 0 at first. false: there is none, or it is no array. */
must_check bool json_element(const struct json *array, size_t *at, struct json *value);

bool json_is_true(const struct json *value);

/*
 * A number in units of 10^-decimals, rounded towards zero: 1.5e-3 with 9 decimals is 1500000.
 * What does not fit is INT64_MAX or INT64_MIN. false: it is no number.
 */
must_check bool json_number(const struct json *value, unsigned int decimals, int64_t *number);

/* Text being written. What does not fit is left out, and json_end() tells. */
struct json_writer {
	char *to;
	size_t room;
	size_t used;
	bool overflow;
	bool comma; /* the next one needs a comma before it */
};

void json_writer_init(struct json_writer *writer, char *to, size_t room);

/* `name` is NULL in an array and for the outermost one; it and strings need no escapes. */
void json_open(struct json_writer *writer, const char *name, char bracket);
void json_close(struct json_writer *writer, char bracket);
void json_add_true(struct json_writer *writer, const char *name);
void json_add_string(struct json_writer *writer, const char *name, const char *text);
/* `number` in units of 10^-decimals; at most 18 decimals. */
void json_add_number(struct json_writer *writer, const char *name, int64_t number,
		     unsigned int decimals);

/* Bytes written, without a NUL; 0: there was not enough room. */
must_check size_t json_end(const struct json_writer *writer);
