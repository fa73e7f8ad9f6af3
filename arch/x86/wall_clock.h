/* SPDX-License-Identifier: ISC */
/* The wall clock in Xen's shared page; clock.h is what others use. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include "lib/compiler.h"

/*
 * What UTC was when Xen's system time was 0, nanoseconds since 1970. False: Xen was writing
 * at each of a few tries, or it is no time (after 2500, or a second of a second), and
 * nothing is filled in.
 */
must_check bool wall_clock_read(const struct shared_info *shared, uint64_t *base_ns);
