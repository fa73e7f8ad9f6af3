/* SPDX-License-Identifier: ISC */
/*
 * What an application in a program may ask beyond configs/station.h. Whoever is to run in a
 * guest as well does not.
 */
#pragma once

#include <stdint.h>

/* The number that --seed gave, or another each time. */
uint64_t station_seed(void);
