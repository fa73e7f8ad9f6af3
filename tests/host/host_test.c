/* SPDX-License-Identifier: ISC */
/* The hosted machine itself: domains, memory, fibers, the loop and time, both ways to run. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "tests/host/host.h"
#include "tests/host/suites.h"
#include "xen/fiber.h"
#include "xen/loop.h"

#define MS 1000000ull

static struct host_machine *machine_of(int mode)
{
	struct host_options options = host_options_default(HOST_STEPPED);

	options.mode = mode ? HOST_THREADS : HOST_STEPPED;
	return host_machine_create(&options);
}

/* ---- memory ---- */

static void memory_body(void *argument)
{
	uint8_t *first = memory_alloc_pages(3);
	uint8_t *second = memory_alloc_pages(1);

	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(second);
	ck_assert_uint_eq((uintptr_t)first % PAGE_BYTES, 0);
	for (size_t i = 0; i < 3 * PAGE_BYTES; i++)
		ck_assert_uint_eq(first[i], 0);
	ck_assert_uint_eq(memory_frame_of(first + PAGE_BYTES), memory_frame_of(first) + 1);
	ck_assert_uint_ne(memory_frame_of(first), (uintptr_t)first / PAGE_BYTES);
	ck_assert_uint_eq(memory_free_pages(), 4);
	ck_assert_ptr_null(memory_alloc_pages(5));
	*(uint64_t *)argument = memory_frame_of(first);
}

START_TEST(memory_is_zeroed_aligned_and_has_its_own_frame_numbers)
{
	struct host_machine *machine = machine_of(_i);
	struct host_domain *one = host_domain_create(machine, "one", 8);
	struct host_domain *two = host_domain_create(machine, "two", 8);
	uint64_t frame_one, frame_two;

	host_call(one, memory_body, &frame_one);
	host_call(two, memory_body, &frame_two);
	ck_assert_uint_ne(frame_one, frame_two);
	host_machine_destroy(machine);
}
END_TEST

static void frame_of_stranger(void *argument)
{
	(void)memory_frame_of(argument);
}

START_TEST(memory_frame_of_a_foreign_pointer_aborts)
{
	struct host_machine *machine = machine_of(0);
	struct host_domain *one = host_domain_create(machine, "one", 8);

	host_call(one, frame_of_stranger, machine);
}
END_TEST

/* ---- fibers and the loop ---- */

struct trace {
	char text[64];
	struct fiber_event event;
	struct loop_source source;
	uint32_t polls;
	int error;
	uint64_t took_ns;
};

static void trace_add(struct trace *trace, char letter)
{
	trace->text[strlen(trace->text)] = letter;
}

static void waiter_body(void *argument)
{
	struct trace *trace = argument;

	trace_add(trace, 'w');
	trace->error = fiber_event_wait(&trace->event, FIBER_FOREVER);
	trace_add(trace, 'W');
}

static void fibers_body(void *argument)
{
	struct trace *trace = argument;
	uint64_t start = clock_now_ns();

	fiber_event_init(&trace->event);
	ck_assert(fiber_is_current());
	ck_assert_int_eq(fiber_start("waiter", waiter_body, trace), 0);
	trace_add(trace, 'a');
	fiber_yield();
	trace_add(trace, 'b');
	fiber_event_signal(&trace->event);
	fiber_yield();
	trace_add(trace, 'c');
	/* Nobody waits now: remembered once, also when signalled twice. */
	fiber_event_signal(&trace->event);
	fiber_event_signal(&trace->event);
	ck_assert_int_eq(fiber_event_wait(&trace->event, clock_now_ns() + MS), 0);
	ck_assert_int_eq(fiber_event_wait(&trace->event, clock_now_ns() + 5 * MS), -ETIMEDOUT);
	fiber_sleep_until(clock_now_ns() + 5 * MS);
	trace->took_ns = clock_now_ns() - start;
}

START_TEST(fibers_wait_wake_and_time_out)
{
	struct host_machine *machine = machine_of(_i);
	struct host_domain *domain = host_domain_create(machine, "one", 8);
	struct trace trace = { 0 };
	struct host_counters counters;

	ck_assert_int_eq(host_call_fiber(domain, fibers_body, &trace), 0);
	ck_assert_str_eq(trace.text, "awbWc");
	ck_assert_int_eq(trace.error, 0);
	ck_assert_uint_ge(trace.took_ns, 10 * MS);
	ck_assert_uint_lt(trace.took_ns, 5000 * MS);
	counters = host_domain_counters(domain);
	ck_assert_uint_le(counters.fibers, 1); /* the test's own may be ending */
	host_machine_destroy(machine);
}
END_TEST

static bool source_poll(struct loop_source *source, uint32_t budget)
{
	struct trace *trace = list_entry(source, struct trace, source);

	ck_assert_uint_eq(budget, LOOP_BUDGET);
	trace->polls++;
	if (trace->polls == 5)
		loop_unschedule(source);
	return true;
}

static void source_start(void *argument)
{
	struct trace *trace = argument;

	loop_source_init(&trace->source, source_poll);
	loop_schedule(&trace->source);
	loop_schedule(&trace->source);
}

static bool polled_enough(void *argument)
{
	return ((struct trace *)argument)->polls >= 5;
}

START_TEST(a_source_is_polled_until_it_leaves)
{
	struct host_machine *machine = machine_of(_i);
	struct host_domain *domain = host_domain_create(machine, "one", 8);
	struct trace trace = { 0 };

	host_call(domain, source_start, &trace);
	ck_assert(host_run_until_in(domain, polled_enough, &trace, 1000 * MS));
	host_run_for(machine, 2 * MS);
	ck_assert_uint_eq(trace.polls, 5);
	host_machine_destroy(machine);
}
END_TEST

/* ---- the end of a domain ---- */

static void sleep_for_ever(void *argument)
{
	struct trace *trace = argument;

	fiber_event_init(&trace->event);
	(void)!fiber_event_wait(&trace->event, FIBER_FOREVER);
}

static void leave_things_behind(void *argument)
{
	void *volatile block = calloc(1, sizeof(struct trace)); /* volatile: not optimised out */

	(void)argument;
	ck_assert_int_eq(fiber_start("sleeper", sleep_for_ever, block), 0);
	block = malloc(100);
	block = realloc(block, 200);
	ck_assert_ptr_nonnull(block);
}

START_TEST(a_killed_domain_takes_its_memory_and_fibers_along)
{
	struct host_machine *machine = machine_of(_i);

	for (int i = 0; i < 20; i++) {
		struct host_domain *domain = host_domain_create(machine, "one", 30000);
		struct host_counters counters;

		host_call(domain, leave_things_behind, NULL);
		counters = host_domain_counters(domain);
		ck_assert_uint_eq(counters.fibers, 1);
		ck_assert_uint_eq(counters.allocations, 2);
		host_domain_kill(domain);
		ck_assert(!host_domain_is_alive(domain));
		counters = host_domain_counters(domain);
		ck_assert_uint_eq(counters.fibers, 0);
		ck_assert_uint_eq(counters.allocations, 0);
	}
	host_machine_destroy(machine);
}
END_TEST

static void malloc_refused(void *argument)
{
	void *volatile block = malloc(8);

	*(bool *)argument = block == NULL;
	free(block);
}

START_TEST(injected_faults_hit_only_their_domain)
{
	struct host_machine *machine = machine_of(_i);
	struct host_domain *one = host_domain_create(machine, "one", 8);
	struct host_domain *two = host_domain_create(machine, "two", 8);
	struct host_faults faults = { .malloc_one_in = 1 };
	bool refused;

	host_domain_set_faults(one, &faults);
	host_call(one, malloc_refused, &refused);
	ck_assert(refused);
	host_call(two, malloc_refused, &refused);
	ck_assert(!refused);
	host_machine_destroy(machine);
}
END_TEST

static bool time_has_come(void *argument)
{
	(void)argument;
	return false;
}

START_TEST(virtual_time_costs_nothing_and_repeats_with_the_seed)
{
	uint64_t draws[2];

	for (int run = 0; run < 2; run++) {
		struct host_options options = { .mode = HOST_STEPPED, .seed = 77 };
		struct host_machine *machine = host_machine_create(&options);
		struct trace trace = { 0 };
		struct host_domain *domain = host_domain_create(machine, "one", 8);

		ck_assert(!host_run_until(machine, time_has_come, NULL, 3600000 * MS));
		ck_assert_uint_ge(host_now_ns(machine), 3600000 * MS);
		ck_assert_int_eq(host_call_fiber(domain, fibers_body, &trace), 0);
		draws[run] = host_random(machine) ^ host_now_ns(machine);
		host_machine_destroy(machine);
	}
	ck_assert_uint_eq(draws[0], draws[1]);
}
END_TEST

TCase *host_machine_tests(void)
{
	TCase *tests = tcase_create("machine");

	tcase_add_loop_test(tests, memory_is_zeroed_aligned_and_has_its_own_frame_numbers, 0, 2);
	tcase_add_test_raise_signal(tests, memory_frame_of_a_foreign_pointer_aborts, SIGABRT);
	tcase_add_loop_test(tests, fibers_wait_wake_and_time_out, 0, 2);
	tcase_add_loop_test(tests, a_source_is_polled_until_it_leaves, 0, 2);
	tcase_add_loop_test(tests, a_killed_domain_takes_its_memory_and_fibers_along, 0, 2);
	tcase_add_loop_test(tests, injected_faults_hit_only_their_domain, 0, 2);
	tcase_add_test(tests, virtual_time_costs_nothing_and_repeats_with_the_seed);
	return tests;
}
