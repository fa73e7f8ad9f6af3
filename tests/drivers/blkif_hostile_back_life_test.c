/* SPDX-License-Identifier: ISC */
/*
 * blkfront against backends that lie about their disks, change them under way, keep what
 * they were lent, look beside what they were sent, say nothing, or run through states.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "tests/drivers/blkif_back_scene.h"
#include "tests/drivers/blkif_suites.h"
#include "tests/host/internal.h"
#include "xen/fiber.h"

#define GRANTS 4096u
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

/* ---- keeping what was lent (XSA-396) ---- */

static void say_closed(void *argument)
{
	(void)argument;
	hostile_blkback_set_state(&scene.back, XenbusStateClosed);
}

static void keep_pages(void *argument)
{
	struct blkif_request_segment segments[HOSTILE_BLK_SEGMENTS_MOST];
	uint32_t waiting = hostile_blkback_waiting(&scene.back);

	(void)argument;
	for (uint32_t i = 0; i < waiting && scene.kept_count < BACK_REQUESTS; i++) {
		const union blkif_slot *request = hostile_blkback_request(&scene.back, i);

		if (!hostile_blkback_segments(&scene.back, request, segments) ||
		    hostile_blkback_writes(request))
			continue;
		if (!gnttab_map(host_domid(back_victim(&scene)), segments[0].gref, false,
				&scene.kept[scene.kept_count]))
			scene.kept_count++;
	}
	ck_assert_uint_gt(scene.kept_count, 0);
}

/* Written into for ever: nobody may mind. */
static void spoil_kept(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < scene.kept_count; i++)
		memset(scene.kept[i].address, 0x99, BLKIF_PAGE_BYTES);
}

START_TEST(a_backend_that_keeps_pages_costs_those_while_it_lives)
{
	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	host_call(scene.attacker, keep_pages, NULL);
	host_call_fiber_must(scene.attacker, say_closed, NULL);
	host_run_for(scene.world.machine, 5 * BLKIF_SECOND);
	/* The ring's page too. */
	ck_assert_uint_eq(blkif_world_collect(&scene.world.clients[0].guest)->quarantined,
			  scene.kept_count + 1);
	ck_assert_uint_eq(host_domain_counters(back_victim(&scene)).held, scene.kept_count + 1);
	host_call(scene.attacker, spoil_kept, NULL);
	back_scene_replace(&scene);
	back_assert_errors(&scene, 0);
	host_call(scene.attacker, spoil_kept, NULL);
	back_scene_end(&scene);
}
END_TEST

/* Memory that is lent as it is: whoever lent it must know that it is not his alone. */
START_TEST(memory_that_a_backend_keeps_is_reported_so)
{
	uint32_t busy = 0;

	back_config(&scene)->direct = true;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	host_call(scene.attacker, keep_pages, NULL);
	serve_all();
	for (uint32_t i = 0; i < BACK_REQUESTS; i++) {
		int error = scene.batch.entries[i].error;

		ck_assert(error == 0 || error == -EBUSY);
		busy += error == -EBUSY;
	}
	ck_assert_uint_eq(busy, scene.kept_count);
	/* Nothing more is lent to it. */
	scene.kept_count = 0;
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	host_call(scene.attacker, keep_pages, NULL);
	serve_all();
	back_assert_errors(&scene, 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

static bool is_full_of_marks(const uint8_t *bytes)
{
	for (uint32_t i = 0; i < 64; i++)
		if (bytes[i] != BACK_MARK)
			return false;
	return true;
}

#define MANY_PAGES 1200u /* more than the client can have under way */

static uint8_t *many_pages;

static void take_many_pages(void *argument)
{
	(void)argument;
	many_pages = memory_alloc_pages(MANY_PAGES);
	ck_assert(many_pages);
	memset(many_pages, BACK_MARK, MANY_PAGES * PAGE_BYTES);
}

/* A page of the client's memory, as its marks tell, and none of the disk's own. */
static void keep_loan(uint32_t gref)
{
	struct gnttab_mapping mapping;

	ck_assert_int_eq(hostile_blkback_peek(&scene.back, gref), 0);
	if (is_full_of_marks(scene.back.page))
		ck_assert_int_eq(gnttab_map(host_domid(back_victim(&scene)), gref, false, &mapping),
				 0);
}

/* All that is asked for is answered well, and what was lent for it mapped for ever. */
static void keep_and_serve(void *argument)
{
	struct blkif_request_segment segments[HOSTILE_BLK_SEGMENTS_MOST];

	(void)argument;
	for (uint32_t i = 0; i < hostile_blkback_waiting(&scene.back); i++) {
		uint32_t count = hostile_blkback_segments(
			&scene.back, hostile_blkback_request(&scene.back, i), segments);

		for (uint32_t j = 0; j < count; j++)
			keep_loan(segments[j].gref);
	}
	hostile_blkback_serve(&scene.back);
}

/* Not all of what blkfront needs for requests goes with what is kept. */
START_TEST(a_backend_that_keeps_all_it_can_leaves_enough_for_the_next)
{
	struct guest_operation read = { .op = BLOCK_READ, .count = 1 };
	struct guest_batch *batch = &scene.batch;

	back_config(&scene)->direct = true;
	back_config(&scene)->ring_order = 4;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	host_call(back_victim(&scene), take_many_pages, NULL);
	scene.back.offer.sectors = "16384";
	scene.back.offer.max_ring_order = "4";
	scene.back.offer.max_indirect = NULL; /* whose descriptors would be given back */
	back_scene_connect(&scene);
	batch->disk = read.disk = &scene.world.clients[0].disks[0];
	batch->count = 1;
	batch->entries[0].request = (struct block_request){ .op = BLOCK_READ,
							    .count = MANY_PAGES * 8,
							    .data = many_pages };
	blkif_world_submit(&scene.world, 0, batch);
	host_run_for(scene.world.machine, BLKIF_MS);
	host_call(scene.attacker, keep_and_serve, NULL);
	host_run_for(scene.world.machine, BLKIF_MS);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_replace(&scene);
	back_assert_errors(&scene, -EBUSY);
	read.data = scene.memory;
	ck_assert_int_eq(blkif_world_operate(&scene.world, 0, &read), 0);
	back_scene_end(&scene);
}
END_TEST

/* The toolstack takes the disk away, and gives it again from another backend. */
START_TEST(what_one_backend_keeps_does_not_keep_the_disk_away)
{
	back_config(&scene)->direct = _i;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	host_call(scene.attacker, keep_pages, NULL);
	ck_assert_int_ne(host_toolstack_destroy_vbd(back_victim(&scene), HOST_VBD_XVDA), -ENOENT);
	host_run_for(scene.world.machine, 5 * BLKIF_SECOND);
	ck_assert_uint_eq(back_reported(&scene), BACK_REQUESTS);
	back_scene_replace(&scene);
	back_scene_end(&scene);
}
END_TEST

/* ---- looking beside what was sent (XSA-403) ---- */

static uint32_t looked;

/* Every page that it was granted, whether it was told of it or not. */
static void look_at_everything(void *argument)
{
	(void)argument;
	for (uint32_t gref = 8; gref < GRANTS; gref++) {
		if (hostile_blkback_peek(&scene.back, gref))
			continue;
		looked++;
		for (uint32_t i = 0; i < BLKIF_PAGE_BYTES; i += 64)
			scene.marks += is_full_of_marks(scene.back.page + i);
	}
}

START_TEST(nothing_beside_requests_is_shown)
{
	back_config(&scene)->direct = _i & 1;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	scene.back.offer.persistent = _i & 2 ? "1" : NULL;
	back_scene_connect(&scene);
	back_victim_asks(&scene, 1);
	host_call(scene.attacker, look_at_everything, NULL);
	serve_all();
	back_victim_asks(&scene, 3);
	host_call(scene.attacker, look_at_everything, NULL);
	serve_all();
	ck_assert_uint_ge(looked, 2 * BACK_REQUESTS);
	ck_assert_uint_eq(scene.marks, 0);
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

static uint32_t stray, indirect_seen;

/* In a page that held data before. */
static void look_between_segments(const struct blkif_request_indirect *request)
{
	ck_assert_int_eq(hostile_blkback_peek(&scene.back, request->indirect_grefs[0]), 0);
	for (uint32_t i = 0; i < request->nr_segments; i++)
		stray += scene.back.page[8 * i + 6] || scene.back.page[8 * i + 7];
}

/* XSA-216: what no field of a request uses is 0. */
static void look_between_fields(void *argument)
{
	uint32_t waiting = hostile_blkback_waiting(&scene.back);

	(void)argument;
	for (uint32_t i = 0; i < waiting; i++) {
		const union blkif_slot *slot = hostile_blkback_request(&scene.back, i);
		const uint8_t *bytes = (const uint8_t *)slot;

		for (uint32_t j = 4; j < 8; j++)
			stray += bytes[j] != 0;
		if (slot->request.operation == BLKIF_OP_INDIRECT) {
			indirect_seen++;
			stray += bytes[26] || bytes[27];
			for (uint32_t j = 1; j < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; j++)
				stray += slot->indirect.indirect_grefs[j] != 0;
			look_between_segments(&slot->indirect);
			continue;
		}
		for (uint32_t j = 0; j < slot->request.nr_segments; j++)
			stray += bytes[24 + 8 * j + 6] || bytes[24 + 8 * j + 7];
	}
}

START_TEST(requests_hold_nothing_but_the_request)
{
	struct guest_batch *batch = &scene.batch;
	static uint8_t data[128u << 10];

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	host_call(scene.attacker, look_between_fields, NULL);
	serve_all();
	batch->count = 1;
	memset(data, 0x77, sizeof(data));
	/* The first of them fills the pages that the others have their segments in. */
	for (int i = 0; i < 3; i++) {
		batch->entries[0].request = (struct block_request){
			.op = BLOCK_WRITE, .count = sizeof(data) / BLKIF_SECTOR_BYTES, .data = data
		};
		blkif_world_submit(&scene.world, 0, batch);
		host_run_for(scene.world.machine, BLKIF_MS);
		host_call(scene.attacker, look_between_fields, NULL);
		serve_all();
	}
	ck_assert_uint_ge(indirect_seen, 3);
	ck_assert_uint_eq(stray, 0);
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

	tcase_set_timeout(tests, 120);
	MODES_TEST_STEPPED(tests, a_disk_that_cannot_be_is_none, (int)ARRAY_SIZE(impossible));
	MODES_TEST_STEPPED(tests, what_is_nonsense_was_not_said, (int)ARRAY_SIZE(odd));
	MODES_TEST_STEPPED(tests, a_size_that_cannot_be_ends_the_connection,
			   (int)ARRAY_SIZE(sizes) + 1);
	MODES_TEST_STEPPED(tests, a_disk_that_shrinks_says_so, 1);
	MODES_TEST_STEPPED(tests, sectors_keep_their_size, 1);
	MODES_TEST_STEPPED(tests, a_flush_that_is_not_done_is_not_offered_any_more, 1);
	MODES_TEST_STEPPED(tests, a_backend_that_keeps_pages_costs_those_while_it_lives, 1);
	MODES_TEST_STEPPED(tests, memory_that_a_backend_keeps_is_reported_so, 1);
	MODES_TEST_STEPPED(tests, a_backend_that_keeps_all_it_can_leaves_enough_for_the_next, 1);
	MODES_TEST_STEPPED(tests, what_one_backend_keeps_does_not_keep_the_disk_away, 2);
	MODES_TEST_STEPPED(tests, nothing_beside_requests_is_shown, 4);
	MODES_TEST_STEPPED(tests, requests_hold_nothing_but_the_request, 1);
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
