/* SPDX-License-Identifier: ISC */
/*
 * Pages of clients that keep their grants ("feature-persistent"), mapped for as long as they
 * are used. They are never more than there is room for: what finds none is copied by grant,
 * as without the feature, and a page that was not used for a while makes room for another.
 */
#include <stdlib.h>

#include "drivers/blkback_internal.h"
#include "lib/minmax.h"

#define BUCKETS 1024u
/* Clients choose their references: what would make a longer chain is copied by grant. */
#define CHAIN_MOST 8u
/* In mind of clients that use more grants than there is room for, one after the other. */
#define REPLACE_NS 100000000ull
/* A client whose grants cannot be mapped for writing is none that keeps them. */
#define REFUSED_MOST 16u

void blkback_cache_begin(struct blkback_cache *cache, uint32_t slots)
{
	uint32_t room = min32(slots * BLKIF_MAX_SEGMENTS_PER_REQUEST, BLKBACK_PERSISTENT_PAGES);
	struct blkback_page *pages = calloc(room, sizeof(*pages));
	struct blkback_page **buckets = calloc(BUCKETS, sizeof(struct blkback_page *));

	*cache = (struct blkback_cache){ .pages = pages, .buckets = buckets, .room = room };
	list_init(&cache->recent);
	if (!pages || !buckets) {
		blkback_cache_end(cache);
		return;
	}
	for (uint32_t i = 0; i < room; i++) {
		pages[i].next = cache->unused;
		cache->unused = &pages[i];
	}
}

static struct blkback_page **bucket_of(const struct blkback_cache *cache, uint32_t gref)
{
	return &cache->buckets[gref % BUCKETS];
}

static void page_remove(struct blkback_cache *cache, struct blkback_page *page)
{
	struct blkback_page **link = bucket_of(cache, page->gref);

	while (*link != page)
		link = &(*link)->next;
	*link = page->next;
	gnttab_unmap(&page->mapping);
	list_remove(&page->recent);
	page->next = cache->unused;
	cache->unused = page;
	cache->count--;
	blkback.kept_pages--;
}

static struct blkback_page *oldest_of(const struct blkback_cache *cache)
{
	return list_entry(cache->recent.prev, struct blkback_page, recent);
}

void blkback_cache_end(struct blkback_cache *cache)
{
	while (cache->count)
		page_remove(cache, oldest_of(cache));
	free(cache->pages);
	free(cache->buckets);
	*cache = (struct blkback_cache){ 0 };
}

static struct blkback_page *page_find(const struct blkback_cache *cache, uint32_t gref)
{
	struct blkback_page *page = *bucket_of(cache, gref);

	while (page && page->gref != gref)
		page = page->next;
	return page;
}

static bool chain_is_full(const struct blkback_cache *cache, uint32_t gref)
{
	uint32_t length = 0;

	for (const struct blkback_page *page = *bucket_of(cache, gref); page; page = page->next)
		length++;
	return length >= CHAIN_MOST;
}

/* The client that keeps the most, when that is more than `cache` has. */
static struct blkback_cache *larger_than(struct blkback_cache *cache)
{
	struct blkback_cache *largest = cache;

	list_for_each(link, &blkback.vbds) {
		struct blkback_cache *other = &list_entry(link, struct blkback_vbd, link)->cache;

		if (other->count > largest->count)
			largest = other;
	}
	return largest;
}

/* Room for one page more: free, or of a page that was not used for a while, or of another
 * client that has more than this one. */
static bool room_make(struct blkback_cache *cache, uint64_t now_ns)
{
	struct blkback_cache *giver = cache;

	if (cache->unused && blkback.kept_pages < BLKBACK_PERSISTENT_PAGES)
		return true;
	if (cache->unused)
		giver = larger_than(cache);
	if (!giver->count || (giver == cache && now_ns - oldest_of(cache)->used_ns < REPLACE_NS))
		return false;
	page_remove(giver, oldest_of(giver));
	return true;
}

static struct blkback_page *page_add(struct blkback_vbd *vbd, uint32_t gref, uint64_t now_ns)
{
	struct blkback_cache *cache = &vbd->cache;
	struct blkback_page *page;

	if (cache->refused >= REFUSED_MOST || chain_is_full(cache, gref) ||
	    !room_make(cache, now_ns))
		return NULL;
	page = cache->unused;
	if (gnttab_map(vbd->domid, gref, false, &page->mapping)) {
		cache->refused++;
		return NULL;
	}
	cache->unused = page->next;
	page->gref = gref;
	page->next = *bucket_of(cache, gref);
	*bucket_of(cache, gref) = page;
	/* The fiber has to know that there is something that grows old. */
	if (cache->count++ == 0)
		fiber_event_signal(&blkback.event);
	blkback.kept_pages++;
	return page;
}

uint8_t *blkback_cache_find(struct blkback_vbd *vbd, uint32_t gref)
{
	struct blkback_cache *cache = &vbd->cache;
	uint64_t now_ns = loop_now_ns();
	struct blkback_page *page;

	if (!cache->pages)
		return NULL;
	page = page_find(cache, gref);
	if (page)
		list_remove(&page->recent);
	else
		page = page_add(vbd, gref, now_ns);
	if (!page)
		return NULL;
	page->used_ns = now_ns;
	list_push_front(&cache->recent, &page->recent);
	return page->mapping.address;
}

uint64_t blkback_cache_age(struct blkback_cache *cache, uint64_t now_ns)
{
	while (cache->count) {
		struct blkback_page *page = oldest_of(cache);

		if (now_ns - page->used_ns < BLKBACK_PERSISTENT_IDLE_NS)
			return page->used_ns + BLKBACK_PERSISTENT_IDLE_NS;
		page_remove(cache, page);
	}
	return FIBER_FOREVER;
}
