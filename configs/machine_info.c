/* SPDX-License-Identifier: ISC */
#include "configs/machine_info.h"

#include <malloc.h>

#include "arch/x86/boot.h"
#include "arch/x86/memory.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

void machine_info(struct metrics_machine *machine)
{
	const struct loop_stats *loop = loop_stats_get();

	*machine = (struct metrics_machine){
		.free_bytes = (uint64_t)memory_free_pages() * PAGE_BYTES,
		.heap_bytes = mallinfo().uordblks,
		.console_dropped_bytes = console_dropped_bytes(),
		.loop_rounds = loop->rounds,
		.loop_idles = loop->idles,
		.loop_polls = loop->polls,
		.grants = gnttab_granted_count(),
		.mappings = gnttab_mapped_count(),
		.event_channels = evtchn_open_count(),
		.watches = store_watch_count(),
		.fibers = fiber_count(),
	};
}

uint64_t machine_start_ns(void)
{
	return boot_info_get()->entry_ns;
}
