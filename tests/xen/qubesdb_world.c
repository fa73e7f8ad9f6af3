/* SPDX-License-Identifier: ISC */
/* Making the machine, and steps that many tests have in common. */
#include "tests/xen/qubesdb_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/unit.h"

#define GUEST_PAGES 256u
#define WAIT_NS (600 * SECOND)

void world_begin(struct world *world, int threads)
{
	struct host_options options = host_options_default(threads ? HOST_THREADS : HOST_STEPPED);

	memset(world, 0, sizeof(*world));
	options.mode = threads ? HOST_THREADS : HOST_STEPPED;
	world->random = options.seed * 2 + 1;
	world->machine = host_machine_create(&options);
	world->server = host_domain_create(world->machine, "daemon", GUEST_PAGES);
	world->guest = host_domain_create(world->machine, "client", GUEST_PAGES);
	for (uint32_t i = 0; i < 2; i++)
		world->images[i] = host_image_load(NULL);
	world->daemon_program = host_image_symbol(world->images[0], "qubesdb_guest_program");
	world->program = host_image_symbol(world->images[1], "qubesdb_guest_program");
	world->daemon = calloc(1, sizeof(*world->daemon));
	world->client = calloc(1, sizeof(*world->client));
	world->daemon->client = host_domid(world->guest);
	world->client->server = host_domid(world->server);
}

void world_end(struct world *world)
{
	host_machine_destroy(world->machine);
	ck_assert_str_eq(world->daemon->fault, "");
	free(world->daemon);
	free(world->client);
	for (uint32_t i = 0; i < 2; i++)
		host_image_unload(world->images[i]);
}

uint32_t world_draw(struct world *world, uint32_t below)
{
	return (uint32_t)(unit_random(&world->random) >> 20) % below;
}

/* ---- connections ---- */

void world_listen(struct world *world)
{
	host_call_fiber_must(world->server, world->daemon_program->daemon_listen, world->daemon);
}

void world_close(struct world *world)
{
	host_call_fiber_must(world->server, world->daemon_program->daemon_close, world->daemon);
}

void world_client_start(struct world *world)
{
	host_call(world->guest, world->program->client_start, world->client);
	ck_assert_int_eq(world->client->error, 0);
}

static bool has_loaded(void *argument)
{
	struct world *world = argument;

	return world->client->loaded >= world->loaded;
}

void world_await_load(struct world *world)
{
	world->loaded++;
	ck_assert(host_run_until_in(world->guest, has_loaded, world, WAIT_NS));
	ck_assert(world_is(world, world->program->client_is_loaded));
	ck_assert(world_is(world, world->program->client_is_connected));
}

static bool is_lost(void *argument)
{
	struct world *world = argument;

	return !world->program->client_is_connected(world->client);
}

void world_await_lost(struct world *world)
{
	ck_assert(host_run_until_in(world->guest, is_lost, world, WAIT_NS));
}

void world_connect(struct world *world)
{
	world_listen(world);
	world_client_start(world);
	world_await_load(world);
}

/* ---- what dom0 says ---- */

void world_batch(struct world *world, const struct daemon_change *changes, uint32_t count,
		 bool together)
{
	struct daemon_batch batch = { world->daemon, changes, count, together, 0 };

	host_call_fiber_must(world->server, world->daemon_program->daemon_batch, &batch);
	ck_assert_int_eq(batch.error, 0);
}

void world_change(struct world *world, const char *path, const char *value)
{
	struct daemon_change change = { .value = value };

	snprintf(change.path, sizeof(change.path), "%s", path);
	world_batch(world, &change, 1, false);
}

void world_send(struct world *world, const void *bytes, size_t count)
{
	struct daemon_bytes sent = { world->daemon, bytes, count, NULL, 0 };

	host_call_fiber_must(world->server, world->daemon_program->daemon_bytes, &sent);
}

void world_message(struct world *world, uint8_t type, const char *path, const void *data,
		   size_t length, uint32_t claimed)
{
	static uint8_t bytes[72 + 4096];
	struct daemon_bytes sent = { world->daemon, bytes, 72 + length, NULL, 0 };

	memset(bytes, 0, sizeof(bytes));
	bytes[0] = type;
	memcpy(bytes + 1, path, strnlen(path, 64));
	memcpy(bytes + 68, &claimed, 4);
	if (length)
		memcpy(bytes + 72, data, length);
	if ((type == 1 || type == 4) && claimed == length)
		sent.answered = path;
	host_call_fiber_must(world->server, world->daemon_program->daemon_bytes, &sent);
}

static bool all_answered(void *argument)
{
	struct world *world = argument;

	return world->daemon->expected_count == 0 || world->daemon->fault[0];
}

void world_settle(struct world *world)
{
	ck_assert(host_run_until_in(world->server, all_answered, world, WAIT_NS));
	host_call_fiber_must(world->guest, world->program->client_flush, world->client);
	ck_assert_str_eq(world->daemon->fault, "");
	ck_assert_int_eq(world->client->error, 0);
}

/* ---- what the client has ---- */

int world_write(struct world *world, const char *path, const char *value)
{
	world->client->path = path;
	world->client->value = value;
	host_call(world->guest, world->program->client_write, world->client);
	return world->client->error;
}

const char *world_get(struct world *world, const char *path)
{
	world->client->path = path;
	host_call(world->guest, world->program->client_get, world->client);
	return world->client->found ? world->client->got : NULL;
}

void world_assert_entry(struct world *world, const char *path, const char *value)
{
	const char *got = world_get(world, path);

	if (!value) {
		ck_assert_ptr_null(got);
		return;
	}
	ck_assert_ptr_nonnull(got);
	ck_assert_str_eq(got, value);
}

static void compare(struct world *world, const struct daemon_entry *entries, uint32_t count)
{
	world->client->expected = entries;
	world->client->expected_count = count;
	host_call(world->guest, world->program->client_compare, world->client);
}

void world_assert_same(struct world *world, const struct daemon_entry *entries, uint32_t count)
{
	compare(world, entries, count);
	ck_assert(world->client->same);
}

uint32_t world_entries(struct world *world)
{
	compare(world, NULL, 0);
	return world->client->entries;
}

struct lookup {
	const struct daemon *daemon;
	const char *path;
	char value[DAEMON_VALUE_BYTES];
	bool found;
};

static void lookup_run(void *argument)
{
	struct lookup *lookup = argument;

	lookup->found = false;
	for (uint32_t i = 0; i < DAEMON_ENTRIES; i++) {
		const struct daemon_entry *entry = &lookup->daemon->entries[i];

		if (strcmp(entry->path, lookup->path) != 0)
			continue;
		memcpy(lookup->value, entry->value, sizeof(lookup->value));
		lookup->found = true;
	}
}

const char *world_daemon_get(struct world *world, const char *path)
{
	static struct lookup lookup;

	lookup.daemon = world->daemon;
	lookup.path = path;
	host_call(world->server, lookup_run, &lookup);
	return lookup.found ? lookup.value : NULL;
}

struct question {
	struct world *world;
	bool (*ask)(void *client);
	bool answer;
};

static void question_ask(void *argument)
{
	struct question *question = argument;

	question->answer = question->ask(question->world->client);
}

bool world_is(struct world *world, bool (*ask)(void *client))
{
	struct question question = { world, ask, false };

	host_call(world->guest, question_ask, &question);
	return question.answer;
}
