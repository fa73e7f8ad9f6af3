/* SPDX-License-Identifier: ISC */
/* What blkback makes of a slot: every bound of every field, and sums that overflow. */
#include <string.h>

#include "drivers/blkback_request.h"
#include "tests/host/unit.h"

#define SECTORS 1000u
#define ID 0x0123456789abcdefull

static struct blkback_limits limits;
static union blkif_slot slot;
static struct blkback_job job;
static struct blkif_request_segment descriptors[BLKBACK_INDIRECT_SEGMENTS];

static void begin(void)
{
	limits = (struct blkback_limits){ .sectors = SECTORS,
					  .unit = 1,
					  .features = blkback_all_features };
	memset(&slot, 0xa5, sizeof(slot));
	memset(&job, 0x5a, sizeof(job));
}

/* A request of `count` whole pages. */
static void ask(uint8_t operation, uint64_t sector, uint8_t count)
{
	slot.request.operation = operation;
	slot.request.nr_segments = count;
	slot.request.id = ID;
	slot.request.sector_number = sector;
	for (uint32_t i = 0; i < count && i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
		slot.request.seg[i] = (struct blkif_request_segment){ .gref = i,
								      .first_sect = 0,
								      .last_sect = 7 };
}

static void ask_discard(uint64_t sector, uint64_t count)
{
	slot.discard.operation = BLKIF_OP_DISCARD;
	slot.discard.id = ID;
	slot.discard.sector_number = sector;
	slot.discard.nr_sectors = count;
}

static void ask_indirect(uint8_t operation, uint64_t sector, uint16_t count)
{
	slot.indirect.operation = BLKIF_OP_INDIRECT;
	slot.indirect.indirect_op = operation;
	slot.indirect.nr_segments = count;
	slot.indirect.id = ID;
	slot.indirect.sector_number = sector;
	slot.indirect.indirect_grefs[0] = 77;
	for (uint32_t i = 0; i < count && i < BLKBACK_INDIRECT_SEGMENTS; i++)
		descriptors[i] = (struct blkif_request_segment){ .last_sect = 0 };
}

static int judge(void)
{
	blkback_job_read(&job, &slot, &limits);
	if (job.indirect && job.action != BLKBACK_NOTHING)
		job.segments = descriptors;
	blkback_job_check(&job, &limits);
	ck_assert_uint_eq(job.id, ID);
	ck_assert(job.status == BLKIF_RSP_OKAY || job.action == BLKBACK_NOTHING);
	return job.status;
}

static void expect(int status, enum blkback_action action)
{
	ck_assert_int_eq(judge(), status);
	ck_assert_int_eq(job.action, action);
}

START_TEST(reads_and_writes)
{
	begin();
	ask(BLKIF_OP_READ, 16, 11);
	expect(BLKIF_RSP_OKAY, BLKBACK_READ);
	ck_assert_uint_eq(job.sector, 16);
	ck_assert_uint_eq(job.sectors, 88);
	ck_assert_uint_eq(job.segment_count, 11);
	ck_assert_uint_eq(job.segments[10].gref, 10);
	ck_assert(!job.ordered);
	ck_assert_uint_eq(job.operation, BLKIF_OP_READ);
	ask(BLKIF_OP_WRITE, 999, 1);
	slot.request.seg[0].first_sect = slot.request.seg[0].last_sect = 7;
	expect(BLKIF_RSP_OKAY, BLKBACK_WRITE);
	ck_assert_uint_eq(job.sectors, 1);
}
END_TEST

START_TEST(counts_of_segments)
{
	static const uint8_t wrong[] = { 0, 12, 255 };

	for (size_t i = 0; i < sizeof(wrong); i++) {
		begin();
		ask(BLKIF_OP_READ, 0, wrong[i]);
		expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
		ask(BLKIF_OP_WRITE, 0, wrong[i]);
		expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
	}
}
END_TEST

START_TEST(sectors_of_segments)
{
	static const struct {
		uint8_t first, last;
		int status;
	} rows[] = { { 0, 0, 0 },  { 7, 7, 0 },	   { 0, 7, 0 },	   { 3, 2, -1 }, { 0, 8, -1 },
		     { 8, 8, -1 }, { 255, 0, -1 }, { 0, 255, -1 }, { 7, 8, -1 }, { 255, 255, -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		ask(BLKIF_OP_WRITE, 8, 3);
		slot.request.seg[1].first_sect = rows[i].first;
		slot.request.seg[1].last_sect = rows[i].last;
		ck_assert_int_eq(judge(), rows[i].status);
	}
}
END_TEST

START_TEST(the_end_of_the_disk)
{
	static const struct {
		uint64_t sector;
		int status;
	} rows[] = { { 992, 0 },
		     { 993, -1 },
		     { 1000, -1 },
		     { UINT64_MAX, -1 },
		     { UINT64_MAX - 7, -1 },
		     { UINT64_MAX - 8, -1 },
		     { 1ull << 63, -1 },
		     { 1ull << 55, -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		ask(BLKIF_OP_READ, rows[i].sector, 1);
		ck_assert_int_eq(judge(), rows[i].status);
		ask_discard(rows[i].sector, 8);
		ck_assert_int_eq(judge(), rows[i].status);
	}
	begin();
	limits.sectors = 7;
	ask(BLKIF_OP_READ, 0, 1);
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
}
END_TEST

START_TEST(discards)
{
	static const struct {
		uint64_t sector, count;
		int status;
	} rows[] = { { 0, 1000, 0 },	   { 999, 1, 0 },	  { 0, 0, -1 },
		     { 0, 1001, -1 },	   { 1, UINT64_MAX, -1 }, { 8, UINT64_MAX - 7, -1 },
		     { UINT64_MAX, 2, -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		ask_discard(rows[i].sector, rows[i].count);
		ck_assert_int_eq(judge(), rows[i].status);
		ck_assert(job.ordered);
	}
	begin();
	limits.features.discard = false;
	ask_discard(0, 1);
	expect(BLKIF_RSP_EOPNOTSUPP, BLKBACK_NOTHING);
}
END_TEST

START_TEST(larger_sectors)
{
	begin();
	limits.unit = 8;
	ask(BLKIF_OP_READ, 8, 2);
	expect(BLKIF_RSP_OKAY, BLKBACK_READ);
	ask(BLKIF_OP_READ, 9, 1);
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
	/* What counts is the sum: a sector of the disk may lie in two pages. */
	ask(BLKIF_OP_READ, 8, 2);
	slot.request.seg[0].first_sect = 3;
	slot.request.seg[1].last_sect = 2;
	expect(BLKIF_RSP_OKAY, BLKBACK_READ);
	slot.request.seg[1].last_sect = 1;
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
	ask_discard(8, 4);
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
}
END_TEST

START_TEST(read_only_disks)
{
	begin();
	limits.read_only = true;
	ask(BLKIF_OP_READ, 0, 1);
	expect(BLKIF_RSP_OKAY, BLKBACK_READ);
	ask(BLKIF_OP_WRITE, 0, 1);
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
	ask(BLKIF_OP_WRITE_BARRIER, 0, 1);
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
	ask(BLKIF_OP_FLUSH_DISKCACHE, 0, 0);
	expect(BLKIF_RSP_OKAY, BLKBACK_NOTHING);
	ask_discard(0, 1);
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
	ask_indirect(BLKIF_OP_WRITE, 0, 12);
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
}
END_TEST

START_TEST(flushes_and_barriers)
{
	static const uint8_t ops[] = { BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER };

	for (size_t i = 0; i < sizeof(ops); i++) {
		begin();
		ask(ops[i], UINT64_MAX, 0);
		expect(BLKIF_RSP_OKAY, BLKBACK_NOTHING);
		ck_assert(job.ordered);
		ask(ops[i], 8, 2);
		expect(BLKIF_RSP_OKAY, BLKBACK_WRITE);
		ck_assert(job.ordered);
		ck_assert_uint_eq(job.sectors, 16);
		ask(ops[i], 8, 12);
		expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
		limits.features.flush = limits.features.barrier = false;
		ask(ops[i], 0, 0);
		expect(BLKIF_RSP_EOPNOTSUPP, BLKBACK_NOTHING);
	}
}
END_TEST

START_TEST(indirect_requests)
{
	static const struct {
		uint16_t count;
		uint8_t operation;
		int status;
	} rows[] = { { 1, BLKIF_OP_READ, 0 },	   { 256, BLKIF_OP_WRITE, 0 },
		     { 0, BLKIF_OP_READ, -1 },	   { 257, BLKIF_OP_READ, -1 },
		     { 65535, BLKIF_OP_READ, -1 }, { 4, BLKIF_OP_WRITE_BARRIER, -1 },
		     { 4, BLKIF_OP_INDIRECT, -1 }, { 4, 200, -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		ask_indirect(rows[i].operation, 100, rows[i].count);
		ck_assert_int_eq(judge(), rows[i].status);
		ck_assert_uint_eq(job.operation, rows[i].operation);
		if (rows[i].status == 0) {
			ck_assert_uint_eq(job.sectors, rows[i].count);
			ck_assert_uint_eq(job.descriptors, 77);
		}
	}
	begin();
	ask_indirect(BLKIF_OP_READ, SECTORS - 255, 256);
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
	ask_indirect(BLKIF_OP_READ, 0, 20);
	descriptors[19].last_sect = 8;
	expect(BLKIF_RSP_ERROR, BLKBACK_NOTHING);
	limits.features.indirect_segments = 0;
	ask_indirect(BLKIF_OP_READ, 0, 20);
	expect(BLKIF_RSP_EOPNOTSUPP, BLKBACK_NOTHING);
}
END_TEST

START_TEST(unknown_operations)
{
	for (unsigned int operation = 0; operation < 256; operation++) {
		if (operation <= BLKIF_OP_INDIRECT && operation != BLKIF_OP_RESERVED_1)
			continue;
		begin();
		ask((uint8_t)operation, 0, 1);
		expect(BLKIF_RSP_EOPNOTSUPP, BLKBACK_NOTHING);
		ck_assert_uint_eq(job.operation, operation);
	}
}
END_TEST

START_TEST(sectors_that_fail)
{
	static const struct {
		uint64_t first, count;
		int status;
	} rows[] = { { 100, 0, 0 }, { 104, 0, 0 },  { 99, 1, 0 },   { 108, 5, 0 },
		     { 99, 2, -1 }, { 107, 1, -1 }, { 103, 1, -1 }, { 0, 1000, -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		limits.fail_first = rows[i].first;
		limits.fail_count = rows[i].count;
		ask(BLKIF_OP_READ, 100, 1);
		ck_assert_int_eq(judge(), rows[i].status);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, reads_and_writes);
	tcase_add_test(cases, counts_of_segments);
	tcase_add_test(cases, sectors_of_segments);
	tcase_add_test(cases, the_end_of_the_disk);
	tcase_add_test(cases, discards);
	tcase_add_test(cases, larger_sectors);
	tcase_add_test(cases, read_only_disks);
	tcase_add_test(cases, flushes_and_barriers);
	tcase_add_test(cases, indirect_requests);
	tcase_add_test(cases, unknown_operations);
	tcase_add_test(cases, sectors_that_fail);
}

int main(void)
{
	return unit_main("drivers/blkback_request", add_cases);
}
