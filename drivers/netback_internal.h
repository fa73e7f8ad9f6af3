/* SPDX-License-Identifier: ISC */
/* What the files of netback share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/netback.h"
#include "drivers/netback_multicast.h"
#include "drivers/store_pace.h"
#include "drivers/netif_ring.h"
#include "drivers/event_storm.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "net/netdev.h"
#include "xen/bus.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

/* What may wait for a client's RX slots, on all its queues. Beyond it the newest drops. */
#define NETBACK_QUEUE_PACKETS 256u
#define NETBACK_QUEUE_BYTES (512u * 1024u)

/* One pair of rings. All of it belongs to one connection. */
struct netback_queue {
	struct netback_vif *vif;
	struct gnttab_mapping tx_page, rx_page;
	struct netif_tx_sring *tx;
	struct netif_rx_sring *rx;
	uint32_t tx_consumed;	      /* requests taken */
	uint32_t tx_answered;	      /* responses written */
	struct ring_producer rx_ring; /* limit: the client's request index */
	evtchn_port tx_port, rx_port; /* the same unless split */
	struct loop_source source;
	struct event_storm storm;
	struct list waiting; /* packets that wait for RX slots */
};

struct netback_vif {
	struct list link;
	struct netback_client client;
	char backend[STORE_PATH_BYTES];
	char frontend[STORE_PATH_BYTES];
	struct store_watch watch; /* of the frontend's state */
	struct store_pace pace;	  /* of looks at what it changed */
	enum xenbus_state state;  /* ours, as last written */
	uint64_t closed_ns;	  /* when state became Closed with online=0 */
	bool seen;		  /* in the last listing of backend/vif */
	bool due;		  /* to be served when its pace allows */

	/* Connected only. */
	bool connected;
	bool broken; /* the client broke the protocol; the fiber disconnects it */
	struct netback_multicast multicast;
	uint32_t waiting_packets, waiting_bytes; /* on all queues */

	struct netdev netdev;
	struct log_limit log_limit;
	uint32_t queue_count;	       /* that the client uses */
	struct netback_queue queues[]; /* config.max_queues */
};

/* The parts that all clients share; one netback in a guest. */
struct netback {
	struct netback_config config;
	struct list vifs;
	uint32_t vif_count;
	struct store_watch watch; /* of backend/vif */
	struct store_pace pace;	  /* of listings of it: what we write there fires it too */
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

/* netback_connect.c: makes the queues of a new vif, connects it and takes it apart. */
void netback_vif_init_queues(struct netback_vif *vif);
void netback_vif_connect(struct netback_vif *vif);
void netback_vif_release(struct netback_vif *vif);

/* netback_tx.c: takes what the client sends on a queue. True: there is more. */
bool netback_tx_poll(struct netback_queue *queue, uint32_t budget);

/* Asks for an event with the next request; true when some came in between. */
bool netback_tx_arm(struct netback_queue *queue);

/* netback_rx.c: sends to the client. The netdev's transmit, and the next try of what waits. */
void netback_rx_transmit(struct netdev *netdev, struct packet_vector *vector);
void netback_rx_poll(struct netback_queue *queue);
/* Looks for RX buffers that the client has posted; a client that is none breaks. */
void netback_rx_look(struct netback_queue *queue);
bool netback_rx_arm(struct netback_queue *queue);
void netback_rx_purge(struct netback_queue *queue);
