/* SPDX-License-Identifier: ISC */
/*
 * What one client of blkback takes of the CPU and of the store that others wait for: large
 * requests, discards that take long, connections that never come to be.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "drivers/blkback.h"
#include "tests/drivers/blkif_front_scene.h"
#include "tests/drivers/blkif_suites.h"
#include "xen/evtchn.h"

#define SHARE_ROUNDS 20u
#define SHARE_SEGMENTS 128u /* POLL_SEGMENTS */
/* A discard of so much takes more rounds than it takes to connect again. */
#define LARGE_BYTES (24u << 20)
#define LARGE_SECTORS (LARGE_BYTES / BLKIF_SECTOR_BYTES)
#define LISTINGS 100u
#define LISTING_NS (20 * BLKIF_MS)
#define LOOKS 40u /* that a pace allows in so long: 16, and ten in a second */
#define LOOK_REQUESTS 8u

static struct front_scene scene;

static struct host_domain *server(void)
{
	return scene.world.server.domain;
}

/* ---- large requests ---- */

/* Each a large request of a sector a segment. */
static void fill_with_large(void *argument)
{
	struct hostile_blkfront *front = argument;

	for (uint32_t i = 0; i < front->ring.slots - 1; i++) {
		struct blkif_request_indirect request = hostile_blk_good_indirect(
			front, BLKIF_OP_READ, 0, BLKBACK_INDIRECT_SEGMENTS);

		for (uint32_t j = 0; j < BLKBACK_INDIRECT_SEGMENTS; j++)
			hostile_blk_segment(front, j)->last_sect = 0;
		hostile_blk_put(front, &request, sizeof(request));
	}
	hostile_blk_publish(front);
	if (front->other_port != EVTCHN_NONE)
		evtchn_notify(front->other_port);
}

/* What others wait for in a round of the loop, whose domains take a microsecond each. */
START_TEST(large_requests_on_many_queues_take_no_more_of_the_cpu)
{
	uint64_t before, copies;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	ck_assert(blkif_world_wait_load(&scene.world, 0, 0, 30 * BLKIF_SECOND));
	scene.front.keys.queues = _i ? "2" : NULL;
	scene.front.keys.as_queues = _i;
	front_scene_connect(&scene);
	before = host_domain_costs(server()).copy_ops;
	host_call(scene.attacker, fill_with_large, &scene.front);
	host_run_for(scene.world.machine, SHARE_ROUNDS * 3000u);
	copies = host_domain_costs(server()).copy_ops - before;
	ck_assert_uint_ge(copies, SHARE_ROUNDS * SHARE_SEGMENTS / 2);
	/* What is taken in advance, on either queue; and descriptors. */
	ck_assert_uint_le(copies, (SHARE_ROUNDS + 1) * (SHARE_SEGMENTS + 2) +
					  2 * BLKBACK_INDIRECT_SEGMENTS);
	front_scene_end(&scene);
}
END_TEST

/* ---- discards that take long ---- */

static void put_at_the_end(struct hostile_blkfront *front, uint8_t operation)
{
	struct blkif_request request = hostile_blk_good(front, operation, LARGE_SECTORS - 8);

	hostile_blk_put(front, &request, sizeof(request));
}

static void put_write_and_discard(void *argument)
{
	struct hostile_blkfront *front = argument;
	struct blkif_request_discard discard = { .operation = BLKIF_OP_DISCARD,
						 .id = 1,
						 .nr_sectors = LARGE_SECTORS };

	memset(front->pages[HOSTILE_BLK_DATA], 0x3c, BLKIF_PAGE_BYTES);
	put_at_the_end(front, BLKIF_OP_WRITE);
	hostile_blk_put(front, &discard, sizeof(discard));
	hostile_blk_publish(front);
}

static void put_read_of_the_end(void *argument)
{
	put_at_the_end(argument, BLKIF_OP_READ);
	hostile_blk_publish(argument);
}

/* In parts, so that others have their turn; what comes behind it waits for all of it. */
START_TEST(a_large_discard_is_whole_before_the_next_request)
{
	front_scene_begin_large(&scene, LARGE_BYTES);
	front_scene_connect(&scene);
	host_call(scene.attacker, put_write_and_discard, &scene.front);
	host_call(scene.attacker, put_read_of_the_end, &scene.front);
	ck_assert(front_wait_answers(&scene, 3));
	ck_assert_uint_eq(scene.answers.okay, 3);
	for (uint32_t i = 0; i < BLKIF_PAGE_BYTES; i++)
		ck_assert_uint_eq(scene.front.pages[HOSTILE_BLK_DATA][i], 0);
	front_scene_end(&scene);
}
END_TEST

/* Two rounds: the write and one part. */
START_TEST(a_large_discard_ends_with_its_connection)
{
	front_scene_begin_large(&scene, LARGE_BYTES);
	front_scene_connect(&scene);
	host_call(scene.attacker, put_write_and_discard, &scene.front);
	host_run_for(scene.world.machine, 6000);
	ck_assert_uint_le(read_once(blkif_ring_shared(&scene.front.ring)->rsp_prod), 1);
	host_call_fiber_must(scene.attacker, front_begin_again, &scene);
	ck_assert_int_eq(scene.front.error, 0);
	scene.answers = (struct front_answers){ 0 };
	host_call(scene.attacker, put_read_of_the_end, &scene.front);
	ck_assert(front_wait_answers(&scene, 1));
	for (uint32_t i = 0; i < BLKIF_PAGE_BYTES; i++)
		ck_assert_uint_eq(scene.front.pages[HOSTILE_BLK_DATA][i], 0x3c);
	front_assert_served(&scene);
	ck_assert_uint_eq(scene.answers.all, scene.front.next);
	front_scene_end(&scene);
}
END_TEST

/* ---- the store ---- */

/* What the server asks the store for while somebody makes it list its clients. */
static uint64_t requests_of_listings(void)
{
	uint64_t before = host_domain_costs(server()).store_requests;
	char path[140];

	strcat((char *)host_vbd_backend_path(&scene.vbd, path, 100), "/note");
	for (uint32_t i = 0; i < LISTINGS; i++) {
		host_store_write(scene.world.machine, path, "%u", i);
		host_run_for(scene.world.machine, LISTING_NS);
	}
	return host_domain_costs(server()).store_requests - before;
}

START_TEST(a_blkfront_that_cannot_connect_is_not_tried_at_every_listing)
{
	uint64_t idle;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	ck_assert(blkif_world_wait_load(&scene.world, 0, 0, 30 * BLKIF_SECOND));
	ck_assert_int_eq(host_toolstack_attach_vbd(&scene.vbd), 0);
	idle = requests_of_listings();
	ck_assert_uint_ge(idle, LISTINGS);
	scene.front.keys.ring_ref = "3999";
	host_call_fiber_must(scene.attacker, hostile_blkfront_connect, &scene.front);
	ck_assert_int_eq(scene.front.error, -ETIMEDOUT);
	ck_assert_uint_le(requests_of_listings(), idle + LOOKS * LOOK_REQUESTS);
	front_scene_end(&scene);
}
END_TEST

TCase *blkif_hostile_front_share_tests(void)
{
	TCase *tests = tcase_create("hostile-front-share");

	tcase_set_timeout(tests, 240);
	MODES_TEST_STEPPED(tests, large_requests_on_many_queues_take_no_more_of_the_cpu, 2);
	MODES_TEST_STEPPED(tests, a_large_discard_is_whole_before_the_next_request, 1);
	MODES_TEST_STEPPED(tests, a_large_discard_ends_with_its_connection, 1);
	MODES_TEST_STEPPED(tests, a_blkfront_that_cannot_connect_is_not_tried_at_every_listing, 1);
	return tests;
}
