/* SPDX-License-Identifier: ISC */
/* Runs the tests of netfront and netback in the hosted machine. */
#include <check.h>

#include "tests/drivers/netif_suites.h"
#include "tests/host/unit.h"

int main(void)
{
	Suite *suite = suite_create("netif");

	suite_add_tcase(suite, netif_pair_tests());
	suite_add_tcase(suite, netif_life_tests());
	suite_add_tcase(suite, netif_queues_tests());
	suite_add_tcase(suite, netif_hostile_back_tests());
	suite_add_tcase(suite, netif_hostile_back_life_tests());
	suite_add_tcase(suite, netif_hostile_front_tests());
	suite_add_tcase(suite, netif_hostile_front_life_tests());
	suite_add_tcase(suite, netif_hostile_queues_tests());
	suite_add_tcase(suite, netif_lost_tests());
	suite_add_tcase(suite, netif_storm_tests());
	return unit_run(suite, CK_NORMAL, "");
}
