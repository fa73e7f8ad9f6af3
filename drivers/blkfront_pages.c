/* SPDX-License-Identifier: ISC */
/*
 * The pages of a disk: taken from the pool when the disk comes, all of them lent to its
 * backend for each connection, and given back when the disk goes. They are buffers of the
 * user, or serve requests, the one freed last first: so a backend that keeps only some
 * grants mapped keeps the right ones. What a backend does not let go is lost until it
 * does: out of use, and the backend gets nothing more.
 */
#include <errno.h>
#include <string.h>

#include "drivers/blkfront_internal.h"
#include "lib/minmax.h"
#include "lib/panic.h"

#define RELEASE_TRIES 14u
#define RELEASE_STEP_NS 2000000ull
#define RELEASE_DOUBLINGS 6u
#define RESERVE_PART 8u
#define LEAST_PAGES 2u

/* Pages that are no disk's and that a backend has kept; their tag is its domain. */
static struct list lost;

void blkfront_pages_init(void)
{
	list_init(&lost);
}

/* ---- taking and giving back ---- */

/* In order of their addresses, which makes buffers of several pages possible. */
static void page_insert(struct blkfront_disk *disk, struct iopage *page)
{
	uint32_t i = disk->page_count++;

	for (; i && disk->pages[i - 1].page->data > page->data; i--)
		disk->pages[i] = disk->pages[i - 1];
	disk->pages[i] = (struct blkfront_page){ .page = page };
}

int blkfront_pages_take(struct blkfront_disk *disk)
{
	const struct blkfront_config *config = blkfront_config();
	uint32_t rings = config->max_queues << config->ring_order;

	if (disk->page_count)
		return 0;
	/* With a pool that is too small for all disks, the last one has fewer, but rings. */
	while (disk->page_count < config->disk_pages &&
	       config->pages->free_count[IOPAGE_PRIVATE] > rings) {
		struct iopage *page = iopage_alloc(config->pages, IOPAGE_PRIVATE);

		iopage_reclass(page, IOPAGE_UPLINK_WRITE);
		page_insert(disk, page);
	}
	disk->free_count = 0;
	list_init(&disk->free);
	for (uint32_t i = disk->page_count; i-- > 0;) {
		disk->pages[i].page->tag = (uint16_t)i;
		list_push_front(&disk->free, &disk->pages[i].page->link);
		disk->free_count++;
	}
	disk->reserve = max32(disk->page_count / RESERVE_PART, LEAST_PAGES);
	disk->pages_domid = DOMID_INVALID;
	if (disk->page_count >= LEAST_PAGES)
		return 0;
	blkfront_pages_free(disk);
	return -ENOMEM;
}

static void page_to_pool(struct iopage *page)
{
	iopage_reclass(page, IOPAGE_PRIVATE);
	iopage_free(page);
}

static void page_lose_for_all(struct iopage *page, uint16_t domid)
{
	page->tag = domid;
	list_push_back(&lost, &page->link);
}

void blkfront_pages_free(struct blkfront_disk *disk)
{
	/* From the end: the pool gives out first what it got last. */
	for (uint32_t i = disk->page_count; i-- > 0;) {
		struct blkfront_page *page = &disk->pages[i];

		list_remove(&page->page->link);
		if (page->page->gref != IOPAGE_NO_GREF)
			page_lose_for_all(page->page, page->domid);
		else
			page_to_pool(page->page);
	}
	disk->page_count = 0;
	disk->free_count = 0;
}

/* ---- use ---- */

uint16_t blkfront_page_of(const struct blkfront_disk *disk, const void *p)
{
	const struct iopage *page = iopage_of(blkfront_config()->pages, p);

	if (!page || page->tag >= disk->page_count || disk->pages[page->tag].page != page)
		return BLKFRONT_NONE;
	return page->tag;
}

uint16_t blkfront_page_take(struct blkfront_disk *disk)
{
	struct list *link = list_pop_front(&disk->free);
	struct iopage *page;

	if (!link)
		return BLKFRONT_NONE;
	page = list_entry(link, struct iopage, link);
	disk->pages[page->tag].use = BLKFRONT_PAGE_BUSY;
	disk->free_count--;
	return page->tag;
}

void blkfront_page_free(struct blkfront_disk *disk, uint16_t index)
{
	struct blkfront_page *page = &disk->pages[index];

	page->use = BLKFRONT_PAGE_FREE;
	if (page->lost)
		return;
	list_push_front(&disk->free, &page->page->link);
	disk->free_count++;
}

static bool page_is_free(const struct blkfront_page *page)
{
	return page->use == BLKFRONT_PAGE_FREE && !page->lost;
}

/* The first of `count` free pages that lie side by side, or page_count. */
static uint32_t run_find(const struct blkfront_disk *disk, size_t count)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < disk->page_count; i++) {
		const struct blkfront_page *page = &disk->pages[i];

		if (!page_is_free(page))
			run = 0;
		else if (run && page->page->data == page[-1].page->data + IOPAGE_SIZE)
			run++;
		else
			run = 1;
		if (run == count)
			return i + 1 - run;
	}
	return disk->page_count;
}

void *blkfront_buffer_alloc(struct block_device *device, size_t bytes)
{
	struct blkfront_disk *disk = device->driver;
	size_t count = bytes / IOPAGE_SIZE + (bytes % IOPAGE_SIZE != 0);
	uint32_t first;

	if (count > disk->free_count || disk->free_count - count < disk->reserve)
		return NULL;
	first = run_find(disk, count);
	if (first == disk->page_count)
		return NULL;
	for (uint32_t i = first; i < first + count; i++) {
		list_remove(&disk->pages[i].page->link);
		disk->pages[i].use = BLKFRONT_PAGE_BUFFER;
		memset(disk->pages[i].page->data, 0, IOPAGE_SIZE);
	}
	disk->free_count -= (uint32_t)count;
	return disk->pages[first].page->data;
}

void blkfront_buffer_free(struct block_device *device, void *buffer, size_t bytes)
{
	struct blkfront_disk *disk = device->driver;
	size_t count = bytes / IOPAGE_SIZE + (bytes % IOPAGE_SIZE != 0);
	uint32_t first = blkfront_page_of(disk, buffer);

	if (first == BLKFRONT_NONE || count > disk->page_count - first)
		panic("block_buffer_free: %p is no buffer of %s", buffer, device->name);
	for (size_t i = first + count; i-- > first;) {
		if (disk->pages[i].use != BLKFRONT_PAGE_BUFFER || disk->pages[i].users)
			panic("block_buffer_free: %p of %s is free or under way", buffer,
			      device->name);
		blkfront_page_free(disk, (uint16_t)i);
	}
	blkfront_pages_came(disk);
}

/* ---- lending ---- */

int blkfront_page_grant(const struct blkfront_disk *disk, struct iopage *page)
{
	int64_t gref = gnttab_grant_access(disk->backend_id, page->frame, false);

	if (gref < 0)
		return (int)gref;
	page->gref = (uint32_t)gref;
	return 0;
}

/*
 * Another domain finds zeroes, except in what the user has in a buffer now: what an
 * earlier backend has read or written is not for it. All before the first is lent: what
 * fails then may be tried again, and is for the same domain.
 */
static void pages_change_domain(struct blkfront_disk *disk)
{
	if (disk->pages_domid != DOMID_INVALID && disk->writes != disk->flushed)
		disk->doubt = true;
	disk->pages_domid = disk->backend_id;
	for (uint32_t i = 0; i < disk->page_count; i++) {
		const struct blkfront_page *page = &disk->pages[i];

		if (!page->lost && page->use == BLKFRONT_PAGE_FREE)
			memset(page->page->data, 0, IOPAGE_SIZE);
	}
}

int blkfront_pages_grant(struct blkfront_disk *disk)
{
	if (disk->pages_domid != disk->backend_id)
		pages_change_domain(disk);
	for (uint32_t i = 0; i < disk->page_count; i++) {
		struct blkfront_page *page = &disk->pages[i];
		int error;

		if (page->lost)
			continue;
		error = blkfront_page_grant(disk, page->page);
		if (error)
			return error;
	}
	return 0;
}

static bool page_revoke(struct iopage *page)
{
	if (page->gref == IOPAGE_NO_GREF)
		return true;
	if (gnttab_end_access(page->gref))
		return false;
	page->gref = IOPAGE_NO_GREF;
	return true;
}

static uint32_t queue_revoke(struct blkfront_queue *queue)
{
	struct blkfront_disk *disk = queue->disk;
	uint32_t held = 0;

	for (uint32_t i = 0; i < BLKIF_RING_PAGES_MOST; i++)
		held += queue->pages[i] && !page_revoke(queue->pages[i]);
	for (uint32_t id = 0; id < queue->ring.slots; id++) {
		uint16_t index =
			queue->shadows[id].under_way ? queue->shadows[id].first : BLKFRONT_NONE;

		for (; index != BLKFRONT_NONE; index = disk->pieces[index].next) {
			struct blkfront_piece *piece = &disk->pieces[index];

			if (piece->kind != BLKFRONT_PIECE_LOAN || piece->gref == IOPAGE_NO_GREF)
				continue;
			if (gnttab_end_access(piece->gref))
				held++;
			else
				piece->gref = IOPAGE_NO_GREF;
		}
	}
	return held;
}

static uint32_t all_revoke(struct blkfront_disk *disk)
{
	uint32_t held = 0;

	for (uint32_t i = 0; i < disk->agreed.queues; i++)
		held += queue_revoke(&disk->queues[i]);
	for (uint32_t i = 0; i < disk->page_count; i++)
		held += !disk->pages[i].lost && !page_revoke(disk->pages[i].page);
	return held;
}

static void all_lose(struct blkfront_disk *disk)
{
	for (uint32_t i = 0; i < disk->page_count; i++) {
		struct blkfront_page *page = &disk->pages[i];

		if (page->lost || page->page->gref == IOPAGE_NO_GREF)
			continue;
		page->lost = true;
		page->domid = disk->backend_id;
		if (page->use == BLKFRONT_PAGE_FREE)
			disk->free_count--;
		iopage_quarantine(page->page);
	}
	for (uint32_t i = 0; i < disk->agreed.queues; i++)
		for (uint32_t j = 0; j < BLKIF_RING_PAGES_MOST; j++) {
			struct iopage **page = &disk->queues[i].pages[j];

			if (!*page || (*page)->gref == IOPAGE_NO_GREF)
				continue;
			iopage_quarantine(*page);
			page_lose_for_all(*page, disk->backend_id);
			*page = NULL;
		}
}

void blkfront_grants_end(struct blkfront_disk *disk)
{
	uint32_t held = all_revoke(disk);

	for (uint32_t i = 0; held && i < RELEASE_TRIES; i++) {
		fiber_sleep_until(loop_now_ns() + (RELEASE_STEP_NS << min32(i, RELEASE_DOUBLINGS)));
		held = all_revoke(disk);
	}
	if (!held)
		return;
	log_limited(&disk->log_limit, LOG_ERROR, disk->device.name,
		    "%u pages are not released by domain %u and are out of use", held,
		    disk->backend_id);
	all_lose(disk);
}

/* ---- finding again ---- */

static void page_comes_back(struct blkfront_disk *disk, uint32_t index)
{
	struct blkfront_page *page = &disk->pages[index];

	if (page->page->gref != IOPAGE_NO_GREF) {
		page->page->gref = IOPAGE_NO_GREF;
		iopage_recover(page->page);
	}
	if (page->use == BLKFRONT_PAGE_FREE)
		memset(page->page->data, 0, IOPAGE_SIZE);
	/* With a full table the next look tries again. */
	if (disk->connected && blkfront_page_grant(disk, page->page))
		return;
	page->lost = false;
	if (page->use == BLKFRONT_PAGE_FREE)
		blkfront_page_free(disk, (uint16_t)index);
}

static bool disk_pages_find(struct blkfront_disk *disk)
{
	bool held = false;

	for (uint32_t i = 0; i < disk->page_count; i++) {
		struct blkfront_page *page = &disk->pages[i];

		if (!page->lost)
			continue;
		if (page->page->gref == IOPAGE_NO_GREF || gnttab_end_access(page->page->gref) == 0)
			page_comes_back(disk, i);
		else
			held |= page->domid == disk->backend_id;
	}
	return held;
}

static bool rings_find(const struct blkfront_disk *disk)
{
	struct list *link = lost.next;
	bool held = false;

	while (link != &lost) {
		struct iopage *page = list_entry(link, struct iopage, link);

		link = link->next;
		if (gnttab_end_access(page->gref)) {
			held |= page->tag == disk->backend_id;
			continue;
		}
		list_remove(&page->link);
		page->gref = IOPAGE_NO_GREF;
		iopage_recover(page);
		page_to_pool(page);
	}
	return held;
}

/* The memory was given up; its reference is of use again. */
static bool loans_find(struct blkfront_disk *disk)
{
	uint16_t *place = &disk->kept_loans;
	bool held = false;

	while (*place != BLKFRONT_NONE) {
		uint16_t index = *place;
		struct blkfront_piece *piece = &disk->pieces[index];

		if (gnttab_end_access(piece->gref)) {
			held |= piece->domid == disk->backend_id;
			place = &piece->next;
			continue;
		}
		*place = piece->next;
		blkfront_piece_free(disk, index);
		disk->loans--;
	}
	return held;
}

bool blkfront_lost_find(struct blkfront_disk *disk)
{
	bool held = disk_pages_find(disk);

	held |= rings_find(disk);
	held |= loans_find(disk);
	blkfront_pages_came(disk);
	return held;
}

bool blkfront_lost_any(const struct blkfront_disk *disk)
{
	for (uint32_t i = 0; i < disk->page_count; i++)
		if (disk->pages[i].lost)
			return true;
	return !list_is_empty(&lost) || disk->kept_loans != BLKFRONT_NONE;
}
