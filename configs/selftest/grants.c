/* SPDX-License-Identifier: ISC */
/*
 * Grants to ourselves: both sides of every operation. In PVH mode Xen keeps one place
 * for each page of a guest, so that mapping our own page elsewhere takes it away from
 * where it was; there the mappings are tested by the drivers alone.
 */
#include "configs/selftest/selftest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/boot.h"
#include "arch/x86/memory.h"
#include "xen/gnttab.h"

#define FIRST_REFERENCE 8u
#define SOME 3000u
#define MOST 65536u
#define CYCLES 3000u /* more than the window has pages */
#define MAPPINGS 100u
#define COPIES 300u
#define COPY_BYTES 13u
#define UNUSED_REFERENCE 500u

static uint8_t *page, *other;

static bool can_map_own(void)
{
	return boot_info_get()->mode == BOOT_PV;
}

static void fill(uint8_t *p, unsigned int seed)
{
	for (unsigned int i = 0; i < PAGE_BYTES; i++)
		p[i] = (uint8_t)(i * 31 + seed);
}

static uint32_t grant(uint16_t self, const void *p, bool readonly)
{
	int64_t gref = gnttab_grant_access(self, memory_frame_of(p), readonly);

	CHECK(gref >= (int64_t)FIRST_REFERENCE);
	return (uint32_t)gref;
}

static void mapping(uint16_t self)
{
	struct gnttab_mapping map = { 0 };
	struct gnttab_mapping second = { 0 };
	uint32_t gref = grant(self, page, false);

	fill(page, 1);
	if (!CHECK_EQUAL(gnttab_map(self, gref, false, &map), 0))
		return;
	CHECK(map.address != page);
	CHECK(memcmp(map.address, page, PAGE_BYTES) == 0);
	((uint8_t *)map.address)[100] = 0xa5;
	CHECK_EQUAL(page[100], 0xa5);
	CHECK_EQUAL(gnttab_mapped_count(), 1);
	CHECK_EQUAL(gnttab_map(self, gref, true, &second), 0);
	CHECK_EQUAL(gnttab_end_access(gref), -EBUSY);
	gnttab_unmap(&map);
	CHECK(map.address == NULL);
	gnttab_unmap(&map); /* harmless */
	CHECK_EQUAL(gnttab_end_access(gref), -EBUSY);
	CHECK(((uint8_t *)second.address)[100] == 0xa5);
	gnttab_unmap(&second);
	CHECK_EQUAL(gnttab_end_access(gref), 0);
	CHECK(gnttab_map(self, gref, false, &map) < 0);
	CHECK(map.address == NULL);
	CHECK_EQUAL(gnttab_mapped_count(), 0);
}

static void readonly(uint16_t self)
{
	struct gnttab_mapping map = { 0 };
	uint32_t gref = grant(self, page, true);

	CHECK(gnttab_map(self, gref, false, &map) < 0);
	CHECK(map.address == NULL);
	CHECK_EQUAL(gnttab_map(self, gref, true, &map), 0);
	fill(page, 2);
	CHECK(map.address && memcmp(map.address, page, PAGE_BYTES) == 0);
	gnttab_unmap(&map);
	CHECK_EQUAL(gnttab_end_access(gref), 0);
}

static void many_mappings(uint16_t self)
{
	static struct gnttab_mapping maps[MAPPINGS];
	uint32_t gref = grant(self, page, false);
	unsigned int made = 0, cycles = 0;

	while (made < MAPPINGS && gnttab_map(self, gref, false, &maps[made]) == 0)
		made++;
	CHECK_EQUAL(made, MAPPINGS);
	CHECK_EQUAL(gnttab_mapped_count(), made);
	while (made)
		gnttab_unmap(&maps[--made]);
	for (; cycles < CYCLES && gnttab_map(self, gref, cycles & 1, &maps[0]) == 0; cycles++)
		gnttab_unmap(&maps[0]);
	CHECK_EQUAL(cycles, CYCLES);
	CHECK_EQUAL(gnttab_mapped_count(), 0);
	CHECK_EQUAL(gnttab_end_access(gref), 0);
}

/* From our page at `offset` to the grant, or from the grant. */
static struct gnttab_copy copy_op(uint16_t domid, const void *ours, uint32_t gref, uint16_t offset,
				  uint16_t length, bool to_grant)
{
	struct gnttab_copy op = { .len = length };
	struct gnttab_copy_ptr local = { .domid = DOMID_SELF, .offset = offset };
	struct gnttab_copy_ptr remote = { .domid = domid, .offset = offset };

	local.u.gmfn = memory_frame_of(ours);
	remote.u.ref = gref;
	if (to_grant) {
		op.source.u.gmfn = local.u.gmfn;
		op.source.domid = local.domid;
		op.source.offset = local.offset;
		op.dest.u.ref = remote.u.ref;
		op.dest.domid = remote.domid;
		op.dest.offset = remote.offset;
		op.flags = GNTCOPY_dest_gref;
	} else {
		op.source.u.ref = remote.u.ref;
		op.source.domid = remote.domid;
		op.source.offset = remote.offset;
		op.dest.u.gmfn = local.u.gmfn;
		op.dest.domid = local.domid;
		op.dest.offset = local.offset;
		op.flags = GNTCOPY_source_gref;
	}
	return op;
}

static void copying(uint16_t self)
{
	static struct gnttab_copy ops[COPIES];
	uint32_t gref = grant(self, page, false);
	unsigned int wrong = 0;

	fill(page, 3);
	memset(other, 0, PAGE_BYTES);
	for (unsigned int i = 0; i < COPIES; i++)
		ops[i] = copy_op(self, other, gref, (uint16_t)(i * COPY_BYTES), COPY_BYTES, false);
	gnttab_copy(ops, COPIES);
	for (unsigned int i = 0; i < COPIES; i++)
		wrong += ops[i].status != GNTST_okay;
	CHECK_EQUAL(wrong, 0);
	CHECK(memcmp(other, page, (size_t)COPIES * COPY_BYTES) == 0);
	CHECK(other[COPIES * COPY_BYTES] == 0);
	fill(other, 4);
	ops[0] = copy_op(self, other, gref, 0, PAGE_BYTES, true);
	gnttab_copy(ops, 1);
	CHECK_EQUAL(ops[0].status, GNTST_okay);
	CHECK(memcmp(other, page, PAGE_BYTES) == 0);
	gnttab_copy(ops, 0);
	CHECK_EQUAL(gnttab_end_access(gref), 0);
}

/* What may not be copied fails alone: its neighbours in the batch are done. */
static void copying_refused(uint16_t self)
{
	struct gnttab_copy ops[5];
	uint32_t gref = grant(self, page, true);

	fill(page, 5);
	memset(other, 0, PAGE_BYTES);
	ops[0] = copy_op(self, other, gref, 0, 16, false);
	ops[1] = copy_op(self, other, gref, 0, 16, true);		/* read-only */
	ops[2] = copy_op(self, other, gref, PAGE_BYTES - 8, 16, false); /* over the end */
	ops[3] = copy_op(self, other, UNUSED_REFERENCE, 32, 16, false); /* not granted */
	ops[4] = copy_op(self, other, gref, 16, 16, false);
	gnttab_copy(ops, 5);
	CHECK_EQUAL(ops[0].status, GNTST_okay);
	CHECK(ops[1].status != GNTST_okay);
	CHECK(ops[2].status != GNTST_okay);
	CHECK(ops[3].status != GNTST_okay);
	CHECK_EQUAL(ops[4].status, GNTST_okay);
	CHECK(memcmp(other, page, 32) == 0 && other[32] == 0);
	CHECK_EQUAL(gnttab_end_access(gref), 0);
}

/* Takes up to `most` references; how many there were. */
static unsigned int take(uint16_t self, uint32_t *grefs, unsigned int most)
{
	unsigned int taken = 0;

	while (taken < most) {
		int64_t gref = gnttab_grant_access(self, memory_frame_of(page), true);

		if (gref < 0) {
			CHECK_EQUAL(gref, -ENOSPC);
			break;
		}
		grefs[taken++] = (uint32_t)gref;
	}
	return taken;
}

static unsigned int give_back(const uint32_t *grefs, unsigned int taken)
{
	unsigned int bad = 0;

	while (taken--)
		bad += gnttab_end_access(grefs[taken]) != 0;
	return bad;
}

/* A reference must come once only, and work: the last of them is in the newest frame. */
static void growing(uint16_t self, uint32_t *grefs)
{
	static uint8_t seen[MOST / 8];
	struct gnttab_mapping map = { 0 };
	uint32_t before = gnttab_granted_count();
	unsigned int taken = take(self, grefs, SOME);
	unsigned int twice = 0, all;

	CHECK_EQUAL(taken, SOME);
	if (taken != SOME) {
		CHECK_EQUAL(give_back(grefs, taken), 0);
		return;
	}
	CHECK_EQUAL(gnttab_granted_count(), before + SOME);
	for (unsigned int i = 0; i < taken; i++) {
		twice += grefs[i] >= MOST || (seen[grefs[i] / 8] >> grefs[i] % 8 & 1);
		seen[grefs[i] % MOST / 8] |= (uint8_t)(1 << grefs[i] % 8);
	}
	CHECK_EQUAL(twice, 0);
	if (can_map_own()) {
		CHECK_EQUAL(gnttab_map(self, grefs[taken - 1], true, &map), 0);
		gnttab_unmap(&map);
	}
	CHECK_EQUAL(give_back(grefs, taken), 0);
	all = take(self, grefs, MOST);
	CHECK(all > SOME && all < MOST);
	CHECK_EQUAL(give_back(grefs, all), 0);
	CHECK_EQUAL(take(self, grefs, MOST), all);
	CHECK_EQUAL(give_back(grefs, all), 0);
	CHECK_EQUAL(gnttab_granted_count(), before);
}

void selftest_grants(uint16_t self)
{
	uint32_t *grefs = calloc(MOST, sizeof(*grefs));
	uint32_t before = gnttab_granted_count();

	page = memory_alloc_pages(1);
	other = memory_alloc_pages(1);
	if (!CHECK(page && other && grefs)) {
		free(grefs);
		return;
	}
	if (can_map_own()) {
		mapping(self);
		readonly(self);
		many_mappings(self);
	}
	copying(self);
	copying_refused(self);
	growing(self, grefs);
	CHECK_EQUAL(gnttab_granted_count(), before);
	free(grefs);
}
