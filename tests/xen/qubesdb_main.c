/* SPDX-License-Identifier: ISC */
/* Runs the tests of the QubesDB client in the hosted machine. */
#include "tests/host/unit.h"
#include "tests/xen/qubesdb_suites.h"

int main(void)
{
	Suite *suite = suite_create("qubesdb");

	suite_add_tcase(suite, qubesdb_entries_tests());
	suite_add_tcase(suite, qubesdb_connection_tests());
	suite_add_tcase(suite, qubesdb_flood_tests());
	suite_add_tcase(suite, qubesdb_storm_tests());
	return unit_run(suite, CK_NORMAL, "");
}
