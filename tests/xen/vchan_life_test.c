/* SPDX-License-Identifier: ISC */
/* How vchans begin and end: ends with bytes under way, deaths, reconnections, faults. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "tests/xen/vchan_suites.h"
#include "tests/xen/vchan_world.h"
#include "xen/store.h"

#define ENDLESS (1ull << 40)

/* One call in a fiber of a side, for what jobs do not do. */
struct call {
	struct vchan_side *side;
	uint8_t bytes[3000];
	size_t size;
	int64_t result;
	uint64_t wait_ns;
	uint64_t took_ns;
	enum vchan_state state;
	char path[STORE_PATH_BYTES];
	char text[64];
};

static void call_write(void *argument)
{
	struct call *call = argument;

	call->result = call->side->program->try_write(call->side->vchan, call->bytes, call->size);
}

static void call_read(void *argument)
{
	struct call *call = argument;

	call->result = call->side->program->try_read(call->side->vchan, call->bytes, call->size);
}

static void call_read_wait(void *argument)
{
	struct call *call = argument;
	uint64_t began = clock_now_ns();

	call->result = call->side->program->read(call->side->vchan, call->bytes, call->size,
						 began + call->wait_ns);
	call->took_ns = clock_now_ns() - began;
}

static void call_write_wait(void *argument)
{
	struct call *call = argument;
	uint64_t began = clock_now_ns();

	call->result = call->side->program->write(call->side->vchan, call->bytes, call->size,
						  began + call->wait_ns);
	call->took_ns = clock_now_ns() - began;
}

static void call_wait_client(void *argument)
{
	struct call *call = argument;

	call->result =
		call->side->program->wait_client(call->side->vchan, clock_now_ns() + call->wait_ns);
}

static void call_state(void *argument)
{
	struct call *call = argument;

	call->state = call->side->program->state(call->side->vchan);
}

static int64_t call_in(struct vchan_side *side, struct call *call, void (*function)(void *))
{
	call->side = side;
	host_call_fiber_must(side->domain, function, call);
	return call->result;
}

static enum vchan_state state_of(struct vchan_side *side)
{
	struct call call;

	call_in(side, &call, call_state);
	return call.state;
}

/* ---- ends ---- */

static void drain(struct vchan_side *from, struct vchan_side *to)
{
	struct call call = { .size = 3000 };

	memset(call.bytes, 0x5a, sizeof(call.bytes));
	ck_assert_int_eq(call_in(from, &call, call_write), 3000);
	host_call_fiber_must(from->domain, side_close, from);
	ck_assert_int_eq(state_of(to), VCHAN_ENDED);
	ck_assert_int_eq(call_in(to, &call, call_write), -EPIPE);
	memset(call.bytes, 0, sizeof(call.bytes));
	call.size = 2000;
	ck_assert_int_eq(call_in(to, &call, call_read), 2000);
	call.size = 3000;
	ck_assert_int_eq(call_in(to, &call, call_read), 1000);
	ck_assert_uint_eq(call.bytes[0], 0x5a);
	ck_assert_uint_eq(call.bytes[999], 0x5a);
	ck_assert_int_eq(call_in(to, &call, call_read), -EPIPE);
	call.wait_ns = WORLD_SECOND;
	ck_assert_int_eq(call_in(to, &call, call_read_wait), -EPIPE);
	ck_assert_uint_lt(call.took_ns, WORLD_SECOND / 2);
	host_call_fiber_must(to->domain, side_close, to);
}

START_TEST(what_was_written_is_read_after_the_end)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (uint32_t order = 10; order < 14; order++) {
		world_open(&world, 12, order == 12 ? 13 : order + 2, 0);
		drain(&world.server, &world.client);
		world_open(&world, order + 2, 12, 0);
		drain(&world.client, &world.server);
		world_assert_clean(&world);
	}
	world_end(&world);
}
END_TEST

static void call_close_later(void *argument)
{
	struct vchan_side *side = argument;

	fiber_sleep_until(clock_now_ns() + 300 * WORLD_MS);
	side_close(side);
}

/* Somebody waits when the other side closes: told at once. */
START_TEST(an_end_wakes_who_waits)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (uint32_t i = 0; i < 2; i++) {
		struct vchan_side *ends = i ? &world.server : &world.client;
		struct vchan_side *waits = i ? &world.client : &world.server;
		struct job read = { .side = waits, .bytes = 10 };
		uint64_t began;

		world_open(&world, 12, 12, 0);
		jobs_start(&read, 1);
		began = host_now_ns(world.machine);
		host_call_fiber_must(ends->domain, call_close_later, ends);
		jobs_wait(&read, 1);
		ck_assert_int_eq(read.error, -EPIPE);
		ck_assert_uint_lt(host_now_ns(world.machine) - began, 400 * WORLD_MS);
		host_call_fiber_must(waits->domain, side_close, waits);
	}
	world_end(&world);
}
END_TEST

START_TEST(a_server_may_write_before_its_client_comes)
{
	struct vchan_world world;
	struct call call = { .size = 12, .bytes = "hello there" };

	world_begin(&world, HOST_STEPPED);
	host_call_fiber_must(world.server.domain, side_listen, &world.server);
	ck_assert_int_eq(state_of(&world.server), VCHAN_LISTENING);
	ck_assert_int_eq(call_in(&world.server, &call, call_write), 12);
	call.wait_ns = WORLD_SECOND;
	ck_assert_int_eq(call_in(&world.server, &call, call_wait_client), -ETIMEDOUT);
	host_call_fiber_must(world.client.domain, side_connect, &world.client);
	ck_assert_int_eq(world.client.error, 0);
	ck_assert_int_eq(call_in(&world.server, &call, call_wait_client), 0);
	ck_assert_int_eq(state_of(&world.server), VCHAN_CONNECTED);
	memset(call.bytes, 0, sizeof(call.bytes));
	ck_assert_int_eq(call_in(&world.client, &call, call_read), 12);
	ck_assert_str_eq((char *)call.bytes, "hello there");
	ck_assert_int_eq(call_in(&world.client, &call, call_read), 0);
	world_close(&world);
	world_end(&world);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(deadlines_hold)
{
	struct vchan_world world;
	struct call call = { .size = 3000, .wait_ns = 2500 * WORLD_MS };

	world_begin(&world, HOST_STEPPED);
	world.client.wait_ns = 3 * WORLD_SECOND;
	host_call_fiber_must(world.client.domain, side_connect, &world.client);
	ck_assert_int_eq(world.client.error, -ETIMEDOUT);
	world_assert_clean(&world);
	world_open(&world, 10, 11, 0);
	ck_assert_int_eq(call_in(&world.client, &call, call_read_wait), -ETIMEDOUT);
	ck_assert_uint_ge(call.took_ns, 2500 * WORLD_MS);
	ck_assert_uint_lt(call.took_ns, 2600 * WORLD_MS);
	ck_assert_int_eq(call_in(&world.client, &call, call_write_wait), -ETIMEDOUT);
	ck_assert_uint_lt(call.took_ns, 2600 * WORLD_MS);
	world_close(&world);
	world_end(&world);
}
END_TEST

struct late {
	struct vchan_side *side;
	int error;
	atomic_bool done;
};

static void connect_late(void *argument)
{
	struct late *late = argument;

	side_connect(late->side);
	atomic_store(&late->done, true);
}

static void wait_client_late(void *argument)
{
	struct late *late = argument;

	late->error = late->side->program->wait_client(late->side->vchan, FIBER_FOREVER);
	atomic_store(&late->done, true);
}

static void wait_client_late_start(void *argument)
{
	ck_assert_int_eq(fiber_start("late", wait_client_late, argument), 0);
}

static void connect_late_start(void *argument)
{
	ck_assert_int_eq(fiber_start("late", connect_late, argument), 0);
}

static bool late_is_done(void *argument)
{
	return atomic_load(&((struct late *)argument)->done);
}

START_TEST(a_client_waits_for_its_server)
{
	struct vchan_world world;
	struct late late = { .side = &world.client };

	world_begin(&world, HOST_STEPPED);
	host_call(world.client.domain, connect_late_start, &late);
	host_run_for(world.machine, 5 * WORLD_SECOND);
	ck_assert(!late_is_done(&late));
	host_call_fiber_must(world.server.domain, side_listen, &world.server);
	ck_assert(host_run_until(world.machine, late_is_done, &late, WORLD_SECOND));
	ck_assert_int_eq(world.client.error, 0);
	ck_assert_int_eq(state_of(&world.server), VCHAN_CONNECTED);
	world_close(&world);
	world_end(&world);
}
END_TEST

START_TEST(a_server_is_told_that_its_client_has_come)
{
	struct vchan_world world;
	struct late late = { .side = &world.server };

	world_begin(&world, HOST_STEPPED);
	host_call_fiber_must(world.server.domain, side_listen, &world.server);
	host_call(world.server.domain, wait_client_late_start, &late);
	host_run_for(world.machine, 5 * WORLD_SECOND);
	ck_assert(!late_is_done(&late));
	host_call_fiber_must(world.client.domain, side_connect, &world.client);
	ck_assert(host_run_until(world.machine, late_is_done, &late, 100 * WORLD_MS));
	ck_assert_int_eq(late.error, 0);
	world_close(&world);
	world_end(&world);
}
END_TEST

/* ---- the store ---- */

static void node_rights(void *argument)
{
	struct call *call = argument;

	call->result = store_get_permissions(call->path, call->text, sizeof(call->text));
}

START_TEST(only_the_client_can_read_the_nodes_and_they_go)
{
	static const char *const keys[] = { "ring-ref", "event-channel" };
	struct vchan_world world;
	struct call call = { 0 };
	char right[32];

	world_begin(&world, HOST_STEPPED);
	world_open(&world, 12, 12, 0);
	snprintf(right, sizeof(right), "n%u r%u", world.server.domid, world.client.domid);
	for (uint32_t i = 0; i < 2; i++) {
		snprintf(call.path, sizeof(call.path), "%s/%s", WORLD_PATH, keys[i]);
		ck_assert_int_eq(call_in(&world.server, &call, node_rights), 0);
		ck_assert_str_eq(call.text, right);
	}
	world_close(&world);
	ck_assert_int_eq(call_in(&world.server, &call, node_rights), -ENOENT);
	world_end(&world);
}
END_TEST

/* The end of the older one must not take the nodes of the newer one away. */
START_TEST(a_newer_server_at_the_same_path)
{
	struct vchan_world world;
	struct vchan *older;

	world_begin(&world, HOST_STEPPED);
	world_open(&world, 12, 12, 0);
	older = world.server.vchan;
	host_call_fiber_must(world.server.domain, side_listen, &world.server);
	ck_assert_int_eq(world.server.error, 0);
	host_call_fiber_must(world.client.domain, side_close, &world.client);
	struct vchan *newer = world.server.vchan;
	world.server.vchan = older;
	host_call_fiber_must(world.server.domain, side_close, &world.server);
	world.server.vchan = newer;
	host_call_fiber_must(world.client.domain, side_connect, &world.client);
	ck_assert_int_eq(world.client.error, 0);
	world_close(&world);
	world_end(&world);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	struct vchan_world world;
	struct vchan_side self;

	world_begin(&world, HOST_STEPPED);
	self = world.server;
	self.peer = &world.server;
	host_call_fiber_must(self.domain, side_listen, &self);
	ck_assert_int_eq(self.error, -EINVAL);
	world.left = 11;
	world.right = 11;
	host_call_fiber_must(world.server.domain, side_listen, &world.server);
	ck_assert_int_eq(world.server.error, -EINVAL);
	world_end(&world);
}
END_TEST

/* ---- deaths and reconnections ---- */

START_TEST(two_hundred_reconnections_leave_nothing)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (uint32_t i = 0; i < 200; i++) {
		struct job jobs[2] = {
			{ .side = &world.client, .writes = true, .bytes = 5000, .seed = i },
			{ .side = &world.server, .bytes = 5000, .seed = i },
		};

		world_open(&world, 10 + i % 6, 12, i * 1000000007u);
		jobs_must(jobs, 2);
		if (i % 2)
			world_close(&world);
		else {
			host_call_fiber_must(world.server.domain, side_close, &world.server);
			host_call_fiber_must(world.client.domain, side_close, &world.client);
		}
		if (i % 20 == 0)
			world_assert_clean(&world);
	}
	world_end(&world);
}
END_TEST

/* The pages of a server that ended stay until its client has let go, and come back then. */
START_TEST(pages_come_back_when_the_client_lets_go)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	world_open(&world, 16, 12, 0);
	host_call_fiber_must(world.server.domain, side_close, &world.server);
	host_run_for(world.machine, 5 * WORLD_SECOND);
	ck_assert_uint_eq(world.server.program->held_pages(), 18);
	ck_assert_uint_eq(world.server.program->log_lines(), 0);
	host_run_for(world.machine, 10 * WORLD_SECOND);
	ck_assert_uint_eq(world.server.program->log_lines(), 1);
	host_call_fiber_must(world.client.domain, side_close, &world.client);
	world_end(&world);
}
END_TEST

static void kill_one(struct vchan_world *world, bool kill_server)
{
	struct vchan_side *dies = kill_server ? &world->server : &world->client;
	struct vchan_side *lives = kill_server ? &world->client : &world->server;
	struct job jobs[4] = {
		{ .side = dies, .writes = true, .bytes = ENDLESS, .seed = 1 },
		{ .side = lives, .bytes = ENDLESS, .seed = 1 },
		{ .side = lives, .writes = true, .bytes = ENDLESS, .seed = 2 },
		{ .side = dies, .bytes = ENDLESS, .seed = 2 },
	};
	uint64_t died;

	world_open(world, 12, 14, 0);
	jobs_start(jobs, 4);
	host_run_for(world->machine, host_random(world->machine) % (3 * WORLD_MS));
	host_domain_kill(dies->domain);
	died = host_now_ns(world->machine);
	jobs_wait(jobs, 4);
	ck_assert_int_eq(jobs[1].error, -EPIPE);
	ck_assert_int_eq(jobs[2].error, -EPIPE);
	ck_assert(!jobs[1].wrong);
	ck_assert_uint_lt(host_now_ns(world->machine) - died, 1500 * WORLD_MS);
	ck_assert_int_eq(state_of(lives), VCHAN_ENDED);
	host_call_fiber_must(lives->domain, side_close, lives);
	world_assert_clean(world);
	world_restart(world, dies);
}

START_TEST(a_death_in_mid_transfer_is_found_out_within_a_second)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (uint32_t i = 0; i < 40; i++)
		kill_one(&world, i % 2);
	world_end(&world);
}
END_TEST

static void call_listen_or_connect(void *argument)
{
	struct vchan_side *side = argument;

	if (side == &side->world->server)
		side_listen(side);
	else
		side_connect(side);
	while (side->error == 0 && side->program->state(side->vchan) != VCHAN_ENDED)
		fiber_sleep_until(clock_now_ns() + 10 * WORLD_MS);
	if (side->error == 0)
		side_close(side);
}

static void start_of_life(void *argument)
{
	ck_assert_int_eq(fiber_start("life", call_listen_or_connect, argument), 0);
}

/* At a moment when both are in the middle of beginning, too. */
START_TEST(a_death_at_any_moment_leaves_nothing)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (uint32_t i = 0; i < 60; i++) {
		struct vchan_side *dies = i % 2 ? &world.server : &world.client;

		world.client.wait_ns = 2 * WORLD_SECOND;
		host_call(world.server.domain, start_of_life, &world.server);
		host_call(world.client.domain, start_of_life, &world.client);
		host_run_for(world.machine, host_random(world.machine) % 60000);
		host_domain_kill(dies->domain);
		if (dies == &world.client)
			world_restart(&world, &world.server); /* it may listen for ever */
		world_assert_clean(&world);
		world_restart(&world, dies);
	}
	world_end(&world);
}
END_TEST

START_TEST(deaths_on_threads)
{
	struct vchan_world world;

	world_begin(&world, HOST_THREADS);
	for (uint32_t i = 0; i < 6; i++)
		kill_one(&world, i % 2);
	world_end(&world);
}
END_TEST

/* ---- faults ---- */

static void faulty_round(struct vchan_world *world, const struct host_faults *faults)
{
	static const struct host_faults none;
	struct job jobs[2] = {
		{ .side = &world->client, .writes = true, .bytes = 20000, .seed = 5 },
		{ .side = &world->server, .bytes = 20000, .seed = 5 },
	};

	world->left = 14;
	world->right = 11;
	world->client.wait_ns = WORLD_SECOND;
	host_domain_set_faults(world->server.domain, faults);
	host_domain_set_faults(world->client.domain, faults);
	host_call_fiber_must(world->server.domain, side_listen, &world->server);
	if (world->server.error == 0) {
		host_call_fiber_must(world->client.domain, side_connect, &world->client);
		if (world->client.error == 0) {
			jobs_must(jobs, 2);
			host_call_fiber_must(world->client.domain, side_close, &world->client);
		}
		host_call_fiber_must(world->server.domain, side_close, &world->server);
	}
	host_domain_set_faults(world->server.domain, &none);
	host_domain_set_faults(world->client.domain, &none);
	world_assert_clean(world);
}

START_TEST(faults_at_random_leave_nothing)
{
	static const struct host_faults kinds[] = {
		{ .malloc_one_in = 3 },
		{ .grant_one_in = 5 },
		{ .map_one_in = 5 },
		{ .evtchn_one_in = 2 },
		{ .store_one_in = 8 },
		{ .commit_one_in = 2 },
		{ .malloc_one_in = 20,
		  .grant_one_in = 20,
		  .map_one_in = 20,
		  .evtchn_one_in = 10,
		  .store_one_in = 30,
		  .commit_one_in = 5 },
	};
	struct vchan_world world;
	uint32_t listened = 0, connected = 0;

	world_begin(&world, HOST_STEPPED);
	for (uint32_t i = 0; i < 30 * ARRAY_SIZE(kinds); i++) {
		faulty_round(&world, &kinds[i % ARRAY_SIZE(kinds)]);
		listened += world.server.error == 0;
		connected += world.server.error == 0 && world.client.error == 0;
	}
	ck_assert_uint_gt(connected, 0);
	ck_assert_uint_gt(listened, connected);
	world_open(&world, 12, 12, 0);
	world_close(&world);
	world_end(&world);
}
END_TEST

TCase *vchan_life_tests(void)
{
	TCase *cases = tcase_create("life");

	tcase_set_timeout(cases, 300);
	tcase_add_test(cases, what_was_written_is_read_after_the_end);
	tcase_add_test(cases, an_end_wakes_who_waits);
	tcase_add_test(cases, a_server_may_write_before_its_client_comes);
	tcase_add_test(cases, deadlines_hold);
	tcase_add_test(cases, a_client_waits_for_its_server);
	tcase_add_test(cases, a_server_is_told_that_its_client_has_come);
	tcase_add_test(cases, only_the_client_can_read_the_nodes_and_they_go);
	tcase_add_test(cases, a_newer_server_at_the_same_path);
	tcase_add_test(cases, what_cannot_be_is_refused);
	tcase_add_test(cases, two_hundred_reconnections_leave_nothing);
	tcase_add_test(cases, pages_come_back_when_the_client_lets_go);
	tcase_add_test(cases, a_death_in_mid_transfer_is_found_out_within_a_second);
	tcase_add_test(cases, a_death_at_any_moment_leaves_nothing);
	tcase_add_test(cases, deaths_on_threads);
	tcase_add_test(cases, faults_at_random_leave_nothing);
	return cases;
}
