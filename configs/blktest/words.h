/* SPDX-License-Identifier: ISC */
/* Words "key=value" between blanks, of the command line and of the console's commands. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies the value of `key` with its NUL; false, and "", when there is none or it is too long. */
bool words_find(const char *text, const char *key, char *to, size_t size);

/* The value as a decimal number, with K, M or G behind it for powers of 1024. */
uint64_t words_number(const char *text, const char *key, uint64_t otherwise);

/* True if `key` has that value. */
bool words_is(const char *text, const char *key, const char *value);

/* The word of that number, from 0; false, and "", when there are not so many. */
bool words_at(const char *text, uint32_t number, char *to, size_t size);
