/* SPDX-License-Identifier: ISC */
#include "configs/blktest/words.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 24u

static const char *word_next(const char *at)
{
	at += strcspn(at, " ");
	return at + strspn(at, " ");
}

static bool word_copy(const char *from, char *to, size_t size)
{
	size_t length = strcspn(from, " ");

	if (length >= size)
		return false;
	memcpy(to, from, length);
	to[length] = '\0';
	return length > 0;
}

bool words_find(const char *text, const char *key, char *to, size_t size)
{
	size_t length = strlen(key);

	to[0] = '\0';
	for (const char *at = text + strspn(text, " "); *at; at = word_next(at))
		if (strncmp(at, key, length) == 0 && at[length] == '=')
			return word_copy(at + length + 1, to, size);
	return false;
}

bool words_at(const char *text, uint32_t number, char *to, size_t size)
{
	const char *at = text + strspn(text, " ");

	to[0] = '\0';
	while (number-- && *at)
		at = word_next(at);
	return word_copy(at, to, size);
}

static uint32_t unit_shift(char unit)
{
	return unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
}

uint64_t words_number(const char *text, const char *key, uint64_t otherwise)
{
	char word[NUMBER_BYTES];
	char *end = word;
	uint64_t value;

	if (!words_find(text, key, word, sizeof(word)))
		return otherwise;
	value = strtoull(word, &end, 10);
	return value << unit_shift(*end);
}

bool words_is(const char *text, const char *key, const char *value)
{
	char word[NUMBER_BYTES];

	return words_find(text, key, word, sizeof(word)) && strcmp(word, value) == 0;
}
