/* SPDX-License-Identifier: ISC */
#include "xen/stats.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>

#include "arch/x86/memory.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

#define LINE_BYTES 160u

void stats_print_xen(stats_line *line, void *context)
{
	const struct loop_stats *loop = loop_stats_get();
	struct mallinfo heap = mallinfo();
	char text[LINE_BYTES];

	snprintf(text, sizeof(text), "xen: granted %u mapped %u ports %u watches %u fibers %u",
		 gnttab_granted_count(), gnttab_mapped_count(), evtchn_open_count(),
		 store_watch_count(), fiber_count());
	line(context, text);
	snprintf(text, sizeof(text),
		 "memory: pages-free %zu heap-used %zu console-dropped %" PRIu64,
		 memory_free_pages(), (size_t)heap.uordblks, console_dropped_bytes());
	line(context, text);
	snprintf(text, sizeof(text), "loop: rounds %" PRIu64 " idles %" PRIu64 " polls %" PRIu64,
		 loop->rounds, loop->idles, loop->polls);
	line(context, text);
}
