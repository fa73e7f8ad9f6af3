/* SPDX-License-Identifier: ISC */
/*
 * The guest program of the drivers' tests: pools of pages and packets, netfront or
 * netback (or both), and checked traffic on every interface instead of a network
 * stack. It is linked into the image with the drivers; the test sees it through
 * `netif_guest_program`.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/netback.h"
#include "drivers/netfront.h"
#include "lib/drop.h"
#include "lib/list.h"
#include "tests/drivers/netif_traffic.h"

#define NETIF_GUEST_CLIENTS 16u /* that netback takes unless the test says otherwise */
#define GUEST_UPLINK 0xffffu	/* the `domid` of a link by our own netfront */

/* One interface of a guest. It belongs to the test and outlives the guest. */
struct guest_link {
	/* set by the test before the guest starts */
	uint16_t domid; /* the client, or GUEST_UPLINK */
	uint32_t handle;
	uint64_t seed;
	bool echo;		/* send back what comes instead of checking it */
	bool hold;		/* keep what comes, until release() */
	struct traffic_end end; /* flows, shape, peer, window; its counts outlive a reconnect */
	/* written by the guest, read by all */
	atomic_bool up;
	atomic_uint attached;
	atomic_uint detached;
	uint32_t features; /* of the netdev when it came up */
	uint32_t mtu;
	/* own */
	struct netif_guest *guest;
	struct netdev *netdev;
	struct netdev_stats last; /* as it was when the interface went away */
	struct netback_client client;
	struct list held;
};

struct netif_guest {
	/* set by the test; zero: a default */
	struct guest_link *links;
	uint32_t link_count;
	uint32_t pages;
	uint32_t packets;
	uint32_t rx_pages;
	uint32_t tx_pages;
	uint32_t max_clients;
	uint32_t max_queues; /* of whichever driver is started */
	/* What the uplink is given to send is of pools that have another uplink. */
	bool sends_foreign;
	/* own */
	struct iopage_pool page_pool, foreign_pages;
	struct packet_pool packet_pool, foreign_packets;
	struct netfront *front;
	int error; /* of the last start */
	/* filled by collect() */
	uint64_t drops[DROP_REASON_COUNT];
	uint32_t pages_out; /* of any class, not in a free list */
	uint32_t packets_out;
	uint32_t quarantined;
	uint32_t log_lines;	   /* that would have been printed, up to level info */
	struct netdev_stats stats; /* of `stats_link` */
	const struct guest_link *stats_link;
	/* filled by look_into_pages() */
	uint32_t stale_pages; /* free, readable for the uplink, and not empty */
};

/* What the image can do; each is for host_call() unless it says fiber. */
struct netif_guest_program {
	void (*boot)(void *guest);
	void (*start_netback)(void *guest);
	void (*start_netfront)(void *guest);
	void (*close_netback)(void *guest);  /* fiber */
	void (*close_netfront)(void *guest); /* fiber */
	void (*send)(void *link);	     /* starts a fiber that sends the link's traffic */
	void (*collect)(void *guest);
	void (*look_into_pages)(void *guest);
	void (*release)(void *link); /* frees the packets that it holds */
	const char *(*drop_name)(enum drop_reason reason);
};
