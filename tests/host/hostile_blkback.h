/* SPDX-License-Identifier: ISC */
/*
 * A blkback without manners: it offers what it is told to, maps the frontend's ring and
 * then answers as it is told to. It can also serve well, from no disk at all: reads get the
 * bytes of hostile_blkback_byte(). One queue. Called as the attacking domain; what waits,
 * from one of its fibers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkif_ring.h"
#include "lib/compiler.h"
#include "tests/host/host.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"

#define HOSTILE_BLK_SLOTS_MOST 512u
#define HOSTILE_BLK_SEGMENTS_MOST 256u

/* What it writes into its directory, NULL: no such node. Those of the disk are written
 * right before Connected, the others before InitWait. */
struct hostile_blk_offer {
	const char *persistent, *flush, *barrier;
	const char *discard, *discard_granularity, *discard_alignment, *discard_secure;
	const char *max_indirect, *max_ring_order, *max_queues;
	const char *sectors, *sector_size, *physical_sector_size, *info;
};

struct hostile_blkback {
	struct host_domain *domain;
	uint16_t frontend_domid;
	uint32_t devid;
	struct hostile_blk_offer offer; /* set by hostile_blkback_init() to that of a small disk */
	struct gnttab_mapping maps[BLKIF_RING_PAGES_MOST];
	struct blkif_ring ring;
	evtchn_port port;
	uint8_t *page;	   /* what it copies from and to */
	uint32_t answered; /* our index of responses */
	uint32_t seen;	   /* requests that we have a copy of */
	union blkif_slot requests[HOSTILE_BLK_SLOTS_MOST];
	int error;
};

/* From the test's own code. */
void hostile_blkback_init(struct hostile_blkback *back, struct host_domain *domain,
			  const struct host_domain *frontend, uint32_t devid);

/*
 * In fibers: offers the features and InitWait; then waits up to a second for the
 * frontend's Initialised or Connected, maps, binds, and writes the disk's nodes and Connected.
 */
void hostile_blkback_offer(void *back);
void hostile_blkback_connect(void *back);

/* In a fiber: the disk's nodes as they are offered now, for a change under way. */
void hostile_blkback_tell_disk(const struct hostile_blkback *back);

/* In a fiber: writes the state into its directory, and reads the frontend's. */
void hostile_blkback_set_state(const struct hostile_blkback *back, uint32_t state);
uint32_t hostile_blkback_peer_state(const struct hostile_blkback *back);

/* In a fiber: removes its directory, as a backend does at the end. */
void hostile_blkback_remove(void *back);

/*
 * Maps 2^order pages of the ring, and binds the port: 0, or `back` has nothing. The second,
 * in a fiber, as the frontend's keys name them now.
 */
must_check int hostile_blkback_take(struct hostile_blkback *back, uint32_t order,
				    const uint32_t *grefs, evtchn_port port);
must_check int hostile_blkback_acquire(struct hostile_blkback *back);

/* Lets go of ring and port. */
void hostile_blkback_release(void *back);

/* Requests that the frontend has published and we have not answered; 0 also when we have
 * answered more than there were. */
uint32_t hostile_blkback_waiting(struct hostile_blkback *back);

/* Our copy of the request at our next response index + `ahead`, which must be waiting. */
const union blkif_slot *hostile_blkback_request(struct hostile_blkback *back, uint32_t ahead);

/* Its id and its operation, which is that of the response. */
uint64_t hostile_blkback_id(const union blkif_slot *request);

/* The segments of a request, as it names them or in its indirect pages; how many. */
uint32_t hostile_blkback_segments(struct hostile_blkback *back, const union blkif_slot *request,
				  struct blkif_request_segment *segments);

/* The sector of a request, in units of 512 bytes, and whether it is a write. */
uint64_t hostile_blkback_sector(const union blkif_slot *request);
bool hostile_blkback_writes(const union blkif_slot *request);

/* Writes a response at the next index. */
void hostile_blkback_answer(struct hostile_blkback *back, uint64_t id, uint8_t operation,
			    int16_t status);

/* The same for the request `ahead`, with its id and operation. */
void hostile_blkback_answer_to(struct hostile_blkback *back, const union blkif_slot *request,
			       int16_t status);

/* Publishes the answers, or the index as given, and notifies. */
void hostile_blkback_publish(struct hostile_blkback *back);
void hostile_blkback_jump(struct hostile_blkback *back, uint32_t rsp_prod);

/* What a good backend would have done with the request: 0, or -EIO when a copy failed. */
must_check int hostile_blkback_move(struct hostile_blkback *back, const union blkif_slot *request);
uint8_t hostile_blkback_byte(uint64_t sector, uint32_t offset);

/* Reads the whole page that is granted, into `back->page`; 0 or -EIO. */
must_check int hostile_blkback_peek(struct hostile_blkback *back, uint32_t gref);

/* Serves all that waits well, and notifies. */
void hostile_blkback_serve(struct hostile_blkback *back);
