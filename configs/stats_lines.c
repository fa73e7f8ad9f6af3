/* SPDX-License-Identifier: ISC */
#include "configs/stats_lines.h"

#include <stdio.h>
#include <string.h>

#include "xen/console.h"

void stats_line_print(void *context, const char *text)
{
	(void)context;
	console_write("stats: ", strlen("stats: "));
	console_write(text, strlen(text));
	console_write("\n", 1);
}

void stats_line_pools(void (*line)(void *context, const char *text), void *context,
		      const char *name, const struct iopage_pool *pages,
		      const struct packet_pool *packets)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "%s: packets-free %u of %u, pages private %u/%u uplink-read %u/%u "
		 "uplink-write %u/%u free, quarantined %u",
		 name, packets->free_count, packets->total, pages->free_count[IOPAGE_PRIVATE],
		 pages->class_count[IOPAGE_PRIVATE], pages->free_count[IOPAGE_UPLINK_READ],
		 pages->class_count[IOPAGE_UPLINK_READ], pages->free_count[IOPAGE_UPLINK_WRITE],
		 pages->class_count[IOPAGE_UPLINK_WRITE], pages->quarantined);
	line(context, text);
}
