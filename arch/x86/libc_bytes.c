/* SPDX-License-Identifier: ISC */
/* The C library's names for lib/bytes.h: what is defined here is not taken from newlib. */
#include <string.h>

#include "lib/bytes.h"

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	return bytes_copy(to, from, bytes);
}

void *memmove(void *to, const void *from, size_t bytes)
{
	return bytes_move(to, from, bytes);
}

void *memset(void *to, int value, size_t bytes)
{
	return bytes_set(to, value, bytes);
}
