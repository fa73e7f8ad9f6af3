/* SPDX-License-Identifier: ISC */
/*
 * The storm guest: one end of a link that carries as many frames as it can, of which
 * every byte is compared at the other end. It is a client (netfront) or a server
 * (netback); between the two may stand a relay.
 *
 *	role=client|server shape=tiny|large|mixed seconds=N seed=N
 *
 * After the storm a thin tail of frames follows, none of which may be lost: so a ring
 * that came to a stop in the storm shows. At the end it says what it has seen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "configs/pools.h"
#include "drivers/netback.h"
#include "drivers/netfront.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "tests/drivers/netif_traffic.h"
#include "xen/fiber.h"
#include "xen/loop.h"
#include "xen/start.h"

#define PAGES 3072u
#define PACKETS 1024u
#define RX_PAGES 512u
#define TX_PAGES 1536u
#define SECOND_NS 1000000000ull
#define QUIET_NS SECOND_NS
#define TAIL_NS (2 * SECOND_NS)
#define TAIL_STEP_NS 10000000ull
#define LAST_NS (3 * SECOND_NS)

static struct iopage_pool pages;
static struct packet_pool packets;
static struct netfront *front;
static struct traffic_end end, peer; /* the peer's only to know its shape */
static struct fiber_event attach_event;
static uint32_t seconds = 5;
static uint64_t seed = 1;
static bool is_server;

static const struct {
	const char *name;
	struct traffic_shape shape;
} shapes[] = {
	{ "tiny", { .min_frame = TRAFFIC_MIN_FRAME, .max_frame = TRAFFIC_MIN_FRAME + 59 } },
	{ "large",
	  { .min_frame = TRAFFIC_MIN_FRAME, .max_frame = TRAFFIC_MTU_FRAME, .gso_share = 100 } },
	{ "mixed",
	  { .min_frame = TRAFFIC_MIN_FRAME,
	    .max_frame = TRAFFIC_MTU_FRAME,
	    .blank_share = 30,
	    .gso_share = 20 } },
};

static void attached(struct netdev *netdev)
{
	traffic_begin(&end, netdev, &packets, seed);
	fiber_event_signal(&attach_event);
}

static void uplink_attached(struct netdev *netdev, void *context)
{
	(void)context;
	attached(netdev);
}

static void client_attached(struct netdev *netdev, const struct netback_client *client,
			    void *context)
{
	(void)client;
	(void)context;
	attached(netdev);
}

static void detached(struct netdev *netdev, void *context)
{
	(void)netdev;
	(void)context;
	traffic_end(&end);
}

/* ---- the course of it ---- */

static void send_until(uint64_t until_ns)
{
	atomic_store(&end.sending, true);
	end.send_count = UINT32_MAX;
	if (fiber_start("send", traffic_send, &end))
		panic("not enough memory");
	fiber_sleep_until(until_ns);
	end.send_count = atomic_load(&end.sent);
	while (atomic_load(&end.sending))
		fiber_yield();
}

static void send_tail(uint64_t until_ns)
{
	while (loop_now_ns() < until_ns && end.netdev) {
		end.send_count = atomic_load(&end.sent) + 1;
		traffic_send(&end);
		fiber_sleep_until(loop_now_ns() + TAIL_STEP_NS);
	}
}

static void report(void)
{
	log_line(LOG_INFO, "storm", "done: sent %u received %u missing %u wrong %u next %u",
		 atomic_load(&end.sent), atomic_load(&end.received), atomic_load(&end.missing),
		 atomic_load(&end.wrong), end.next_seq[0]);
	if (atomic_load(&end.wrong))
		log_line(LOG_ERROR, "storm", "%s", end.error);
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		if (packets.drops[i])
			log_line(LOG_INFO, "storm", "dropped %s %lu",
				 drop_name((enum drop_reason)i), (unsigned long)packets.drops[i]);
}

static void storm(void *argument)
{
	uint64_t begin;

	(void)argument;
	(void)!fiber_event_wait(&attach_event, FIBER_FOREVER);
	/* A relay in between may be there long before the client is. */
	while (is_server && !atomic_load(&end.received))
		fiber_sleep_until(loop_now_ns() + TAIL_STEP_NS);
	begin = loop_now_ns();
	log_line(LOG_INFO, "storm", "begins");
	send_until(begin + seconds * SECOND_NS);
	log_line(LOG_INFO, "storm", "is over: sent %u", atomic_load(&end.sent));
	fiber_sleep_until(loop_now_ns() + QUIET_NS);
	send_tail(loop_now_ns() + TAIL_NS);
	fiber_sleep_until(loop_now_ns() + LAST_NS);
	report();
}

/* ---- the start ---- */

/* The word after "key=" in the command line; "" when it is missing. */
static const char *word_find(const char *cmdline, const char *key, char *to, size_t size)
{
	const char *at = strstr(cmdline, key);
	size_t length;

	to[0] = '\0';
	if (!at)
		return to;
	at += strlen(key);
	length = strcspn(at, " ");
	if (length < size) {
		memcpy(to, at, length);
		to[length] = '\0';
	}
	return to;
}

static void options_read(const char *cmdline)
{
	char word[16];
	const struct traffic_shape *shape = NULL;

	is_server = strcmp(word_find(cmdline, "role=", word, sizeof(word)), "server") == 0;
	word_find(cmdline, "shape=", word, sizeof(word));
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		if (strcmp(shapes[i].name, word) == 0)
			shape = &shapes[i].shape;
	if (!shape)
		panic("shape= must be tiny, large or mixed");
	if (word_find(cmdline, "seconds=", word, sizeof(word))[0])
		seconds = (uint32_t)strtoul(word, NULL, 10);
	if (word_find(cmdline, "seed=", word, sizeof(word))[0])
		seed = strtoull(word, NULL, 10);
	end.shape = peer.shape = *shape;
	end.peer = &peer;
	end.window = UINT32_MAX;
	end.send_flow = is_server ? 1 : 0;
	end.receive_flow = is_server ? 0 : 1;
	end.send_class = is_server ? IOPAGE_PRIVATE : IOPAGE_UPLINK_READ;
}

/* Of the class that netback takes what clients send into. */
static void backend_pages_make(void)
{
	for (uint32_t i = 0; i < TX_PAGES; i++) {
		struct iopage *page = iopage_alloc(&pages, IOPAGE_PRIVATE);

		if (!page)
			panic("not enough pages");
		iopage_reclass(page, IOPAGE_UPLINK_READ);
		iopage_free(page);
	}
}

static int driver_start(void)
{
	struct netfront_config front_config = { .packets = &packets,
						.rx_pages = RX_PAGES,
						.tx_pages = TX_PAGES,
						.attached = uplink_attached,
						.detached = detached };
	struct netback_config back_config = { .packets = &packets,
					      .mac = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff },
					      .max_clients = 1,
					      .attached = client_attached,
					      .detached = detached };

	if (!is_server)
		return netfront_start(&front_config, &front);
	backend_pages_make();
	return netback_start(&back_config);
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	(void)module;
	(void)module_bytes;
	options_read(cmdline);
	fiber_event_init(&attach_event);
	pools_make(&pages, PAGES, &packets, PACKETS);
	if (driver_start() || fiber_start("storm", storm, NULL))
		panic("not enough memory");
	log_line(LOG_INFO, "storm", "started as %s", is_server ? "server" : "client");
}
