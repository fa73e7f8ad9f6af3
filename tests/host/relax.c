/* SPDX-License-Identifier: ISC */
/* For threads of a hosted program, of which there may be more than CPUs. */
#include "lib/relax.h"

#include <sched.h>

#define SPINS_BEFORE_YIELD 64u

void relax_cpu(uint32_t spins)
{
	if (spins < SPINS_BEFORE_YIELD)
		__builtin_ia32_pause();
	else
		sched_yield();
}
