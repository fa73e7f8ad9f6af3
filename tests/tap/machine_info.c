/* SPDX-License-Identifier: ISC */
/* What a program holds, for the pages of counters: none of it is Xen's. */
#include "configs/machine_info.h"

#include <malloc.h>

#include "configs/station.h"

void machine_info(struct metrics_machine *machine)
{
	*machine = (struct metrics_machine){ .heap_bytes = mallinfo2().uordblks };
}

/* It has just begun when an application asks. */
uint64_t machine_start_ns(void)
{
	return station_now_ns();
}
