/* SPDX-License-Identifier: ISC */
/*
 * Where the numbers of the pages /metrics and /status come from. Whoever composes a guest fills
 * it; what is NULL is left out. Read where it is counted, when somebody asks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "configs/http_server.h"
#include "configs/log_disk.h"
#include "drivers/netif_info.h"
#include "net/flow.h"
#include "net/router.h"
#include "net/socket.h"

/* What the guest itself holds. */
struct metrics_machine {
	uint64_t free_bytes, heap_bytes;
	uint64_t console_dropped_bytes;
	uint64_t loop_rounds, loop_idles, loop_polls;
	uint32_t grants, mappings, event_channels, watches, fibers;
};

struct metrics_source {
	const char *guest; /* "firewall" */
	const char *version;
	uint64_t (*now_ns)(void);
	uint64_t start_ns; /* when the guest began, by the same clock */
	const struct router *router;
	const struct sockets *sockets;
	const struct http_server *http;
	const struct log_disk_stats *logdisk;
	void (*machine)(struct metrics_machine *machine);
	bool (*ring)(uint32_t index, struct netif_info *info); /* false: no more */

	/* (internal) Flows by state, counted at most once a second: it walks the table. */
	bool flows_counted;
	uint64_t flows_ns;
	uint32_t flows[FLOW_STATE_COUNT];
	struct sockets_use use;
	struct metrics_machine now; /* both as they were at the beginning of the last page */
};

/* Brings (internal) up to date; at the beginning of each page. */
void metrics_source_refresh(struct metrics_source *source);

/* The interface at place `index` of the router; NULL: none is there. */
const struct router_interface *metrics_interface(const struct metrics_source *source,
						 uint32_t index);
