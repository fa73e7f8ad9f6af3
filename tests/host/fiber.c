/* SPDX-License-Identifier: ISC */
/*
 * Fibers of the hosted machine. The sanitizers are told of every switch. Stacks are
 * larger than the kernel's, as instrumented code needs more.
 */
#include "xen/fiber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/host/internal.h"
#include "tests/host/sanitizer.h"

#define STACK_BYTES (256u * 1024u)
#define GUARD_BYTES 4096u

struct fiber {
	struct list link;	/* ready, or in an event's waiters */
	struct list sleep_link; /* in the sleepers, when it has a deadline */
	struct list all_link;
	struct host_domain *domain;
	struct context context;
	uint8_t *memory; /* guard page, then the stack */
	void *fake_stack;
	void *tsan;
	void (*entry)(void *argument);
	void *argument;
	uint64_t deadline_ns;
	bool timed_out;
	bool finished;
	char name[16];
};

void host_fiber_add_domain(struct host_domain *domain)
{
	list_init(&domain->fibers_ready);
	list_init(&domain->fibers_sleeping);
	list_init(&domain->fibers_all);
}

static void fiber_free(struct fiber *fiber)
{
	list_remove(&fiber->link);
	list_remove(&fiber->sleep_link);
	list_remove(&fiber->all_link);
	fiber->domain->fiber_count--;
	tsan_destroy(fiber->tsan);
	asan_forget_stack(fiber->memory, GUARD_BYTES + STACK_BYTES);
	munmap(fiber->memory, GUARD_BYTES + STACK_BYTES);
	host_alloc_free(fiber);
}

/* The domain died: its fibers go as they stand, whatever they wait for. */
void host_fiber_remove_domain(struct host_domain *domain)
{
	list_for_each_safe(link, spare, &domain->fibers_all) {
		struct fiber *fiber = list_entry(link, struct fiber, all_link);

		/* The lists of waiters may lie in memory that is gone already. */
		list_init(&fiber->link);
		list_init(&fiber->sleep_link);
		fiber_free(fiber);
	}
	host_fiber_add_domain(domain);
}

/* ---- switching ---- */

/* From a fiber to the loop. */
static void switch_to_loop(struct fiber *fiber)
{
	struct host_domain *domain = fiber->domain;

	asan_start_switch(fiber->finished ? NULL : &fiber->fake_stack, domain->loop_stack,
			  domain->loop_stack_size);
	tsan_switch(domain->loop_tsan);
	context_switch(&fiber->context, &domain->loop_context);
	asan_finish_switch(fiber->fake_stack, &domain->loop_stack, &domain->loop_stack_size);
}

/* From the loop to a fiber, until it waits or ends. */
static void switch_to_fiber(struct fiber *fiber)
{
	struct host_domain *domain = fiber->domain;

	domain->fiber_current = fiber;
	domain->loop_tsan = tsan_current();
	asan_start_switch(&domain->loop_fake_stack, fiber->memory + GUARD_BYTES, STACK_BYTES);
	tsan_switch(fiber->tsan);
	context_switch(&domain->loop_context, &fiber->context);
	asan_finish_switch(domain->loop_fake_stack, NULL, NULL);
	domain->fiber_current = NULL;
	if (fiber->finished)
		fiber_free(fiber);
}

static void fiber_main(void *argument)
{
	struct fiber *fiber = argument;
	struct host_domain *domain = fiber->domain;

	asan_finish_switch(NULL, &domain->loop_stack, &domain->loop_stack_size);
	fiber->entry(fiber->argument);
	fiber->finished = true;
	switch_to_loop(fiber);
	host_fatal("a finished fiber ran again");
}

int fiber_start(const char *name, void (*entry)(void *argument), void *argument)
{
	struct host_domain *domain = host_self();
	struct fiber *fiber;

	if (host_fault(domain, domain->faults.malloc_one_in))
		return -ENOMEM;
	fiber = host_alloc(sizeof(*fiber));
	fiber->memory = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fiber->memory == MAP_FAILED || mprotect(fiber->memory, GUARD_BYTES, PROT_NONE))
		host_fatal("no memory for a fiber's stack");
	fiber->domain = domain;
	fiber->entry = entry;
	fiber->argument = argument;
	strncpy(fiber->name, name, sizeof(fiber->name) - 1);
	fiber->tsan = tsan_create();
	context_init(&fiber->context, fiber->memory + GUARD_BYTES + STACK_BYTES, fiber_main, fiber);
	list_init(&fiber->sleep_link);
	list_init(&fiber->link);
	list_push_back(&domain->fibers_ready, &fiber->link);
	list_push_back(&domain->fibers_all, &fiber->all_link);
	domain->fiber_count++;
	return 0;
}

static struct fiber *fiber_self(const char *what)
{
	struct fiber *fiber = host_self()->fiber_current;

	if (!fiber)
		host_fatal("%s: %s is only allowed in a fiber", host_self()->name, what);
	return fiber;
}

void fiber_yield(void)
{
	struct fiber *fiber = fiber_self("fiber_yield");

	list_push_back(&fiber->domain->fibers_ready, &fiber->link);
	switch_to_loop(fiber);
}

static void sleep_with_deadline(struct fiber *fiber, uint64_t deadline_ns)
{
	fiber->timed_out = false;
	fiber->deadline_ns = deadline_ns;
	if (deadline_ns != FIBER_FOREVER)
		list_push_back(&fiber->domain->fibers_sleeping, &fiber->sleep_link);
	switch_to_loop(fiber);
}

void fiber_sleep_until(uint64_t deadline_ns)
{
	sleep_with_deadline(fiber_self("fiber_sleep_until"), deadline_ns);
}

/* ---- events ---- */

void fiber_event_init(struct fiber_event *event)
{
	list_init(&event->waiters);
	event->signalled = false;
}

static void make_ready(struct fiber *fiber)
{
	list_remove(&fiber->link);
	list_remove(&fiber->sleep_link);
	list_push_back(&fiber->domain->fibers_ready, &fiber->link);
}

void fiber_event_signal(struct fiber_event *event)
{
	const struct host_domain *self = host_self();

	if (list_is_empty(&event->waiters)) {
		event->signalled = true;
		return;
	}
	while (!list_is_empty(&event->waiters)) {
		struct fiber *fiber = list_entry(event->waiters.next, struct fiber, link);

		if (fiber->domain != self)
			host_fatal("%s signals a fiber of %s", self->name, fiber->domain->name);
		make_ready(fiber);
	}
}

int fiber_event_wait(struct fiber_event *event, uint64_t deadline_ns)
{
	struct fiber *fiber = fiber_self("fiber_event_wait");

	if (event->signalled) {
		event->signalled = false;
		return 0;
	}
	list_push_back(&event->waiters, &fiber->link);
	sleep_with_deadline(fiber, deadline_ns);
	return fiber->timed_out ? -ETIMEDOUT : 0;
}

/* ---- for the loop ---- */

bool fiber_is_current(void)
{
	return host_self()->fiber_current != NULL;
}

static void wake_sleepers(struct host_domain *domain, uint64_t now_ns)
{
	list_for_each_safe(link, spare, &domain->fibers_sleeping) {
		struct fiber *fiber = list_entry(link, struct fiber, sleep_link);

		if (fiber->deadline_ns > now_ns)
			continue;
		fiber->timed_out = true;
		make_ready(fiber);
	}
}

bool fiber_run_ready(uint64_t now_ns)
{
	struct host_domain *domain = host_self();
	uint32_t count = 0;
	bool any;

	wake_sleepers(domain, now_ns);
	list_for_each(link, &domain->fibers_ready)
		count++;
	any = count > 0;
	while (count-- && !list_is_empty(&domain->fibers_ready)) {
		struct list *link = list_pop_front(&domain->fibers_ready);

		switch_to_fiber(list_entry(link, struct fiber, link));
	}
	return any;
}

uint64_t fiber_next_ns(void)
{
	struct host_domain *domain = host_self();
	uint64_t next = UINT64_MAX;

	if (!list_is_empty(&domain->fibers_ready))
		return 0;
	list_for_each(link, &domain->fibers_sleeping) {
		uint64_t deadline = list_entry(link, struct fiber, sleep_link)->deadline_ns;

		next = deadline < next ? deadline : next;
	}
	return next;
}

uint32_t fiber_count(void)
{
	return host_self()->fiber_count;
}
