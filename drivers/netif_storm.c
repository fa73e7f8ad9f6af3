/* SPDX-License-Identifier: ISC */
/* Peers that send events and bring no work. */
#include "drivers/netif_storm.h"

#define MOST_EMPTY (NETIF_STORM_FREE_EVENTS + 1 + NETIF_STORM_DOUBLINGS)

/* Queues that wait, in no order: there are few, and each waits for a millisecond or more. */
static struct list waiting = { &waiting, &waiting };
static uint64_t next_ns = UINT64_MAX; /* at or before the end of the first of them */

static void waiting_run(struct loop_timer *timer, uint64_t now_ns)
{
	(void)timer;
	if (now_ns < next_ns)
		return;
	next_ns = UINT64_MAX;
	list_for_each_safe(link, spare, &waiting) {
		struct netif_storm *storm = list_entry(link, struct netif_storm, link);

		if (storm->until_ns <= now_ns) {
			list_remove(&storm->link);
			loop_schedule(storm->source);
		} else if (storm->until_ns < next_ns) {
			next_ns = storm->until_ns;
		}
	}
}

static uint64_t waiting_next(struct loop_timer *timer)
{
	(void)timer;
	return next_ns;
}

/* One timer serves all queues of all interfaces. */
static void timer_start(void)
{
	static struct loop_timer all = { .run = waiting_run, .next_ns = waiting_next };
	static bool started;

	if (started)
		return;
	started = true;
	loop_add_timer(&all);
}

void netif_storm_init(struct netif_storm *storm, struct loop_source *source)
{
	*storm = (struct netif_storm){ .source = source };
	list_init(&storm->link);
	timer_start();
}

void netif_storm_begin(struct netif_storm *storm, uint32_t work)
{
	storm->work = work;
	storm->empty = 0;
	storm->event = false;
}

void netif_storm_end(struct netif_storm *storm)
{
	list_remove(&storm->link);
}

static void wait_begin(struct netif_storm *storm)
{
	uint32_t doublings = storm->empty - NETIF_STORM_FREE_EVENTS - 1;

	storm->until_ns = loop_now_ns() + (NETIF_STORM_FIRST_NS << doublings);
	if (storm->until_ns < next_ns)
		next_ns = storm->until_ns;
	list_push_back(&waiting, &storm->link);
}

bool netif_storm_may_unmask(struct netif_storm *storm, uint32_t work)
{
	bool event = storm->event;

	storm->event = false;
	if (work != storm->work) {
		storm->work = work;
		storm->empty = 0;
		list_remove(&storm->link);
		return true;
	}
	if (!list_is_empty(&storm->link))
		return false;
	if (!event)
		return true; /* polled for another reason, or the wait is over */
	if (storm->empty < MOST_EMPTY)
		storm->empty++;
	if (storm->empty <= NETIF_STORM_FREE_EVENTS)
		return true;
	wait_begin(storm);
	return false;
}
