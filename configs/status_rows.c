/* SPDX-License-Identifier: ISC */
#include "configs/status_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "configs/metrics.h"
#include "lib/compiler.h"
#include "lib/drop.h"
#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "net/rules.h"

static void pair(struct status_row *row, const char *name, uint64_t number)
{
	row->shown = true;
	row->cells[0].text = name;
	row->cells[1].number = number;
}

/* ---- the guest ---- */

static void address(struct status_row *row, const struct metrics_source *source)
{
	struct status_cell *cell = &row->cells[1];

	row->cells[0].text = "IPv4 address";
	row->shown = source->router && source->router->has4;
	if (row->shown)
		cell->text = ip4_text_format(source->router->ip4.address, cell->own);
}

static void address6(struct status_row *row, const struct metrics_source *source)
{
	struct status_cell *cell = &row->cells[1];

	row->cells[0].text = "IPv6 address";
	row->shown = source->router && source->router->has6;
	if (row->shown)
		cell->text = ip6_text_format(source->router->ip6.address.bytes, cell->own);
}

static void rules(struct status_row *row, const struct metrics_source *source)
{
	pair(row, "rules", 0);
	row->shown = source->router != NULL;
	if (row->shown && source->router->rules)
		row->cells[1].number = ruleset_count(source->router->rules);
	else
		row->cells[1].text = "none: closed";
}

static void flows(struct status_row *row, const struct metrics_source *source)
{
	pair(row, "flows", source->router ? source->router->flows.used : 0);
	row->shown = source->router != NULL;
}

static void packets(struct status_row *row, const struct metrics_source *source)
{
	pair(row, "packet buffers free", source->router ? source->router->packets->free_count : 0);
	row->shown = source->router != NULL;
}

static void memory(struct status_row *row, const struct metrics_source *source)
{
	pair(row, "memory free, KiB", source->now.free_bytes / 1024);
	row->shown = source->now.free_bytes != 0;
}

static void connections(struct status_row *row, const struct metrics_source *source)
{
	pair(row, "TCP connections",
	     source->sockets ? sockets_use(source->sockets).connections : 0);
	row->shown = source->sockets != NULL;
}

static void requests(struct status_row *row, const struct metrics_source *source)
{
	pair(row, "HTTP requests", source->http ? http_server_stats(source->http)->requests : 0);
	row->shown = source->http != NULL;
}

static bool summary_row(const struct metrics_source *source, uint32_t index, struct status_row *row)
{
	static void (*const rows[])(struct status_row * row,
				    const struct metrics_source *source) = {
		address, address6, rules, flows, packets, memory, connections, requests,
	};

	if (index >= ARRAY_SIZE(rows))
		return false;
	rows[index](row, source);
	return true;
}

/* ---- the router ---- */

static bool interface_row(const struct metrics_source *source, uint32_t index,
			  struct status_row *row)
{
	const struct router_interface *interface;
	const struct netdev_stats *stats;

	if (!source->router || index >= source->router->interfaces_used)
		return false;
	interface = metrics_interface(source, index);
	if (!interface)
		return true;
	stats = &interface->netdev->stats;
	row->shown = true;
	row->cells[0].text = interface->netdev->name;
	row->cells[1].text = interface->netdev->up ? "up" : "down";
	row->cells[2].number = flow_owned(&source->router->flows, interface->index);
	row->cells[3].number = stats->rx_packets;
	row->cells[4].number = stats->rx_bytes;
	row->cells[5].number = stats->rx_dropped;
	row->cells[6].number = stats->tx_packets;
	row->cells[7].number = stats->tx_bytes;
	row->cells[8].number = stats->tx_dropped;
	return true;
}

static bool ring_row(const struct metrics_source *source, uint32_t index, struct status_row *row)
{
	struct netif_info info;

	if (!source->ring || !source->ring(index, &info))
		return false;
	row->shown = true;
	row->cells[0].text = info.netdev->name;
	row->cells[1].text = info.state;
	row->cells[2].number = info.queues;
	row->cells[3].number = info.send_slots_free;
	row->cells[4].number = info.receive_slots_busy;
	row->cells[5].number = info.waiting_packets;
	return true;
}

static bool flow_row(const struct metrics_source *source, uint32_t index, struct status_row *row)
{
	if (!source->router || index + 1 >= FLOW_STATE_COUNT)
		return false;
	pair(row, flow_state_name((enum flow_state)(index + 1)), source->flows[index + 1]);
	row->shown = source->flows[index + 1] != 0;
	return true;
}

static bool drop_row(const struct metrics_source *source, uint32_t index, struct status_row *row)
{
	if (!source->router || index >= DROP_REASON_COUNT)
		return false;
	row->cells[0].text = drop_name((enum drop_reason)index);
	row->cells[1].text = drop_text((enum drop_reason)index);
	row->cells[2].number = source->router->packets->drops[index];
	row->shown = row->cells[2].number != 0;
	return true;
}

static bool rule_row(const struct metrics_source *source, uint32_t index, struct status_row *row)
{
	const struct ruleset *set = source->router ? source->router->rules : NULL;

	if (!set || index >= ruleset_count(set))
		return false;
	row->cells[0].number = ruleset_rule_line(set, index);
	row->cells[1].text = ruleset_rule_label(set, index);
	row->cells[2].number = ruleset_rule_hits(set, index);
	row->shown = row->cells[2].number != 0;
	return true;
}

static bool socket_row(const struct metrics_source *source, uint32_t index, struct status_row *row)
{
	uint64_t value = 0;
	const char *name = source->sockets ? metrics_socket_counter(source, index, &value) : NULL;

	if (!name)
		return false;
	pair(row, name, value);
	row->shown = value != 0;
	return true;
}

static const struct status_table tables[] = {
	{ "summary", "Summary", { "name", "value" }, summary_row },
	{ "interfaces",
	  "Interfaces",
	  { "name", "link", "flows", "rx_packets", "rx_bytes", "rx_dropped", "tx_packets",
	    "tx_bytes", "tx_dropped" },
	  interface_row },
	{ "rings",
	  "Rings",
	  { "name", "state", "queues", "send_free", "receive_busy", "waiting" },
	  ring_row },
	{ "flows", "Flows by state", { "state", "flows" }, flow_row },
	{ "drops", "Dropped packets", { "reason", "meaning", "packets" }, drop_row },
	{ "rules", "Rules that decided", { "line", "label", "hits" }, rule_row },
	{ "sockets", "End points", { "counter", "value" }, socket_row },
};

const struct status_table *status_table(uint32_t index)
{
	return index < ARRAY_SIZE(tables) ? &tables[index] : NULL;
}
