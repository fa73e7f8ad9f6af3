/* SPDX-License-Identifier: ISC */
/*
 * The relay guest: one client and the uplink joined at Ethernet level, frames passed
 * as they are. The smallest use of the drivers, and what their cost is measured on.
 */
#include <string.h>

#include "configs/pools.h"
#include "drivers/netback.h"
#include "drivers/netfront.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "xen/console.h"
#include "xen/shutdown.h"
#include "xen/start.h"
#include "xen/stats.h"

#define PAGES 1280u
#define PACKETS 1024u
#define RX_PAGES 448u
#define TX_PAGES 512u

static struct iopage_pool pages;
static struct packet_pool packets;
static struct netfront *front;
static struct netdev *uplink, *client;

static void pass(struct netdev *from, struct packet_vector *vector)
{
	struct netdev *to = from == uplink ? client : uplink;

	if (to)
		to->ops->transmit(to, vector);
	else
		packet_vector_drop(vector, DROP_NO_ROUTE);
}

static void uplink_attached(struct netdev *netdev, void *context)
{
	(void)context;
	uplink = netdev;
	netdev->input = pass;
}

static void client_attached(struct netdev *netdev, const struct netback_client *info, void *context)
{
	(void)context;
	(void)info;
	client = netdev;
	netdev->input = pass;
}

static void detached(struct netdev *netdev, void *context)
{
	(void)context;
	if (netdev == uplink)
		uplink = NULL;
	if (netdev == client)
		client = NULL;
}

static void close_all(enum shutdown_request request, void *context)
{
	(void)request;
	(void)context;
	netback_close_all();
	netfront_close(front);
}

static void print_line(void *context, const char *text)
{
	(void)context;
	log_line(LOG_INFO, "stats", "%s", text);
}

static void command(const char *line, void *context)
{
	(void)context;
	if (strcmp(line, "stats") != 0) {
		log_line(LOG_INFO, "console", "commands: stats");
		return;
	}
	stats_print_xen(print_line, NULL);
	netfront_print_stats(front, print_line, NULL);
	netback_print_stats(print_line, NULL);
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	struct netfront_config front_config = { .packets = &packets,
						.rx_pages = RX_PAGES,
						.tx_pages = TX_PAGES,
						.attached = uplink_attached,
						.detached = detached };
	struct netback_config back_config = { .packets = &packets,
					      .mac = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff },
					      .max_clients = 1,
					      .queue_pages = RX_PAGES / 2,
					      .attached = client_attached,
					      .detached = detached };

	(void)cmdline;
	(void)module;
	(void)module_bytes;
	pools_make(&pages, PAGES, &packets, PACKETS);
	if (netfront_start(&front_config, &front) || netback_start(&back_config) ||
	    shutdown_start(close_all, NULL))
		panic("not enough memory");
	console_set_input(command, NULL);
	log_line(LOG_INFO, "relay", "started");
}
