/* SPDX-License-Identifier: ISC */
/* The hostile backend's connection, and answering whatever one likes on its rings. */
#pragma once

#include "configs/hostile/hostile.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/store.h"

#define BACKEND_NO_ID 0x10000u

struct backend {
	char directory[STORE_PATH_BYTES]; /* ours; "" until a frontend has come */
	char frontend[STORE_PATH_BYTES];  /* the other's */
	char rings[STORE_PATH_BYTES + 8]; /* where the other says what to map */
	uint16_t frontend_id;
	bool fresh; /* connected, and nothing was done to it yet */
	bool gone;  /* the directory is removed */
	struct gnttab_mapping tx_map, rx_map;
	struct netif_tx_sring *tx; /* NULL: not connected */
	struct netif_rx_sring *rx;
	evtchn_port tx_port, rx_port; /* the same unless split */
	uint32_t tx_answered, rx_answered;
	uint32_t tx_ids[HOSTILE_RING]; /* of requests seen; BACKEND_NO_ID for extras */
	uint32_t tx_seen;
	bool tx_in_extras;
	uint8_t *page; /* what is delivered */
};

extern struct backend back;

/* Writes a node of its directory; NULL removes it. */
void backend_write(const char *key, const char *value);
void backend_set_state(uint32_t state);

/* The frontend's state; 0 when it is gone or none. */
uint32_t backend_peer_state(void);
bool backend_is_connected(void);

bool backend_connect(void);
void backend_lie(const struct hostile_lie *lie, uint32_t ms);
/* Says Closing, lets go when the frontend has heard it, and waits until that begins again. */
void backend_leave(void);
/* Lets go of rings and ports without a word. */
void backend_release(void);

/* Requests that are published and not answered; 0 also where we have answered too many. */
uint32_t backend_tx_waiting(void);
uint32_t backend_rx_waiting(void);

/* The id of the waiting request at our next response index + `ahead`. */
uint32_t backend_tx_id(uint32_t ahead);
struct netif_tx_request backend_tx_request(uint32_t ahead);
struct netif_rx_request backend_rx_request(uint32_t ahead);

/* Each writes the next response; for BACKEND_NO_ID the one that an extra gets. */
void backend_answer_tx(uint32_t id, int16_t status);
void backend_answer_rx(const struct netif_rx_response *response);
void backend_answer_rx_extra(const struct netif_extra_info *extra);

/* Publishes the answers, or the indices as given, and notifies. */
void backend_publish(void);
void backend_jump(uint32_t tx_prod, uint32_t rx_prod);

/* Answers all TX requests well, and questions for our address too. */
void backend_serve(void);

/* Makes the victim send: waits for a TX request that nobody has answered. */
void backend_provoke(uint32_t count);

extern const struct hostile_attack backend_ring_attacks[], backend_store_attacks[];
