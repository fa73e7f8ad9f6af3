/* SPDX-License-Identifier: ISC */
/*
 * The tests of arch/ and xen/ against the real hypervisor, run inside a guest. Each
 * suite runs in the main fiber and leaves nothing behind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

/* Counts a passed or failed check; a failed one is said with its place. True if good. */
bool selftest_check(bool good, const char *what, const char *file, int line);

#define CHECK(condition) selftest_check(condition, #condition, __FILE__, __LINE__)

/* Whether `a == b`, and both values when they are not. */
#define CHECK_EQUAL(a, b) \
	selftest_check_equal((int64_t)(a), (int64_t)(b), #a " == " #b, __FILE__, __LINE__)

bool selftest_check_equal(int64_t a, int64_t b, const char *what, const char *file, int line);

/* Lets the loop take what is pending and run other fibers. */
void selftest_settle(void);

/* `self` is the domain's own id. */
void selftest_events(uint16_t self);
void selftest_grants(uint16_t self);
void selftest_fibers(void);
void selftest_time(void);
void selftest_memory(void);
void selftest_console(bool has_ring);

/* Only where there is a store. */
void selftest_store(uint16_t self);
void selftest_watches(void);
void selftest_control(void);
