/* SPDX-License-Identifier: ISC */
/* Running the hosted machine: calls into domains, and waiting for what they do. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "tests/host/internal.h"
#include "xen/fiber.h"
#include "xen/loop.h"

#define POLL_NS 1000000u

/* ---- calls into a domain ---- */

bool host_calls_run(struct host_domain *domain)
{
	struct host_machine *machine = domain->machine;
	bool any = false;

	pthread_mutex_lock(&machine->lock);
	while (!list_is_empty(&domain->calls)) {
		struct list *link = list_pop_front(&domain->calls);
		struct host_call *call = list_entry(link, struct host_call, link);

		pthread_mutex_unlock(&machine->lock);
		call->function(call->argument);
		pthread_mutex_lock(&machine->lock);
		call->done = true;
		any = true;
		pthread_cond_broadcast(&machine->changed);
	}
	pthread_mutex_unlock(&machine->lock);
	return any;
}

static void call_and_wait(struct host_domain *domain, struct host_call *call)
{
	struct host_machine *machine = domain->machine;

	pthread_mutex_lock(&machine->lock);
	if (domain->paused)
		host_fatal("%s is paused and takes no calls", domain->name);
	list_push_back(&domain->calls, &call->link);
	host_domain_wake(domain);
	while (!call->done)
		pthread_cond_wait(&machine->changed, &machine->lock);
	pthread_mutex_unlock(&machine->lock);
}

void host_call(struct host_domain *domain, void (*function)(void *argument), void *argument)
{
	struct host_call call = { .function = function, .argument = argument };
	struct host_domain *before = host_current();

	if (!host_domain_is_alive(domain))
		host_fatal("%s is dead and takes no calls", domain->name);
	if (before)
		host_fatal("host_call() is for the test's own code");
	if (domain->machine->options.mode == HOST_THREADS) {
		call_and_wait(domain, &call);
		return;
	}
	host_enter(domain);
	function(argument);
	host_enter(NULL);
}

struct fiber_call {
	struct host_domain *domain;
	void (*function)(void *argument);
	void *argument;
	int error;
	atomic_bool done;
};

static void fiber_call_main(void *argument)
{
	struct fiber_call *call = argument;

	call->function(call->argument);
	atomic_store(&call->done, true);
}

static void fiber_call_start(void *argument)
{
	struct fiber_call *call = argument;

	call->error = fiber_start("test", fiber_call_main, call);
}

static bool fiber_call_is_over(void *argument)
{
	struct fiber_call *call = argument;

	return atomic_load(&call->done) || !host_domain_is_alive(call->domain);
}

int host_call_fiber(struct host_domain *domain, void (*function)(void *argument), void *argument)
{
	struct fiber_call call = { .domain = domain, .function = function, .argument = argument };

	do
		host_call(domain, fiber_call_start, &call);
	while (call.error); /* only an injected fault */
	if (!host_run_until(domain->machine, fiber_call_is_over, &call, 60000000000u))
		host_fatal("a fiber of %s has not ended in 60 s", domain->name);
	return atomic_load(&call.done) ? 0 : -ESHUTDOWN;
}

void host_call_fiber_must(struct host_domain *domain, void (*function)(void *argument),
			  void *argument)
{
	if (host_call_fiber(domain, function, argument))
		host_fatal("%s died", domain->name);
}

/* ---- running ---- */

/* One round of every domain that may run, in an order drawn from the seed. */
static bool step_all(struct host_machine *machine)
{
	struct host_domain *turn[256];
	uint32_t count = 0;
	bool any = false;

	list_for_each(link, &machine->domains) {
		struct host_domain *domain = list_entry(link, struct host_domain, link);

		if (domain->alive && !domain->paused && count < 256)
			turn[count++] = domain;
	}
	for (uint32_t left = count; left; left--) {
		uint32_t pick = (uint32_t)(host_random(machine) % left);

		host_enter(turn[pick]);
		any |= loop_round();
		host_enter(NULL);
		turn[pick] = turn[left - 1];
		atomic_fetch_add(&machine->clock_ns, 1000);
	}
	return any;
}

/* When something happens by itself: now, when a domain has work; UINT64_MAX: never. */
static uint64_t next_event_ns(struct host_machine *machine)
{
	uint64_t next = UINT64_MAX;

	list_for_each(link, &machine->domains) {
		struct host_domain *domain = list_entry(link, struct host_domain, link);
		uint64_t at;

		if (!domain->alive || domain->paused)
			continue;
		host_enter(domain);
		at = host_domain_is_woken(domain) ? 0 : host_loop_next_ns(domain);
		host_enter(NULL);
		next = at < next ? at : next;
	}
	return next;
}

static bool run_stepped(struct host_machine *machine, bool (*condition)(void *argument),
			void *argument, uint64_t deadline)
{
	for (;;) {
		uint64_t next;

		if (condition(argument))
			return true;
		if (host_now_ns(machine) >= deadline)
			return false;
		if (step_all(machine))
			continue;
		next = next_event_ns(machine);
		next = next < deadline ? next : deadline;
		if (next > host_now_ns(machine))
			atomic_store(&machine->clock_ns, next);
	}
}

static bool run_threads(struct host_machine *machine, bool (*condition)(void *argument),
			void *argument, uint64_t deadline)
{
	for (;;) {
		uint64_t at = host_monotonic_ns() + POLL_NS;
		struct timespec until = { (time_t)(at / 1000000000u), (long)(at % 1000000000u) };

		if (condition(argument))
			return true;
		if (host_now_ns(machine) >= deadline)
			return false;
		pthread_mutex_lock(&machine->lock);
		pthread_cond_timedwait(&machine->changed, &machine->lock, &until);
		pthread_mutex_unlock(&machine->lock);
	}
}

bool host_run_until(struct host_machine *machine, bool (*condition)(void *argument), void *argument,
		    uint64_t timeout_ns)
{
	uint64_t deadline = host_now_ns(machine) + timeout_ns;

	if (host_current())
		host_fatal("host_run_until() is for the test's own code");
	if (machine->options.mode == HOST_STEPPED)
		return run_stepped(machine, condition, argument, deadline);
	return run_threads(machine, condition, argument, deadline);
}

static bool never(void *argument)
{
	(void)argument;
	return false;
}

void host_run_for(struct host_machine *machine, uint64_t ns)
{
	(void)!host_run_until(machine, never, NULL, ns);
}

struct inside {
	struct host_domain *domain;
	bool (*condition)(void *argument);
	void *argument;
	bool answer;
};

static void inside_ask(void *argument)
{
	struct inside *inside = argument;

	inside->answer = inside->condition(inside->argument);
}

static bool inside_holds(void *argument)
{
	struct inside *inside = argument;

	if (!host_domain_is_alive(inside->domain))
		return true;
	host_call(inside->domain, inside_ask, inside);
	return inside->answer;
}

bool host_run_until_in(struct host_domain *domain, bool (*condition)(void *argument),
		       void *argument, uint64_t timeout_ns)
{
	struct inside inside = { domain, condition, argument, false };

	return host_run_until(domain->machine, inside_holds, &inside, timeout_ns) && inside.answer;
}
