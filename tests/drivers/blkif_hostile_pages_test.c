/* SPDX-License-Identifier: ISC */
/*
 * What blkfront lends, and when: grants that fail, that nobody was told of, that a backend
 * keeps, pages that hold what another domain has written, and what a backend sees beside
 * the data of requests.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/memory.h"
#include "tests/drivers/blkif_back_scene.h"
#include "tests/drivers/blkif_suites.h"

#define GRANTS 4096u
#define FEW_PAGES 8u
#define LOANS 24u

static struct back_scene scene;

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

static void end(void)
{
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_end(&scene);
}

/* ---- grants that fail ---- */

/* Nothing is under way that would make it look again. */
START_TEST(a_page_that_cannot_be_lent_is_copied)
{
	const struct host_faults full = { .grant_one_in = 1 };
	const struct host_faults none = { 0 };

	back_config(&scene)->direct = true;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	host_domain_set_faults(back_victim(&scene), &full);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	serve_all();
	back_assert_errors(&scene, 0);
	host_domain_set_faults(back_victim(&scene), &none);
	end();
}
END_TEST

/* The marks of back_victim_asks(): a page that is full of the number of its request. */
static bool is_of_a_request(const uint8_t *page)
{
	if (!page[0] || page[0] > BACK_REQUESTS)
		return false;
	for (uint32_t i = 1; i < BLKIF_PAGE_BYTES; i++)
		if (page[i] != page[0])
			return false;
	return true;
}

static void look_as_server(void *seen)
{
	for (uint32_t gref = 8; gref < GRANTS; gref++) {
		struct gnttab_mapping mapping;

		if (gnttab_map(host_domid(back_victim(&scene)), gref, true, &mapping))
			continue;
		*(uint32_t *)seen += is_of_a_request(mapping.address);
		gnttab_unmap(&mapping);
	}
}

/* Another domain's backend comes, and it takes some attempts until all pages are lent to it. */
START_TEST(a_connection_that_failed_midway_shows_nothing_to_the_next)
{
	const struct host_faults often = { .grant_one_in = 2 };
	const struct host_faults none = { 0 };
	struct blkif_world *world = &scene.world;
	uint32_t seen = 0;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	serve_all();
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	blkif_world_server_start(world);
	host_domain_set_faults(back_victim(&scene), &often);
	ck_assert_int_eq(blkif_world_attach_only(world, 0, 0, 0), 0);
	host_run_for(world->machine, 2 * BLKIF_SECOND);
	host_domain_set_faults(back_victim(&scene), &none);
	ck_assert(blkif_world_wait_up(world, 0, 0, 10 * BLKIF_SECOND));
	host_call(world->server.domain, look_as_server, &seen);
	ck_assert_uint_eq(seen, 0);
	memset(world->models[0].doubt, 1, world->models[0].size / LOAD_UNIT);
	back_scene_end(&scene);
}
END_TEST

/* ---- grants that nobody was told of ---- */

static uint8_t *many_pages;

static void take_many_pages(void *argument)
{
	(void)argument;
	many_pages = memory_alloc_pages(LOANS);
	ck_assert(many_pages);
}

/*
 * More pages than a request of the ring holds: none is lent and taken back, for a backend
 * could have found it and keep it.
 */
START_TEST(no_page_is_lent_before_its_place_is_certain)
{
	struct guest_batch *batch = &scene.batch;
	uint64_t before;

	back_config(&scene)->direct = true;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	host_call(back_victim(&scene), take_many_pages, NULL);
	scene.back.offer.max_indirect = NULL;
	back_scene_connect(&scene);
	batch->disk = &scene.world.clients[0].disks[0];
	batch->count = 1;
	batch->entries[0].request =
		(struct block_request){ .op = BLOCK_READ, .count = LOANS * 8, .data = many_pages };
	before = host_domain_costs(back_victim(&scene)).grants;
	blkif_world_submit(&scene.world, 0, batch);
	host_run_for(scene.world.machine, BLKIF_MS);
	serve_all();
	back_assert_errors(&scene, 0);
	ck_assert_uint_eq(host_domain_costs(back_victim(&scene)).grants - before, LOANS);
	end();
}
END_TEST

/* ---- pages that come back ---- */

static struct gnttab_mapping kept[2 * FEW_PAGES];
static uint32_t kept_count;

static void keep_everything(void *argument)
{
	(void)argument;
	for (uint32_t gref = 8; gref < GRANTS && kept_count < ARRAY_SIZE(kept); gref++)
		if (!gnttab_map(host_domid(back_victim(&scene)), gref, false, &kept[kept_count]))
			kept_count++;
}

static void let_go(void *argument)
{
	(void)argument;
	while (kept_count)
		gnttab_unmap(&kept[--kept_count]);
}

/* The disk's next backend is there and has nothing to answer: no event tells of the pages. */
START_TEST(a_request_goes_on_when_pages_come_back)
{
	struct guest_batch *batch = &scene.batch;

	back_config(&scene)->disk_pages = FEW_PAGES;
	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	host_call(scene.attacker, keep_everything, NULL);
	ck_assert_uint_gt(kept_count, FEW_PAGES);
	host_call_fiber_must(scene.attacker, say_closed, NULL);
	host_run_for(scene.world.machine, 5 * BLKIF_SECOND);
	back_scene_replace(&scene);
	batch->disk = &scene.world.clients[0].disks[0];
	batch->count = 1;
	batch->entries[0].request =
		(struct block_request){ .op = BLOCK_READ, .count = 1, .data = scene.memory };
	blkif_world_submit(&scene.world, 0, batch);
	host_run_for(scene.world.machine, 2 * BLKIF_SECOND);
	ck_assert_uint_eq(back_reported(&scene), 0);
	host_call(scene.attacker, let_go, NULL);
	host_run_for(scene.world.machine, 2 * BLKIF_SECOND);
	ck_assert_uint_eq(back_reported(&scene), 1);
	back_assert_errors(&scene, 0);
	end();
}
END_TEST

/* ---- keeping what was lent (XSA-396) ---- */

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
	end();
}
END_TEST

static bool is_full_of_marks(const uint8_t *bytes)
{
	for (uint32_t i = 0; i < 64; i++)
		if (bytes[i] != BACK_MARK)
			return false;
	return true;
}

#define MARKED_PAGES 1200u /* more than the client can have under way */

static uint8_t *marked_pages;

static void take_marked_pages(void *argument)
{
	(void)argument;
	marked_pages = memory_alloc_pages(MARKED_PAGES);
	ck_assert(marked_pages);
	memset(marked_pages, BACK_MARK, MARKED_PAGES * PAGE_BYTES);
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
	host_call(back_victim(&scene), take_marked_pages, NULL);
	scene.back.offer.sectors = "16384";
	scene.back.offer.max_ring_order = "4";
	scene.back.offer.max_indirect = NULL; /* whose descriptors would be given back */
	back_scene_connect(&scene);
	batch->disk = read.disk = &scene.world.clients[0].disks[0];
	batch->count = 1;
	batch->entries[0].request = (struct block_request){ .op = BLOCK_READ,
							    .count = MARKED_PAGES * 8,
							    .data = marked_pages };
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
	end();
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
	end();
}
END_TEST

TCase *blkif_hostile_pages_tests(void)
{
	TCase *tests = tcase_create("hostile-pages");

	tcase_set_timeout(tests, 60);
	MODES_TEST_STEPPED(tests, a_page_that_cannot_be_lent_is_copied, 1);
	MODES_TEST_STEPPED(tests, a_connection_that_failed_midway_shows_nothing_to_the_next, 1);
	MODES_TEST_STEPPED(tests, no_page_is_lent_before_its_place_is_certain, 1);
	MODES_TEST_STEPPED(tests, a_request_goes_on_when_pages_come_back, 1);
	MODES_TEST_STEPPED(tests, a_backend_that_keeps_pages_costs_those_while_it_lives, 1);
	MODES_TEST_STEPPED(tests, memory_that_a_backend_keeps_is_reported_so, 1);
	MODES_TEST_STEPPED(tests, a_backend_that_keeps_all_it_can_leaves_enough_for_the_next, 1);
	MODES_TEST_STEPPED(tests, what_one_backend_keeps_does_not_keep_the_disk_away, 2);
	MODES_TEST_STEPPED(tests, nothing_beside_requests_is_shown, 4);
	MODES_TEST_STEPPED(tests, requests_hold_nothing_but_the_request, 1);
	return tests;
}
