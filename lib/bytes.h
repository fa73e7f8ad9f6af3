/* SPDX-License-Identifier: ISC */
/*
 * Copying and filling memory by words of 8 bytes, without vector registers, which kernel
 * code does not have, and without string instructions, which emulators run byte by byte.
 * An image gives these the names of the C library (arch/<arch>/libc_bytes.c): memcpy(),
 * memmove(), memset().
 */
#pragma once

#include <stddef.h>

/* As memcpy(), memmove() and memset(). */
void *bytes_copy(void *to, const void *from, size_t bytes);
void *bytes_move(void *to, const void *from, size_t bytes);
void *bytes_set(void *to, int value, size_t bytes);
