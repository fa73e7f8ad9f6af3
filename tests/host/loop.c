/* SPDX-License-Identifier: ISC */
/*
 * The loop of a hosted domain: the same rounds as in the kernel, and idling on a
 * condition variable instead of SCHEDOP_block.
 */
#include "xen/loop.h"

#include <errno.h>
#include <time.h>

#include "arch/x86/clock.h"
#include "tests/host/internal.h"
#include "xen/evtchn.h"
#include "xen/fiber.h"

void host_loop_add_domain(struct host_domain *domain)
{
	list_init(&domain->sources);
	list_init(&domain->timers);
}

void loop_init(void)
{
	struct host_domain *self = host_self();

	host_loop_add_domain(self);
	self->stop = false;
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
		list_push_back(&host_self()->sources, &source->link);
}

void loop_unschedule(struct loop_source *source)
{
	struct host_domain *self = host_self();

	list_remove(&source->link);
	if (self->polling == source)
		self->polling_gone = true;
}

void loop_add_timer(struct loop_timer *timer)
{
	list_push_back(&host_self()->timers, &timer->link);
}

uint64_t loop_now_ns(void)
{
	return host_self()->now_ns;
}

const struct loop_stats *loop_stats_get(void)
{
	return &host_self()->loop_stats;
}

/* A source that took itself out in its own poll may be freed: it is not touched again. */
static void poll_one(struct host_domain *self, struct loop_source *source)
{
	bool more;

	self->polling = source;
	self->polling_gone = false;
	self->loop_stats.polls++;
	more = source->poll(source, LOOP_BUDGET);
	self->polling = NULL;
	if (more && !self->polling_gone)
		loop_schedule(source);
}

static bool poll_sources(struct host_domain *self)
{
	struct list round;
	bool any = false;

	list_init(&round);
	while (!list_is_empty(&self->sources))
		list_push_back(&round, list_pop_front(&self->sources));
	while (!list_is_empty(&round)) {
		poll_one(self, list_entry(list_pop_front(&round), struct loop_source, link));
		any = true;
	}
	return any;
}

static bool run_timers(struct host_domain *self)
{
	bool any = false;

	list_for_each_safe(link, spare, &self->timers) {
		struct loop_timer *timer = list_entry(link, struct loop_timer, link);

		any |= timer->next_ns(timer) <= self->now_ns;
		timer->run(timer, self->now_ns);
	}
	return any;
}

bool loop_round(void)
{
	struct host_domain *self = host_self();
	bool any = false;

	self->now_ns = clock_now_ns();
	self->loop_stats.rounds++;
	any |= host_calls_run(self);
	any |= host_store_dispatch();
	any |= evtchn_dispatch() > 0;
	any |= poll_sources(self);
	any |= fiber_run_ready(self->now_ns);
	any |= run_timers(self);
	return any;
}

uint64_t host_loop_next_ns(struct host_domain *domain)
{
	uint64_t next = list_is_empty(&domain->sources) ? fiber_next_ns() : 0;

	list_for_each(link, &domain->timers) {
		struct loop_timer *timer = list_entry(link, struct loop_timer, link);
		uint64_t deadline = timer->next_ns(timer);

		next = deadline < next ? deadline : next;
	}
	return next;
}

/* Sleeps until something wakes the domain or the deadline. A pause also lasts here. */
static void idle(struct host_domain *self, uint64_t deadline_ns)
{
	struct host_machine *machine = self->machine;
	uint64_t at = atomic_load(&machine->clock_ns) + deadline_ns;
	struct timespec until = { (time_t)(at / 1000000000u), (long)(at % 1000000000u) };
	int error = 0;

	pthread_mutex_lock(&machine->lock);
	if (!host_domain_is_woken(self) && !self->paused)
		self->loop_stats.idles++;
	while (!self->kill &&
	       (self->paused || (!host_domain_is_woken(self) && error != ETIMEDOUT))) {
		if (deadline_ns == UINT64_MAX || self->paused)
			pthread_cond_wait(&self->wake, &machine->lock);
		else
			error = pthread_cond_timedwait(&self->wake, &machine->lock, &until);
	}
	pthread_mutex_unlock(&machine->lock);
}

static bool is_to_stop(struct host_domain *self)
{
	bool kill;

	pthread_mutex_lock(&self->machine->lock);
	kill = self->kill;
	pthread_mutex_unlock(&self->machine->lock);
	return kill || self->stop;
}

void loop_run(void)
{
	struct host_domain *self = host_self();

	while (!is_to_stop(self)) {
		(void)loop_round();
		idle(self, host_loop_next_ns(self));
	}
}

void loop_stop(void)
{
	host_self()->stop = true;
}
