/* SPDX-License-Identifier: ISC */
/*
 * A netfront without manners: it follows the handshake as far as it is told to, and
 * then writes whatever it is given into the rings. Everything but the two functions
 * that say otherwise is called as the attacking domain (host_call), the ones
 * that wait from one of its fibers (host_call_fiber).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <xen/io/netif.h>

#include "lib/compiler.h"
#include "tests/host/host.h"
#include "xen/evtchn.h"

#define HOSTILE_RING 256u

/* A page of the attacker, granted in different ways to the backend. */
enum hostile_page {
	HOSTILE_READ,	 /* granted read-only */
	HOSTILE_WRITE,	 /* granted read-write */
	HOSTILE_REVOKED, /* was granted, is no more */
	HOSTILE_FOREIGN, /* granted to another domain */
	HOSTILE_PAGES
};

/* What it writes into its directory; set by hostile_frontend_init(), then changed at will. */
struct hostile_keys {
	const char *tx_ring_ref; /* NULL: the right one; "": no such node */
	const char *rx_ring_ref;
	const char *event_channel;
	const char *request_rx_copy;
	const char *queues;   /* multi-queue-num-queues; NULL: no such node */
	const char *features; /* value of feature-sg, -gso-tcpv4 and -rx-notify */
	uint32_t state;	      /* at the end of the handshake */
};

struct hostile_frontend {
	struct host_domain *domain;
	uint16_t backend_domid;
	uint32_t devid;
	struct hostile_keys keys;
	struct netif_tx_sring *tx;
	struct netif_rx_sring *rx;
	uint32_t tx_gref;
	uint32_t rx_gref;
	evtchn_port port;
	uint8_t *pages[HOSTILE_PAGES];
	uint32_t grefs[HOSTILE_PAGES];
	uint32_t tx_next; /* index of the next slot to fill */
	uint32_t rx_next;
	int error; /* of the handshake */
};

/* From the test's own code. */
void hostile_frontend_init(struct hostile_frontend *front, struct host_domain *domain,
			   const struct host_domain *backend, uint32_t devid);

/*
 * In a fiber: waits for the backend's InitWait, makes rings and grants, writes
 * the keys and the state, and waits up to ten seconds for the backend's Connected.
 * `error` is 0 then, else -ETIMEDOUT or what failed.
 */
void hostile_frontend_connect(void *front);

/* In a fiber: writes the state into its directory. */
void hostile_frontend_set_state(const struct hostile_frontend *front, uint32_t state);

/* In a fiber: the backend's state; 0 when it is gone. */
uint32_t hostile_frontend_peer_state(const struct hostile_frontend *front);

/* Writes a TX request (or the bytes of an extra) at the next slot. */
void hostile_put_tx(struct hostile_frontend *front, const struct netif_tx_request *request);
void hostile_put_extra(struct hostile_frontend *front, const struct netif_extra_info *extra);

/* Writes an RX request at the next slot. */
void hostile_put_rx(struct hostile_frontend *front, uint16_t id, uint32_t gref);

/* Publishes what was put, and notifies. */
void hostile_publish(struct hostile_frontend *front);

/* Sets the producer indices as they are given, and notifies. */
void hostile_jump(struct hostile_frontend *front, uint32_t tx_prod, uint32_t rx_prod);

/* Posts `count` good RX buffers. */
void hostile_post_rx(struct hostile_frontend *front, uint32_t count);

/* A good frame of `size` bytes in HOSTILE_READ, as a request to begin a lie with. */
struct netif_tx_request hostile_good_tx(struct hostile_frontend *front, uint16_t size);

/* Ends what can be ended of its grants and port. */
void hostile_frontend_release(void *front);
