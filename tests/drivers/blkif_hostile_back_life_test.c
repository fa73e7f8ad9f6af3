/* SPDX-License-Identifier: ISC */
/*
 * blkfront against backends that lie about their disks, change them under way, say nothing,
 * or run through states.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "tests/drivers/blkif_back_scene.h"
#include "tests/drivers/blkif_suites.h"
#include "tests/host/internal.h"
#include "xen/fiber.h"

#define STORM_NS (2 * BLKIF_SECOND)
#define STORM_STEP_NS 100000u
/* One every 32 ms, and those before it comes to that: of 20,000. */
#define STORM_EVENTS (2000u / 32u + 32u)

static struct back_scene scene;

static const struct guest_disk *look(void)
{
	return blkif_world_look(&scene.world, 0, 0);
}

static void serve(void *argument)
{
	(void)argument;
	if (scene.back.ring.pages[0])
		hostile_blkback_serve(&scene.back);
}

static bool all_is_served(void *argument)
{
	host_call(scene.attacker, serve, argument);
	return back_reported(&scene) == scene.batch.count;
}

static void serve_all(void)
{
	ck_assert(host_run_until(scene.world.machine, all_is_served, NULL, 10 * BLKIF_SECOND));
}

static void say_closed(void *argument)
{
	(void)argument;
	hostile_blkback_set_state(&scene.back, XenbusStateClosed);
}

/* ---- disks that cannot be ---- */

struct lie {
	const char *name;
	struct hostile_blk_offer offer;
};

#define DISK .flush = "1", .max_indirect = "64"

static const struct lie impossible[] = {
	{ "sectors of one byte", { DISK, .sectors = "2048", .sector_size = "1" } },
	{ "sectors of 3 bytes", { DISK, .sectors = "2048", .sector_size = "3" } },
	{ "sectors of 256 bytes", { DISK, .sectors = "2048", .sector_size = "256" } },
	{ "sectors of 513 bytes", { DISK, .sectors = "2048", .sector_size = "513" } },
	{ "sectors of two pages", { DISK, .sectors = "2048", .sector_size = "8192" } },
	{ "sectors of 2 GiB", { DISK, .sectors = "2048", .sector_size = "2147483648" } },
	{ "sectors of 64 bits", { DISK, .sectors = "2048", .sector_size = "9223372036854775808" } },
	{ "as many sectors as there are numbers",
	  { DISK, .sectors = "18446744073709551615", .sector_size = "512" } },
	{ "more bytes than there are numbers",
	  { DISK, .sectors = "36028797018963968", .sector_size = "512" } },
};

START_TEST(a_disk_that_cannot_be_is_none)
{
	back_scene_begin(&scene, HOST_STEPPED, 0);
	scene.back.offer = impossible[_i].offer;
	ck_assert_msg(!back_scene_try(&scene), "%s: it came up", impossible[_i].name);
	ck_assert_uint_eq(atomic_load(&scene.world.clients[0].disks[0].attached), 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

#define GOOD .sectors = "2048", .sector_size = "512"

/* What is nonsense is as if it was not said, and what is too much is not used. */
static const struct lie odd[] = {
	{ "indirect of 64 bits", { GOOD, .max_indirect = "18446744073709551615" } },
	{ "indirect of 33 bits", { GOOD, .max_indirect = "4294967297" } },
	{ "indirect of less than a slot", { GOOD, .max_indirect = "3" } },
	{ "indirect is a word", { GOOD, .max_indirect = "many" } },
	{ "order of 33 bits", { GOOD, .max_ring_order = "4294967296" } },
	{ "order of 64 bits", { GOOD, .max_ring_order = "18446744073709551615" } },
	{ "order is negative", { GOOD, .max_ring_order = "-1" } },
	{ "no queue", { GOOD, .max_queues = "0" } },
	{ "queues of 33 bits", { GOOD, .max_queues = "4294967296" } },
	{ "queues of 64 bits", { GOOD, .max_queues = "18446744073709551615" } },
	{ "discard of nothing", { GOOD, .discard = "1", .discard_granularity = "0" } },
	{ "discard of 64 bits",
	  { GOOD, .discard = "1", .discard_granularity = "18446744073709551104",
	    .discard_alignment = "18446744073709551615" } },
	{ "discard of odd bytes",
	  { GOOD, .discard = "1", .discard_granularity = "4097", .discard_alignment = "7777" } },
	{ "discard of features alone", { GOOD, .discard = "17", .discard_secure = "1" } },
	{ "physical sectors of no bytes", { GOOD, .physical_sector_size = "0" } },
	{ "physical sectors of 64 bits", { GOOD, .physical_sector_size = "18446744073709551104" } },
	{ "physical sectors that are none", { GOOD, .physical_sector_size = "700" } },
	{ "features are words",
	  { GOOD, .flush = "yes", .barrier = "yes", .persistent = "yes", .discard = "yes" } },
	{ "info of 64 bits", { GOOD, .info = "18446744073709551608" } },
};

static void assert_geometry(const struct lie *lie)
{
	const struct block_geometry *geometry = &look()->geometry;

	ck_assert_msg(geometry->sectors == 2048 && geometry->sector_bytes == 512, "%s", lie->name);
	ck_assert_uint_eq(geometry->physical_sector_bytes % 512, 0);
	ck_assert_uint_ge(geometry->physical_sector_bytes, 512);
	ck_assert_uint_le(geometry->physical_sector_bytes, 1u << 30);
	ck_assert_uint_ge(geometry->discard_bytes, 512);
	ck_assert_uint_eq(geometry->discard_bytes % 512, 0);
	ck_assert_uint_lt(geometry->discard_alignment, geometry->discard_bytes);
	ck_assert(!geometry->flush && !geometry->barrier && !geometry->secure_discard);
}

START_TEST(what_is_nonsense_was_not_said)
{
	back_config(&scene)->ring_order = 2;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	scene.back.offer = odd[_i].offer;
	back_scene_connect(&scene);
	assert_geometry(&odd[_i]);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	serve_all();
	back_assert_errors(&scene, 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

/* ---- disks that change ---- */

static void tell_disk(void *argument)
{
	(void)argument;
	hostile_blkback_tell_disk(&scene.back);
	hostile_blkback_set_state(&scene.back, XenbusStateConnected);
}

static const char *const sizes[] = { "36028797018963968", "18446744073709551615" };

START_TEST(a_size_that_cannot_be_ends_the_connection)
{
	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	if (_i < (int)ARRAY_SIZE(sizes))
		scene.back.offer.sectors = sizes[_i];
	else
		scene.back.offer.sector_size = "4096";
	host_call_fiber_must(scene.attacker, tell_disk, NULL);
	ck_assert(
		host_run_until(scene.world.machine, back_victim_is_down, &scene, 5 * BLKIF_SECOND));
	ck_assert_uint_eq(back_reported(&scene), 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_replace(&scene);
	back_assert_errors(&scene, 0);
	back_scene_end(&scene);
}
END_TEST

/* It shrinks below requests that are under way, and those that are made afterwards. */
START_TEST(a_disk_that_shrinks_says_so)
{
	struct guest_operation read = { .op = BLOCK_READ, .sector = 40, .count = 1, .data = NULL };

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	scene.back.offer.sectors = "40";
	host_call_fiber_must(scene.attacker, tell_disk, NULL);
	host_run_for(scene.world.machine, 10 * BLKIF_MS);
	ck_assert_uint_eq(look()->geometry.sectors, 40);
	read.disk = &scene.world.clients[0].disks[0];
	read.data = scene.memory;
	ck_assert_int_eq(blkif_world_operate(&scene.world, 0, &read), -ENOSPC);
	serve_all();
	back_assert_errors(&scene, 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

static void come_again(void *argument)
{
	(void)argument;
	hostile_blkback_release(&scene.back);
	hostile_blkback_set_state(&scene.back, XenbusStateClosed);
	fiber_sleep_until(clock_now_ns() + 200 * BLKIF_MS);
	back_offer_and_connect(&scene);
}

/*
 * Memory of requests is as long as the sectors were when they were made: a backend that comes
 * back with larger ones would have them written behind its end.
 */
START_TEST(sectors_keep_their_size)
{
	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	scene.back.offer.sector_size = "4096";
	host_call_fiber_must(scene.attacker, come_again, NULL);
	host_run_for(scene.world.machine, 2 * BLKIF_SECOND);
	ck_assert(back_victim_is_down(&scene));
	ck_assert_uint_eq(back_reported(&scene), 0);
	ck_assert_uint_eq(look()->geometry.sector_bytes, 512);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_replace(&scene);
	back_assert_errors(&scene, 0);
	back_scene_end(&scene);
}
END_TEST

/* ---- what was not promised ---- */

static void answer_unsupported(void *argument)
{
	(void)argument;
	ck_assert_uint_eq(hostile_blkback_waiting(&scene.back), 1);
	hostile_blkback_answer_to(&scene.back, hostile_blkback_request(&scene.back, 0),
				  BLKIF_RSP_EOPNOTSUPP);
	hostile_blkback_publish(&scene.back);
}

START_TEST(a_flush_that_is_not_done_is_not_offered_any_more)
{
	struct guest_batch *batch = &scene.batch;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	batch->disk = &scene.world.clients[0].disks[0];
	batch->count = 1;
	batch->entries[0].request = (struct block_request){ .op = BLOCK_FLUSH };
	blkif_world_submit(&scene.world, 0, batch);
	host_run_for(scene.world.machine, BLKIF_MS);
	host_call(scene.attacker, answer_unsupported, NULL);
	back_assert_errors(&scene, -EOPNOTSUPP);
	ck_assert(!look()->geometry.flush);
	blkif_world_submit(&scene.world, 0, batch);
	ck_assert_int_eq(batch->error, -EOPNOTSUPP);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

/* ---- silence, states and storms ---- */

/* Nobody looks for answers again and again. */
START_TEST(a_backend_that_says_nothing_costs_nothing)
{
	uint64_t before;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	ck_assert_uint_eq(scene.back.seen, BACK_REQUESTS);
	before = back_victim(&scene)->loop_stats.polls;
	host_run_for(scene.world.machine, 10 * BLKIF_SECOND);
	ck_assert_uint_le(back_victim(&scene)->loop_stats.polls - before, 4);
	serve_all();
	back_assert_errors(&scene, 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

START_TEST(what_is_never_answered_is_asked_of_the_next)
{
	back_config(&scene)->direct = _i & 2;
	back_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	host_run_for(scene.world.machine, (_i & 1 ? 1 : 100) * BLKIF_SECOND);
	ck_assert_uint_eq(back_reported(&scene), 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_replace(&scene);
	back_assert_errors(&scene, 0);
	back_scene_end(&scene);
}
END_TEST

static void flap(void *argument)
{
	struct host_machine *machine = scene.world.machine;

	(void)argument;
	for (int i = 0; i < 60; i++) {
		hostile_blkback_set_state(&scene.back, (uint32_t)(host_random(machine) % 8));
		if (host_random(machine) % 4 == 0)
			fiber_sleep_until(clock_now_ns() + host_random(machine) % 2000000);
	}
	hostile_blkback_set_state(&scene.back, XenbusStateClosed);
}

START_TEST(hostile_blkback_flaps)
{
	struct host_counters now;

	back_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	host_call_fiber_must(scene.attacker, flap, NULL);
	host_run_for(scene.world.machine, 3 * BLKIF_SECOND);
	now = host_domain_counters(back_victim(&scene));
	ck_assert_uint_eq(now.granted, 0);
	ck_assert_uint_eq(now.ports, 0);
	back_scene_replace(&scene);
	back_assert_errors(&scene, 0);
	back_scene_end(&scene);
}
END_TEST

static void notify_for_long(void *argument)
{
	(void)argument;
	for (uint64_t end = clock_now_ns() + STORM_NS; clock_now_ns() < end;) {
		evtchn_notify(scene.back.port);
		fiber_sleep_until(clock_now_ns() + STORM_STEP_NS);
	}
}

/* XSA-391 */
START_TEST(a_blkback_that_only_notifies_is_heard_less_and_less)
{
	uint64_t before;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	before = host_domain_costs(back_victim(&scene)).upcalls;
	host_call_fiber_must(scene.attacker, notify_for_long, NULL);
	ck_assert_uint_le(host_domain_costs(back_victim(&scene)).upcalls - before, STORM_EVENTS);
	serve_all();
	back_assert_errors(&scene, 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

static void write_states(void *argument)
{
	(void)argument;
	for (uint64_t end = clock_now_ns() + STORM_NS; clock_now_ns() < end;) {
		hostile_blkback_set_state(&scene.back, XenbusStateConnected);
		fiber_sleep_until(clock_now_ns() + STORM_STEP_NS);
	}
}

/* XSA-349: after a burst as many looks as its pace allows, of the disk's nodes each. */
START_TEST(a_blkback_that_writes_its_state_without_end_is_looked_at_now_and_then)
{
	uint64_t before;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	before = host_domain_costs(back_victim(&scene)).store_requests;
	host_call_fiber_must(scene.attacker, write_states, NULL);
	ck_assert_uint_le(host_domain_costs(back_victim(&scene)).store_requests - before, 40 * 20);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	serve_all();
	back_assert_errors(&scene, 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

/* ---- a backend that is slow to look ---- */

static void bind_anew(void *argument)
{
	(void)argument;
	hostile_blkback_release(&scene.back);
	hostile_blkback_set_state(&scene.back, XenbusStateInitWait);
}

static void close_at_last(void *argument)
{
	(void)argument;
	hostile_blkback_set_state(&scene.back, XenbusStateClosed);
}

static void note_peer_state(void *state)
{
	*(uint32_t *)state = hostile_blkback_peer_state(&scene.back);
}

static void assert_peer_state(uint32_t wanted)
{
	uint32_t state = 0;

	host_call_fiber_must(scene.attacker, note_peer_state, &state);
	ck_assert_uint_eq(state, wanted);
}

/*
 * Linux's, when it is bound anew, connects to what is in the store from before unless it has
 * seen Closed: nothing new may be there until it has said so itself.
 */
START_TEST(a_backend_that_was_bound_anew_has_seen_closed)
{
	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	host_call_fiber_must(scene.attacker, bind_anew, NULL);
	host_run_for(scene.world.machine, 500 * BLKIF_MS);
	assert_peer_state(XenbusStateClosed);
	host_call_fiber_must(scene.attacker, close_at_last, NULL);
	host_run_for(scene.world.machine, 50 * BLKIF_MS);
	assert_peer_state(XenbusStateInitialising);
	host_call_fiber_must(scene.attacker, back_offer_and_connect, &scene);
	ck_assert(blkif_world_wait_up(&scene.world, 0, 0, 5 * BLKIF_SECOND));
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	serve_all();
	back_assert_errors(&scene, 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

/* What the client wrote of itself; -1: nothing. */
static int64_t victim_said(const char *key)
{
	char directory[128], path[160];

	host_vbd_frontend_path(&scene.vbd, directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/%s", directory, key);
	return host_store_number(scene.world.machine, path);
}

static void leave_key_of_before(const char *key)
{
	char directory[128], path[160];

	host_vbd_frontend_path(&scene.vbd, directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/%s", directory, key);
	host_store_write(scene.world.machine, path, "4");
}

/* XSA-405: it offers less than before, and would take keys of before for ours. */
START_TEST(a_backend_that_offers_less_finds_no_keys_of_before)
{
	back_config(&scene)->ring_order = 2;
	back_config(&scene)->max_queues = 2;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	scene.back.offer.max_ring_order = "2";
	back_scene_connect(&scene);
	ck_assert_int_eq(victim_said("ring-page-order"), 2);
	ck_assert_int_ge(victim_said("ring-ref3"), 0);
	leave_key_of_before("multi-queue-num-queues");
	leave_key_of_before("queue-1/event-channel");
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	host_call_fiber_must(scene.attacker, say_closed, NULL);
	ck_assert(blkif_world_wait_down(&scene.world, 0, 0, BLKIF_SECOND));
	scene.back.offer.max_ring_order = NULL;
	host_call_fiber_must(scene.attacker, back_offer_and_connect, &scene);
	ck_assert(blkif_world_wait_up(&scene.world, 0, 0, 5 * BLKIF_SECOND));
	ck_assert_int_eq(victim_said("ring-page-order"), -1);
	ck_assert_int_eq(victim_said("num-ring-pages"), -1);
	for (uint32_t i = 0; i < 4; i++) {
		char key[16];

		snprintf(key, sizeof(key), "ring-ref%u", i);
		ck_assert_int_eq(victim_said(key), -1);
	}
	ck_assert_int_eq(victim_said("multi-queue-num-queues"), -1);
	ck_assert_int_eq(victim_said("queue-1/event-channel"), -1);
	ck_assert_int_ge(victim_said("ring-ref"), 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

TCase *blkif_hostile_back_life_tests(void)
{
	TCase *tests = tcase_create("hostile-back-life");

	tcase_set_timeout(tests, 240);
	MODES_TEST_STEPPED(tests, a_disk_that_cannot_be_is_none, (int)ARRAY_SIZE(impossible));
	MODES_TEST_STEPPED(tests, what_is_nonsense_was_not_said, (int)ARRAY_SIZE(odd));
	MODES_TEST_STEPPED(tests, a_size_that_cannot_be_ends_the_connection,
			   (int)ARRAY_SIZE(sizes) + 1);
	MODES_TEST_STEPPED(tests, a_disk_that_shrinks_says_so, 1);
	MODES_TEST_STEPPED(tests, sectors_keep_their_size, 1);
	MODES_TEST_STEPPED(tests, a_flush_that_is_not_done_is_not_offered_any_more, 1);
	MODES_TEST_STEPPED(tests, a_backend_that_says_nothing_costs_nothing, 1);
	MODES_TEST_BY_TURNS(tests, what_is_never_answered_is_asked_of_the_next, 4);
	MODES_TEST_STEPPED(tests, a_backend_that_was_bound_anew_has_seen_closed, 1);
	MODES_TEST_STEPPED(tests, a_backend_that_offers_less_finds_no_keys_of_before, 1);
	MODES_TEST_BY_TURNS(tests, hostile_blkback_flaps, 6);
	MODES_TEST_STEPPED(tests, a_blkback_that_only_notifies_is_heard_less_and_less, 1);
	MODES_TEST_STEPPED(
		tests, a_blkback_that_writes_its_state_without_end_is_looked_at_now_and_then, 1);
	return tests;
}
