/* SPDX-License-Identifier: ISC */
/* IPv4 addresses, prefixes and numbers as text. Strict: nothing may follow. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"

#define IP4_TEXT_BYTES 16u /* "255.255.255.255" and its NUL */

/*
 * "a.b.c.d": decimal, no leading zeros (some readers take them for octal). `length`
 * bytes, all of them. 0 or -EINVAL.
 */
must_check int ip4_text_parse(const char *text, size_t length, be32 *address);

/* "a.b.c.d" or "a.b.c.d/len"; a bare address has prefix 32. 0 or -EINVAL. */
must_check int ip4_text_parse_prefix(const char *text, size_t length, be32 *address,
				     uint8_t *prefix);

/* A decimal number of at most `limit` that fills `length` bytes. 0 or -EINVAL. */
must_check int ip4_text_parse_number(const char *text, size_t length, uint32_t limit,
				     uint32_t *number);

/* The mask of a prefix length 0 .. 32. */
be32 ip4_mask(uint8_t prefix);

/* Writes the address; `to` holds IP4_TEXT_BYTES. Returns `to`. */
char *ip4_text_format(be32 address, char *to);
