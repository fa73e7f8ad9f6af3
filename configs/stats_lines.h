/* SPDX-License-Identifier: ISC */
/* What a guest says when somebody types "stats" at its console: "stats: NAME: VALUES". */
#pragma once

#include "lib/iopage.h"
#include "lib/packet.h"

/* One line; a stats_line for all that print counters. `context` is not used. */
void stats_line_print(void *context, const char *text);

/* A guest's memory for packets: what of it is free. `name` begins the one line given to `line`. */
void stats_line_pools(void (*line)(void *context, const char *text), void *context,
		      const char *name, const struct iopage_pool *pages,
		      const struct packet_pool *packets);
