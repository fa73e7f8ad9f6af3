/* SPDX-License-Identifier: ISC */
/* Counters as lines of text for a human. */
#pragma once

#include <stdint.h>

#include "lib/drop.h"
#include "net/flow.h"
#include "net/rules.h"

struct counters_printer {
	void (*line)(void *context, const char *text); /* takes a line without its end */
	void *context;
};

void counters_print(const struct counters_printer *printer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Flows in all and by state. Walks the table. */
void counters_print_flows(const struct counters_printer *printer, const struct flow_table *table);

/* How many rules, and those with hits. `rules` may be NULL: closed. */
void counters_print_rules(const struct counters_printer *printer, const struct ruleset *rules);

/* `drops` by name, those that are not zero. */
void counters_print_drops(const struct counters_printer *printer,
			  const uint64_t drops[DROP_REASON_COUNT]);
