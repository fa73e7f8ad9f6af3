/* SPDX-License-Identifier: ISC */
/* The router's counters as text. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/ip4_text.h"
#include "net/router_parts.h"

#define LINE_BYTES 160u

struct printer {
	void (*line)(void *context, const char *text);
	void *context;
};

__attribute__((format(printf, 2, 3))) static void print(const struct printer *printer,
							const char *format, ...)
{
	char text[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printer->line(printer->context, text);
}

static void print_flows(const struct router *router, const struct printer *printer)
{
	const struct flow_table *table = &router->flows;
	uint32_t states[FLOW_STATE_COUNT] = { 0 };

	print(printer, "flows: %" PRIu32 " of %" PRIu32 ", %" PRIu64 " made, %" PRIu64 " timed out",
	      table->used, table->total, table->created, table->expired);
	for (uint32_t i = 0; i < table->total; i++)
		states[table->flows[i].state]++;
	for (unsigned int s = FLOW_FREE + 1; s < FLOW_STATE_COUNT; s++)
		if (states[s])
			print(printer, "flows %s: %" PRIu32, flow_state_name(s), states[s]);
}

static void print_interface(const struct router *router, const struct router_interface *interface,
			    const struct printer *printer)
{
	const struct netdev *netdev = interface->netdev;
	const struct netdev_stats *stats = &netdev->stats;
	char address[IP4_TEXT_BYTES];

	print(printer,
	      "interface %s: %s %s, %" PRIu32 " flows, rx %" PRIu64 " (%" PRIu64
	      " dropped), tx %" PRIu64 " (%" PRIu64 " dropped)",
	      netdev->name, ip4_text_format(interface->address, address),
	      netdev->up ? "up" : "down", router->flows.owned[interface->index], stats->rx_packets,
	      stats->rx_dropped, stats->tx_packets, stats->tx_dropped);
}

static void print_rules(const struct ruleset *rules, const struct printer *printer)
{
	if (!rules) {
		print(printer, "rules: none, closed");
		return;
	}
	print(printer, "rules: %" PRIu32, ruleset_count(rules));
	for (uint32_t i = 0; i < ruleset_count(rules); i++) {
		uint64_t hits = ruleset_rule_hits(rules, i);

		if (hits)
			print(printer, "rule line %" PRIu32 " %s: %" PRIu64 " hits",
			      ruleset_rule_line(rules, i), ruleset_rule_label(rules, i), hits);
	}
}

void router_print_stats(const struct router *router, void (*line)(void *context, const char *text),
			void *context)
{
	const struct printer printer = { line, context };

	print_flows(router, &printer);
	for (uint32_t i = 0; i < router->interfaces_used; i++)
		if (router->interfaces[i].netdev)
			print_interface(router, &router->interfaces[i], &printer);
	print(&printer, "arp: %" PRIu32 " entries, %" PRIu32 " packets wait",
	      arp_count(&router->arp), arp_waiting(&router->arp));
	print(&printer, "answers: %" PRIu64 " suppressed", router->answers_suppressed);
	print_rules(router->rules, &printer);
	for (unsigned int reason = 0; reason < DROP_REASON_COUNT; reason++)
		if (router->packets->drops[reason])
			print(&printer, "drop %s: %" PRIu64, drop_name(reason),
			      router->packets->drops[reason]);
}
