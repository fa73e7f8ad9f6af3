/* SPDX-License-Identifier: ISC */
/* The hosted tests of xen/qubesdb.c, one case a part. */
#pragma once

#include <check.h>

TCase *qubesdb_entries_tests(void);
TCase *qubesdb_connection_tests(void);
TCase *qubesdb_flood_tests(void);
TCase *qubesdb_storm_tests(void);
