/* SPDX-License-Identifier: ISC */
/*
 * What blkfront lends, and when: grants that fail, that nobody was told of, that an earlier
 * backend keeps, and pages that hold what another domain has written.
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

TCase *blkif_hostile_pages_tests(void)
{
	TCase *tests = tcase_create("hostile-pages");

	tcase_set_timeout(tests, 60);
	MODES_TEST_STEPPED(tests, a_page_that_cannot_be_lent_is_copied, 1);
	MODES_TEST_STEPPED(tests, a_connection_that_failed_midway_shows_nothing_to_the_next, 1);
	MODES_TEST_STEPPED(tests, no_page_is_lent_before_its_place_is_certain, 1);
	MODES_TEST_STEPPED(tests, a_request_goes_on_when_pages_come_back, 1);
	return tests;
}
