/* SPDX-License-Identifier: ISC */
/* Runs the hosted machine's own tests. */
#include <check.h>

#include "tests/host/suites.h"
#include "tests/host/unit.h"

int main(void)
{
	Suite *suite = suite_create("host");

	suite_add_tcase(suite, host_machine_tests());
	suite_add_tcase(suite, host_evtchn_tests());
	suite_add_tcase(suite, host_gnttab_tests());
	suite_add_tcase(suite, host_store_tests());
	suite_add_tcase(suite, host_toolstack_tests());
	return unit_run(suite, CK_NORMAL, "");
}
