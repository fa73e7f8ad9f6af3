/* SPDX-License-Identifier: ISC */
/* Faults on purpose, to show that a fault is reported and ends the domain. */
#pragma once

#include "lib/compiler.h"

/*
 * Does what `name` says: "null" reads address 0, "text" writes to code, "data"
 * runs data, "stack" overruns the stack, "ud" runs an undefined instruction,
 * "div" divides by zero, "panic" panics, "canary" smashes the stack protector's
 * word. Returns -EINVAL for another word, and does not return otherwise.
 */
must_check int fault_force(const char *name);
