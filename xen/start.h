/* SPDX-License-Identifier: ISC */
#pragma once

#include <stddef.h>

/*
 * Supplied by each configuration: runs in the first fiber, with console, store,
 * events, grants and the loop ready. `module` is the ramdisk (NULL: none); both
 * arguments live for ever. When it returns the loop goes on with what it started.
 */
void guest_main(const char *cmdline, const void *module, size_t module_bytes);
