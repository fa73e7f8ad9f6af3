/* SPDX-License-Identifier: ISC */
/* What the files of netback share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/netback.h"
#include "drivers/netback_multicast.h"
#include "drivers/netif_ring.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "net/netdev.h"
#include "xen/bus.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

/* What may wait for a client's RX slots. Beyond it the newest packet drops. */
#define NETBACK_QUEUE_PACKETS 64u
#define NETBACK_QUEUE_BYTES (256u * 1024u)

struct netback_vif {
	struct list link;
	struct netback_client client;
	char backend[STORE_PATH_BYTES];
	char frontend[STORE_PATH_BYTES];
	struct store_watch watch; /* of the frontend's state */
	enum xenbus_state state;  /* ours, as last written */
	uint64_t closed_ns;	  /* when state became Closed with online=0 */
	bool seen;		  /* in the last listing of backend/vif */

	/* Connected only. */
	bool connected;
	bool broken; /* the client broke the protocol; the fiber disconnects it */
	bool can_notify_rx;
	struct gnttab_mapping tx_page, rx_page;
	struct netif_tx_sring *tx;
	struct netif_rx_sring *rx;
	uint32_t tx_consumed;	      /* requests taken */
	uint32_t tx_answered;	      /* responses written */
	struct ring_producer rx_ring; /* limit: the client's request index */
	evtchn_port tx_port, rx_port; /* the same unless split */
	struct loop_source source;
	struct netback_multicast multicast;
	struct list queue; /* packets waiting for RX slots */
	uint32_t queue_packets, queue_bytes;

	struct netdev netdev;
	struct log_limit log_limit;
};

/* The parts that all clients share; one netback in a guest. */
struct netback {
	struct netback_config config;
	struct list vifs;
	uint32_t vif_count;
	struct store_watch watch; /* of backend/vif */
	struct fiber_event event;
	bool running;
	bool closing;
	bool closed;
	uint32_t queued_pages; /* of all clients' queues */
	uint64_t attached, detached, broken;
};

extern struct netback netback;

/* The client broke the protocol: stop using its rings now, let the fiber clean up. */
void netback_vif_break(struct netback_vif *vif, const char *why);

/* netback_tx.c: takes what the client sends. True: there is more. */
bool netback_tx_poll(struct netback_vif *vif, uint32_t budget);

/* Asks for an event with the next request; true when some came in between. */
bool netback_tx_arm(struct netback_vif *vif);

/* netback_rx.c: sends to the client. The netdev's transmit, and the queue's next try. */
void netback_rx_transmit(struct netdev *netdev, struct packet_vector *vector);
void netback_rx_poll(struct netback_vif *vif);
bool netback_rx_arm(struct netback_vif *vif);
void netback_rx_purge(struct netback_vif *vif);
