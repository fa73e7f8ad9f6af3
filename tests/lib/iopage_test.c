/* SPDX-License-Identifier: ISC */
#include "lib/iopage.h"

#include <string.h>

#include "tests/host/unit.h"

#define PAGES 4u

static uint8_t arena[PAGES * IOPAGE_SIZE] __attribute__((aligned(4096)));
static struct iopage descriptors[PAGES];
static struct iopage_pool pool;

static uint64_t frame_of(const void *page)
{
	return (uint64_t)((const uint8_t *)page - arena) / IOPAGE_SIZE;
}

static struct iopage *page_begin(void)
{
	memset(arena, 0, sizeof(arena));
	iopage_pool_init(&pool, arena, descriptors, PAGES, frame_of);
	return iopage_alloc(&pool, IOPAGE_PRIVATE);
}

/* XSA-216 and 403: what was in a page does not go with it to those who may look into it. */
START_TEST(a_page_that_becomes_visible_is_empty)
{
	struct iopage *page = page_begin();

	memset(page->data, 0x5a, IOPAGE_SIZE);
	iopage_reclass(page, IOPAGE_UPLINK_READ);
	for (uint32_t i = 0; i < IOPAGE_SIZE; i++)
		ck_assert_uint_eq(page->data[i], 0);
}
END_TEST

START_TEST(classes_never_mix)
{
	struct iopage *page = page_begin();

	iopage_reclass(page, IOPAGE_UPLINK_READ);
	iopage_free(page);
	for (uint32_t i = 1; i < PAGES; i++) {
		struct iopage *other = iopage_alloc(&pool, IOPAGE_PRIVATE);

		ck_assert_ptr_nonnull(other);
		ck_assert_ptr_ne(other, page);
	}
	ck_assert_ptr_null(iopage_alloc(&pool, IOPAGE_PRIVATE));
	ck_assert_ptr_null(iopage_alloc(&pool, IOPAGE_UPLINK_WRITE));
	ck_assert_ptr_eq(iopage_alloc(&pool, IOPAGE_UPLINK_READ), page);
}
END_TEST

/* XSA-396 */
START_TEST(a_page_that_is_held_is_not_used)
{
	struct iopage *page = page_begin();

	iopage_quarantine(page);
	ck_assert_uint_eq(pool.quarantined, 1);
	for (uint32_t i = 1; i < PAGES; i++)
		ck_assert_ptr_ne(iopage_alloc(&pool, IOPAGE_PRIVATE), page);
	ck_assert_ptr_null(iopage_alloc(&pool, IOPAGE_PRIVATE));
}
END_TEST

START_TEST(a_page_that_is_let_go_belongs_to_whom_finds_it)
{
	struct iopage *page = page_begin();

	iopage_quarantine(page);
	iopage_recover(page);
	ck_assert_uint_eq(pool.quarantined, 0);
	ck_assert_uint_eq(pool.class_count[IOPAGE_PRIVATE], PAGES);
	iopage_free(page);
	ck_assert_uint_eq(pool.free_count[IOPAGE_PRIVATE], PAGES);
	ck_assert_ptr_eq(iopage_alloc(&pool, IOPAGE_PRIVATE), page);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_page_that_becomes_visible_is_empty);
	tcase_add_test(cases, classes_never_mix);
	tcase_add_test(cases, a_page_that_is_held_is_not_used);
	tcase_add_test(cases, a_page_that_is_let_go_belongs_to_whom_finds_it);
}

int main(void)
{
	return unit_main("lib/iopage", add_cases);
}
