/* SPDX-License-Identifier: ISC */
#include "net/counters.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES 160u

void counters_print(const struct counters_printer *printer, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printer->line(printer->context, text);
}

void counters_print_flows(const struct counters_printer *printer, const struct flow_table *table)
{
	uint32_t states[FLOW_STATE_COUNT] = { 0 };

	counters_print(printer,
		       "flows: %" PRIu32 " of %" PRIu32 ", %" PRIu64 " made, %" PRIu64
		       " timed out, %" PRIu64 " evicted",
		       table->used, table->total, table->created, table->expired, table->evicted);
	for (uint32_t i = 0; i < table->total; i++)
		states[table->flows[i].state]++;
	for (unsigned int s = FLOW_FREE + 1; s < FLOW_STATE_COUNT; s++)
		if (states[s])
			counters_print(printer, "flows %s: %" PRIu32, flow_state_name(s),
				       states[s]);
}

void counters_print_rules(const struct counters_printer *printer, const struct ruleset *rules)
{
	if (!rules) {
		counters_print(printer, "rules: none, closed");
		return;
	}
	counters_print(printer, "rules: %" PRIu32, ruleset_count(rules));
	for (uint32_t i = 0; i < ruleset_count(rules); i++) {
		uint64_t hits = ruleset_rule_hits(rules, i);

		if (hits)
			counters_print(printer, "rule line %" PRIu32 " %s: %" PRIu64 " hits",
				       ruleset_rule_line(rules, i), ruleset_rule_label(rules, i),
				       hits);
	}
}

void counters_print_drops(const struct counters_printer *printer,
			  const uint64_t drops[DROP_REASON_COUNT])
{
	for (unsigned int reason = 0; reason < DROP_REASON_COUNT; reason++)
		if (drops[reason])
			counters_print(printer, "drop %s: %" PRIu64, drop_name(reason),
				       drops[reason]);
}
