/* SPDX-License-Identifier: ISC */
/* The hosted store: rights, quotas, transactions and watches, as guests see them. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "tests/host/host.h"
#include "tests/host/suites.h"
#include "tests/host/toolstack.h"
#include "xen/store.h"

#define MS 1000000ull

struct world {
	struct host_machine *machine;
	struct host_domain *one;
	struct host_domain *two;
};

static void world_begin(struct world *world, int mode)
{
	struct host_options options = host_options_default(HOST_STEPPED);

	options.mode = mode ? HOST_THREADS : HOST_STEPPED;
	world->machine = host_machine_create(&options);
	world->one = host_domain_create(world->machine, "one", 8);
	world->two = host_domain_create(world->machine, "two", 8);
}

static void run(struct host_domain *domain, void (*body)(void *argument), void *argument)
{
	ck_assert_int_eq(host_call_fiber(domain, body, argument), 0);
}

/* ---- values ---- */

static void values_body(void *argument)
{
	char text[16];
	uint64_t number;
	struct store_list list;

	(void)argument;
	ck_assert_int_eq(store_write(0, "data/a", "hello"), 0);
	ck_assert_int_eq(store_read(0, "data/a", text, sizeof(text)), 5);
	ck_assert_str_eq(text, "hello");
	ck_assert_int_eq(store_read(0, "data/a", text, 5), -E2BIG);
	ck_assert_int_eq(store_read(0, "data/missing", text, sizeof(text)), -ENOENT);
	ck_assert_int_eq(store_read(0, "data//a", text, sizeof(text)), -EINVAL);
	ck_assert_int_eq(store_writef(0, "data/n", "%u", 4096), 0);
	ck_assert_int_eq(store_read_u64(0, "data/n", &number), 0);
	ck_assert_uint_eq(number, 4096);
	ck_assert_int_eq(store_read_u64(0, "data/a", &number), -EINVAL);
	ck_assert_int_eq(store_write(0, "data/n", "18446744073709551616"), 0);
	ck_assert_int_eq(store_read_u64(0, "data/n", &number), -EINVAL);
	ck_assert_int_eq(store_write(0, "data/n", ""), 0);
	ck_assert_int_eq(store_read_u64(0, "data/n", &number), -EINVAL);
	ck_assert_int_eq(store_list(0, "data", 10, &list), 0);
	ck_assert_uint_eq(list.count, 2);
	ck_assert_str_eq(list.names[0], "a");
	ck_assert_str_eq(list.names[1], "n");
	store_list_free(&list);
	ck_assert_int_eq(store_list(0, "data", 1, &list), -E2BIG);
	ck_assert_int_eq(store_remove(0, "data/a"), 0);
	ck_assert_int_eq(store_remove(0, "data/a"), 0);
	ck_assert_int_eq(store_remove(0, "data/x/y"), -ENOENT);
	ck_assert_int_eq(store_read(0, "data/a", text, sizeof(text)), -ENOENT);
}

START_TEST(values_are_written_read_listed_and_removed)
{
	struct world world;

	world_begin(&world, _i);
	run(world.one, values_body, NULL);
	ck_assert_uint_eq(host_domain_counters(world.one).allocations, 0);
	host_machine_destroy(world.machine);
}
END_TEST

static void outside_fiber(void *argument)
{
	(void)argument;
	(void)!store_write(0, "data/a", "b");
}

START_TEST(asking_outside_a_fiber_aborts)
{
	struct world world;

	world_begin(&world, 0);
	host_call(world.one, outside_fiber, NULL);
}
END_TEST

/* ---- rights ---- */

static void rights_body(void *argument)
{
	static const char *const open[] = { "n1", "r2" };
	static const char *const given_away[] = { "n2" };
	const char *theirs = argument;
	char text[64];

	ck_assert_int_eq(store_write(0, theirs, "x"), -EACCES);
	ck_assert_int_eq(store_read(0, theirs, text, sizeof(text)), -EACCES);
	ck_assert_int_eq(store_write(0, "device/vif/0/state", "1"), -EACCES);
	ck_assert_int_eq(store_write(0, "data/mine", "1"), 0);
	ck_assert_int_eq(store_set_permissions("data/mine", open, 2), 0);
	ck_assert_int_eq(store_get_permissions("data/mine", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "n1 r2");
	ck_assert_int_eq(store_set_permissions("data/mine", given_away, 1), -EPERM);
	ck_assert_int_eq(store_set_permissions("name", open, 2), -EACCES);
	ck_assert_int_eq(store_read(0, "name", text, sizeof(text)), 3);
}

static void reader_body(void *argument)
{
	char text[64];

	(void)argument;
	ck_assert_int_eq(store_read(0, "/local/domain/1/data/mine", text, sizeof(text)), 1);
	ck_assert_int_eq(store_write(0, "/local/domain/1/data/mine", "2"), -EACCES);
	ck_assert_int_eq(store_remove(0, "/local/domain/1/data/mine"), -EACCES);
	ck_assert_int_eq(store_read(0, "/local/domain/1/data/none", text, sizeof(text)), -EACCES);
}

START_TEST(rights_are_kept)
{
	struct world world;

	world_begin(&world, 0);
	run(world.one, rights_body, (void *)(uintptr_t) "/local/domain/2/data/a");
	run(world.two, reader_body, NULL);
	host_machine_destroy(world.machine);
}
END_TEST

static void quota_body(void *argument)
{
	struct store_watch *watches = argument;
	struct fiber_event event;
	store_transaction t;
	int error = 0;
	uint32_t i;

	fiber_event_init(&event);
	for (i = 0, error = 0; i < 1100 && !error; i++) {
		char path[32];

		snprintf(path, sizeof(path), "data/n%u", i);
		error = store_write(0, path, "");
	}
	ck_assert_int_eq(error, -EDQUOT);
	ck_assert_uint_gt(i, 900);
	for (i = 0, error = 0; i < 200 && !error; i++)
		error = store_watch_add(&watches[i], "data", &event);
	ck_assert_int_eq(error, -E2BIG);
	ck_assert_uint_eq(store_watch_count(), 128);
	for (i = 0; i < 128; i++)
		store_watch_remove(&watches[i]);
	for (i = 0, error = 0; i < 20 && !error; i++)
		error = store_transaction_start(&t);
	ck_assert_uint_eq(i, 11);
	ck_assert_int_eq(error, -ENOSPC);
}

START_TEST(quotas_bind_a_domain)
{
	struct world world;
	struct store_watch *watches = calloc(200, sizeof(*watches));
	struct host_counters counters;

	world_begin(&world, 0);
	run(world.one, quota_body, watches);
	counters = host_domain_counters(world.one);
	ck_assert_uint_eq(counters.nodes, 1000);
	ck_assert_uint_eq(counters.watches, 0);
	ck_assert_uint_eq(counters.transactions, 10);
	host_machine_destroy(world.machine);
	free(watches);
}
END_TEST

/* ---- transactions ---- */

static void transaction_body(void *argument)
{
	struct host_machine *machine = argument;
	store_transaction t;
	char text[16];

	/* What is done inside is seen inside, and outside only after the commit. */
	ck_assert_int_eq(store_transaction_start(&t), 0);
	ck_assert_int_eq(store_write(t, "data/a/b", "1"), 0);
	ck_assert_int_eq(store_read(t, "data/a/b", text, sizeof(text)), 1);
	ck_assert_int_eq(store_read(0, "data/a/b", text, sizeof(text)), -ENOENT);
	ck_assert_int_eq(store_read(t, "data/a", text, sizeof(text)), 0);
	ck_assert_int_eq(store_transaction_end(t, true), 0);
	ck_assert_int_eq(store_read(0, "data/a/b", text, sizeof(text)), 1);

	/* Given up: nothing happened. */
	ck_assert_int_eq(store_transaction_start(&t), 0);
	ck_assert_int_eq(store_remove(t, "data/a"), 0);
	ck_assert_int_eq(store_read(t, "data/a/b", text, sizeof(text)), -ENOENT);
	ck_assert_int_eq(store_transaction_end(t, false), 0);
	ck_assert_int_eq(store_read(0, "data/a/b", text, sizeof(text)), 1);

	/* Somebody changed what was read: all again. */
	ck_assert_int_eq(store_transaction_start(&t), 0);
	ck_assert_int_eq(store_read(t, "data/a/b", text, sizeof(text)), 1);
	host_store_write(machine, "/local/domain/1/data/a/b", "2");
	ck_assert_int_eq(store_write(t, "data/c", "3"), 0);
	ck_assert_int_eq(store_transaction_end(t, true), -EAGAIN);
	ck_assert_int_eq(store_read(0, "data/c", text, sizeof(text)), -ENOENT);

	/* A change elsewhere is no conflict. */
	ck_assert_int_eq(store_transaction_start(&t), 0);
	ck_assert_int_eq(store_write(t, "data/a/b", "4"), 0);
	host_store_write(machine, "/local/domain/2/data/z", "2");
	ck_assert_int_eq(store_transaction_end(t, true), 0);

	/* Replacing a tree in one transaction conflicts with nobody. */
	ck_assert_int_eq(store_transaction_start(&t), 0);
	ck_assert_int_eq(store_remove(t, "data/a"), 0);
	ck_assert_int_eq(store_mkdir(t, "data/a"), 0);
	ck_assert_int_eq(store_write(t, "data/a/b", "5"), 0);
	ck_assert_int_eq(store_transaction_end(t, true), 0);
	ck_assert_int_eq(store_transaction_end(t, true), -ENOENT);
	ck_assert_int_eq(store_read(t, "data/a/b", text, sizeof(text)), -ENOENT);
}

START_TEST(transactions_are_whole_and_notice_conflicts)
{
	struct world world;

	world_begin(&world, _i);
	run(world.one, transaction_body, world.machine);
	ck_assert_uint_eq(host_domain_counters(world.one).transactions, 0);
	host_machine_destroy(world.machine);
}
END_TEST

#define INCREMENTS 100u

static void increment_body(void *argument)
{
	const char *path = argument;

	for (uint32_t i = 0; i < INCREMENTS; i++) {
		store_transaction t;
		uint64_t number;
		int error;

		do {
			ck_assert_int_eq(store_transaction_start(&t), 0);
			ck_assert_int_eq(store_read_u64(t, path, &number), 0);
			fiber_yield();
			ck_assert_int_eq(store_writef(t, path, "%lu", number + 1), 0);
			error = store_transaction_end(t, true);
		} while (error == -EAGAIN);
		ck_assert_int_eq(error, 0);
	}
}

struct increment {
	const char *path;
	bool done;
};

static void increment_fiber(void *argument)
{
	struct increment *increment = argument;

	increment_body((void *)(uintptr_t)increment->path);
	increment->done = true;
}

static void increment_start(void *argument)
{
	ck_assert_int_eq(fiber_start("count", increment_fiber, argument), 0);
}

static bool increment_is_done(void *argument)
{
	return ((struct increment *)argument)->done;
}

static void count_open_body(void *argument)
{
	static const char *const rights[] = { "n1", "b2" };

	ck_assert_int_eq(store_set_permissions(argument, rights, 2), 0);
}

START_TEST(two_domains_counting_in_transactions_lose_nothing)
{
	static const char path[] = "/local/domain/1/data/count";
	struct increment increments[2] = { { .path = path }, { .path = path } };
	struct world world;

	world_begin(&world, _i);
	host_store_write(world.machine, path, "0");
	run(world.one, count_open_body, (void *)(uintptr_t)path);
	host_call(world.one, increment_start, &increments[0]);
	host_call(world.two, increment_start, &increments[1]);
	ck_assert(host_run_until_in(world.one, increment_is_done, &increments[0], 60000 * MS));
	ck_assert(host_run_until_in(world.two, increment_is_done, &increments[1], 60000 * MS));
	ck_assert_int_eq(host_store_number(world.machine, path), 2 * INCREMENTS);
	host_machine_destroy(world.machine);
}
END_TEST

/* ---- watches ---- */

struct watcher {
	struct store_watch watch;
	struct fiber_event event;
	const char *path;
	uint32_t fired;
	bool stop;
	bool ready;
};

static void watcher_body(void *argument)
{
	struct watcher *watcher = argument;

	fiber_event_init(&watcher->event);
	ck_assert_int_eq(store_watch_add(&watcher->watch, watcher->path, &watcher->event), 0);
	while (!watcher->stop) {
		(void)!fiber_event_wait(&watcher->event, clock_now_ns() + MS);
		if (!watcher->watch.fired)
			continue;
		watcher->watch.fired = false;
		watcher->fired++;
		watcher->ready = true;
	}
	store_watch_remove(&watcher->watch);
	store_watch_remove(&watcher->watch);
	watcher->ready = false;
}

static void watcher_start(void *argument)
{
	ck_assert_int_eq(fiber_start("watch", watcher_body, argument), 0);
}

static void watcher_stop(void *argument)
{
	((struct watcher *)argument)->stop = true;
}

static bool watcher_is_ready(void *argument)
{
	return ((struct watcher *)argument)->ready;
}

static bool watcher_is_over(void *argument)
{
	return !((struct watcher *)argument)->ready;
}

static void watcher_read(void *argument)
{
	uint32_t **pair = argument;

	*pair[1] = ((struct watcher *)(void *)pair[0])->fired;
}

static uint32_t fired(struct world *world, struct watcher *watcher)
{
	uint32_t count;
	void *pair[2] = { watcher, &count };

	host_run_for(world->machine, 20 * MS);
	host_call(world->one, watcher_read, pair);
	return count;
}

START_TEST(a_watch_fires_at_the_start_and_for_all_below_only)
{
	struct watcher watcher = { .path = "data" };
	struct world world;

	world_begin(&world, _i);
	host_call(world.one, watcher_start, &watcher);
	ck_assert(host_run_until_in(world.one, watcher_is_ready, &watcher, 5000 * MS));
	ck_assert_uint_eq(fired(&world, &watcher), 1);
	host_store_write(world.machine, "/local/domain/1/data/a/b", "x");
	ck_assert_uint_eq(fired(&world, &watcher), 2);
	host_store_write(world.machine, "/local/domain/1/database", "x");
	ck_assert_uint_eq(fired(&world, &watcher), 2);
	host_store_remove(world.machine, "/local/domain/1/data/a");
	ck_assert_uint_eq(fired(&world, &watcher), 3);
	/* What goes with a node above is told too. */
	host_store_remove(world.machine, "/local/domain/1");
	ck_assert_uint_eq(fired(&world, &watcher), 4);
	host_call(world.one, watcher_stop, &watcher);
	ck_assert(host_run_until_in(world.one, watcher_is_over, &watcher, 5000 * MS));
	ck_assert_uint_eq(host_domain_counters(world.one).watches, 0);
	host_machine_destroy(world.machine);
}
END_TEST

START_TEST(a_watch_of_unreadable_nodes_tells_nothing)
{
	struct watcher watcher = { .path = "/local/domain/2/data" };
	struct world world;

	world_begin(&world, 0);
	host_call(world.one, watcher_start, &watcher);
	ck_assert_uint_eq(fired(&world, &watcher), 1);
	host_store_write(world.machine, "/local/domain/2/data/secret", "x");
	ck_assert_uint_eq(fired(&world, &watcher), 1);
	host_machine_destroy(world.machine);
}
END_TEST

/* XSA-349: a neighbour that writes in a loop costs one flag. */
START_TEST(firings_coalesce)
{
	struct watcher watcher = { .path = "data" };
	struct world world;

	world_begin(&world, 0);
	host_call(world.one, watcher_start, &watcher);
	ck_assert_uint_eq(fired(&world, &watcher), 1);
	for (int i = 0; i < 1000; i++)
		host_store_write(world.machine, "/local/domain/1/data/a", "%d", i);
	ck_assert_uint_eq(fired(&world, &watcher), 2);
	host_machine_destroy(world.machine);
}
END_TEST

/* ---- faults ---- */

static void stalled_body(void *argument)
{
	uint64_t before = clock_now_ns();
	char text[8];

	(void)argument;
	ck_assert_int_eq(store_read(0, "name", text, sizeof(text)), -ETIMEDOUT);
	ck_assert_uint_ge(clock_now_ns() - before, STORE_TIMEOUT_NS);
}

START_TEST(a_stalled_store_times_out)
{
	struct host_faults faults = { .store_stalled = true };
	struct world world;

	world_begin(&world, 0);
	host_domain_set_faults(world.one, &faults);
	run(world.one, stalled_body, NULL);
	host_machine_destroy(world.machine);
}
END_TEST

TCase *host_store_tests(void)
{
	TCase *tests = tcase_create("store");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, values_are_written_read_listed_and_removed, 0, 2);
	tcase_add_test_raise_signal(tests, asking_outside_a_fiber_aborts, SIGABRT);
	tcase_add_test(tests, rights_are_kept);
	tcase_add_test(tests, quotas_bind_a_domain);
	tcase_add_loop_test(tests, transactions_are_whole_and_notice_conflicts, 0, 2);
	tcase_add_loop_test(tests, two_domains_counting_in_transactions_lose_nothing, 0, 2);
	tcase_add_loop_test(tests, a_watch_fires_at_the_start_and_for_all_below_only, 0, 2);
	tcase_add_test(tests, a_watch_of_unreadable_nodes_tells_nothing);
	tcase_add_test(tests, firings_coalesce);
	tcase_add_test(tests, a_stalled_store_times_out);
	return tests;
}
