/* SPDX-License-Identifier: ISC */
/*
 * blkfront against blkback, both as they are, in guests of their own: every byte that is
 * written and read, in requests of any size and memory of any kind. Each test runs stepped
 * under a virtual clock (_i 0) and on threads (_i 1).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/drivers/blkif_suites.h"
#include "tests/drivers/blkif_world.h"

static enum host_mode mode_of(int i)
{
	return i ? HOST_THREADS : HOST_STEPPED;
}

START_TEST(a_sector_is_read_as_it_was_written)
{
	static uint8_t written[512], read[512];
	struct blkif_world world;
	struct guest_operation operation = {
		.op = BLOCK_WRITE, .sector = 7, .count = 1, .data = written
	};

	blkif_world_one(&world, mode_of(_i));
	operation.disk = &world.clients[0].disks[0];
	memset(written, 0x7e, sizeof(written));
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), 0);
	ck_assert_mem_eq(world.server.guest.served[0].memory + 7 * 512ul, written, 512);
	operation.op = BLOCK_READ;
	operation.data = read;
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), 0);
	ck_assert_mem_eq(read, written, 512);
	blkif_world_end_cleanly(&world);
}
END_TEST

TCase *blkif_pair_tests(void)
{
	TCase *tests = tcase_create("pair");

	tcase_set_timeout(tests, 120);
	MODES_TEST_BOTH(tests, a_sector_is_read_as_it_was_written);
	return tests;
}
