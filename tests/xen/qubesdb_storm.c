/* SPDX-License-Identifier: ISC */
#include "tests/xen/qubesdb_suites.h"
TCase *qubesdb_storm_tests(void)
{
	return tcase_create("storm");
}
