/* SPDX-License-Identifier: ISC */
/* The tests of blkfront and blkback in the hosted machine. */
#pragma once

#include <check.h>

#include "tests/drivers/modes.h"

TCase *blkif_pair_tests(void);
