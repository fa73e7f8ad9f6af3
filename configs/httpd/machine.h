/* SPDX-License-Identifier: ISC */
/* What the pages of counters say of the machine; a guest and a program differ in it. */
#pragma once

#include "configs/metrics_source.h"

/* When it began, by station_now_ns(). */
uint64_t httpd_start_ns(void);

/* See metrics_source.machine. */
void httpd_machine(struct metrics_machine *machine);
