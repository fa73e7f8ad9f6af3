/* SPDX-License-Identifier: ISC */
/*
 * What the guest itself holds. configs/machine_info.c asks the parts of a Xen guest, a program
 * of tests/tap has another one.
 */
#pragma once

#include "configs/metrics_source.h"

/* As metrics_source.machine. */
void machine_info(struct metrics_machine *machine);

/* When it began, by the clock that it runs by. */
uint64_t machine_start_ns(void);
