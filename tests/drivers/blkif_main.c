/* SPDX-License-Identifier: ISC */
/* Runs the tests of blkfront and blkback in the hosted machine. */
#include <check.h>

#include "tests/drivers/blkif_suites.h"
#include "tests/host/unit.h"

int main(void)
{
	Suite *suite = suite_create("blkif");

	suite_add_tcase(suite, blkif_pair_tests());
	suite_add_tcase(suite, blkif_life_tests());
	suite_add_tcase(suite, blkif_order_tests());
	suite_add_tcase(suite, blkif_power_tests());
	suite_add_tcase(suite, blkif_feature_tests());
	suite_add_tcase(suite, blkif_hostile_front_tests());
	suite_add_tcase(suite, blkif_hostile_front_life_tests());
	suite_add_tcase(suite, blkif_hostile_back_tests());
	suite_add_tcase(suite, blkif_hostile_back_life_tests());
	suite_add_tcase(suite, blkif_hostile_pages_tests());
	return unit_run(suite, CK_NORMAL, "");
}
