/* SPDX-License-Identifier: ISC */
/* Runs the tests of netfront and netback in the hosted machine. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/drivers/netif_suites.h"

int main(void)
{
	Suite *suite = suite_create("netif");
	SRunner *runner = srunner_create(suite);
	int failed, run;

	suite_add_tcase(suite, netif_pair_tests());
	suite_add_tcase(suite, netif_life_tests());
	suite_add_tcase(suite, netif_queues_tests());
	suite_add_tcase(suite, netif_hostile_back_tests());
	suite_add_tcase(suite, netif_hostile_front_tests());
	suite_add_tcase(suite, netif_hostile_queues_tests());
	suite_add_tcase(suite, netif_lost_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	printf("%d passed, %d failed\n", run - failed, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
