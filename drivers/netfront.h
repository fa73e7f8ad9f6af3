/* SPDX-License-Identifier: ISC */
/*
 * netfront: the frontend side of an uplink (<xen/io/netif.h>), as many as we have. A fiber
 * for each follows its backend for as long as we live: it connects, notices that the
 * backend closes, restarts or is replaced, and connects again.
 *
 * RX pages are granted read-write to the backend for the life of a connection and
 * come home to be posted again when their packet is freed. TX pages are granted
 * read-only; packets in such pages are sent without a copy.
 *
 * Each netfront has pools of its own, for the pages of a pool that are exposed are exposed
 * to one backend. A packet of another pool may be given to it for sending, and is copied
 * then, so that neither backend ever sees what is meant for the other.
 */
#pragma once

#include <stdint.h>

#include "drivers/netif_info.h"
#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/netdev.h"

struct netfront_config {
	uint32_t index;	  /* device/vif/INDEX */
	const char *name; /* of its netdev, with INDEX behind it; NULL: "uplink" */
	struct packet_pool *packets;
	/*
	 * Pairs of rings, if the backend offers as many; 0: one. Each takes two pages of the
	 * pool, beside those below, and two more while an earlier backend keeps its rings.
	 */
	uint32_t max_queues;
	/*
	 * Each queue has an even share of its own: the 256 slots of its ring, and the rest
	 * under way in packets. Less than a share may be held back for long (netback's
	 * queue_pages), or that queue receives nothing meanwhile.
	 */
	uint32_t rx_pages;
	uint32_t tx_pages; /* pages of class UPLINK_READ that netback and the stack use */
	/*
	 * Packets that may wait for slots of the ring, all queues together; beyond it the last is
	 * dropped. 0: few, for what is forwarded should not grow old here. Who makes all packets
	 * himself is held back by his pages, and would lose by his own hand what he sends again.
	 */
	uint32_t max_waiting;
	/* Connected; set netdev->input before returning. */
	void (*attached)(struct netdev *netdev, void *context);
	/* Gone, perhaps to come back: drop every packet that waits for it. */
	void (*detached)(struct netdev *netdev, void *context);
	void *context;
};

struct netfront;

/* Takes the pages out of the pool and starts the fiber. 0 or -ENOMEM. */
must_check int netfront_start(const struct netfront_config *config, struct netfront **front);

/* Closes the interface for good, for a shutdown. From a fiber; takes a bounded time. */
void netfront_close(struct netfront *front);

void netfront_print_stats(const struct netfront *front,
			  void (*line)(void *context, const char *text), void *context);

/* The same as numbers. */
void netfront_info(const struct netfront *front, struct netif_info *info);
