/* SPDX-License-Identifier: ISC */
/* IPv6 addresses and prefixes as text: RFC 4291, 2.2, is read, RFC 5952 is written. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define IP6_TEXT_BYTES 46u /* the longest form and its NUL */

/*
 * Eight groups of hex digits, one run of zero groups as "::", the last 32 bits as dotted
 * quad if wished; no zone. All of `length` bytes; `address` takes 16, in network order.
 * 0 or -EINVAL.
 */
must_check int ip6_text_parse(const char *text, size_t length, uint8_t *address);

/* An address, or "address/len"; a bare one has prefix 128. 0 or -EINVAL. */
must_check int ip6_text_parse_prefix(const char *text, size_t length, uint8_t *address,
				     uint8_t *prefix);

/*
 * Writes 16 bytes the one way of RFC 5952: lower case, no leading zeros, the longest run
 * of two or more zero groups (the first of equals) as "::"; addresses of ::ffff:0:0/96
 * end in a dotted quad. `to` holds IP6_TEXT_BYTES. Returns `to`.
 */
char *ip6_text_format(const uint8_t *address, char *to);
