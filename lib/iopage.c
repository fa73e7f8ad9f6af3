/* SPDX-License-Identifier: ISC */
#include "lib/iopage.h"

#include <string.h>

#include "lib/panic.h"

void iopage_pool_init(struct iopage_pool *pool, void *arena, struct iopage *descriptors,
		      uint32_t count, uint64_t (*frame_of)(const void *page))
{
	memset(pool, 0, sizeof(*pool));
	pool->pages = descriptors;
	pool->arena = arena;
	pool->total = count;
	for (unsigned int class = 0; class < IOPAGE_CLASS_COUNT; class ++)
		list_init(&pool->free[class]);
	for (uint32_t i = 0; i < count; i++) {
		struct iopage *page = &descriptors[i];

		memset(page, 0, sizeof(*page));
		page->data = pool->arena + (size_t)i * IOPAGE_SIZE;
		page->frame = frame_of(page->data);
		page->pool = pool;
		page->gref = IOPAGE_NO_GREF;
		page->class = IOPAGE_PRIVATE;
		page->state = IOPAGE_FREE;
		list_push_back(&pool->free[IOPAGE_PRIVATE], &page->link);
	}
	pool->free_count[IOPAGE_PRIVATE] = count;
	pool->class_count[IOPAGE_PRIVATE] = count;
}

struct iopage *iopage_alloc(struct iopage_pool *pool, enum iopage_class class)
{
	struct list *link = list_pop_front(&pool->free[class]);
	struct iopage *page;

	if (!link)
		return NULL;
	page = list_entry(link, struct iopage, link);
	page->state = IOPAGE_OWNED;
	pool->free_count[class]--;
	return page;
}

void iopage_free(struct iopage *page)
{
	struct iopage_pool *pool = page->pool;

	if (page->state != IOPAGE_OWNED)
		panic("iopage_free: page %p has no owner (state %u)", (void *)page->data,
		      page->state);
	if (page->home) {
		page->home(page, page->home_context);
		return;
	}
	page->state = IOPAGE_FREE;
	/* The page freed last is the one most likely in the cache. */
	list_push_front(&pool->free[page->class], &page->link);
	pool->free_count[page->class]++;
}

void iopage_scrub(struct iopage *page, uint32_t offset, uint32_t bytes)
{
	if (page->class == IOPAGE_UPLINK_READ)
		memset(page->data + offset, 0, bytes);
}

void iopage_reclass(struct iopage *page, enum iopage_class class)
{
	struct iopage_pool *pool = page->pool;

	if (page->state != IOPAGE_OWNED || page->gref != IOPAGE_NO_GREF)
		panic("iopage_reclass: page %p is free or still granted", (void *)page->data);
	memset(page->data, 0, IOPAGE_SIZE);
	pool->class_count[page->class]--;
	pool->class_count[class]++;
	page->class = (uint8_t) class;
}

void iopage_quarantine(struct iopage *page)
{
	struct iopage_pool *pool = page->pool;

	if (page->state == IOPAGE_QUARANTINED)
		panic("iopage_quarantine: page %p is lost already", (void *)page->data);
	if (page->state == IOPAGE_FREE)
		pool->free_count[page->class]--;
	list_remove(&page->link);
	page->state = IOPAGE_QUARANTINED;
	pool->class_count[page->class]--;
	pool->quarantined++;
}

void iopage_recover(struct iopage *page)
{
	if (page->state != IOPAGE_QUARANTINED || page->gref != IOPAGE_NO_GREF)
		panic("iopage_recover: page %p is not lost, or still granted", (void *)page->data);
	page->state = IOPAGE_OWNED;
	page->pool->class_count[page->class]++;
	page->pool->quarantined--;
}

struct iopage *iopage_of(struct iopage_pool *pool, const void *p)
{
	size_t offset = (size_t)((const uint8_t *)p - pool->arena);

	if ((const uint8_t *)p < pool->arena || offset / IOPAGE_SIZE >= pool->total)
		return NULL;
	return &pool->pages[offset / IOPAGE_SIZE];
}
