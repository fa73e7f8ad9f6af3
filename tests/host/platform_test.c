/* SPDX-License-Identifier: ISC */
/* Runs the hosted machine's own tests. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/host/suites.h"

int main(void)
{
	Suite *suite = suite_create("host");
	SRunner *runner = srunner_create(suite);
	int failed, run;

	suite_add_tcase(suite, host_machine_tests());
	suite_add_tcase(suite, host_evtchn_tests());
	suite_add_tcase(suite, host_gnttab_tests());
	suite_add_tcase(suite, host_store_tests());
	suite_add_tcase(suite, host_toolstack_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	printf("%d passed, %d failed\n", run - failed, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
