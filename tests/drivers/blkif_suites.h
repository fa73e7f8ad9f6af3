/* SPDX-License-Identifier: ISC */
/* The tests of blkfront and blkback in the hosted machine. */
#pragma once

#include <check.h>

#include "tests/drivers/modes.h"

TCase *blkif_pair_tests(void);
TCase *blkif_life_tests(void);
TCase *blkif_order_tests(void);
TCase *blkif_power_tests(void);
TCase *blkif_feature_tests(void);
TCase *blkif_hostile_front_tests(void);
TCase *blkif_hostile_front_life_tests(void);
TCase *blkif_hostile_back_tests(void);
TCase *blkif_hostile_back_life_tests(void);
TCase *blkif_hostile_pages_tests(void);
