/* SPDX-License-Identifier: ISC */
#include "xen/fiber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/context.h"
#include "arch/x86/memory.h"
#include "lib/panic.h"

#define STACK_PAGES 4u
#define NAME_BYTES 16u

struct fiber {
	struct context context;
	struct list link;     /* in ready, or in an event's waiters */
	struct list sleeping; /* in sleepers, while a deadline counts */
	uint64_t deadline_ns;
	uint8_t *stack; /* guard page first */
	void (*entry)(void *argument);
	void *argument;
	bool timed_out;
	bool finished;
	char name[NAME_BYTES];
};

static struct list ready = { &ready, &ready };
static struct list sleepers = { &sleepers, &sleepers }; /* soonest first */
static struct list idle_stacks = { &idle_stacks, &idle_stacks };
static struct context loop_context;
static struct fiber *current;
static uint32_t count;

/* A finished fiber's stack holds its link while it waits for the next fiber. */
static uint8_t *stack_take(void)
{
	struct list *link = list_pop_front(&idle_stacks);
	uint8_t *stack;

	if (link)
		return (uint8_t *)link - PAGE_BYTES;
	stack = memory_alloc_pages(STACK_PAGES + 1);
	if (!stack || memory_protect_guard(stack))
		return NULL;
	return stack;
}

static void stack_give(uint8_t *stack)
{
	struct list *link = (struct list *)(void *)(stack + PAGE_BYTES);

	list_init(link);
	list_push_back(&idle_stacks, link);
}

static void fiber_main(void *argument)
{
	struct fiber *fiber = argument;

	fiber->entry(fiber->argument);
	fiber->finished = true;
	context_switch(&fiber->context, &loop_context);
	panic("fiber %s came back", fiber->name);
}

int fiber_start(const char *name, void (*entry)(void *argument), void *argument)
{
	struct fiber *fiber = calloc(1, sizeof(*fiber));

	if (!fiber)
		return -ENOMEM;
	fiber->stack = stack_take();
	if (!fiber->stack) {
		free(fiber);
		return -ENOMEM;
	}
	strncpy(fiber->name, name, sizeof(fiber->name) - 1);
	fiber->entry = entry;
	fiber->argument = argument;
	list_init(&fiber->link);
	list_init(&fiber->sleeping);
	context_init(&fiber->context, fiber->stack + (STACK_PAGES + 1) * PAGE_BYTES, fiber_main,
		     fiber);
	list_push_back(&ready, &fiber->link);
	count++;
	return 0;
}

static struct fiber *current_fiber(void)
{
	if (!current)
		panic("a fiber's call outside of a fiber");
	return current;
}

static void leave(void)
{
	context_switch(&current->context, &loop_context);
}

void fiber_yield(void)
{
	list_push_back(&ready, &current_fiber()->link);
	leave();
}

static void sleepers_insert(struct fiber *fiber, uint64_t deadline_ns)
{
	struct list *place = sleepers.next;

	fiber->deadline_ns = deadline_ns;
	fiber->timed_out = false;
	if (deadline_ns == FIBER_FOREVER)
		return;
	while (place != &sleepers &&
	       list_entry(place, struct fiber, sleeping)->deadline_ns <= deadline_ns)
		place = place->next;
	list_push_back(place, &fiber->sleeping);
}

void fiber_sleep_until(uint64_t deadline_ns)
{
	sleepers_insert(current_fiber(), deadline_ns);
	leave();
}

void fiber_event_init(struct fiber_event *event)
{
	list_init(&event->waiters);
	event->signalled = false;
}

void fiber_event_signal(struct fiber_event *event)
{
	struct list *link;

	if (list_is_empty(&event->waiters)) {
		event->signalled = true;
		return;
	}
	while ((link = list_pop_front(&event->waiters))) {
		struct fiber *fiber = list_entry(link, struct fiber, link);

		list_remove(&fiber->sleeping);
		list_push_back(&ready, &fiber->link);
	}
}

int fiber_event_wait(struct fiber_event *event, uint64_t deadline_ns)
{
	struct fiber *fiber = current_fiber();

	if (event->signalled) {
		event->signalled = false;
		return 0;
	}
	list_push_back(&event->waiters, &fiber->link);
	sleepers_insert(fiber, deadline_ns);
	leave();
	return fiber->timed_out ? -ETIMEDOUT : 0;
}

bool fiber_is_current(void)
{
	return current != NULL;
}

static void sleepers_wake(uint64_t now_ns)
{
	while (!list_is_empty(&sleepers)) {
		struct fiber *fiber = list_entry(sleepers.next, struct fiber, sleeping);

		if (fiber->deadline_ns > now_ns)
			return;
		list_remove(&fiber->sleeping);
		list_remove(&fiber->link); /* out of the event it waited for */
		fiber->timed_out = true;
		list_push_back(&ready, &fiber->link);
	}
}

static void fiber_finish(struct fiber *fiber)
{
	stack_give(fiber->stack);
	free(fiber);
	count--;
}

bool fiber_run_ready(uint64_t now_ns)
{
	struct list batch;
	struct list *link;
	bool ran = false;

	sleepers_wake(now_ns);
	list_init(&batch);
	while ((link = list_pop_front(&ready)))
		list_push_back(&batch, link);
	while ((link = list_pop_front(&batch))) {
		struct fiber *fiber = list_entry(link, struct fiber, link);

		current = fiber;
		context_switch(&loop_context, &fiber->context);
		current = NULL;
		ran = true;
		if (fiber->finished)
			fiber_finish(fiber);
	}
	return ran;
}

uint64_t fiber_next_ns(void)
{
	if (!list_is_empty(&ready))
		return 0;
	if (list_is_empty(&sleepers))
		return UINT64_MAX;
	return list_entry(sleepers.next, struct fiber, sleeping)->deadline_ns;
}

uint32_t fiber_count(void)
{
	return count;
}
