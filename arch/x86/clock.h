/* SPDX-License-Identifier: ISC */
/* Time as Xen gives it (pvclock, <xen/xen.h>), and the one-shot timer. */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"

/* Nanoseconds since the host booted; monotonic. */
uint64_t clock_now_ns(void);

/* Nanoseconds since 1970-01-01 00:00 UTC; follows the host's clock, also when that jumps. */
uint64_t clock_wall_ns(void);

/* From now on the wall clock differs from the host's by as much as `wall_ns` does now. */
void clock_wall_set(uint64_t wall_ns);

/* Duration of `cycles` TSC cycles in nanoseconds. */
uint64_t clock_cycles_to_ns(uint64_t cycles);

uint64_t clock_cycles(void);

/*
 * VIRQ_TIMER comes at clock_now_ns() == deadline, at once for one in the past.
 * UINT64_MAX: never. Setting the same deadline again costs nothing.
 */
void clock_set_deadline(uint64_t deadline_ns);
