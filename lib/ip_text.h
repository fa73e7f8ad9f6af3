/* SPDX-License-Identifier: ISC */
/* Addresses of either version as text, by ip4_text and ip6_text. */
#pragma once

#include <stddef.h>

#include "lib/compiler.h"
#include "lib/ip6_text.h"
#include "lib/ip_address.h"

#define IP_TEXT_BYTES IP6_TEXT_BYTES

/* An address that fills `length` bytes. 0 or -EINVAL, and *address stays as it was. */
must_check int ip_text_parse(const char *text, size_t length, struct ip_address *address);

/* Writes the address, which has a version; `to` holds IP_TEXT_BYTES. Returns `to`. */
char *ip_text_format(const struct ip_address *address, char *to);
