/* SPDX-License-Identifier: ISC */
/*
 * How blkfront cuts requests into stretches, what it joins, what it believes of the store,
 * and how it names disks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkfront.h"
#include "drivers/blkfront_plan.h"
#include "tests/host/unit.h"

#define PAGE 4096u
#define ROUNDS 20000u

static const uint8_t *at(uintptr_t address)
{
	return (const uint8_t *)address;
}

START_TEST(stretches)
{
	static const struct {
		uintptr_t data;
		uint64_t bytes;
		uint32_t sector_bytes;
		bool own, loans;
		enum blkfront_way way;
		uint32_t most;
	} rows[] = {
		{ 0x10000, 512, 512, false, false, BLKFRONT_BOUNCE, 512 },
		{ 0x10000, 64 << 20, 512, false, false, BLKFRONT_BOUNCE, PAGE },
		{ 0x10001, 64 << 20, 512, false, false, BLKFRONT_BOUNCE, PAGE },
		{ 0x10000, PAGE, 512, true, false, BLKFRONT_OWN, PAGE },
		{ 0x10e00, PAGE, 512, true, false, BLKFRONT_OWN, 512 },
		{ 0x10e00, PAGE, 4096, true, false, BLKFRONT_BOUNCE, PAGE },
		{ 0x10001, PAGE, 512, true, false, BLKFRONT_BOUNCE, PAGE },
		{ 0x10000, PAGE, 512, false, true, BLKFRONT_LOAN, PAGE },
		{ 0x10000, 2 * PAGE, 4096, false, true, BLKFRONT_LOAN, PAGE },
		/* Not the request's alone: XSA-403. */
		{ 0x10000, PAGE - 512, 512, false, true, BLKFRONT_BOUNCE, PAGE - 512 },
		{ 0x10200, PAGE, 512, false, true, BLKFRONT_BOUNCE, PAGE - 512 },
		{ 0x10001, 2 * PAGE, 512, false, true, BLKFRONT_BOUNCE, PAGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct blkfront_stretch stretch = blkfront_plan_stretch(
			&(struct blkfront_memory){ .data = at(rows[i].data),
						   .bytes = rows[i].bytes,
						   .sector_bytes = rows[i].sector_bytes,
						   .own = rows[i].own,
						   .loans = rows[i].loans });

		ck_assert_msg(stretch.way == rows[i].way && stretch.bytes == rows[i].most,
			      "row %zu: way %d, %u bytes", i, stretch.way, stretch.bytes);
	}
}
END_TEST

/* Of any memory: all of it, in sectors, and nothing lent that is not wholly the request's. */
START_TEST(stretches_of_anything_make_the_whole)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t sector_bytes = 512u << rand() % 4;
		uintptr_t begin = 0x100000 + (uintptr_t)(rand() % (rand() % 3 ? 16 : 8192)) *
						     (rand() % 3 ? 512 : 1);
		uint64_t bytes = (1 + (uint64_t)rand() % 64) * sector_bytes;
		uintptr_t data = begin;
		uint64_t left = bytes;

		while (left) {
			struct blkfront_memory memory = { .data = at(data),
							  .bytes = left,
							  .sector_bytes = sector_bytes,
							  .own = rand() % 3 == 0,
							  .loans = rand() % 2 };
			struct blkfront_stretch stretch = blkfront_plan_stretch(&memory);

			ck_assert(stretch.bytes && stretch.bytes <= left && stretch.bytes <= PAGE);
			ck_assert_uint_eq(stretch.bytes % sector_bytes, 0);
			if (stretch.way == BLKFRONT_LOAN)
				ck_assert(memory.loans && data % PAGE == 0 &&
					  stretch.bytes == PAGE);
			if (stretch.way == BLKFRONT_OWN)
				ck_assert(memory.own && data % sector_bytes == 0 &&
					  data / PAGE == (data + stretch.bytes - 1) / PAGE);
			data += stretch.bytes;
			left -= stretch.bytes;
		}
	}
}
END_TEST

START_TEST(only_neighbours_of_a_kind_are_joined)
{
	static const struct blkfront_span reads = { false, 100, 8, 512 };
	static const struct blkfront_span writes = { true, 100, 8, 512 };
	struct block_request next = { .op = BLOCK_READ, .sector = 108, .count = 8 };

	ck_assert(blkfront_plan_joins(&reads, &next));
	ck_assert(!blkfront_plan_joins(&writes, &next));
	next.sector = 107;
	ck_assert(!blkfront_plan_joins(&reads, &next));
	next.sector = 92; /* before it */
	ck_assert(!blkfront_plan_joins(&reads, &next));
	next.sector = 108;
	next.count = BLKFRONT_JOIN_BYTES / 512 - 8;
	ck_assert(blkfront_plan_joins(&reads, &next));
	next.count++;
	ck_assert(!blkfront_plan_joins(&reads, &next));
	next = (struct block_request){ .op = BLOCK_WRITE, .sector = 108, .count = 8 };
	ck_assert(blkfront_plan_joins(&writes, &next));
	ck_assert(!blkfront_plan_joins(&reads, &next));
	next.flags = BLOCK_FUA; /* its flush is its own */
	ck_assert(blkfront_plan_joins(&writes, &next));
	next.flags = BLOCK_BARRIER;
	ck_assert(!blkfront_plan_joins(&writes, &next));
	next = (struct block_request){ .op = BLOCK_WRITE_ZEROES, .sector = 108, .count = 8 };
	ck_assert(blkfront_plan_joins(&writes, &next));
	next.op = BLOCK_DISCARD;
	ck_assert(!blkfront_plan_joins(&writes, &next) && !blkfront_plan_joins(&reads, &next));
	next = (struct block_request){ .op = BLOCK_FLUSH };
	ck_assert(!blkfront_plan_joins(&writes, &next) && !blkfront_plan_joins(&reads, &next));
}
END_TEST

START_TEST(segments_are_bounded)
{
	ck_assert_uint_eq(blkfront_plan_segments(0), 11);
	ck_assert_uint_eq(blkfront_plan_segments(11), 11);
	ck_assert_uint_eq(blkfront_plan_segments(12), 12);
	ck_assert_uint_eq(blkfront_plan_segments(256), 256);
	ck_assert_uint_eq(blkfront_plan_segments(4097), 4096);
	ck_assert_uint_eq(blkfront_plan_segments(UINT64_MAX), 4096);
}
END_TEST

static struct blkfront_said plain(void)
{
	return (struct blkfront_said){ .sectors = 2048, .sector_bytes = 512, .write_mode = true };
}

START_TEST(sizes_that_cannot_be_are_refused)
{
	static const uint64_t sizes[] = { 1, 3, 256, 511, 513, 1000, 8192, 1ull << 32, UINT64_MAX };
	struct block_geometry geometry = { .sectors = 7 };
	struct blkfront_said said = plain();

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		said.sector_bytes = sizes[i];
		ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), -EINVAL);
	}
	said = plain();
	said.sectors = UINT64_MAX;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), -EINVAL);
	said.sectors = INT64_MAX / 512 + 1;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), -EINVAL);
	ck_assert_uint_eq(geometry.sectors, 7);
	said.sectors--;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
}
END_TEST

/* `sectors` is in 512 bytes always; what is less than a sector at the end is not there. */
START_TEST(larger_sectors_are_counted_in_their_own_size)
{
	struct block_geometry geometry;
	struct blkfront_said said = plain();

	said.sector_bytes = 4096;
	said.sectors = 8007;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
	ck_assert_uint_eq(geometry.sectors, 1000);
	ck_assert_uint_eq(geometry.sector_bytes, 4096);
	ck_assert_uint_eq(geometry.physical_sector_bytes, 4096);
	said.sector_bytes = 0;
	said.physical_bytes = 4096;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
	ck_assert_uint_eq(geometry.sectors, 8007);
	ck_assert_uint_eq(geometry.sector_bytes, 512);
	ck_assert_uint_eq(geometry.physical_sector_bytes, 4096);
	said.physical_bytes = 1000;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
	ck_assert_uint_eq(geometry.physical_sector_bytes, 512);
}
END_TEST

START_TEST(kinds_and_offers)
{
	struct block_geometry geometry;
	struct blkfront_said said = plain();

	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
	ck_assert(!geometry.read_only && !geometry.removable && !geometry.cdrom);
	ck_assert(!geometry.flush && !geometry.barrier && !geometry.discard);
	said.info = VDISK_READONLY | VDISK_CDROM | VDISK_REMOVABLE;
	said.barrier = true;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
	ck_assert(geometry.read_only && geometry.removable && geometry.cdrom);
	ck_assert(geometry.flush && geometry.barrier);
	said = plain();
	said.write_mode = false;
	said.flush = said.secure = true;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
	ck_assert(geometry.read_only && geometry.flush && !geometry.barrier);
	ck_assert(!geometry.secure_discard);
	said.discard = true;
	said.discard_bytes = 4096;
	said.discard_alignment = 1024;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
	ck_assert(geometry.discard && geometry.secure_discard);
	ck_assert_uint_eq(geometry.discard_bytes, 4096);
	ck_assert_uint_eq(geometry.discard_alignment, 1024);
	said.discard_bytes = 1000;
	ck_assert_int_eq(blkfront_plan_geometry(&said, &geometry), 0);
	ck_assert_uint_eq(geometry.discard_bytes, 512);
	ck_assert_uint_eq(geometry.discard_alignment, 0);
}
END_TEST

START_TEST(names)
{
	static const struct {
		uint32_t number;
		const char *name;
	} rows[] = {
		{ 51712, "xvda" },
		{ 51713, "xvda1" },
		{ 51728, "xvdb" },
		{ 51727, "xvda15" },
		{ 51952, "xvdp" },
		{ 1u << 28 | 16u << 8, "xvdq" },
		{ 1u << 28 | 25u << 8 | 3, "xvdz3" },
		{ 1u << 28 | 26u << 8, "xvdaa" },
		{ 1u << 28 | 702u << 8, "xvdaaa" },
		{ (1u << 29) - 1, "xvdbgqcv255" },
		{ 3 << 8, "hda" },
		{ 3 << 8 | 65, "hdb1" },
		{ 22 << 8, "hdc" },
		{ 8 << 8, "sda" },
		{ 8 << 8 | 0xf1, "sdp1" },
		{ 65 << 8, "sdq" },
		{ 3 << 8 | 128, "vbd896" }, /* a channel has two */
		{ 7 << 8, "vbd1792" },
		{ 0, "vbd0" },
		{ UINT32_MAX, "vbd4294967295" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[BLOCK_NAME_BYTES];

		blkfront_name(rows[i].number, name);
		ck_assert_str_eq(name, rows[i].name);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, stretches);
	tcase_add_test(cases, stretches_of_anything_make_the_whole);
	tcase_add_test(cases, only_neighbours_of_a_kind_are_joined);
	tcase_add_test(cases, segments_are_bounded);
	tcase_add_test(cases, sizes_that_cannot_be_are_refused);
	tcase_add_test(cases, larger_sectors_are_counted_in_their_own_size);
	tcase_add_test(cases, kinds_and_offers);
	tcase_add_test(cases, names);
}

int main(void)
{
	return unit_main("drivers/blkfront_plan", add_cases);
}
