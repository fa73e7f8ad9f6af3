/* SPDX-License-Identifier: ISC */
/* The frame of a unit test program: one Check suite, a seed, one line of result. */
#pragma once

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The seed of random tests: SEED= from the environment, else the time. Printed once. */
static inline uint64_t unit_seed(void)
{
	static uint64_t seed;
	const char *given = getenv("SEED");

	if (!seed) {
		seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
		printf("SEED=%llu\n", (unsigned long long)seed);
	}
	return seed;
}

/* A small generator for tests (xorshift64*); `state` must not be 0. */
static inline uint64_t unit_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/*
 * Runs the suite and frees it; closes with the line "`label`N passed, N failed". The exit
 * status for main().
 */
static inline int unit_run(Suite *suite, enum print_output output, const char *label)
{
	SRunner *runner = srunner_create(suite);
	int run, failed;

	srunner_run_all(runner, output);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	printf("%s%d passed, %d failed\n", label, run - failed, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Runs the cases that `add_cases` adds; the exit status for main(). */
static inline int unit_main(const char *name, void (*add_cases)(TCase *cases))
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);
	char label[64];

	unit_seed();
	tcase_set_timeout(cases, 60);
	add_cases(cases);
	suite_add_tcase(suite, cases);
	snprintf(label, sizeof(label), "%s: ", name);
	return unit_run(suite, CK_ENV, label);
}
