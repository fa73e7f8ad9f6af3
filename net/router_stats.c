/* SPDX-License-Identifier: ISC */
/* The router's counters as text. */
#include <inttypes.h>

#include "lib/ip4_text.h"
#include "net/counters.h"
#include "net/router_parts.h"

static void print_interface(const struct router *router, const struct router_interface *interface,
			    const struct counters_printer *printer)
{
	const struct netdev *netdev = interface->netdev;
	const struct netdev_stats *stats = &netdev->stats;
	char address[IP4_TEXT_BYTES];

	counters_print(printer,
		       "interface %s: %s %s, %" PRIu32 " flows, rx %" PRIu64 " (%" PRIu64
		       " dropped), tx %" PRIu64 " (%" PRIu64 " dropped)",
		       netdev->name, ip4_text_format(interface->address, address),
		       netdev->up ? "up" : "down", flow_owned(&router->flows, interface->index),
		       stats->rx_packets, stats->rx_dropped, stats->tx_packets, stats->tx_dropped);
}

void router_print_stats(const struct router *router, void (*line)(void *context, const char *text),
			void *context)
{
	const struct counters_printer printer = { line, context };

	counters_print_flows(&printer, &router->flows);
	for (uint32_t i = 0; i < router->interfaces_used; i++)
		if (router->interfaces[i].netdev)
			print_interface(router, &router->interfaces[i], &printer);
	counters_print(&printer, "arp: %" PRIu32 " entries, %" PRIu32 " packets wait",
		       arp_count(&router->arp), arp_waiting(&router->arp));
	counters_print(&printer, "answers: %" PRIu64 " suppressed", router->answers_suppressed);
	counters_print_rules(&printer, router->rules);
	counters_print_drops(&printer, router->packets->drops);
}
