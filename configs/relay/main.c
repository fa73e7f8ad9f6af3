/* SPDX-License-Identifier: ISC */
/*
 * The relay guest: two interfaces joined at Ethernet level, frames passed as they are.
 * The smallest use of the drivers, and what their cost is measured on.
 *
 * One end is the uplink, device/vif/0. The other end is device/vif/1 when the guest was
 * created with a second vif, else the one client that names the relay as its backend.
 * With a rule file as ramdisk only those frames cross that the rules let pass.
 */
#include <errno.h>
#include <string.h>

#include "configs/pools.h"
#include "configs/relay/filter.h"
#include "configs/stats_lines.h"
#include "drivers/netback.h"
#include "drivers/netfront.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "net/counters.h"
#include "net/offload_frame.h"
#include "xen/bus.h"
#include "xen/console.h"
#include "xen/shutdown.h"
#include "xen/start.h"
#include "xen/stats.h"

#define RX_PAGES 1024u
#define TX_PAGES 1024u
#define PACKETS (RX_PAGES + TX_PAGES)
/* With the packets' heads, and the rings twice: a backend may keep those of its time. */
#define PAGES (RX_PAGES + TX_PAGES + PACKETS * PACKET_HEAD_BYTES / IOPAGE_SIZE + 4u)
#define SECOND_VIF "device/vif/1"

/*
 * Two frontends have a pool each, for what is granted to one backend is not for the other
 * one to see. A client shares the uplink's, and so its frames leave without a copy.
 */
struct memory {
	struct iopage_pool pages;
	struct packet_pool packets;
};

struct end {
	enum bridge_side side;
	struct netdev *netdev;	/* NULL: not connected */
	struct netfront *front; /* NULL: the client's end */
	struct memory *memory;
};

static struct {
	struct memory memory[BRIDGE_SIDES];
	struct end ends[BRIDGE_SIDES];
} relay;

static struct end *other_end(const struct end *end)
{
	return &relay.ends[end->side == BRIDGE_UPLINK ? BRIDGE_CLIENTS : BRIDGE_UPLINK];
}

/* ---- frames ---- */

/* Segments, and the rules' own answers, in pages that either driver can send. */
static struct packet *own_packet_make(void *context, struct netdev *netdev, size_t bytes)
{
	const struct end *end = netdev->stack;

	(void)context;
	return packet_append_zeroes(packet_alloc_page(&end->memory->packets, IOPAGE_UPLINK_READ),
				    bytes);
}

static void own_packet_send(void *context, struct netdev *netdev, struct packet *packet)
{
	struct packet_vector vector = { .count = 1, .packets = { packet } };

	(void)context;
	netdev->ops->transmit(netdev, &vector);
}

static const struct own own = { own_packet_make, own_packet_send, NULL };

/* A frontend sends from memory as it lies, a backend copies it. */
static enum offload_piece piece_of(const struct end *end)
{
	return end->front ? OFFLOAD_PIECE_MEMORY : OFFLOAD_PIECE_PAGE;
}

static bool any_needs_offload(const struct end *to, const struct packet_vector *vector)
{
	for (uint32_t i = 0; i < vector->count; i++)
		if (offload_frame_is_needed(to->netdev, piece_of(to), vector->packets[i]))
			return true;
	return false;
}

/* One by one, so that what is cut in pieces stays where it was among the others. */
static void send_each(struct end *to, struct packet_vector *vector)
{
	for (uint32_t i = 0; i < vector->count; i++)
		offload_frame_send(&own, to->netdev, piece_of(to), vector->packets[i]);
	vector->count = 0;
}

static void send(struct end *to, struct packet_vector *vector)
{
	if (any_needs_offload(to, vector))
		send_each(to, vector);
	else if (vector->count)
		to->netdev->ops->transmit(to->netdev, vector);
}

static void pass(struct netdev *from, struct packet_vector *vector)
{
	const struct end *end = from->stack;
	struct end *to = other_end(end);

	if (!to->netdev) {
		packet_vector_drop(vector, DROP_NO_ROUTE);
		return;
	}
	relay_filter_run(end->side, from, to->netdev, vector);
	do
		send(to, vector);
	while (relay_filter_more(vector));
}

/* ---- interfaces ---- */

static void attach(struct end *end, struct netdev *netdev)
{
	end->netdev = netdev;
	netdev->stack = end;
	netdev->input = pass;
}

static void front_attached(struct netdev *netdev, void *context)
{
	attach(context, netdev);
}

static void client_attached(struct netdev *netdev, const struct netback_client *info, void *context)
{
	(void)info;
	attach(context, netdev);
}

static void front_detached(struct netdev *netdev, void *context)
{
	struct end *end = context;

	(void)netdev;
	end->netdev = NULL;
	relay_filter_end_gone();
}

static void client_detached(struct netdev *netdev, void *context)
{
	struct end *end = context;

	if (end->netdev != netdev)
		return;
	end->netdev = NULL;
	relay_filter_flush();
}

/* ---- shutdown and console ---- */

static void close_all(enum shutdown_request request, void *context)
{
	(void)request;
	(void)context;
	netback_close_all();
	for (unsigned int side = 0; side < BRIDGE_SIDES; side++)
		if (relay.ends[side].front)
			netfront_close(relay.ends[side].front);
}

static void drops_print(void)
{
	const struct counters_printer printer = { stats_line_print, NULL };
	uint64_t drops[DROP_REASON_COUNT];

	for (unsigned int reason = 0; reason < DROP_REASON_COUNT; reason++)
		drops[reason] = relay.memory[BRIDGE_UPLINK].packets.drops[reason] +
				relay.memory[BRIDGE_CLIENTS].packets.drops[reason];
	counters_print_drops(&printer, drops);
}

static void stats_print(void)
{
	static const char *const names[BRIDGE_SIDES] = { "pool", "pool1" };

	stats_print_xen(stats_line_print, NULL);
	for (unsigned int side = 0; side < BRIDGE_SIDES; side++) {
		const struct memory *memory = &relay.memory[side];

		if (memory->packets.total)
			stats_line_pools(stats_line_print, NULL, names[side], &memory->pages,
					 &memory->packets);
		if (relay.ends[side].front)
			netfront_print_stats(relay.ends[side].front, stats_line_print, NULL);
	}
	netback_print_stats(stats_line_print, NULL);
	relay_filter_print_stats(stats_line_print, NULL);
	drops_print();
	stats_line_print(NULL, "end");
}

static void command(const char *line, void *context)
{
	(void)context;
	if (strcmp(line, "stats") == 0)
		stats_print();
	else
		log_line(LOG_INFO, "console", "commands: stats");
}

/* ---- start ---- */

static struct memory *memory_make(enum bridge_side side)
{
	struct memory *memory = &relay.memory[side];

	pools_make(&memory->pages, PAGES, &memory->packets, PACKETS);
	return memory;
}

static void end_make(enum bridge_side side, struct memory *memory)
{
	relay.ends[side] = (struct end){ .side = side, .memory = memory };
}

static int front_start(enum bridge_side side, uint32_t index, const char *name)
{
	struct end *end = &relay.ends[side];
	struct netfront_config config = { .index = index,
					  .name = name,
					  .packets = &end->memory->packets,
					  .rx_pages = RX_PAGES,
					  .tx_pages = TX_PAGES,
					  .attached = front_attached,
					  .detached = front_detached,
					  .context = end };

	return netfront_start(&config, &end->front);
}

static int client_start(void)
{
	struct end *end = &relay.ends[BRIDGE_CLIENTS];
	struct netback_config config = { .packets = &end->memory->packets,
					 .mac = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff },
					 .max_clients = 1,
					 .queue_pages = RX_PAGES / 2,
					 .attached = client_attached,
					 .detached = client_detached,
					 .context = end };

	return netback_start(&config);
}

/* libxl writes all of a guest's vifs before the guest runs. */
static bool has_second_vif(void)
{
	char backend[STORE_PATH_BYTES];
	int length = bus_read_string(SECOND_VIF, "backend", backend, sizeof(backend));

	if (length < 0 && length != -ENOENT)
		panic(SECOND_VIF " cannot be read: error %d", -length);
	return length >= 0;
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	bool two_fronts = has_second_vif();
	struct memory *memory = memory_make(BRIDGE_UPLINK);
	int error;

	(void)cmdline;
	end_make(BRIDGE_UPLINK, memory);
	end_make(BRIDGE_CLIENTS, two_fronts ? memory_make(BRIDGE_CLIENTS) : memory);
	relay_filter_start(module, module_bytes, &own);
	console_set_input(command, NULL);
	error = front_start(BRIDGE_UPLINK, 0, "uplink");
	if (!error)
		error = two_fronts ? front_start(BRIDGE_CLIENTS, 1, "client") : client_start();
	if (error || shutdown_start(close_all, NULL))
		panic("not enough memory");
	log_line(LOG_INFO, "relay", "started: device/vif/0 and %s; %s",
		 two_fronts ? SECOND_VIF : "a client", relay_filter_text());
}
