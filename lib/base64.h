/* SPDX-License-Identifier: ISC */
/* Bytes as text for a console (RFC 4648, 4). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

/* Characters for so many bytes, without an end. */
#define BASE64_LENGTH(bytes) (((bytes) + 2u) / 3u * 4u)

/* Writes BASE64_LENGTH(bytes) characters and a zero byte; returns their number. */
size_t base64_write(char *to, const void *from, size_t bytes);

/*
 * The bytes of `length` characters, a multiple of 4; "=" only at the end, and nothing else
 * between. `to` holds `length` / 4 * 3. Their number, or -EINVAL.
 */
must_check int base64_read(void *to, const char *from, size_t length);
