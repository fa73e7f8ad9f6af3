/* SPDX-License-Identifier: ISC */
/* Points in time as text (RFC 3339, UTC). */
#pragma once

#include <stdint.h>

#define TIME_TEXT_BYTES 25u /* "2026-11-21T15:15:55.123Z" and its NUL */

/* Nanoseconds since 1970-01-01 00:00 UTC; `to` holds TIME_TEXT_BYTES. Returns `to`. */
char *time_text_format(uint64_t wall_ns, char *to);
