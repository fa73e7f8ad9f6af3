/* SPDX-License-Identifier: ISC */
#include "lib/base64.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_write(char *to, const void *from, size_t bytes)
{
	const uint8_t *at = from;
	char *begin = to;

	for (size_t left = bytes; left;) {
		size_t count = left < 3 ? left : 3;
		uint32_t word = (uint32_t)at[0] << 16;

		if (count > 1)
			word |= (uint32_t)at[1] << 8;
		if (count > 2)
			word |= at[2];
		to[0] = letters[word >> 18];
		to[1] = letters[word >> 12 & 63];
		to[2] = count > 1 ? letters[word >> 6 & 63] : '=';
		to[3] = count > 2 ? letters[word & 63] : '=';
		to += 4;
		at += count;
		left -= count;
	}
	*to = '\0';
	return (size_t)(to - begin);
}

/* The number of a letter; 64 for all others. */
static uint32_t number_of(char letter)
{
	const char *at = letter ? strchr(letters, letter) : NULL;

	return at ? (uint32_t)(at - letters) : 64;
}

int base64_read(void *to, const char *from, size_t length)
{
	uint8_t *at = to;

	if (length % 4 || length > INT_MAX)
		return -EINVAL;
	for (size_t i = 0; i < length; i += 4) {
		size_t count = 3;
		uint32_t word = 0;

		if (i + 4 == length && from[i + 3] == '=')
			count = from[i + 2] == '=' ? 1 : 2;
		for (size_t k = 0; k <= count; k++) {
			uint32_t number = number_of(from[i + k]);

			if (number == 64)
				return -EINVAL;
			word |= number << (18 - 6 * k);
		}
		/* Bits that belong to no byte: some other text would mean the same. */
		if (word & ((1u << (24 - 8 * count)) - 1))
			return -EINVAL;
		for (size_t k = 0; k < count; k++)
			*at++ = (uint8_t)(word >> (16 - 8 * k));
	}
	return (int)(at - (uint8_t *)to);
}
