/* SPDX-License-Identifier: ISC */
/* What the files of netfront share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/netfront.h"
#include "drivers/store_pace.h"
#include "drivers/netif_ring.h"
#include "drivers/event_storm.h"
#include "lib/iopage.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "net/netdev.h"
#include "xen/bus.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

/* What may wait for TX slots, on all queues. Beyond it the newest packet drops. */
#define NETFRONT_QUEUE_PACKETS 128u
/* How much of a received frame is copied before it is looked at. */
#define NETFRONT_HEAD_BYTES (PACKET_HEAD_BYTES - PACKET_HEADROOM)

/*
 * A TX slot under way. The packet is freed when the last of its slots is answered; the
 * packet itself counts them, for its first id may be answered, and used again, while
 * others are still under way.
 */
struct netfront_tx_slot {
	struct packet *packet; /* NULL: the id is free */
	uint16_t next_free;
};

struct netfront_tx {
	struct netif_tx_sring *shared;
	struct iopage *page;
	struct ring_producer ring;
	uint32_t consumed; /* responses taken */
	uint16_t first_free;
	uint16_t extras; /* slots under way that have no id; each is answered by a NULL */
	struct netfront_tx_slot slots[NETIF_TX_SLOTS];
	struct list waiting; /* packets that wait for slots */
};

struct netfront_rx {
	struct netif_rx_sring *shared;
	struct iopage *page;
	uint32_t produced;		       /* requests posted */
	uint32_t consumed;		       /* responses taken */
	uint32_t seen;			       /* the backend's index when we last looked */
	uint32_t furthest;		       /* that it ever was */
	struct iopage *posted[NETIF_RX_SLOTS]; /* by ring index */
	struct list idle;		       /* granted pages at home */
	uint32_t idle_count;
};

/* One pair of rings. Its pages stay from one connection to the next. */
struct netfront_queue {
	struct netfront *front;
	evtchn_port tx_port, rx_port; /* the same unless split */
	struct loop_source source;
	struct event_storm storm;
	struct netfront_tx tx;
	struct netfront_rx rx;
};

struct netfront {
	struct netfront_config config;
	char directory[32]; /* device/vif/N */
	char backend[STORE_PATH_BYTES];
	uint16_t backend_id;
	struct store_watch directory_watch, backend_watch;
	struct store_pace backend_pace; /* of looks at its state */
	struct fiber_event event;
	bool connected; /* the rings are set up and the backend may use them */
	bool broken;	/* the backend broke the protocol */
	bool closing, closed;
	struct iopage **rx_pages, **tx_pages; /* all that belong to this interface */
	struct list lost;		      /* pages that a backend holds though we have closed */
	uint32_t waiting_packets;	      /* on all queues */
	struct loop_timer reap;
	uint64_t reap_ns; /* when TX answers are looked for; 0: none are to come */
	uint64_t connects;
	struct netdev netdev;
	struct log_limit log_limit;
	uint32_t queue_count;		/* of this connection, or the last; 1 before the first */
	struct netfront_queue queues[]; /* config.max_queues */
};

void netfront_break(struct netfront *front, const char *why);

/* netfront_grants.c: the pages that the interface lends its backend. */
must_check int netfront_pages_take(struct netfront *front);
must_check int netfront_page_grant(const struct netfront *front, struct iopage *page,
				   bool readonly);
must_check int netfront_pages_grant(struct netfront *front);
/*
 * Ends every grant of the connection. The backend lets go when it has seen that we
 * closed, so this takes a while, but a bounded one; what it keeps is put aside.
 */
void netfront_grants_end(struct netfront *front);

/* netfront_connect.c: what a connection holds, made and undone. */
void netfront_queues_init(struct netfront *front);
must_check int netfront_connection_make(struct netfront *front);
void netfront_connection_end(struct netfront *front, enum xenbus_state say);

/* netfront_tx.c */
void netfront_tx_init(struct netfront_queue *queue);
void netfront_tx_transmit(struct netdev *netdev, struct packet_vector *vector);
void netfront_tx_poll(struct netfront_queue *queue);
/* Once for each interface: the timer that takes answers that no packet takes along. */
void netfront_tx_init_reaping(struct netfront *front);
/* Asks for an event when enough of what is under way is answered; true: look again. */
bool netfront_tx_arm(struct netfront_queue *queue);
/* Drops what waits and frees what is under way. */
void netfront_tx_purge(struct netfront_queue *queue);

/* netfront_rx.c */
void netfront_rx_init(struct netfront_queue *queue);
bool netfront_rx_poll(struct netfront_queue *queue, uint32_t budget);
/* Posts every page that is at home. */
void netfront_rx_refill(struct netfront_queue *queue);
bool netfront_rx_arm(struct netfront_queue *queue);
/* Takes all posted pages back, after the backend has gone. */
void netfront_rx_purge(struct netfront_queue *queue);
void netfront_rx_page_home(struct iopage *page, void *context);
/* The queue that posts the page; its tag says which. */
struct netfront_queue *netfront_rx_queue_of(struct netfront *front, const struct iopage *page);
/* Sets the number of queues, and shares the pages at home out among them; none is posted. */
void netfront_rx_share_out(struct netfront *front, uint32_t queue_count);

/* netfront_lost.c: puts aside every page whose grant could not be ended. */
void netfront_lost_add_all(struct netfront *front);
/* Takes back what was let go since then. True: the present backend still holds some. */
bool netfront_lost_find(struct netfront *front);
