/* SPDX-License-Identifier: ISC */
/*
 * Check's assertions without its runner: a fuzzer calls the same helpers as the unit
 * tests, and what fails there must stop it on the spot.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

void _ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...)
{
	fprintf(stderr, "%s:%d: %s (%s)\n", file, line, expression, message ? message : "");
	abort();
}

void _mark_point(const char *file, int line)
{
	(void)file;
	(void)line;
}
