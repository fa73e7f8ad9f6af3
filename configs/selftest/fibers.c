/* SPDX-License-Identifier: ISC */
/* Fibers and sources of the loop. */
#include "configs/selftest/selftest.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "xen/fiber.h"
#include "xen/loop.h"

#define MANY 10000u
#define AT_ONCE 20u
#define SLEEPERS 10u
#define MS 1000000ull
#define POLLS 10u

static unsigned int ran, woken, timed_out;
static unsigned int order[SLEEPERS];
static struct fiber_event event;

static void once(void *argument)
{
	(void)argument;
	ran++;
}

static void waiter(void *argument)
{
	int error = fiber_event_wait(&event, clock_now_ns() + *(const uint64_t *)argument);

	if (error == 0)
		woken++;
	else if (error == -ETIMEDOUT)
		timed_out++;
}

static void sleeper(void *argument)
{
	const unsigned int *place = argument;

	/* The last one sleeps shortest. */
	fiber_sleep_until(loop_now_ns() + (SLEEPERS - *place) * 5 * MS);
	order[ran++] = *place;
}

static bool start(unsigned int count, void (*entry)(void *), void *argument)
{
	for (unsigned int i = 0; i < count; i++)
		if (fiber_start("test", entry, argument))
			return CHECK(!"a fiber cannot be started");
	return true;
}

static size_t heap_used(void)
{
	struct mallinfo heap = mallinfo();

	return (size_t)heap.uordblks;
}

static void nothing_leaks(void)
{
	uint32_t fibers = fiber_count();
	size_t pages, heap;

	ran = 0;
	start(AT_ONCE, once, NULL); /* makes the stacks that are used again */
	fiber_yield();
	CHECK_EQUAL(ran, AT_ONCE);
	pages = memory_free_pages();
	heap = heap_used();
	for (unsigned int i = 0; i < MANY / AT_ONCE; i++) {
		if (!start(AT_ONCE, once, NULL))
			return;
		fiber_yield();
	}
	CHECK_EQUAL(ran, AT_ONCE + MANY);
	CHECK_EQUAL(memory_free_pages(), pages);
	CHECK_EQUAL(heap_used(), heap);
	CHECK_EQUAL(fiber_count(), fibers);
}

static void events_wake(void)
{
	uint64_t soon = 20 * MS, late = 10000 * MS;

	fiber_event_init(&event);
	fiber_event_signal(&event);
	fiber_event_signal(&event);
	CHECK_EQUAL(fiber_event_wait(&event, clock_now_ns()), 0);
	CHECK_EQUAL(fiber_event_wait(&event, clock_now_ns()), -ETIMEDOUT);
	woken = timed_out = 0;
	start(3, waiter, &late);
	start(2, waiter, &soon);
	fiber_yield();
	fiber_sleep_until(clock_now_ns() + 60 * MS);
	CHECK_EQUAL(timed_out, 2);
	CHECK_EQUAL(woken, 0);
	fiber_event_signal(&event);
	fiber_yield();
	CHECK_EQUAL(woken, 3);
	CHECK_EQUAL(timed_out, 2);
	CHECK(!event.signalled);
}

static void sleepers_in_order(void)
{
	static unsigned int places[SLEEPERS];
	unsigned int wrong = 0;

	ran = 0;
	for (unsigned int i = 0; i < SLEEPERS; i++) {
		places[i] = i;
		start(1, sleeper, &places[i]);
	}
	fiber_sleep_until(clock_now_ns() + 200 * MS);
	CHECK_EQUAL(ran, SLEEPERS);
	for (unsigned int i = 0; i < SLEEPERS; i++)
		wrong += order[i] != SLEEPERS - 1 - i;
	CHECK_EQUAL(wrong, 0);
}

/* ---- sources ---- */

static struct loop_source greedy, modest;
static unsigned int greedy_polls, modest_polls;

static bool greedy_poll(struct loop_source *source, uint32_t budget)
{
	(void)source;
	CHECK_EQUAL(budget, LOOP_BUDGET);
	return ++greedy_polls < POLLS;
}

static bool modest_poll(struct loop_source *source, uint32_t budget)
{
	(void)budget;
	loop_unschedule(source);
	loop_unschedule(&greedy);
	modest_polls++;
	return false;
}

static void sources(void)
{
	loop_source_init(&greedy, greedy_poll);
	loop_source_init(&modest, modest_poll);
	loop_schedule(&greedy);
	loop_schedule(&greedy);
	fiber_yield();
	CHECK_EQUAL(greedy_polls, 1); /* once a round: fibers have their turn */
	for (unsigned int i = 0; i < 2 * POLLS; i++)
		fiber_yield();
	CHECK_EQUAL(greedy_polls, POLLS);
	loop_schedule(&modest);
	loop_schedule(&greedy);
	fiber_yield();
	CHECK_EQUAL(modest_polls, 1);
	CHECK_EQUAL(greedy_polls, POLLS); /* taken out by the one before it */
}

void selftest_fibers(void)
{
	CHECK(fiber_is_current());
	nothing_leaks();
	events_wake();
	sleepers_in_order();
	sources();
}
