/* SPDX-License-Identifier: ISC */
/*
 * A blkfront without manners: it follows the handshake as far as it is told to, with the
 * keys that it is told, and then puts any slots on the ring and any segments into its
 * pages of indirect descriptors. Everything but hostile_blkfront_init() is called as the
 * attacking domain (host_call), what waits from one of its fibers (host_call_fiber).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkif_ring.h"
#include "lib/compiler.h"
#include "tests/host/host.h"
#include "xen/evtchn.h"

#define HOSTILE_BLK_INDIRECT BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST

/* A page of the attacker, granted in different ways to the backend. */
enum hostile_blk_page {
	HOSTILE_BLK_DATA,     /* granted read-write */
	HOSTILE_BLK_READONLY, /* granted read-only */
	HOSTILE_BLK_REVOKED,  /* was granted, is no more */
	HOSTILE_BLK_FOREIGN,  /* granted to another domain */
	HOSTILE_BLK_PAGES
};

/* What it writes into its directory; set by hostile_blkfront_init(), then changed at will. */
struct hostile_blk_keys {
	const char *ring_ref;	/* of each page of a ring; NULL: the right one; "": no such node */
	const char *ring_order; /* NULL: the right one */
	const char *event_channel;
	const char *protocol;
	const char *queues;	   /* multi-queue-num-queues; NULL: no such node */
	const char *persistent;	   /* feature-persistent; NULL: no such node */
	const char *large_sectors; /* feature-large-sector-size; NULL: no such node */
	bool as_queues; /* the ring's keys are written below queue-0/ and, with another port but
			 * the same ring, queue-1/ */
	uint32_t state; /* at the end of the handshake */
};

struct hostile_blkfront {
	struct host_domain *domain;
	uint16_t backend_domid;
	uint32_t devid;
	struct hostile_blk_keys keys;
	uint32_t order; /* of the ring's true pages; set before it connects, at most as at first */
	struct blkif_ring ring;
	uint32_t ring_grefs[BLKIF_RING_PAGES_MOST];
	evtchn_port port;
	evtchn_port other_port; /* of queue-1 */
	uint8_t *pages[HOSTILE_BLK_PAGES];
	uint32_t grefs[HOSTILE_BLK_PAGES];
	uint8_t *indirect[HOSTILE_BLK_INDIRECT]; /* granted read-only */
	uint32_t indirect_grefs[HOSTILE_BLK_INDIRECT];
	uint32_t next;	/* index of the next slot to fill */
	uint32_t taken; /* index of the next response */
	int error;	/* of the handshake */
};

/* From the test's own code. */
void hostile_blkfront_init(struct hostile_blkfront *front, struct host_domain *domain,
			   const struct host_domain *backend, uint32_t devid);

/* Makes pages and grants, once; hostile_blkfront_connect() does it too. */
void hostile_blkfront_prepare(struct hostile_blkfront *front);

/* The rings from nothing, as for a new connection. */
void hostile_blkfront_reset(struct hostile_blkfront *front);

/*
 * In a fiber: waits for the backend's InitWait, makes ring and grants, writes the keys and
 * the state, and waits up to ten seconds for the backend's Connected. `error` is 0 then,
 * else -ETIMEDOUT or what failed.
 */
void hostile_blkfront_connect(void *front);

/* In a fiber: writes the state into its directory. */
void hostile_blkfront_set_state(const struct hostile_blkfront *front, uint32_t state);

/* In a fiber: the backend's state; 0 when it is gone. */
uint32_t hostile_blkfront_peer_state(const struct hostile_blkfront *front);

/* Ends what can be ended of its grants and port. */
void hostile_blkfront_release(void *front);

/* A good request of one page at `sector` (in units of 512 bytes), to begin a lie with. */
struct blkif_request hostile_blk_good(const struct hostile_blkfront *front, uint8_t operation,
				      uint64_t sector);

/* A good indirect request of `segments` pages, which are written into its pages. */
struct blkif_request_indirect hostile_blk_good_indirect(struct hostile_blkfront *front,
							uint8_t operation, uint64_t sector,
							uint16_t segments);

/* Where segment `index` of the indirect pages lies. */
struct blkif_request_segment *hostile_blk_segment(struct hostile_blkfront *front, uint32_t index);

/* Writes `bytes` of a request at the next slot, and zeroes behind them. */
void hostile_blk_put(struct hostile_blkfront *front, const void *request, size_t bytes);

/* Publishes what was put, or the index as it is given, and notifies. */
void hostile_blk_publish(struct hostile_blkfront *front);
void hostile_blk_jump(struct hostile_blkfront *front, uint32_t req_prod);

/* Takes the next response, as the backend wrote it; false: there is none. */
must_check bool hostile_blk_take(struct hostile_blkfront *front, union blkif_slot *answer);
