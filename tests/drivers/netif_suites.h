/* SPDX-License-Identifier: ISC */
/* The tests of netfront and netback in the hosted machine. */
#pragma once

#include <check.h>

#include "tests/drivers/modes.h"

TCase *netif_pair_tests(void);
TCase *netif_life_tests(void);
TCase *netif_queues_tests(void);
TCase *netif_hostile_back_tests(void);
TCase *netif_hostile_back_life_tests(void);
TCase *netif_hostile_queues_tests(void);
TCase *netif_hostile_front_tests(void);
TCase *netif_hostile_front_life_tests(void);
TCase *netif_lost_tests(void);
TCase *netif_storm_tests(void);
