/* SPDX-License-Identifier: ISC */
/*
 * What a disk offers and what it does not: discard, zeroes, barriers, read-only and removable
 * disks, sectors of other sizes; and the bounds of what a disk may take of either end.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/drivers/blkif_suites.h"
#include "tests/drivers/blkif_world.h"

#define SECTOR 512u

static struct blkif_world world;
static uint8_t data[64u << 10];

/* The client's disk 0, of a server whose features the test has set. */
static void begin(void)
{
	blkif_world_server_start(&world);
	blkif_world_client_start(&world, 0);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
}

static int operate(enum block_op op, uint64_t sector, uint64_t count, uint32_t flags)
{
	struct guest_operation operation = { .disk = &world.clients[0].disks[0],
					     .op = op,
					     .flags = flags,
					     .sector = sector,
					     .count = count };

	if (op == BLOCK_READ || op == BLOCK_WRITE)
		operation.data = data;
	return blkif_world_operate(&world, 0, &operation);
}

static const struct block_geometry *geometry(void)
{
	return &blkif_world_look(&world, 0, 0)->geometry;
}

START_TEST(what_is_not_offered_is_refused_by_name)
{
	blkif_world_prepare(&world, HOST_STEPPED, 0, 0);
	memset(&world.server.guest.back.features, 0, sizeof(world.server.guest.back.features));
	begin();
	ck_assert(!geometry()->flush && !geometry()->discard && !geometry()->barrier);
	ck_assert_int_eq(operate(BLOCK_FLUSH, 0, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(operate(BLOCK_WRITE, 0, 1, BLOCK_FUA), -EOPNOTSUPP);
	ck_assert_int_eq(operate(BLOCK_DISCARD, 0, 8, 0), -EOPNOTSUPP);
	/* These can be had of any disk. */
	memset(data, 0x33, sizeof(data));
	ck_assert_int_eq(operate(BLOCK_WRITE, 0, 100, BLOCK_BARRIER), 0);
	ck_assert_int_eq(operate(BLOCK_WRITE_ZEROES, 10, 50, 0), 0);
	ck_assert_int_eq(operate(BLOCK_READ, 0, 100, 0), 0);
	for (uint32_t i = 0; i < 100 * SECTOR; i++)
		ck_assert_uint_eq(data[i], i / SECTOR >= 10 && i / SECTOR < 60 ? 0 : 0x33);
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(requests_without_sense_are_refused)
{
	uint64_t sectors;

	blkif_world_prepare(&world, HOST_STEPPED, 0, 0);
	begin();
	sectors = geometry()->sectors;
	ck_assert_uint_eq(sectors, BLKIF_DISK_BYTES / SECTOR);
	ck_assert_int_eq(operate(BLOCK_READ, sectors, 1, 0), -ENOSPC);
	ck_assert_int_eq(operate(BLOCK_READ, sectors - 1, 2, 0), -ENOSPC);
	ck_assert_int_eq(operate(BLOCK_READ, UINT64_MAX, 2, 0), -ENOSPC);
	ck_assert_int_eq(operate(BLOCK_READ, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(operate(BLOCK_READ, sectors - 1, 1, 0), 0);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* As the toolstack says (_i 0), or the server for all whatever it says (_i 1). */
START_TEST(a_read_only_disk_is_only_read)
{
	blkif_world_prepare(&world, HOST_STEPPED, 0, 0);
	world.clients[0].vbds[0].read_only = _i == 0;
	world.server.guest.served[0].read_only = _i == 1;
	/* What clients find there. */
	world.models[0].size = BLKIF_DISK_BYTES;
	world.models[0].bytes = malloc(BLKIF_DISK_BYTES);
	world.models[0].doubt = calloc(1, BLKIF_DISK_BYTES / LOAD_UNIT);
	memset(world.models[0].bytes, 0x44, BLKIF_DISK_BYTES);
	begin();
	ck_assert(geometry()->read_only);
	ck_assert_int_eq(operate(BLOCK_WRITE, 0, 1, 0), -EROFS);
	ck_assert_int_eq(operate(BLOCK_WRITE_ZEROES, 0, 1, 0), -EROFS);
	ck_assert_int_eq(operate(BLOCK_DISCARD, 0, 1, 0), -EROFS);
	ck_assert_int_eq(operate(BLOCK_READ, 100, 1, 0), 0);
	ck_assert_uint_eq(data[0], 0x44);
	blkif_world_check_disk(&world, 0);
	if (_i) {
		blkif_world_client_start(&world, 1);
		world.clients[1].vbds[0].read_only = false;
		ck_assert_int_eq(blkif_world_attach(&world, 1, 0, 0), 0);
		ck_assert(blkif_world_look(&world, 1, 0)->geometry.read_only);
		ck_assert_int_eq(blkif_world_detach(&world, 1, 0), 0);
	}
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(a_removable_disk_says_so)
{
	blkif_world_prepare(&world, HOST_STEPPED, 0, 0);
	world.clients[0].vbds[0].removable = true;
	world.clients[0].vbds[0].cdrom = true;
	world.clients[0].vbds[0].read_only = true;
	begin();
	ck_assert(geometry()->removable);
	ck_assert(geometry()->cdrom);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* A writer has its disk alone; readers share. */
START_TEST(a_disk_has_one_writer_or_any_readers)
{
	blkif_world_prepare(&world, HOST_STEPPED, 0, 0);
	begin();
	blkif_world_client_start(&world, 1);
	(void)!blkif_world_attach_only(&world, 1, 0, 0);
	ck_assert(!blkif_world_wait_up(&world, 1, 0, 5 * BLKIF_SECOND));
	ck_assert_int_eq(host_toolstack_destroy_vbd(world.clients[1].guest.domain, HOST_VBD_XVDA),
			 0);
	ck_assert_int_eq(blkif_world_detach(&world, 0, 0), 0);
	for (uint32_t i = 0; i < 2; i++) {
		world.clients[i].vbds[0].read_only = true;
		ck_assert_int_eq(blkif_world_attach(&world, i, 0, 0), 0);
	}
	ck_assert_int_eq(operate(BLOCK_READ, 0, 1, 0), 0);
	ck_assert_int_eq(blkif_world_detach(&world, 1, 0), 0);
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(discard_is_offered_unless_the_toolstack_says_no)
{
	blkif_world_prepare(&world, HOST_STEPPED, 0, 0);
	world.clients[0].vbds[0].discard_enable = _i ? "0" : "1";
	begin();
	ck_assert_int_eq(geometry()->discard, !_i);
	ck_assert_int_eq(operate(BLOCK_DISCARD, 0, 64, 0), _i ? -EOPNOTSUPP : 0);
	/* Neighbours stay as they were. */
	memset(data, 0x55, sizeof(data));
	ck_assert_int_eq(operate(BLOCK_WRITE, 64, 1, 0), 0);
	(void)operate(BLOCK_DISCARD, 0, 64, 0);
	ck_assert_int_eq(operate(BLOCK_READ, 64, 1, 0), 0);
	ck_assert_uint_eq(data[0], 0x55);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* ---- bounds ---- */

/* However much is under way, a disk takes its share of pages and no more. */
START_TEST(a_disk_takes_no_more_than_its_share)
{
	static const struct load_shape deep = { .depth = LOAD_DEPTH_MOST,
						.max_bytes = 64u << 10,
						.buffers = LOAD_ORDINARY,
						.reads = 1,
						.writes = 1 };
	struct host_counters server;

	blkif_world_prepare(&world, HOST_STEPPED, 0, 0);
	world.clients[0].guest.guest.front.disk_pages = 128;
	world.clients[0].guest.guest.front.ring_order = 2;
	begin();
	blkif_world_load(&world, 0, 0, &deep, UINT64_MAX);
	for (uint32_t i = 0; i < 20; i++) {
		host_run_for(world.machine, BLKIF_MS / 2);
		/* Rings and descriptors are beside it. */
		ck_assert_uint_le(blkif_world_collect(&world.clients[0].guest)->pages_out,
				  128 + 4 + 64);
		server = host_domain_counters(world.server.domain);
		ck_assert_uint_le(server.mapped, 2048);
		ck_assert_uint_le(server.allocations, world.server.clean.allocations + 64);
	}
	blkif_world_stop_load(&world, 0, 0);
	blkif_world_assert_load(&world, 0, 0, false);
	blkif_world_end_cleanly(&world);
}
END_TEST

TCase *blkif_feature_tests(void)
{
	TCase *tests = tcase_create("feature");

	tcase_set_timeout(tests, 180);
	MODES_TEST_STEPPED(tests, what_is_not_offered_is_refused_by_name, 1);
	MODES_TEST_STEPPED(tests, requests_without_sense_are_refused, 1);
	MODES_TEST_STEPPED(tests, a_read_only_disk_is_only_read, 2);
	MODES_TEST_STEPPED(tests, a_removable_disk_says_so, 1);
	MODES_TEST_STEPPED(tests, a_disk_has_one_writer_or_any_readers, 1);
	MODES_TEST_STEPPED(tests, discard_is_offered_unless_the_toolstack_says_no, 2);
	MODES_TEST_STEPPED(tests, a_disk_takes_no_more_than_its_share, 1);
	return tests;
}
