/* SPDX-License-Identifier: ISC */
/* The tests of netfront and netback in the hosted machine. */
#pragma once

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* TEST=word in the environment runs only the tests with that word in their name. */
#define NETIF_TEST(tests, name, begin, end)                           \
	do {                                                          \
		if (!getenv("TEST") || strstr(#name, getenv("TEST"))) \
			tcase_add_loop_test(tests, name, begin, end); \
	} while (0)

/* Stepped and on threads. */
#define NETIF_TEST_BOTH(tests, name) NETIF_TEST(tests, name, 0, 2)
/* Only where time and order repeat. */
#define NETIF_TEST_STEPPED(tests, name) NETIF_TEST(tests, name, 0, 1)

TCase *netif_pair_tests(void);
TCase *netif_life_tests(void);
TCase *netif_hostile_front_tests(void);
