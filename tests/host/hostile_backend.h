/* SPDX-License-Identifier: ISC */
/*
 * A netback without manners: it maps the frontend's rings and then answers as it
 * is told to. Called as the attacking domain; what waits, from one of its fibers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <xen/io/netif.h>

#include "lib/compiler.h"
#include "tests/host/host.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"

#define HOSTILE_RING 256u
#define HOSTILE_NO_ID 0x10000u

struct hostile_backend {
	struct host_domain *domain;
	uint16_t frontend_domid;
	uint32_t devid;
	const char *features;	/* value of feature-sg and so on; NULL: "1" */
	const char *max_queues; /* multi-queue-max-queues; NULL: no such node */
	const char *queue;	/* "queue-1/", to serve that one; NULL: the only queue */
	struct gnttab_mapping tx_map;
	struct gnttab_mapping rx_map;
	struct netif_tx_sring *tx;
	struct netif_rx_sring *rx;
	evtchn_port port;
	uint8_t *page;	      /* what hostile_deliver() sends */
	uint32_t tx_answered; /* our index of responses */
	uint32_t rx_answered;
	uint32_t tx_ids[HOSTILE_RING]; /* of the requests that we have seen */
	uint32_t tx_seen;
	bool tx_in_extras;
	int error;
};

/* From the test's own code. */
void hostile_backend_init(struct hostile_backend *back, struct host_domain *domain,
			  const struct host_domain *frontend, uint32_t devid);

/*
 * In fibers: offers the features and InitWait; then waits up to a second for the
 * frontend's Initialised or Connected, maps, binds, and writes Connected.
 */
void hostile_backend_offer(void *back);
void hostile_backend_connect(void *back);

/* In a fiber: writes the state into its directory, and reads the frontend's. */
void hostile_backend_set_state(const struct hostile_backend *back, uint32_t state);
uint32_t hostile_backend_peer_state(const struct hostile_backend *back);

/* In a fiber: removes its directory, as a backend does at the end. */
void hostile_backend_remove(void *back);

/* Requests that the frontend has published and we have not answered; 0 also when we have
 * answered more than there were. */
uint32_t hostile_tx_waiting(const struct hostile_backend *back);
uint32_t hostile_rx_waiting(const struct hostile_backend *back);

/*
 * The id of the request at our next response index + `ahead`, which must be waiting;
 * HOSTILE_NO_ID for the slot of an extra.
 */
uint32_t hostile_tx_id(struct hostile_backend *back, uint32_t ahead);

/* The request at our next response index + `ahead`. */
struct netif_tx_request hostile_tx_request(const struct hostile_backend *back, uint32_t ahead);
struct netif_rx_request hostile_rx_request(const struct hostile_backend *back, uint32_t ahead);

/* Writes a response at the next index; for HOSTILE_NO_ID the one that an extra gets. */
void hostile_answer_tx(struct hostile_backend *back, uint32_t id, int16_t status);
void hostile_answer_rx(struct hostile_backend *back, const struct netif_rx_response *response);
void hostile_answer_rx_extra(struct hostile_backend *back, const struct netif_extra_info *extra);

/* Publishes the answers, or the indices as given, and notifies. */
void hostile_backend_publish(struct hostile_backend *back);
void hostile_backend_jump(struct hostile_backend *back, uint32_t tx_prod, uint32_t rx_prod);

/*
 * Delivers a good frame of `size` bytes (60 .. 4096) into the next RX buffer, with
 * the given flags. -EAGAIN: none is posted; -EIO: the copy failed.
 */
must_check int hostile_deliver(struct hostile_backend *back, uint16_t size, uint16_t flags);

/* Answers all TX requests well. */
void hostile_backend_drain(struct hostile_backend *back);

/* Lets go of rings and port. */
void hostile_backend_release(void *back);
