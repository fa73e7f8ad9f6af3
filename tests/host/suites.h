/* SPDX-License-Identifier: ISC */
/* The hosted machine's own tests, one case a part. */
#pragma once

#include <check.h>

TCase *host_machine_tests(void);
TCase *host_evtchn_tests(void);
TCase *host_gnttab_tests(void);
TCase *host_store_tests(void);
TCase *host_toolstack_tests(void);
