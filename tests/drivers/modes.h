/* SPDX-License-Identifier: ISC */
/* How the drivers' tests are added to their cases: stepped, on threads, or both. */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * A test's loop number says how its machine runs: stepped, in virtual time and one
 * order that repeats, or on threads. ThreadSanitizer has nothing to find in a stepped
 * run and makes it twenty times as long, so its builds do only those on threads.
 */
#if defined(__SANITIZE_THREAD__)
#define MODES_STEPPED false
#elif defined(__has_feature)
#define MODES_STEPPED !__has_feature(thread_sanitizer)
#else
#define MODES_STEPPED true
#endif

/* TEST=word in the environment runs only the tests with that word in their name. */
#define MODES_TEST(tests, name, begin, end)                                                \
	do {                                                                               \
		if ((begin) < (end) && (!getenv("TEST") || strstr(#name, getenv("TEST")))) \
			tcase_add_loop_test(tests, name, begin, end);                      \
	} while (0)

/* 0 is stepped, 1 on threads. */
#define MODES_TEST_BOTH(tests, name) MODES_TEST(tests, name, MODES_STEPPED ? 0 : 1, 2)
/* The first `count` are stepped, as many more on threads. */
#define MODES_TEST_TWICE(tests, name, count) \
	MODES_TEST(tests, name, MODES_STEPPED ? 0 : (count), 2 * (count))
/* Even numbers are stepped, odd ones on threads. */
#define MODES_TEST_BY_TURNS(tests, name, count)                                                \
	do {                                                                                   \
		for (int turn = !MODES_STEPPED; turn < (count); turn += MODES_STEPPED ? 1 : 2) \
			MODES_TEST(tests, name, turn, turn + 1);                               \
	} while (0)
/* All are stepped. */
#define MODES_TEST_STEPPED(tests, name, count) \
	MODES_TEST(tests, name, 0, MODES_STEPPED ? (count) : 0)
