/* SPDX-License-Identifier: ISC */
/* Points in time as text (RFC 3339, UTC). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define TIME_TEXT_BYTES 25u /* "2026-11-21T15:15:55.123Z" and its NUL */

/* Nanoseconds since 1970-01-01 00:00 UTC; `to` holds TIME_TEXT_BYTES. Returns `to`. */
char *time_text_format(uint64_t wall_ns, char *to);

/*
 * "2026-11-21T15:15:55", a fraction if wished, and "Z", "+hh:mm" or "-hh:mm"; all of `length`
 * bytes, from 1970 to 2199. 0 and nanoseconds since 1970-01-01 00:00 UTC, or -EINVAL.
 */
must_check int time_text_parse(const char *text, size_t length, uint64_t *wall_ns);
