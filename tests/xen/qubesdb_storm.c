/* SPDX-License-Identifier: ISC */
/* Limits, lack of memory, full rings, and ten thousand changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/xen/qubesdb_suites.h"
#include "tests/xen/qubesdb_world.h"

/* ---- limits ---- */

static void assert_not_whole(struct world *world, const char *said)
{
	ck_assert(!world_is(world, world->program->client_is_whole));
	ck_assert(world_is(world, world->program->client_is_connected));
	ck_assert_uint_eq(world->client->log_lines, 1);
	ck_assert_ptr_nonnull(strstr(world->client->last_log, said));
	host_call(world->guest, world->program->client_stats, world->client);
	ck_assert_ptr_nonnull(strstr(world->client->stats[0], "NOT WHOLE"));
}

START_TEST(too_many_entries)
{
	struct world world;

	world_begin(&world, _i);
	world.daemon->bulk_count = QUBESDB_ENTRIES_MAX + 100;
	world_connect(&world);
	ck_assert_uint_eq(world_entries(&world), QUBESDB_ENTRIES_MAX);
	assert_not_whole(&world, "too many entries, or too large");
	/* The last hundred of a reverse order. */
	world_assert_entry(&world, "/bulk/00099", NULL);
	world_assert_entry(&world, "/bulk/00100", "");
	/* What is there can change and go; what is new is told of as missing. */
	world_change(&world, "/bulk/00100", "changed");
	world_change(&world, "/new", "1");
	world_settle(&world);
	world_assert_entry(&world, "/bulk/00100", "changed");
	world_assert_entry(&world, "/new", NULL);
	ck_assert_uint_eq(world.client->changed, 2);
	ck_assert_str_eq(world.client->calls[1], "/new");
	ck_assert_int_eq(world_write(&world, "/own", "1"), -E2BIG);
	world_change(&world, "/bulk/", NULL);
	world_change(&world, "/new", "1");
	world_settle(&world);
	ck_assert_uint_eq(world_entries(&world), 1);
	assert_not_whole(&world, "too many entries, or too large");
	/* The next full read makes it whole. */
	world.daemon->bulk_count = 5;
	world_listen(&world);
	world_await_load(&world);
	ck_assert(world_is(&world, world.program->client_is_whole));
	ck_assert_uint_eq(world_entries(&world), 6);
	world_end(&world);
}
END_TEST

START_TEST(too_many_bytes)
{
	char value[QUBESDB_VALUE_MAX + 1];
	struct world world;

	world_begin(&world, _i);
	memset(value, 'v', sizeof(value));
	value[QUBESDB_VALUE_MAX] = '\0';
	world.daemon->bulk_count = 341;
	world.daemon->bulk_bytes = 3050; /* and 11 of the path */
	world_change(&world, "/old", "value");
	world_connect(&world);
	ck_assert(world_is(&world, world.program->client_is_whole));
	ck_assert_uint_eq(world_entries(&world), 342);
	/* An entry that dom0 has made too large is not left as it was. */
	world_message(&world, 1, "/old", value, QUBESDB_VALUE_MAX, QUBESDB_VALUE_MAX);
	world_message(&world, 1, "/next", value, QUBESDB_VALUE_MAX, QUBESDB_VALUE_MAX);
	world_settle(&world);
	ck_assert(world_is(&world, world.program->client_is_connected));
	assert_not_whole(&world, "/next and perhaps others refused: too many entries");
	world_assert_entry(&world, "/old", value);
	world_message(&world, 1, "/old", "short", 5, 5);
	world_message(&world, 1, "/next", value, 2000, 2000);
	world_message(&world, 1, "/next", value, QUBESDB_VALUE_MAX, QUBESDB_VALUE_MAX);
	world_message(&world, 1, "/more", value, QUBESDB_VALUE_MAX, QUBESDB_VALUE_MAX);
	world_message(&world, 1, "/old", value, QUBESDB_VALUE_MAX, QUBESDB_VALUE_MAX);
	world_settle(&world);
	world_assert_entry(&world, "/old", NULL);
	ck_assert_str_eq(world.client->calls[(world.client->call_count - 1) % CLIENT_CALLS],
			 "/old");
	assert_not_whole(&world, "refused");
	world_end(&world);
}
END_TEST

/* ---- no memory ---- */

static bool has_ended(void *argument)
{
	struct world *world = argument;

	return world->daemon->expected_count == 0;
}

START_TEST(no_memory)
{
	struct host_faults faults = { .malloc_one_in = 1 };
	char path[32];
	struct world world;

	world_begin(&world, _i);
	host_domain_set_faults(world.guest, &faults);
	host_call(world.guest, world.program->client_start, world.client);
	ck_assert_int_eq(world.client->error, -ENOMEM);
	ck_assert_uint_eq(host_domain_counters(world.guest).allocations, 0);
	host_domain_set_faults(world.guest, &(struct host_faults){ 0 });
	world_change(&world, "/name", "sys-firewall");
	world_connect(&world);
	faults.malloc_one_in = 2;
	host_domain_set_faults(world.guest, &faults);
	for (uint32_t i = 0; i < 60; i++) {
		snprintf(path, sizeof(path), "/a/%u", i % 20);
		world_change(&world, path, "a value of some length");
	}
	ck_assert(host_run_until_in(world.server, has_ended, &world, 10 * SECOND));
	faults.malloc_one_in = 1;
	host_domain_set_faults(world.guest, &faults);
	ck_assert_int_eq(world_write(&world, "/own", "1"), -ENOMEM);
	host_domain_set_faults(world.guest, &(struct host_faults){ 0 });
	ck_assert(world_entries(&world) < 21);
	ck_assert_uint_gt(world.client->removed, 0);
	ck_assert_uint_eq(world.client->changed, 60);
	assert_not_whole(&world, "and perhaps others refused: no memory");
	world_assert_entry(&world, "/name", "sys-firewall");
	world_assert_entry(&world, "/own", NULL);
	world_listen(&world);
	world_await_load(&world);
	ck_assert(world_is(&world, world.program->client_is_whole));
	world_assert_same(&world, world.daemon->entries, DAEMON_ENTRIES);
	world_end(&world);
}
END_TEST

/* Memory was short for a moment, and nobody begins anew but we. */
START_TEST(what_was_refused_is_read_again)
{
	const struct host_faults faults = { .malloc_one_in = 1 };
	struct world world;

	world_begin(&world, _i);
	world_change(&world, "/name", "sys-firewall");
	world_connect(&world);
	host_domain_set_faults(world.guest, &faults);
	world_change(&world, "/new", "1");
	ck_assert(host_run_until_in(world.server, has_ended, &world, 10 * SECOND));
	host_domain_set_faults(world.guest, &(struct host_faults){ 0 });
	assert_not_whole(&world, "/new and perhaps others refused: no memory");
	world_await_lost(&world);
	world_listen(&world);
	world_await_load(&world);
	ck_assert(world_is(&world, world.program->client_is_whole));
	world_assert_entry(&world, "/new", "1");
	world_end(&world);
}
END_TEST

/* Whatever fails while a connection is made, the next one is made all the same. */
START_TEST(failures_of_all_kinds)
{
	struct host_faults faults = {
		.malloc_one_in = 20, .map_one_in = 10, .evtchn_one_in = 8, .store_one_in = 12
	};
	struct world world;

	world_begin(&world, 0);
	world_change(&world, "/name", "sys-firewall");
	world_connect(&world);
	host_domain_set_faults(world.guest, &faults);
	for (uint32_t i = 0; i < 60; i++) {
		world_listen(&world);
		world_await_load(&world);
	}
	host_domain_set_faults(world.guest, &(struct host_faults){ 0 });
	world_listen(&world);
	world_await_load(&world);
	ck_assert(world_is(&world, world.program->client_is_whole));
	world_assert_same(&world, world.daemon->entries, DAEMON_ENTRIES);
	world_end(&world);
}
END_TEST

/* ---- full rings ---- */

static const uint32_t ring_sizes[] = { 4096, 1024, 65536 };

/*
 * dom0 says hundreds of things without reading a word, while we have a thousand of our own
 * to say, and more than fits into any ring.
 */
START_TEST(both_talk_at_once)
{
	static struct daemon_change changes[500];
	char path[32], value[3000];
	struct world world;

	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	world_begin(&world, _i & 1);
	world.daemon->ring_bytes = ring_sizes[_i / 2];
	world_connect(&world);
	for (uint32_t i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/own/%u", i);
		ck_assert_int_eq(world_write(&world, path, i % 3 ? "short" : value), 0);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(changes); i++) {
		snprintf(changes[i].path, sizeof(changes[i].path),
			 "/theirs/with/a/path/as/long/as/may/be/aaaaaaaaaaaaaaaaaaaa/%04u",
			 i % 300);
		changes[i].value = "a value that has some length, so that the ring is full soon";
	}
	world_batch(&world, changes, ARRAY_SIZE(changes), true);
	world_settle(&world);
	ck_assert_uint_eq(world.client->changed, ARRAY_SIZE(changes));
	ck_assert_uint_eq(world.daemon->writes, 300);
	ck_assert_uint_eq(world_entries(&world), 600);
	ck_assert(world_is(&world, world.program->client_is_connected));
	ck_assert_uint_eq(world.client->loaded, 1);
	world_end(&world);
}
END_TEST

/* One that says more than that and never reads: a new connection after half a minute. */
START_TEST(a_daemon_that_takes_no_answers)
{
	static struct daemon_change changes[3000];
	struct daemon_batch batch = { .changes = changes,
				      .count = ARRAY_SIZE(changes),
				      .together = true };
	struct world world;

	world_begin(&world, 0);
	world_connect(&world);
	for (uint32_t i = 0; i < ARRAY_SIZE(changes); i++) {
		snprintf(changes[i].path, sizeof(changes[i].path), "/with/a/path/of/some/length/%u",
			 i % 100);
		changes[i].value = "";
	}
	batch.daemon = world.daemon;
	host_call_fiber_must(world.server, world.daemon_program->daemon_batch, &batch);
	ck_assert_int_eq(batch.error, -EPIPE);
	ck_assert_uint_ge(world.client->changed, 512);
	ck_assert_msg(strstr(world.client->first_log, "dom0 takes no answers") != NULL, "%s",
		      world.client->first_log);
	world_listen(&world);
	world_await_load(&world);
	world_settle(&world);
	world_assert_same(&world, world.daemon->entries, DAEMON_ENTRIES);
	world_end(&world);
}
END_TEST

/* ---- any changes ---- */

#define CHANGES 10000u
#define CHANGES_A_BATCH 40u

/* What the client must have. */
struct model {
	struct daemon_entry entries[DAEMON_ENTRIES];
	bool own[DAEMON_ENTRIES];
};

static int model_find(const struct model *model, const char *path)
{
	for (int i = 0; i < (int)DAEMON_ENTRIES; i++)
		if (strcmp(model->entries[i].path, path) == 0)
			return i;
	return -1;
}

static void model_write(struct model *model, const char *path, const char *value, bool own)
{
	int at = model_find(model, path);

	if (at < 0)
		at = model_find(model, "");
	ck_assert_int_ge(at, 0);
	snprintf(model->entries[at].path, sizeof(model->entries[at].path), "%s", path);
	snprintf(model->entries[at].value, sizeof(model->entries[at].value), "%s", value);
	model->own[at] = own;
}

static void model_change(struct model *model, const struct daemon_change *change)
{
	size_t length = strlen(change->path);

	if (change->value) {
		model_write(model, change->path, change->value, false);
		return;
	}
	for (uint32_t i = 0; i < DAEMON_ENTRIES; i++) {
		const char *path = model->entries[i].path;

		if (change->path[length - 1] == '/' ? strncmp(path, change->path, length) == 0
						    : strcmp(path, change->path) == 0) {
			model->entries[i].path[0] = '\0';
			model->own[i] = false;
		}
	}
}

static void change_draw(struct world *world, struct daemon_change *change)
{
	static const char *const values[] = { "", "1", "action=accept proto=tcp dstports=443-443",
					      "drop",
					      "a value that has a hundred bytes or so, in order "
					      "that not everything in here is so short" };
	uint32_t kind = world_draw(world, 100);

	change->value = kind < 70 ? values[kind % 5] : NULL;
	if (kind == 99)
		snprintf(change->path, sizeof(change->path), "/q/%u/", world_draw(world, 9));
	else if (kind % 8 == 0)
		snprintf(change->path, sizeof(change->path), "/q/%u", world_draw(world, 9));
	else if (kind % 8 == 1)
		snprintf(change->path, sizeof(change->path), "/own/%u", world_draw(world, 40));
	else
		snprintf(change->path, sizeof(change->path), "/q/%u/%04u", world_draw(world, 9),
			 world_draw(world, 60));
}

static void changes_by_dom0(struct world *world, struct model *model)
{
	struct daemon_change changes[CHANGES_A_BATCH];

	for (uint32_t i = 0; i < CHANGES_A_BATCH; i++) {
		change_draw(world, &changes[i]);
		model_change(model, &changes[i]);
	}
	world_batch(world, changes, CHANGES_A_BATCH, world_draw(world, 2));
}

static void changes_by_us(struct world *world, struct model *model)
{
	char path[32], value[32];

	for (uint32_t i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/own/%u", world_draw(world, 40));
		snprintf(value, sizeof(value), "counter %u", world_draw(world, 1000));
		model_write(model, path, value, true);
		ck_assert_int_eq(world_write(world, path, value), 0);
	}
}

static void forget(void *daemon)
{
	memset(((struct daemon *)daemon)->entries, 0, sizeof(((struct daemon *)daemon)->entries));
}

/* A new daemon, which forgets or not, and is told other things before we connect. */
static void restart(struct world *world, struct model *model)
{
	world_close(world);
	if (world_draw(world, 2))
		host_call(world->server, forget, world->daemon);
	if (world_draw(world, 2))
		changes_by_us(world, model);
	world_listen(world);
	world_await_load(world);
	world_settle(world);
	for (uint32_t i = 0; i < DAEMON_ENTRIES; i++) {
		const struct daemon_entry *entry = &world->daemon->entries[i];
		int at = entry->path[0] ? model_find(model, entry->path) : -1;

		if (entry->path[0] && (at < 0 || !model->own[at]))
			model_write(model, entry->path, entry->value, false);
	}
}

START_TEST(ten_thousand_changes)
{
	static struct model model;
	struct world world;
	uint32_t done = 0, restarts = 0;

	memset(&model, 0, sizeof(model));
	world_begin(&world, _i);
	world_connect(&world);
	while (done < CHANGES) {
		uint32_t kind = world_draw(&world, 20);

		if (kind < 14) {
			changes_by_dom0(&world, &model);
			done += CHANGES_A_BATCH;
		} else if (kind < 19 || (_i && restarts >= 4)) {
			changes_by_us(&world, &model);
			done += 10;
		} else {
			restart(&world, &model);
			restarts++;
		}
		world_settle(&world);
		world_assert_same(&world, model.entries, DAEMON_ENTRIES);
	}
	ck_assert_uint_eq(world.daemon->multireads, restarts + 1);
	ck_assert(world_is(&world, world.program->client_is_whole));
	world_end(&world);
}
END_TEST

/* Two hundred connections, lost in all ways, and nothing is left of any. */
START_TEST(nothing_is_left_behind)
{
	struct host_counters first = { 0 }, last;
	struct world world;

	world_begin(&world, 0);
	for (uint32_t i = 0; i < 100; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/bulk/%u", i);
		world_change(&world, path, "value");
	}
	world_connect(&world);
	ck_assert_int_eq(world_write(&world, "/own", "1"), 0);
	for (uint32_t i = 0; i < 200; i++) {
		if (i % 4 == 1)
			world_message(&world, 77, "", NULL, 0, 0);
		if (i % 4 == 2)
			world_send(&world, "\1/half", 6);
		if (i % 4 == 3)
			host_run_for(world.machine, 70 * SECOND);
		world_listen(&world);
		world_await_load(&world);
		world_settle(&world);
		if (i == 20)
			first = host_domain_counters(world.guest);
	}
	last = host_domain_counters(world.guest);
	ck_assert_str_eq(host_counters_text(&last), host_counters_text(&first));
	ck_assert_mem_eq(&first, &last, sizeof(first));
	ck_assert_uint_eq(last.fibers, 1);
	ck_assert_uint_eq(last.watches, 0);
	world_end(&world);
}
END_TEST

TCase *qubesdb_storm_tests(void)
{
	TCase *tests = tcase_create("storm");

	tcase_set_timeout(tests, 240);
	tcase_add_loop_test(tests, too_many_entries, 0, 2);
	tcase_add_loop_test(tests, too_many_bytes, 0, 2);
	tcase_add_loop_test(tests, no_memory, 0, 2);
	tcase_add_loop_test(tests, what_was_refused_is_read_again, 0, 2);
	tcase_add_test(tests, failures_of_all_kinds);
	tcase_add_loop_test(tests, ten_thousand_changes, 0, 2);
	tcase_add_test(tests, nothing_is_left_behind);
	return tests;
}

TCase *qubesdb_flood_tests(void)
{
	TCase *tests = tcase_create("flood");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, both_talk_at_once, 0, 2 * (int)ARRAY_SIZE(ring_sizes));
	tcase_add_test(tests, a_daemon_that_takes_no_answers);
	return tests;
}
