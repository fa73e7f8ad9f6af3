/* SPDX-License-Identifier: ISC */
/*
 * The pages of clients that stay mapped: how many, whose, and how long it takes to find one,
 * whatever references a client chooses. Grants and time are played by the test.
 */
#include <stdlib.h>

#include "drivers/blkback_internal.h"
#include "tests/host/unit.h"

#define CHAIN 8u
#define BUCKETS 1024u
#define MAX_SLOTS 512u

struct blkback blkback;
static struct blkback_vbd clients[2];
static uint64_t now_ns;
static uint32_t mapped;

uint64_t loop_now_ns(void)
{
	return now_ns;
}

void fiber_event_signal(struct fiber_event *event)
{
	(void)event;
}

int gnttab_map(uint16_t domid, uint32_t gref, bool readonly, struct gnttab_mapping *mapping)
{
	(void)domid;
	(void)gref;
	(void)readonly;
	mapping->address = malloc(1);
	mapped++;
	return 0;
}

void gnttab_unmap(struct gnttab_mapping *mapping)
{
	free(mapping->address);
	mapping->address = NULL;
	mapped--;
}

static void begin(void)
{
	now_ns = 1;
	list_init(&blkback.vbds);
	for (uint32_t i = 0; i < 2; i++) {
		list_push_back(&blkback.vbds, &clients[i].link);
		blkback_cache_begin(&clients[i].cache, MAX_SLOTS);
	}
}

static void end(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		blkback_cache_end(&clients[i].cache);
		list_remove(&clients[i].link);
	}
	ck_assert_uint_eq(mapped, 0);
	ck_assert_uint_eq(blkback.kept_pages, 0);
}

static bool is_kept(uint32_t client, uint32_t gref)
{
	return blkback_cache_find(&clients[client], gref) != NULL;
}

/* All of the same bucket: those beyond a few are copied, and others are kept as before. */
START_TEST(references_chosen_to_collide_make_no_long_chains)
{
	begin();
	for (uint32_t i = 0; i < BLKBACK_PERSISTENT_PAGES; i++)
		ck_assert(is_kept(0, 7 + i * BUCKETS) == (i < CHAIN));
	ck_assert_uint_eq(mapped, CHAIN);
	ck_assert(is_kept(0, 7));
	ck_assert(is_kept(0, 8));
	end();
}
END_TEST

static uint32_t keep(uint32_t client, uint32_t from, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++)
		kept += is_kept(client, from + i);
	return kept;
}

/* The one that has more gives; at a half each, nobody takes from the other. */
START_TEST(clients_share_what_may_be_kept)
{
	const uint32_t all = BLKBACK_PERSISTENT_PAGES;

	begin();
	ck_assert_uint_eq(keep(0, 8, all + 100), all);
	ck_assert_uint_eq(keep(1, 8, all), all / 2);
	ck_assert_uint_eq(clients[0].cache.count, all / 2);
	ck_assert_uint_eq(mapped, all);
	/* The rest of the first one's are there no more, and no time has passed. */
	ck_assert_uint_eq(keep(0, 8, all / 2), 0);
	ck_assert_uint_eq(mapped, all);
	end();
}
END_TEST

START_TEST(what_is_not_used_is_given_back)
{
	begin();
	ck_assert(is_kept(0, 8));
	now_ns += BLKBACK_PERSISTENT_IDLE_NS / 2;
	ck_assert(is_kept(0, 9));
	now_ns += BLKBACK_PERSISTENT_IDLE_NS / 2;
	ck_assert_uint_eq(blkback_cache_age(&clients[0].cache, now_ns),
			  now_ns + BLKBACK_PERSISTENT_IDLE_NS / 2);
	ck_assert_uint_eq(mapped, 1);
	now_ns += BLKBACK_PERSISTENT_IDLE_NS / 2;
	ck_assert_uint_eq(blkback_cache_age(&clients[0].cache, now_ns), FIBER_FOREVER);
	ck_assert_uint_eq(mapped, 0);
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, references_chosen_to_collide_make_no_long_chains);
	tcase_add_test(cases, clients_share_what_may_be_kept);
	tcase_add_test(cases, what_is_not_used_is_given_back);
}

int main(void)
{
	return unit_main("drivers/blkback_persistent", add_cases);
}
