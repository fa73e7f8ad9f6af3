/* SPDX-License-Identifier: ISC */
/* The guest program of the drivers' tests. */
#include "tests/drivers/netif_guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "xen/fiber.h"

#define DEFAULT_PAGES 2048u
#define DEFAULT_PACKETS 1024u
#define DEFAULT_RX_PAGES 512u
#define DEFAULT_TX_PAGES 512u
#define DEFAULT_CLIENTS NETIF_GUEST_CLIENTS
#define FOREIGN_PAGES 512u
#define FOREIGN_PACKETS 256u
#define FOREIGN_GREF 7u /* one that no backend of this guest was given */

extern const struct netif_guest_program netif_guest_program;

static bool log_is_shown;
static uint32_t log_lines;

static void log_count(const char *line, size_t length)
{
	log_lines++;
	if (log_is_shown)
		fwrite(line, 1, length, stderr);
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static void pools_make(struct iopage_pool *page_pool, uint32_t pages,
		       struct packet_pool *packet_pool, uint32_t packets)
{
	void *arena = memory_alloc_pages(pages);

	if (!arena)
		panic("the guest is too small for %u pages", pages);
	iopage_pool_init(page_pool, arena, calloc(pages, sizeof(struct iopage)), pages,
			 memory_frame_of);
	if (packet_pool_init(packet_pool, page_pool, calloc(packets, sizeof(struct packet)),
			     packets))
		panic("the guest is too small for %u packets", packets);
}

/* All pages look as if the other uplink's backend may read them. */
static void foreign_make(struct netif_guest *guest)
{
	struct iopage *page;

	pools_make(&guest->foreign_pages, FOREIGN_PAGES, &guest->foreign_packets, FOREIGN_PACKETS);
	while ((page = iopage_alloc(&guest->foreign_pages, IOPAGE_PRIVATE))) {
		iopage_reclass(page, IOPAGE_UPLINK_READ);
		page->gref = FOREIGN_GREF;
		iopage_free(page);
	}
}

/* LOG=debug|info|warn in the environment shows what the drivers say. */
static void boot(void *argument)
{
	struct netif_guest *guest = argument;
	uint32_t pages = or_default(guest->pages, DEFAULT_PAGES);
	uint32_t packets = or_default(guest->packets, DEFAULT_PACKETS);
	const char *level = getenv("LOG");

	log_init(log_count, clock_now_ns);
	if (level) {
		log_is_shown = true;
		log_set_level((enum log_level)log_level_parse(level));
	}
	if (guest->sends_foreign) {
		pages -= FOREIGN_PAGES;
		foreign_make(guest);
	}
	pools_make(&guest->page_pool, pages, &guest->packet_pool, packets);
	for (uint32_t i = 0; i < guest->link_count; i++)
		guest->links[i].guest = guest;
}

/* ---- links ---- */

static struct guest_link *link_find(struct netif_guest *guest, uint16_t domid, uint32_t handle)
{
	for (uint32_t i = 0; i < guest->link_count; i++) {
		if (guest->links[i].domid == domid && guest->links[i].handle == handle)
			return &guest->links[i];
	}
	return NULL;
}

/* An interface that no test has prepared sends everything back: so attackers are answered. */
static void input_echo(struct netdev *netdev, struct packet_vector *vector)
{
	for (uint32_t i = 0; i < vector->count; i++) {
		if (!packet_is_valid(vector->packets[i]))
			panic("%s gives an inconsistent packet", netdev->name);
	}
	netdev->ops->transmit(netdev, vector);
}

static void input_hold(struct netdev *netdev, struct packet_vector *vector)
{
	struct guest_link *link = container_of(netdev->stack, struct guest_link, end);

	for (uint32_t i = 0; i < vector->count; i++)
		list_push_back(&link->held, &vector->packets[i]->link);
	vector->count = 0;
}

static void release(void *argument)
{
	struct guest_link *link = argument;
	struct list *first;

	while ((first = list_pop_front(&link->held)))
		packet_free(list_entry(first, struct packet, link));
}

static void link_up(struct guest_link *link, struct netdev *netdev, struct netif_guest *guest)
{
	netdev->input = input_echo;
	netdev->stack = link;
	if (!link)
		return;
	link->netdev = netdev;
	link->features = netdev->features;
	link->mtu = netdev->mtu;
	traffic_begin(&link->end, netdev,
		      guest->sends_foreign ? &guest->foreign_packets : &guest->packet_pool,
		      link->seed);
	if (link->echo)
		netdev->input = input_echo;
	list_init(&link->held);
	if (link->hold)
		netdev->input = input_hold;
	atomic_fetch_add(&link->attached, 1);
	atomic_store(&link->up, true);
}

static void link_down(struct guest_link *link)
{
	if (!link)
		return;
	link->last = link->netdev->stats;
	traffic_end(&link->end);
	link->netdev = NULL;
	atomic_store(&link->up, false);
	atomic_fetch_add(&link->detached, 1);
}

static void client_attached(struct netdev *netdev, const struct netback_client *client,
			    void *context)
{
	struct guest_link *link = link_find(context, client->domid, client->handle);

	if (link)
		link->client = *client;
	link_up(link, netdev, context);
}

/* The netdev leads to the link by the traffic's end that is in it. */
static void any_detached(struct netdev *netdev, void *context)
{
	struct netif_guest *guest = context;

	for (uint32_t i = 0; i < guest->link_count; i++) {
		if (guest->links[i].netdev == netdev)
			link_down(&guest->links[i]);
	}
}

static void uplink_attached(struct netdev *netdev, void *context)
{
	link_up(link_find(context, GUEST_UPLINK, 0), netdev, context);
}

/* ---- the drivers ---- */

static void start_netback(void *argument)
{
	struct netif_guest *guest = argument;
	struct netback_config config = {
		.packets = &guest->packet_pool,
		.mac = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff },
		.max_clients = or_default(guest->max_clients, DEFAULT_CLIENTS),
		.max_queues = guest->max_queues,
		.attached = client_attached,
		.detached = any_detached,
		.context = guest,
	};
	uint32_t pages = or_default(guest->tx_pages, DEFAULT_TX_PAGES);

	/* The class that netback takes pages of; without an uplink nobody else makes them. */
	while (pages--) {
		struct iopage *page = iopage_alloc(&guest->page_pool, IOPAGE_PRIVATE);

		if (!page)
			panic("the guest is too small for its TX pages");
		iopage_reclass(page, IOPAGE_UPLINK_READ);
		iopage_free(page);
	}
	guest->error = netback_start(&config);
}

static void start_netfront(void *argument)
{
	struct netif_guest *guest = argument;
	struct netfront_config config = {
		.packets = &guest->packet_pool,
		.max_queues = guest->max_queues,
		.rx_pages = or_default(guest->rx_pages, DEFAULT_RX_PAGES),
		.tx_pages = or_default(guest->tx_pages, DEFAULT_TX_PAGES),
		.attached = uplink_attached,
		.detached = any_detached,
		.context = guest,
	};

	guest->error = netfront_start(&config, &guest->front);
}

static void close_netback(void *argument)
{
	(void)argument;
	netback_close_all();
}

static void close_netfront(void *argument)
{
	struct netif_guest *guest = argument;

	netfront_close(guest->front);
}

/* ---- traffic ---- */

static void send(void *argument)
{
	struct guest_link *link = argument;

	if (!link->netdev)
		return;
	atomic_store(&link->end.sending, true);
	if (fiber_start("send", traffic_send, &link->end))
		atomic_store(&link->end.sending, false);
}

static bool page_is_empty(const struct iopage *page)
{
	static const uint8_t zeros[IOPAGE_SIZE];

	return memcmp(page->data, zeros, sizeof(zeros)) == 0;
}

static void look_into_pages(void *argument)
{
	struct netif_guest *guest = argument;

	guest->stale_pages = 0;
	list_for_each(link, &guest->page_pool.free[IOPAGE_UPLINK_READ]) {
		guest->stale_pages += !page_is_empty(list_entry(link, struct iopage, link));
	}
}

static void collect(void *argument)
{
	struct netif_guest *guest = argument;
	const struct iopage_pool *pages = &guest->page_pool;
	uint32_t free = 0;

	memcpy(guest->drops, guest->packet_pool.drops, sizeof(guest->drops));
	for (int i = 0; i < IOPAGE_CLASS_COUNT; i++)
		free += pages->free_count[i];
	guest->quarantined = pages->quarantined;
	guest->log_lines = log_lines;
	guest->pages_out = pages->total - free;
	guest->packets_out = guest->packet_pool.total - guest->packet_pool.free_count +
			     guest->foreign_packets.total - guest->foreign_packets.free_count;
	if (!guest->stats_link)
		return;
	guest->stats = guest->stats_link->netdev ? guest->stats_link->netdev->stats
						 : guest->stats_link->last;
}

const struct netif_guest_program netif_guest_program = {
	.boot = boot,
	.start_netback = start_netback,
	.start_netfront = start_netfront,
	.close_netback = close_netback,
	.close_netfront = close_netfront,
	.send = send,
	.collect = collect,
	.look_into_pages = look_into_pages,
	.release = release,
	.drop_name = drop_name,
};
