/* SPDX-License-Identifier: ISC */
/* How often we look at nodes of the store that a neighbour may write. */
#include "drivers/store_pace.h"

void store_pace_init(struct store_pace *pace, uint32_t burst, uint64_t interval_ns)
{
	*pace = (struct store_pace){ .burst = burst, .interval_ns = interval_ns };
}

void store_pace_take(struct store_pace *pace, uint64_t now_ns)
{
	uint64_t from = pace->full_ns > now_ns ? pace->full_ns : now_ns;

	pace->full_ns = from + pace->interval_ns;
}

uint64_t store_pace_next_ns(const struct store_pace *pace, uint64_t now_ns)
{
	/* With one look left of the burst, so much is to be made good. */
	uint64_t most_ns = (pace->burst - 1) * pace->interval_ns;

	return pace->full_ns > now_ns + most_ns ? pace->full_ns - most_ns : now_ns;
}
