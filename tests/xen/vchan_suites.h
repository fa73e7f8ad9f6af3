/* SPDX-License-Identifier: ISC */
/* The test cases of vchan. */
#pragma once

#include <check.h>

TCase *vchan_ring_tests(void);
TCase *vchan_pair_tests(void);
TCase *vchan_life_tests(void);
TCase *vchan_hostile_tests(void);
TCase *vchan_hostile_random_tests(void);
