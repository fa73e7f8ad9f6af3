/* SPDX-License-Identifier: ISC */
#include "xen/loop.h"

#include <stddef.h>

#include <xen/xen.h>

#include "arch/x86/clock.h"
#include "arch/x86/traps.h"
#include "xen/evtchn.h"
#include "xen/fiber.h"

/* The first correction of a timer that fired early: less than any wait that matters. */
#define EARLY_STEP_NS 20000u

static struct list scheduled = { &scheduled, &scheduled };
static struct list timers = { &timers, &timers };
static struct loop_stats stats;
static uint64_t now_ns;
static uint64_t armed_ns = UINT64_MAX;
static bool timer_fired;
static bool stopping;

void loop_init(void)
{
	list_init(&scheduled);
	list_init(&timers);
	stopping = false;
	now_ns = clock_now_ns();
}

static void timer_event(void *context)
{
	(void)context;
	timer_fired = true;
}

int loop_bind_timer(void)
{
	evtchn_port port;

	return evtchn_bind_virq(VIRQ_TIMER, timer_event, NULL, &port);
}

void loop_source_init(struct loop_source *source,
		      bool (*poll)(struct loop_source *source, uint32_t budget))
{
	list_init(&source->link);
	source->poll = poll;
}

void loop_schedule(struct loop_source *source)
{
	if (list_is_empty(&source->link))
		list_push_back(&scheduled, &source->link);
}

void loop_unschedule(struct loop_source *source)
{
	list_remove(&source->link);
}

void loop_add_timer(struct loop_timer *timer)
{
	list_push_back(&timers, &timer->link);
}

uint64_t loop_now_ns(void)
{
	return now_ns;
}

/*
 * Polls what was scheduled when the round began, once each. A source may take itself
 * or another one out, so the list is emptied from its front and never walked.
 */
static bool sources_poll(void)
{
	struct list batch;
	struct list *link;
	bool any = false;

	list_init(&batch);
	while ((link = list_pop_front(&scheduled)))
		list_push_back(&batch, link);
	while ((link = list_pop_front(&batch))) {
		struct loop_source *source = list_entry(link, struct loop_source, link);

		any = true;
		stats.polls++;
		if (source->poll(source, LOOP_BUDGET))
			loop_schedule(source);
	}
	return any;
}

bool loop_round(void)
{
	bool any;

	stats.rounds++;
	now_ns = clock_now_ns();
	any = evtchn_dispatch() > 0;
	if (sources_poll())
		any = true;
	if (fiber_run_ready(now_ns))
		any = true;
	list_for_each(link, &timers) {
		struct loop_timer *timer = list_entry(link, struct loop_timer, link);

		timer->run(timer, now_ns);
	}
	return any;
}

static uint64_t next_deadline(void)
{
	uint64_t deadline = fiber_next_ns();

	list_for_each(link, &timers) {
		struct loop_timer *timer = list_entry(link, struct loop_timer, link);
		uint64_t next = timer->next_ns(timer);

		if (next < deadline)
			deadline = next;
	}
	return deadline;
}

/*
 * Where Xen's time and ours differ, the timer fires before the deadline by our clock.
 * Then it is set anew, each time twice as much later: set to the same time it would
 * fire at once, and again, until our clock is there too.
 */
static void timer_arm(uint64_t deadline_ns)
{
	static uint64_t later_ns;

	if (!timer_fired || deadline_ns != armed_ns || deadline_ns == UINT64_MAX)
		later_ns = 0;
	else
		later_ns = later_ns ? 2 * later_ns : EARLY_STEP_NS;
	timer_fired = false;
	armed_ns = deadline_ns;
	clock_set_deadline(deadline_ns + later_ns);
}

/*
 * Waits, unless there is something to do. An empty round is no condition: it would cost
 * one more look at the clock for every wait, which Xen may have to emulate.
 */
static void idle(void)
{
	uint64_t deadline;

	if (!list_is_empty(&scheduled) || evtchn_is_pending())
		return;
	deadline = next_deadline();
	if (deadline <= now_ns)
		return;
	timer_arm(deadline);
	stats.idles++;
	arch_cpu_idle();
}

void loop_run(void)
{
	while (!stopping) {
		(void)loop_round();
		idle();
	}
}

void loop_stop(void)
{
	stopping = true;
}

const struct loop_stats *loop_stats_get(void)
{
	return &stats;
}
