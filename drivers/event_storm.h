/* SPDX-License-Identifier: ISC */
/*
 * Peers that send events and bring no work (XSA-331, 332, 391). Each such event costs an
 * empty poll; after a few in a row the queue's ports stay masked for a while, twice as
 * long each time, and then the rings are polled once more before they are unmasked. So
 * nothing is lost, and any work at all ends it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/list.h"
#include "xen/loop.h"

/* Two ports and events that came while they were masked make a few empty ones. */
#define EVENT_STORM_FREE_EVENTS 8u
#define EVENT_STORM_FIRST_NS 1000000ull
#define EVENT_STORM_DOUBLINGS 5u /* 32 ms at most */

struct event_storm {
	struct list link; /* of those that wait */
	struct loop_source *source;
	uint64_t until_ns; /* while it waits */
	uint32_t work;	   /* as it was told at the last poll */
	uint32_t empty;	   /* events in a row that brought nothing, up to a bound */
	bool event;	   /* came since a poll last found the rings empty */
};

/* `source` polls the queue. Once for a queue, which may then be begun and ended often. */
void event_storm_init(struct event_storm *storm, struct loop_source *source);

/* A new connection. */
void event_storm_begin(struct event_storm *storm, uint32_t work);

/* The connection is gone; harmless for one that was never begun. */
void event_storm_end(struct event_storm *storm);

/* For the handler of the queue's events, which masks its ports and schedules the source. */
static inline void event_storm_event(struct event_storm *storm)
{
	storm->event = true;
}

/*
 * At the end of a poll that leaves the rings empty. `work` is any sum that grows with what
 * the peer has brought. False: the ports stay masked; the source is scheduled again.
 */
bool event_storm_may_unmask(struct event_storm *storm, uint32_t work);
