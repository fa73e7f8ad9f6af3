/* SPDX-License-Identifier: ISC */
/* The rule file that a guest was given as its ramdisk. */
#pragma once

#include <stddef.h>

#include "lib/compiler.h"
#include "net/rules.h"

/*
 * The rules in `bytes` of text, for good; NULL when they cannot be used. The console
 * says how many there are, or the line and column of the mistake.
 */
must_check struct ruleset *rules_file_read(const void *text, size_t bytes);
