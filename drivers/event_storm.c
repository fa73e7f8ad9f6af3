/* SPDX-License-Identifier: ISC */
/* Peers that send events and bring no work. */
#include "drivers/event_storm.h"

#define MOST_EMPTY (EVENT_STORM_FREE_EVENTS + 1 + EVENT_STORM_DOUBLINGS)

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
		struct event_storm *storm = list_entry(link, struct event_storm, link);

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

void event_storm_init(struct event_storm *storm, struct loop_source *source)
{
	*storm = (struct event_storm){ .source = source };
	list_init(&storm->link);
	timer_start();
}

void event_storm_begin(struct event_storm *storm, uint32_t work)
{
	storm->work = work;
	storm->empty = 0;
	storm->event = false;
}

void event_storm_end(struct event_storm *storm)
{
	list_remove(&storm->link);
}

static void wait_begin(struct event_storm *storm)
{
	uint32_t doublings = storm->empty - EVENT_STORM_FREE_EVENTS - 1;

	storm->until_ns = loop_now_ns() + (EVENT_STORM_FIRST_NS << doublings);
	if (storm->until_ns < next_ns)
		next_ns = storm->until_ns;
	list_push_back(&waiting, &storm->link);
}

bool event_storm_may_unmask(struct event_storm *storm, uint32_t work)
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
	if (storm->empty <= EVENT_STORM_FREE_EVENTS)
		return true;
	wait_begin(storm);
	return false;
}
