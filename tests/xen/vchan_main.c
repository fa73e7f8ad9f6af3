/* SPDX-License-Identifier: ISC */
/* Runs the tests of vchan in the hosted machine. */
#include "tests/host/unit.h"
#include "tests/xen/vchan_suites.h"

int main(void)
{
	Suite *suite = suite_create("vchan");

	suite_add_tcase(suite, vchan_ring_tests());
	suite_add_tcase(suite, vchan_pair_tests());
	suite_add_tcase(suite, vchan_life_tests());
	suite_add_tcase(suite, vchan_hostile_tests());
	suite_add_tcase(suite, vchan_hostile_random_tests());
	return unit_run(suite, CK_NORMAL, "");
}
