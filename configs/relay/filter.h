/* SPDX-License-Identifier: ISC */
/* The relay's rules: net/bridge_filter.h, with the memory, time and file that it needs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "net/bridge_filter.h"

/*
 * Reads the rule file. No file (`module` NULL): the relay has no rules, and everything
 * passes. A bad or an empty one: nothing does. `own` as for the bridge's filter.
 */
void relay_filter_start(const void *module, size_t bytes, const struct own *own);

/* Leaves in the vector what may cross from `in`, on `side`, to `out`; see bridge_filter_run(). */
void relay_filter_run(enum bridge_side side, struct netdev *in, const struct netdev *out,
		      struct packet_vector *vector);

/* After that, until it is false: what was kept back and goes the same way now. */
must_check bool relay_filter_more(struct packet_vector *vector);

/* One of the ends has gone; it may return. */
void relay_filter_end_gone(void);

/* The client has gone; the next one shall not have its connections. */
void relay_filter_flush(void);

/* What the rules make of the relay, for its console. */
const char *relay_filter_text(void);

void relay_filter_print_stats(void (*line)(void *context, const char *text), void *context);
