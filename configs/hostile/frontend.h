/* SPDX-License-Identifier: ISC */
/* The hostile frontend's connection, and putting whatever one likes into its rings. */
#pragma once

#include "configs/hostile/hostile.h"
#include "lib/compiler.h"
#include "xen/evtchn.h"
#include "xen/store.h"

/* Pages of ours, lent to the backend in different ways. */
enum frontend_page {
	PAGE_TX, /* the rings */
	PAGE_RX,
	PAGE_READ,    /* read-only; a good frame is in it */
	PAGE_WRITE,   /* to receive into */
	PAGE_FOREIGN, /* lent to another domain than the backend */
	PAGE_COUNT
};

struct frontend_loan {
	uint8_t *page;
	uint32_t gref; /* 0: not lent */
};

struct frontend {
	char backend[STORE_PATH_BYTES];
	uint16_t backend_id;
	bool up; /* rings, grants and port are there */
	struct frontend_loan loans[PAGE_COUNT];
	uint32_t revoked; /* a reference that was good once */
	evtchn_port port;
	struct netif_tx_sring *tx;
	struct netif_rx_sring *rx;
	uint32_t tx_next, rx_next; /* index of the next slot to fill */
	uint16_t frame_bytes;	   /* of the frame in PAGE_READ */
};

extern struct frontend front;

static inline uint32_t frontend_gref(enum frontend_page page)
{
	return front.loans[page].gref;
}

/* Writes a node of its directory; NULL removes it. Errors are the attacker's own. */
void frontend_write(const char *key, const char *value);
void frontend_set_state(uint32_t state);

/* The backend's state; 0 when it is gone or none. */
uint32_t frontend_peer_state(void);
bool frontend_is_connected(void);

bool frontend_connect(void);
/* Offers itself with a lie in it and waits for the backend to take it. */
void frontend_lie(const struct hostile_lie *lie, uint32_t ms);
/* Says Closed, waits for the backend to let go, and takes back what was lent. */
void frontend_leave(void);
/* Takes back, or gives up, what was lent, without a word. */
void frontend_release(void);

/* Waits until the TX ring has room for `count` requests, a moment at most. */
void frontend_tx_room(uint32_t count);

/* Each fills the next slot. */
void frontend_put(uint32_t gref, uint32_t offset, uint32_t size, uint16_t flags);
void frontend_put_extra(const struct netif_extra_info *extra);
void frontend_put_rx(uint16_t id, uint32_t gref);
void frontend_post_rx(uint32_t count); /* good buffers */

/* Publishes what was put, or the indices as given, and notifies. */
void frontend_publish(void);
void frontend_jump(uint32_t tx_prod, uint32_t rx_prod);

/* Good echo requests, published; the answers come to the RX ring. */
void frontend_send_echoes(uint32_t count);

extern const struct hostile_attack frontend_ring_attacks[], frontend_store_attacks[];
