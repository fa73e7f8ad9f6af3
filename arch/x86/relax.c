/* SPDX-License-Identifier: ISC */
#include "lib/relax.h"

#include <stddef.h>

#include <xen/sched.h>

#include "arch/x86/hypercall.h"

/* Longer than any lock is held by a vCPU that runs. */
#define SPINS_BEFORE_YIELD 2048u

void relax_cpu(uint32_t spins)
{
	if (spins < SPINS_BEFORE_YIELD)
		__builtin_ia32_pause();
	else
		(void)hypercall_sched_op(SCHEDOP_yield, NULL);
}
