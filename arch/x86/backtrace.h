/* SPDX-License-Identifier: ISC */
/* Call chains by frame pointers, with names from the symbol table in the image. */
#pragma once

#include <stdint.h>

/* Prints `rip` (0: left out) and the callers found from frame pointer `rbp`. */
void backtrace_print(uint64_t rip, uint64_t rbp);
