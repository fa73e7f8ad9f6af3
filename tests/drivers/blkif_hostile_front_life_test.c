/* SPDX-License-Identifier: ISC */
/*
 * blkback against frontends that lie in the store, run through states, begin again, write
 * without end or want more than there is, while an honest client's load goes on.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "tests/drivers/blkif_front_scene.h"
#include "tests/drivers/blkif_suites.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"

#define LOG_BURST 5u /* of LOG_LIMIT_INIT */
#define CLIENTS 4u
/* More than all clients together may have kept, and than one ring may. */
#define MANY_GRANTS 1500u
#define ALL_KEPT 768u /* BLKBACK_PERSISTENT_PAGES */
#define STORM_NS (2 * BLKIF_SECOND)
#define STORM_STEP_NS 100000u
/* One every 32 ms, and those before it comes to that: of 20,000. */
#define STORM_EVENTS (2000u / 32u + 32u)

static struct front_scene scene;

static struct host_domain *server(void)
{
	return scene.world.server.domain;
}

/* ---- lies in the store ---- */

struct lie {
	const char *name;
	struct hostile_blk_keys keys;
};

#define KEYS .protocol = XEN_IO_PROTO_ABI_NATIVE, .state = XenbusStateInitialised

static const struct lie lies[] = {
	{ "no ring", { KEYS, .ring_ref = "" } },
	{ "ring is a word", { KEYS, .ring_ref = "ring" } },
	{ "ring is negative", { KEYS, .ring_ref = "-1" } },
	{ "ring has 33 bits", { KEYS, .ring_ref = "4294967304" } },
	{ "ring has too many digits", { KEYS, .ring_ref = "99999999999999999999999999" } },
	{ "ring is reserved", { KEYS, .ring_ref = "0" } },
	{ "ring is not granted", { KEYS, .ring_ref = "3999" } },
	{ "no port", { KEYS, .event_channel = "" } },
	{ "port 0", { KEYS, .event_channel = "0" } },
	{ "port of nobody", { KEYS, .event_channel = "900" } },
	{ "port is huge", { KEYS, .event_channel = "4294967295" } },
	{ "port has 33 bits", { KEYS, .event_channel = "4294967298" } },
	{ "order is more than there is", { KEYS, .ring_order = "5" } },
	{ "order shifts out", { KEYS, .ring_order = "32" } },
	{ "order has 64 bits", { KEYS, .ring_order = "18446744073709551615" } },
	{ "order is a word", { KEYS, .ring_order = "two" } },
	{ "order without its pages", { KEYS, .ring_order = "2" } },
	{ "no queue", { KEYS, .queues = "0" } },
	{ "two queues in the place of one", { KEYS, .queues = "2" } },
	{ "queues are huge", { KEYS, .queues = "18446744073709551615" } },
	{ "queues have 33 bits", { KEYS, .queues = "4294967297" } },
	{ "protocol of others", { .protocol = "x86_32-abi", .state = 3 } },
	{ "protocol of nobody",
	  { .protocol = "x86_64-abi-and-what-will-never-fit-into-any-buffer", .state = 3 } },
	{ "state 0", { .protocol = XEN_IO_PROTO_ABI_NATIVE, .state = 0 } },
	{ "state 7", { .protocol = XEN_IO_PROTO_ABI_NATIVE, .state = 7 } },
	{ "state 4294967295", { .protocol = XEN_IO_PROTO_ABI_NATIVE, .state = UINT32_MAX } },
};

START_TEST(hostile_blkfront_lie)
{
	front_scene_begin(&scene, HOST_STEPPED, 0);
	scene.front.keys = lies[_i].keys;
	ck_assert_int_eq(host_toolstack_attach_vbd(&scene.vbd), 0);
	host_call_fiber_must(scene.attacker, hostile_blkfront_connect, &scene.front);
	ck_assert_msg(scene.front.error == -ETIMEDOUT, "%s: connected", lies[_i].name);
	ck_assert_uint_eq(host_domain_counters(scene.attacker).held, 0);
	front_scene_end(&scene);
}
END_TEST

/* What is no number says nothing, and the connection is a plain one. */
START_TEST(features_that_are_no_numbers_are_not_asked_for)
{
	front_scene_begin(&scene, HOST_STEPPED, 0);
	scene.front.keys.persistent = scene.front.keys.large_sectors = "yes please";
	front_scene_connect(&scene);
	front_assert_served(&scene);
	ck_assert_uint_eq(host_domain_counters(scene.attacker).held, 1);
	front_scene_end(&scene);
}
END_TEST

/* ---- rings ---- */

static void put_many(void *argument)
{
	struct hostile_blkfront *front = argument;

	for (uint32_t i = 0; i < front->ring.slots / 2; i++) {
		struct blkif_request request = hostile_blk_good(front, BLKIF_OP_WRITE, 0);

		hostile_blk_put(front, &request, sizeof(request));
	}
	hostile_blk_publish(front);
	if (front->other_port != EVTCHN_NONE)
		evtchn_notify(front->other_port);
}

/* Both take the same requests, and answer them over each other: the attacker's own loss. */
START_TEST(hostile_blkfront_with_one_ring_for_two_queues)
{
	front_scene_begin(&scene, _i ? HOST_THREADS : HOST_STEPPED, 0);
	scene.front.keys.queues = "2";
	scene.front.keys.as_queues = true;
	front_scene_connect(&scene);
	for (uint32_t i = 0; i < 20; i++) {
		host_call(scene.attacker, put_many, &scene.front);
		host_run_for(scene.world.machine, 2 * BLKIF_MS);
	}
	front_scene_end(&scene);
}
END_TEST

/* XSA-216: nothing of ours is in what an answer leaves free. */
static void put_marked(void *argument)
{
	struct hostile_blkfront *front = argument;
	uint8_t slot[sizeof(union blkif_slot)];
	struct blkif_request request = hostile_blk_good(front, BLKIF_OP_READ, 0);

	memset(slot, 0x77, sizeof(slot));
	memcpy(slot, &request, offsetof(struct blkif_request, seg[1]));
	hostile_blk_put(front, slot, sizeof(slot));
	hostile_blk_publish(front);
}

static void assert_answer_is_empty(void *argument)
{
	struct hostile_blkfront *front = argument;
	const uint8_t *slot = front->ring.pages[0] + BLKIF_RING_HEADER_BYTES;

	ck_assert_uint_eq(slot[9], 0);
	for (uint32_t i = 12; i < sizeof(struct blkif_response); i++)
		ck_assert_uint_eq(slot[i], 0);
	/* Behind it is still what the attacker wrote. */
	for (size_t i = offsetof(struct blkif_request, seg[1]); i < sizeof(union blkif_slot); i++)
		ck_assert_uint_eq(slot[i], 0x77);
}

START_TEST(answers_hold_nothing_but_the_answer)
{
	front_scene_begin(&scene, HOST_STEPPED, 0);
	front_scene_connect(&scene);
	host_call(scene.attacker, put_marked, &scene.front);
	ck_assert(front_wait_answers(&scene, 1));
	host_call(scene.attacker, assert_answer_is_empty, &scene.front);
	front_scene_end(&scene);
}
END_TEST

/* ---- states ---- */

/* XSA-350: connects, asks, and runs through states without waiting for anybody. */
static void flap(void *argument)
{
	struct hostile_blkfront *front = argument;
	struct host_machine *machine = scene.world.machine;

	for (int i = 0; i < 60; i++) {
		hostile_blkfront_set_state(front, (uint32_t)(host_random(machine) % 8));
		if (host_random(machine) % 2)
			put_many(front);
		if (host_random(machine) % 4 == 0)
			fiber_sleep_until(clock_now_ns() + host_random(machine) % 2000000);
	}
	hostile_blkfront_set_state(front, XenbusStateClosed);
}

START_TEST(hostile_blkfront_flaps)
{
	front_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	scene.front.keys.persistent = _i & 2 ? "1" : NULL;
	front_scene_connect(&scene);
	for (int i = 0; i < 5; i++) {
		host_call_fiber_must(scene.attacker, flap, &scene.front);
		host_run_for(scene.world.machine, 20 * BLKIF_MS);
	}
	ck_assert(host_run_until(scene.world.machine, front_nothing_is_held, &scene,
				 10 * BLKIF_SECOND));
	front_scene_end(&scene);
}
END_TEST

/* XSA-43: each line that a client causes costs it a token of its own bucket. */
START_TEST(a_blkfront_may_begin_again_and_fills_no_log)
{
	uint32_t lines;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	front_scene_connect(&scene);
	lines = blkif_world_collect(&scene.world.server)->log_lines;
	for (int i = 0; i < 40; i++) {
		host_call_fiber_must(scene.attacker, front_begin_again, &scene);
		ck_assert_int_eq(scene.front.error, 0);
		ck_assert_uint_le(host_domain_counters(scene.attacker).held, 1);
	}
	ck_assert_uint_le(blkif_world_collect(&scene.world.server)->log_lines - lines,
			  2 * (LOG_BURST + 10));
	front_scene_end(&scene);
}
END_TEST

/* ---- more than there is ---- */

/* XSA-300: what all clients together may have is bounded by their number. */
START_TEST(one_domain_with_many_vbds_gets_no_more_than_there_are)
{
	uint32_t attached = 0;

	front_scene_begin_bounded(&scene, CLIENTS);
	scene.vbd.read_only = true;
	while (attached < 2 * CLIENTS && !host_toolstack_attach_vbd(&scene.vbd)) {
		attached++;
		scene.vbd.devid += HOST_VBD_STEP;
	}
	ck_assert_uint_eq(attached, CLIENTS - 1);
	front_scene_end(&scene);
}
END_TEST

/* The window of foreign pages is for the largest rings of all clients: of 64 pages each. */
START_TEST(rings_of_many_clients_are_smaller)
{
	front_scene_begin_bounded(&scene, 16u << _i);
	scene.front.order = 4;
	ck_assert_int_eq(host_toolstack_attach_vbd(&scene.vbd), 0);
	host_call_fiber_must(scene.attacker, hostile_blkfront_connect, &scene.front);
	ck_assert_int_eq(scene.front.error, _i ? -ETIMEDOUT : 0);
	front_scene_end(&scene);
}
END_TEST

/* Two who write, or one who writes and another who reads, would ruin each other's files. */
START_TEST(a_disk_in_use_is_no_other_clients)
{
	front_scene_begin(&scene, HOST_STEPPED, 0);
	scene.vbd.target = scene.world.server.guest.served[0].name;
	scene.vbd.read_only = _i;
	ck_assert_int_ne(host_toolstack_attach_vbd(&scene.vbd), 0);
	ck_assert_int_eq(host_toolstack_destroy_vbd(scene.attacker, scene.vbd.devid), 0);
	front_scene_end(&scene);
}
END_TEST

static uint32_t many[MANY_GRANTS];

static void grant_many(void *argument)
{
	const struct hostile_blkfront *front = argument;
	uint64_t frame = memory_frame_of(front->pages[HOSTILE_BLK_DATA]);

	for (uint32_t i = 0; i < MANY_GRANTS; i++) {
		int64_t gref = gnttab_grant_access(front->backend_domid, frame, false);

		ck_assert_int_gt(gref, 0);
		many[i] = (uint32_t)gref;
	}
}

static void end_many(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < MANY_GRANTS; i++)
		ck_assert_int_eq(gnttab_end_access(many[i]), 0);
}

static void put_with(void *argument)
{
	struct hostile_blkfront *front = &scene.front;
	const uint32_t *grefs = argument;

	for (uint32_t i = 0; i < 20; i++) {
		struct blkif_request request = hostile_blk_good(front, BLKIF_OP_READ, 0);

		request.nr_segments = 5;
		for (uint32_t j = 0; j < 5; j++) {
			request.seg[j] = request.seg[0];
			request.seg[j].gref = grefs[i * 5 + j];
		}
		hostile_blk_put(front, &request, sizeof(request));
	}
	hostile_blk_publish(front);
}

/* XSA-300: grants that a client promises to keep are mapped up to a bound, and no more. */
START_TEST(grants_are_kept_up_to_a_bound)
{
	front_scene_begin(&scene, HOST_STEPPED, 0);
	scene.front.keys.persistent = "1";
	scene.front.order = 4;
	front_scene_connect(&scene);
	host_call(scene.attacker, grant_many, &scene.front);
	for (uint32_t i = 0; i < MANY_GRANTS; i += 100) {
		host_call(scene.attacker, put_with, &many[i]);
		ck_assert(front_wait_answers(&scene, scene.front.next));
		/* And those of its ring. */
		ck_assert_uint_le(host_domain_counters(scene.attacker).held, ALL_KEPT + 16);
		ck_assert_uint_le(host_domain_counters(server()).mapped, ALL_KEPT + 17);
	}
	ck_assert_uint_eq(scene.answers.okay, scene.answers.all);
	ck_assert_uint_gt(host_domain_counters(scene.attacker).held, 500);
	host_call_fiber_must(scene.attacker, flap, &scene.front);
	ck_assert(host_run_until(scene.world.machine, front_nothing_is_held, &scene,
				 10 * BLKIF_SECOND));
	host_call(scene.attacker, end_many, NULL);
	front_scene_end(&scene);
}
END_TEST

/* ---- statuses (XSA-361, 362, 365, 367, 371) ---- */

static void put_checked_read(void *argument)
{
	struct hostile_blkfront *front = argument;
	struct blkif_request request = hostile_blk_good(front, BLKIF_OP_READ, 8);

	memset(front->pages[HOSTILE_BLK_DATA], 0x11, BLKIF_PAGE_BYTES);
	request.nr_segments = 4;
	for (uint32_t i = 1; i < 4; i++)
		request.seg[i] = request.seg[0];
	for (uint32_t i = 0; i < 4; i++) {
		request.seg[i].first_sect = (uint8_t)(2 * i);
		request.seg[i].last_sect = (uint8_t)(2 * i + 1);
	}
	hostile_blk_put(front, &request, sizeof(request));
	hostile_blk_publish(front);
}

static bool was_read;

static void look_whether_it_was_read(void *argument)
{
	const struct hostile_blkfront *front = argument;

	was_read = true;
	for (uint32_t i = 0; i < BLKIF_PAGE_BYTES; i++)
		was_read &= front->pages[HOSTILE_BLK_DATA][i] == 0x3c;
}

START_TEST(what_was_not_copied_is_not_said_to_be_done)
{
	static const struct host_faults faults = { .copy_one_in = 4, .map_one_in = 4 };
	static const struct host_faults none;

	front_scene_begin(&scene, HOST_STEPPED, (uint32_t)_i);
	ck_assert(blkif_world_wait_load(&scene.world, 0, 0, 30 * BLKIF_SECOND));
	scene.front.keys.persistent = _i ? "1" : NULL;
	front_scene_connect(&scene);
	front_assert_served(&scene);
	for (uint32_t i = 0; i < 60; i++) {
		uint32_t okay = scene.answers.okay;

		host_domain_set_faults(server(), &faults);
		host_call(scene.attacker, put_checked_read, &scene.front);
		ck_assert(front_wait_answers(&scene, scene.front.next));
		host_domain_set_faults(server(), &none);
		host_call(scene.attacker, look_whether_it_was_read, &scene.front);
		ck_assert(was_read || scene.answers.okay == okay);
	}
	/* Some of either kind, or nothing was tried. */
	ck_assert_uint_gt(scene.answers.okay, 2);
	ck_assert(_i || scene.answers.error > 10);
	front_scene_end(&scene);
}
END_TEST

/* ---- the toolstack takes the disk away ---- */

static void say_connected(void *argument)
{
	hostile_blkfront_set_state(argument, XenbusStateConnected);
}

static void close_later(void *argument)
{
	fiber_sleep_until(clock_now_ns() + BLKIF_SECOND);
	hostile_blkfront_set_state(argument, XenbusStateClosed);
}

static void begin_to_close(void *argument)
{
	ck_assert_int_eq(fiber_start("close", close_later, argument), 0);
}

/* It may still have something to write, and xl gives up; the disk goes when the client lets go. */
START_TEST(a_client_that_does_not_close_keeps_its_disk)
{
	front_scene_begin(&scene, HOST_STEPPED, 0);
	front_scene_connect(&scene);
	host_call_fiber_must(scene.attacker, say_connected, &scene.front);
	ck_assert_int_eq(host_toolstack_detach_vbd(scene.attacker, scene.vbd.devid), -ETIMEDOUT);
	front_assert_served(&scene);
	host_call(scene.attacker, begin_to_close, &scene.front);
	ck_assert_int_eq(host_toolstack_detach_vbd(scene.attacker, scene.vbd.devid), 0);
	ck_assert_uint_eq(host_domain_counters(scene.attacker).held, 0);
	front_scene_end(&scene);
}
END_TEST

/*
 * Both directories are gone and written anew before anybody looks, for the same disk, which
 * the client may only read now: what it had before is over.
 */
static void take_away_and_give_for_reading(void)
{
	struct host_machine *machine = scene.world.machine;
	char path[100];

	host_store_remove(machine, host_vbd_frontend_path(&scene.vbd, path, sizeof(path)));
	host_store_remove(machine, host_vbd_backend_path(&scene.vbd, path, sizeof(path)));
	scene.vbd.read_only = true;
	ck_assert_int_eq(host_toolstack_attach_vbd(&scene.vbd), 0);
}

static void put_two_writes(void *argument)
{
	struct hostile_blkfront *front = argument;

	for (uint32_t i = 0; i < 2; i++) {
		struct blkif_request request = hostile_blk_good(front, BLKIF_OP_WRITE, 8);

		hostile_blk_put(front, &request, sizeof(request));
	}
	hostile_blk_publish(front);
}

START_TEST(a_disk_given_anew_is_given_as_the_toolstack_says_now)
{
	front_scene_begin(&scene, HOST_STEPPED, 0);
	front_scene_connect(&scene);
	take_away_and_give_for_reading();
	host_call_fiber_must(scene.attacker, hostile_blkfront_connect, &scene.front);
	ck_assert_int_eq(scene.front.error, 0);
	host_call(scene.attacker, put_two_writes, &scene.front);
	ck_assert(front_wait_answers(&scene, 2));
	ck_assert_uint_eq(scene.answers.error, 2);
	front_scene_end(&scene);
}
END_TEST

/* ---- order ---- */

/*
 * Two writes of the same sectors, one of them a barrier: the first from a page that cannot be
 * kept, which is copied with its batch, the second from one that is, and is read at once.
 */
static void put_barrier(void *argument)
{
	struct hostile_blkfront *front = &scene.front;
	bool first_is_barrier = *(const int *)argument != 0;
	struct blkif_request first = hostile_blk_good(
		front, first_is_barrier ? BLKIF_OP_WRITE_BARRIER : BLKIF_OP_WRITE, 8);
	struct blkif_request second = hostile_blk_good(
		front, first_is_barrier ? BLKIF_OP_WRITE : BLKIF_OP_WRITE_BARRIER, 8);

	first.seg[0].gref = front->grefs[HOSTILE_BLK_READONLY];
	memset(front->pages[HOSTILE_BLK_READONLY], 0x11, BLKIF_PAGE_BYTES);
	memset(front->pages[HOSTILE_BLK_DATA], 0x22, BLKIF_PAGE_BYTES);
	hostile_blk_put(front, &first, sizeof(first));
	hostile_blk_put(front, &second, sizeof(second));
	hostile_blk_publish(front);
}

static void put_read(void *argument)
{
	struct hostile_blkfront *front = argument;
	struct blkif_request request = hostile_blk_good(front, BLKIF_OP_READ, 8);

	memset(front->pages[HOSTILE_BLK_DATA], 0x33, BLKIF_PAGE_BYTES);
	hostile_blk_put(front, &request, sizeof(request));
	hostile_blk_publish(front);
}

START_TEST(a_barrier_keeps_the_order_of_kept_and_copied_pages)
{
	int first_is_barrier = _i;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	scene.front.keys.persistent = "1";
	front_scene_connect(&scene);
	host_call(scene.attacker, put_barrier, &first_is_barrier);
	ck_assert(front_wait_answers(&scene, scene.front.next));
	host_call(scene.attacker, put_read, &scene.front);
	ck_assert(front_wait_answers(&scene, scene.front.next));
	ck_assert_uint_eq(scene.answers.okay, 3);
	for (uint32_t i = 0; i < BLKIF_PAGE_BYTES; i++)
		ck_assert_uint_eq(scene.front.pages[HOSTILE_BLK_DATA][i], 0x22);
	front_scene_end(&scene);
}
END_TEST

/* ---- storms ---- */

static void write_states(void *argument)
{
	const struct hostile_blkfront *front = argument;

	for (uint64_t end = clock_now_ns() + STORM_NS; clock_now_ns() < end;) {
		hostile_blkfront_set_state(front, XenbusStateInitialised);
		fiber_sleep_until(clock_now_ns() + STORM_STEP_NS);
	}
}

/* XSA-349: after a burst, as many looks as its pace allows, of a few requests each. */
START_TEST(a_blkfront_that_writes_its_state_without_end_is_looked_at_now_and_then)
{
	uint64_t before;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	front_scene_connect(&scene);
	ck_assert(blkif_world_wait_load(&scene.world, 0, 0, 30 * BLKIF_SECOND));
	before = host_domain_costs(server()).store_requests;
	host_call_fiber_must(scene.attacker, write_states, &scene.front);
	ck_assert_uint_le(host_domain_costs(server()).store_requests - before, 40 * 4);
	front_assert_served(&scene);
	front_scene_end(&scene);
}
END_TEST

static void notify_for_long(void *argument)
{
	const struct hostile_blkfront *front = argument;

	for (uint64_t end = clock_now_ns() + STORM_NS; clock_now_ns() < end;) {
		evtchn_notify(front->port);
		fiber_sleep_until(clock_now_ns() + STORM_STEP_NS);
	}
}

/* XSA-331, 332 */
START_TEST(a_blkfront_that_only_notifies_is_heard_less_and_less)
{
	uint64_t before;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	front_scene_connect(&scene);
	ck_assert(blkif_world_wait_load(&scene.world, 0, 0, 30 * BLKIF_SECOND));
	before = host_domain_costs(server()).upcalls;
	host_call_fiber_must(scene.attacker, notify_for_long, &scene.front);
	ck_assert_uint_le(host_domain_costs(server()).upcalls - before, STORM_EVENTS);
	front_assert_served(&scene);
	front_scene_end(&scene);
}
END_TEST

TCase *blkif_hostile_front_life_tests(void)
{
	TCase *tests = tcase_create("hostile-front-life");

	tcase_set_timeout(tests, 240);
	MODES_TEST_STEPPED(tests, hostile_blkfront_lie, (int)ARRAY_SIZE(lies));
	MODES_TEST_STEPPED(tests, features_that_are_no_numbers_are_not_asked_for, 1);
	MODES_TEST_BOTH(tests, hostile_blkfront_with_one_ring_for_two_queues);
	MODES_TEST_STEPPED(tests, answers_hold_nothing_but_the_answer, 1);
	MODES_TEST_BY_TURNS(tests, hostile_blkfront_flaps, 6);
	MODES_TEST_STEPPED(tests, a_blkfront_may_begin_again_and_fills_no_log, 1);
	MODES_TEST_STEPPED(tests, one_domain_with_many_vbds_gets_no_more_than_there_are, 1);
	MODES_TEST_STEPPED(tests, rings_of_many_clients_are_smaller, 2);
	MODES_TEST_STEPPED(tests, a_disk_in_use_is_no_other_clients, 2);
	MODES_TEST_STEPPED(tests, grants_are_kept_up_to_a_bound, 1);
	MODES_TEST_STEPPED(tests, what_was_not_copied_is_not_said_to_be_done, 2);
	MODES_TEST_STEPPED(tests, a_client_that_does_not_close_keeps_its_disk, 1);
	MODES_TEST_STEPPED(tests, a_disk_given_anew_is_given_as_the_toolstack_says_now, 1);
	MODES_TEST_STEPPED(tests, a_barrier_keeps_the_order_of_kept_and_copied_pages, 2);
	MODES_TEST_STEPPED(
		tests, a_blkfront_that_writes_its_state_without_end_is_looked_at_now_and_then, 1);
	MODES_TEST_STEPPED(tests, a_blkfront_that_only_notifies_is_heard_less_and_less, 1);
	return tests;
}
