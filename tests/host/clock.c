/* SPDX-License-Identifier: ISC */
/* Time in a hosted domain: the machine's clock, real or virtual. */
#include "arch/x86/clock.h"

#include "tests/host/internal.h"

/* The virtual machine's clock starts on 2026-01-01. */
#define WALL_BASE_NS 1767225600000000000ull

uint64_t clock_now_ns(void)
{
	return host_now_ns(host_self()->machine);
}

uint64_t clock_wall_ns(void)
{
	return WALL_BASE_NS + clock_now_ns();
}

uint64_t clock_cycles(void)
{
	return clock_now_ns();
}

uint64_t clock_cycles_to_ns(uint64_t cycles)
{
	return cycles;
}
