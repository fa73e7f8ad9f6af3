/* SPDX-License-Identifier: ISC */
/*
 * Memory that changes under the reader's eyes, without threads. The drivers are
 * compiled so that each load calls __sanitizer_cov_load*() first; when the load goes to
 * shared memory, the script says what the peer writes there at this very moment. What a
 * driver fetches twice can thus differ, at every place, and every run repeats.
 */
#pragma once

#include <stdint.h>

#include "tests/fuzz/script.h"

#define SHARED_WRITES 3u

/*
 * Where the peer sees the byte at `address`: a place in a page that it may write; NULL
 * when the address is not shared. Called for each load while something is planned.
 */
typedef uint8_t *shared_resolve(uintptr_t address);

/* Nothing is planned any more. */
void shared_reset(void);

/*
 * Takes a plan from the script: up to SHARED_WRITES writes, each after some loads and
 * near the place of the last; and perhaps that what is loaded a second time has changed.
 */
void shared_plan(struct script *script, shared_resolve *resolve);

/* What was loaded so far counts as not loaded: a new call of the driver begins. */
void shared_forget_loads(void);
