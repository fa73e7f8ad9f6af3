/* SPDX-License-Identifier: ISC */
/*
 * blkfront against blkback, both as they are, in guests of their own: every byte that is
 * written and read, in requests of any size and memory of any kind, with every choice that
 * the two can make about their ring; and what it costs. Each test runs stepped under a
 * virtual clock (_i 0) and on threads (_i 1) where it says no other.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/compiler.h"
#include "tests/drivers/blkif_suites.h"
#include "tests/drivers/blkif_world.h"

#define SECTOR 512u

static enum host_mode mode_of(int i)
{
	return i ? HOST_THREADS : HOST_STEPPED;
}

/* ---- bytes ---- */

START_TEST(a_sector_is_read_as_it_was_written)
{
	static uint8_t written[SECTOR], read[SECTOR];
	struct blkif_world world;
	struct guest_operation operation = {
		.op = BLOCK_WRITE, .sector = 7, .count = 1, .data = written
	};

	blkif_world_one(&world, mode_of(_i));
	operation.disk = &world.clients[0].disks[0];
	memset(written, 0x7e, sizeof(written));
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), 0);
	ck_assert_mem_eq(world.server.guest.served[0].memory + 7 * SECTOR, written, SECTOR);
	operation.op = BLOCK_READ;
	operation.data = read;
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), 0);
	ck_assert_mem_eq(read, written, SECTOR);
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(random_requests_agree_with_the_model)
{
	struct blkif_world world;

	blkif_world_one(&world, mode_of(_i));
	blkif_world_run(&world, 0, 0, &blkif_mixed, 1500);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* What the two ends are told to do about their ring. */
struct choice {
	uint32_t queues, order, indirect;
	bool persistent, no_persistent, no_indirect, direct;
	uint32_t sector_bytes;
};

static const struct choice choices[] = {
	{ .queues = 1, .order = 0, .sector_bytes = 512 }, /* nothing at all */
	{ .queues = 1, .order = 0, .persistent = true, .sector_bytes = 512 },
	{ .queues = 1, .order = 0, .indirect = 32, .sector_bytes = 512 },
	{ .queues = 1, .order = 1, .indirect = 256, .direct = true, .sector_bytes = 512 },
	{ .queues = 2, .order = 2, .indirect = 16, .persistent = true, .sector_bytes = 512 },
	{ .queues = 3, .order = 3, .indirect = 256, .direct = true, .sector_bytes = 4096 },
	{ .queues = 4, .order = 4, .indirect = 256, .persistent = true, .sector_bytes = 4096 },
	{ .queues = 4, .order = 4, .indirect = 64, .direct = true, .sector_bytes = 1024 },
	{ .queues = 1,
	  .order = 4,
	  .indirect = 256,
	  .persistent = true,
	  .no_persistent = true,
	  .direct = true,
	  .sector_bytes = 512 },
	{ .queues = 1,
	  .order = 4,
	  .indirect = 256,
	  .persistent = true,
	  .no_indirect = true,
	  .sector_bytes = 4096 },
	{ .queues = 2, .order = 0, .no_persistent = true, .direct = true, .sector_bytes = 2048 },
};

static void begin_with(struct blkif_world *world, enum host_mode mode, uint32_t variant)
{
	const struct choice *choice = &choices[variant % ARRAY_SIZE(choices)];
	struct blkif_guest *server = &world->server.guest;
	struct blkfront_config *front = &world->clients[0].guest.guest.front;

	blkif_world_prepare(world, mode, variant, 0);
	server->back.features = (struct blkback_features){
		.max_queues = choice->queues,
		.ring_order = choice->order,
		.indirect_segments = choice->indirect,
		.persistent = choice->persistent,
		.flush = !(variant & 1),
		.barrier = !(variant & 2),
		.discard = true,
	};
	server->served[0].sector_bytes = choice->sector_bytes;
	front->max_queues = 4;
	front->ring_order = 4;
	front->direct = choice->direct;
	front->no_persistent = choice->no_persistent;
	front->no_indirect = choice->no_indirect;
	blkif_world_server_start(world);
	blkif_world_client_start(world, 0);
	ck_assert_int_eq(blkif_world_attach(world, 0, 0, 0), 0);
}

/* What the client wrote of itself; -1: nothing. */
static int64_t client_said(struct blkif_world *world, const char *key)
{
	char directory[128], path[160];

	host_vbd_frontend_path(&world->clients[0].vbds[0], directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/%s", directory, key);
	return host_store_number(world->machine, path);
}

/* How many requests of the ring it takes to write 32 pages that are copied. */
static uint64_t slots_of_32_pages(struct blkif_world *world)
{
	static uint8_t data[32 * 4096];
	struct guest_operation operation = { .op = BLOCK_WRITE,
					     .disk = &world->clients[0].disks[0],
					     .data = data };
	const struct guest_disk *disk = blkif_world_look(world, 0, 0);
	uint64_t before = disk->stats.ring_requests;

	operation.count = sizeof(data) / disk->geometry.sector_bytes;
	ck_assert_int_eq(blkif_world_operate(world, 0, &operation), 0);
	return blkif_world_look(world, 0, 0)->stats.ring_requests - before;
}

/* The two ends use what they were given, and not the least that any two can do. */
static void assert_chosen(struct blkif_world *world, const struct choice *choice)
{
	uint32_t segments = choice->no_indirect || choice->indirect < 11 ? 11 : choice->indirect;
	bool kept = choice->persistent && !choice->no_persistent;
	uint64_t rings = (uint64_t)choice->queues << choice->order;
	uint64_t mapped = host_domain_counters(world->server.domain).mapped;

	ck_assert_int_eq(client_said(world, "multi-queue-num-queues"),
			 choice->queues > 1 ? (int64_t)choice->queues : -1);
	ck_assert_int_eq(client_said(world, "ring-page-order"),
			 choice->order ? (int64_t)choice->order : -1);
	ck_assert_int_eq(client_said(world, "feature-persistent"), !choice->no_persistent);
	if (kept)
		ck_assert_uint_gt(mapped, rings);
	else
		ck_assert_uint_eq(mapped, rings);
	if (!choice->direct)
		ck_assert_uint_eq(slots_of_32_pages(world), (32 + segments - 1) / segments);
}

START_TEST(every_choice_of_ring_moves_every_byte)
{
	uint32_t variant = (uint32_t)_i % ARRAY_SIZE(choices);
	struct blkif_world world;

	begin_with(&world, _i < (int)ARRAY_SIZE(choices) ? HOST_STEPPED : HOST_THREADS, variant);
	ck_assert_uint_eq(blkif_world_look(&world, 0, 0)->geometry.sector_bytes,
			  choices[variant].sector_bytes);
	blkif_world_run(&world, 0, 0, &blkif_mixed, 500);
	assert_chosen(&world, &choices[variant]);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* More than any ring holds at once. */
START_TEST(a_deep_queue_of_single_sectors_agrees)
{
	static const struct load_shape deep = {
		.depth = LOAD_DEPTH_MOST, .max_bytes = SECTOR, .reads = 1, .writes = 1
	};
	struct blkif_world world;

	blkif_world_one(&world, mode_of(_i));
	blkif_world_run(&world, 0, 0, &deep, 6000);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* Several MiB a request, with fewer bounce pages than one of them needs. */
START_TEST(requests_greater_than_all_bounce_pages_agree)
{
	static const struct load_shape great = { .depth = 2,
						 .min_bytes = 1u << 20,
						 .max_bytes = 3u << 20,
						 .buffers = LOAD_ORDINARY | LOAD_ALIGNED,
						 .reads = 1,
						 .writes = 1 };
	struct blkif_world world;

	blkif_world_prepare(&world, mode_of(_i), 0, 0);
	world.server.guest.back.disk_count = 1;
	world.server.guest.served[0].bytes = 16u << 20;
	world.clients[0].guest.guest.front.disk_pages = 300;
	world.clients[0].guest.guest.front.direct = true;
	world.clients[0].guest.guest.pages = 2048;
	blkif_world_server_start(&world);
	blkif_world_client_start(&world, 0);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
	blkif_world_run(&world, 0, 0, &great, 30);
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(a_request_of_64_mib_is_carried_out)
{
	uint64_t *data = malloc(BLOCK_BYTES_MOST);
	struct blkif_world world;
	struct guest_operation operation = { .op = BLOCK_WRITE,
					     .count = BLOCK_BYTES_MOST / SECTOR,
					     .data = data };

	ck_assert_ptr_nonnull(data);
	blkif_world_prepare(&world, HOST_STEPPED, 0, 0);
	world.server.guest.back.disk_count = 1;
	world.server.guest.served[0].bytes = BLOCK_BYTES_MOST;
	blkif_world_server_start(&world);
	blkif_world_client_start(&world, 0);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
	operation.disk = &world.clients[0].disks[0];
	for (uint64_t i = 0; i < BLOCK_BYTES_MOST / sizeof(*data); i++)
		data[i] = i * 0x9e3779b97f4a7c15u;
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), 0);
	ck_assert(memcmp(world.server.guest.served[0].memory, data, BLOCK_BYTES_MOST) == 0);
	memset(data, 0, BLOCK_BYTES_MOST);
	operation.op = BLOCK_READ;
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), 0);
	ck_assert(memcmp(world.server.guest.served[0].memory, data, BLOCK_BYTES_MOST) == 0);
	blkif_world_end_cleanly(&world);
	free(data);
}
END_TEST

START_TEST(disks_of_a_client_do_not_mix)
{
	struct blkif_world world;

	blkif_world_one(&world, mode_of(_i));
	for (uint32_t i = 1; i < BLKIF_CLIENT_DISKS; i++)
		ck_assert_int_eq(blkif_world_attach(&world, 0, i, i), 0);
	for (uint32_t i = 0; i < BLKIF_CLIENT_DISKS; i++)
		blkif_world_load(&world, 0, i, &blkif_mixed, 200);
	for (uint32_t i = 0; i < BLKIF_CLIENT_DISKS; i++) {
		ck_assert(blkif_world_wait_load(&world, 0, i, 60 * BLKIF_SECOND));
		blkif_world_assert_load(&world, 0, i, true);
		blkif_world_check_disk(&world, i);
	}
	for (uint32_t i = 1; i < BLKIF_CLIENT_DISKS; i++)
		ck_assert_int_eq(blkif_world_detach(&world, 0, i), 0);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* ---- many clients ---- */

START_TEST(eight_clients_at_once)
{
	struct blkif_world world;

	blkif_world_begin(&world, mode_of(_i));
	for (uint32_t i = 0; i < BLKIF_CLIENTS; i++) {
		blkif_world_client_start(&world, i);
		ck_assert_int_eq(blkif_world_attach(&world, i, 0, i), 0);
	}
	for (uint32_t i = 0; i < BLKIF_CLIENTS; i++)
		blkif_world_load(&world, i, 0, &blkif_mixed, 150);
	for (uint32_t i = 0; i < BLKIF_CLIENTS; i++) {
		ck_assert(blkif_world_wait_load(&world, i, 0, 60 * BLKIF_SECOND));
		blkif_world_assert_load(&world, i, 0, true);
		blkif_world_check_disk(&world, i);
	}
	for (uint32_t i = 0; i < BLKIF_CLIENTS; i++) {
		ck_assert_int_eq(blkif_world_detach(&world, i, 0), 0);
		blkif_world_assert_clean(&world.clients[i].guest, "client");
	}
	blkif_world_assert_clean(&world.server, "server");
	blkif_world_end(&world);
}
END_TEST

/*
 * Seven clients have as much under way as they can, and one has a request at a time: each of
 * its requests waits for a round of the others, and not for all that they ask.
 */
START_TEST(greedy_clients_do_not_stop_another)
{
	static const struct load_shape greedy = {
		.depth = 64, .min_bytes = 64u << 10, .max_bytes = 64u << 10, .reads = 1, .writes = 1
	};
	static const struct load_shape modest = { .depth = 1, .max_bytes = SECTOR, .reads = 1 };
	uint32_t before[BLKIF_CLIENTS];
	struct blkif_world world;

	blkif_world_begin(&world, HOST_STEPPED);
	for (uint32_t i = 0; i < BLKIF_CLIENTS; i++) {
		blkif_world_client_start(&world, i);
		ck_assert_int_eq(blkif_world_attach(&world, i, 0, i), 0);
	}
	for (uint32_t i = 1; i < BLKIF_CLIENTS; i++)
		blkif_world_load(&world, i, 0, &greedy, UINT64_MAX);
	host_run_for(world.machine, BLKIF_MS);
	for (uint32_t i = 1; i < BLKIF_CLIENTS; i++)
		before[i] = atomic_load(&world.clients[i].disks[0].load.reported);
	blkif_world_run(&world, 0, 0, &modest, 50);
	for (uint32_t i = 1; i < BLKIF_CLIENTS; i++) {
		uint32_t theirs = atomic_load(&world.clients[i].disks[0].load.reported) - before[i];

		/* Each of its 50 waited for no more than what one of them has on its ring. */
		ck_assert_msg(theirs < 50 * 32, "client %u had %u requests meanwhile", i, theirs);
		blkif_world_stop_load(&world, i, 0);
		blkif_world_assert_load(&world, i, 0, false);
	}
	blkif_world_end(&world);
}
END_TEST

/* ---- costs ---- */

/* `count` single sectors, each `stride` after the other. */
static void batch_fill(struct guest_batch *batch, enum block_op op, uint32_t count, uint32_t stride,
		       uint8_t *data)
{
	batch->count = count;
	for (uint32_t i = 0; i < count; i++)
		batch->entries[i].request = (struct block_request){
			.op = op,
			.sector = (uint64_t)i * stride,
			.count = 1,
			.data = data + (size_t)i * SECTOR,
		};
}

START_TEST(adjacent_requests_go_as_one)
{
	static uint8_t data[128 * SECTOR];
	static struct guest_batch batch;
	struct block_stats before, after;
	struct blkif_world world;

	blkif_world_one(&world, HOST_STEPPED);
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i / SECTOR + i);
	batch.disk = &world.clients[0].disks[0];
	batch_fill(&batch, _i ? BLOCK_READ : BLOCK_WRITE, 128, 1, data);
	before = blkif_world_look(&world, 0, 0)->stats;
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	after = blkif_world_look(&world, 0, 0)->stats;
	for (uint32_t i = 0; i < batch.count; i++)
		ck_assert_int_eq(batch.entries[i].error, 0);
	/* 64 KiB: 16 pages, or 17 when they are not taken from their beginning. */
	ck_assert_uint_le(after.ring_requests - before.ring_requests, 2);
	ck_assert_uint_ge(after.merged - before.merged, 126);
	ck_assert_mem_eq(world.server.guest.served[0].memory, data, sizeof(data));
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(a_batch_is_one_notification)
{
	static uint8_t data[32 * SECTOR];
	static struct guest_batch batch;
	struct host_costs client, server;
	struct blkif_world world;

	blkif_world_one(&world, HOST_STEPPED);
	batch.disk = &world.clients[0].disks[0];
	batch_fill(&batch, BLOCK_WRITE, 32, 64, data);
	client = host_domain_costs(world.clients[0].guest.domain);
	server = host_domain_costs(world.server.domain);
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	ck_assert_uint_eq(
		host_domain_costs(world.clients[0].guest.domain).notifies - client.notifies, 1);
	ck_assert_uint_le(host_domain_costs(world.server.domain).notifies - server.notifies, 2);
	/* And one hypercall for all copies, where there are any. */
	ck_assert_uint_le(host_domain_costs(world.server.domain).copy_calls - server.copy_calls, 2);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* With grants that are kept nothing is granted, mapped or unmapped any more. */
START_TEST(persistent_grants_are_made_once)
{
	static const struct load_shape small = {
		.depth = 8, .max_bytes = 32u << 10, .reads = 1, .writes = 1
	};
	struct host_costs client, server;
	struct blkif_world world;

	blkif_world_one(&world, HOST_STEPPED);
	blkif_world_run(&world, 0, 0, &small, 1000);
	client = host_domain_costs(world.clients[0].guest.domain);
	server = host_domain_costs(world.server.domain);
	blkif_world_run(&world, 0, 0, &small, 1000);
	ck_assert_uint_le(host_domain_costs(world.clients[0].guest.domain).grants - client.grants,
			  100);
	ck_assert_uint_le(host_domain_costs(world.server.domain).maps - server.maps, 100);
	blkif_world_end_cleanly(&world);
}
END_TEST

static void assert_idle(struct blkif_world *world, struct blkif_machine_guest *guest,
			const char *who)
{
	struct host_costs before = host_domain_costs(guest->domain);
	struct host_costs after;

	host_run_for(world->machine, 60 * BLKIF_SECOND);
	after = host_domain_costs(guest->domain);
	ck_assert_msg(after.store_requests == before.store_requests, "%s: %llu store requests", who,
		      (unsigned long long)(after.store_requests - before.store_requests));
	ck_assert_msg(after.notifies == before.notifies, "%s: %llu notifications", who,
		      (unsigned long long)(after.notifies - before.notifies));
}

START_TEST(idle_guests_do_nothing)
{
	struct blkif_world world;

	blkif_world_one(&world, HOST_STEPPED);
	blkif_world_run(&world, 0, 0, &blkif_mixed, 50);
	host_run_for(world.machine, BLKIF_SECOND);
	assert_idle(&world, &world.server, "server");
	assert_idle(&world, &world.clients[0].guest, "client");
	ck_assert_int_eq(blkif_world_detach(&world, 0, 0), 0);
	host_run_for(world.machine, BLKIF_SECOND);
	assert_idle(&world, &world.server, "server without vbd");
	assert_idle(&world, &world.clients[0].guest, "client without vbd");
	blkif_world_end(&world);
}
END_TEST

TCase *blkif_pair_tests(void)
{
	TCase *tests = tcase_create("pair");

	tcase_set_timeout(tests, 240);
	MODES_TEST_BOTH(tests, a_sector_is_read_as_it_was_written);
	MODES_TEST_BOTH(tests, random_requests_agree_with_the_model);
	MODES_TEST_TWICE(tests, every_choice_of_ring_moves_every_byte, (int)ARRAY_SIZE(choices));
	MODES_TEST_BOTH(tests, a_deep_queue_of_single_sectors_agrees);
	MODES_TEST_BOTH(tests, requests_greater_than_all_bounce_pages_agree);
	MODES_TEST_STEPPED(tests, a_request_of_64_mib_is_carried_out, 1);
	MODES_TEST_BOTH(tests, disks_of_a_client_do_not_mix);
	MODES_TEST_BOTH(tests, eight_clients_at_once);
	MODES_TEST_STEPPED(tests, greedy_clients_do_not_stop_another, 1);
	MODES_TEST_STEPPED(tests, adjacent_requests_go_as_one, 2);
	MODES_TEST_STEPPED(tests, a_batch_is_one_notification, 1);
	MODES_TEST_STEPPED(tests, persistent_grants_are_made_once, 1);
	MODES_TEST_STEPPED(tests, idle_guests_do_nothing, 1);
	return tests;
}
