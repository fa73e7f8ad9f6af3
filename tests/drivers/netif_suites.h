/* SPDX-License-Identifier: ISC */
/* The tests of netfront and netback in the hosted machine. */
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
#define NETIF_STEPPED false
#elif defined(__has_feature)
#define NETIF_STEPPED !__has_feature(thread_sanitizer)
#else
#define NETIF_STEPPED true
#endif

/* TEST=word in the environment runs only the tests with that word in their name. */
#define NETIF_TEST(tests, name, begin, end)                                                \
	do {                                                                               \
		if ((begin) < (end) && (!getenv("TEST") || strstr(#name, getenv("TEST")))) \
			tcase_add_loop_test(tests, name, begin, end);                      \
	} while (0)

/* 0 is stepped, 1 on threads. */
#define NETIF_TEST_BOTH(tests, name) NETIF_TEST(tests, name, NETIF_STEPPED ? 0 : 1, 2)
/* The first `count` are stepped, as many more on threads. */
#define NETIF_TEST_TWICE(tests, name, count) \
	NETIF_TEST(tests, name, NETIF_STEPPED ? 0 : (count), 2 * (count))
/* Even numbers are stepped, odd ones on threads. */
#define NETIF_TEST_BY_TURNS(tests, name, count)                                                \
	do {                                                                                   \
		for (int turn = !NETIF_STEPPED; turn < (count); turn += NETIF_STEPPED ? 1 : 2) \
			NETIF_TEST(tests, name, turn, turn + 1);                               \
	} while (0)
/* All are stepped. */
#define NETIF_TEST_STEPPED(tests, name, count) \
	NETIF_TEST(tests, name, 0, NETIF_STEPPED ? (count) : 0)

TCase *netif_pair_tests(void);
TCase *netif_life_tests(void);
TCase *netif_queues_tests(void);
TCase *netif_hostile_back_tests(void);
TCase *netif_hostile_back_life_tests(void);
TCase *netif_hostile_queues_tests(void);
TCase *netif_hostile_front_tests(void);
TCase *netif_hostile_front_life_tests(void);
TCase *netif_lost_tests(void);
TCase *netif_storm_tests(void);
