/* SPDX-License-Identifier: ISC */
/*
 * The pages of netfront: taken from the pool once, granted to the backend for each
 * connection and taken back afterwards. A page or ring that the backend does not let go
 * is put aside for good.
 */
#include <errno.h>

#include "drivers/netfront_internal.h"

#define RELEASE_TRIES 20u
#define RELEASE_STEP_NS 50000000ull

/* Takes `count` pages of the pool for the class; the pool keeps the TX pages' free list. */
static int pages_take(struct netfront *front, struct iopage **pages, uint32_t count,
		      enum iopage_class class)
{
	struct iopage_pool *pool = front->config.packets->pages;

	for (uint32_t i = 0; i < count; i++) {
		pages[i] = iopage_alloc(pool, IOPAGE_PRIVATE);
		if (!pages[i])
			return -ENOMEM;
		iopage_reclass(pages[i], class);
		pages[i]->tag = (uint16_t)i;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (class == IOPAGE_UPLINK_WRITE) {
			pages[i]->home = netfront_rx_page_home;
			pages[i]->home_context = front;
		}
		iopage_free(pages[i]);
	}
	return 0;
}

int netfront_pages_take(struct netfront *front)
{
	int error = pages_take(front, front->rx_pages, front->config.rx_pages, IOPAGE_UPLINK_WRITE);

	if (error)
		return error;
	return pages_take(front, front->tx_pages, front->config.tx_pages, IOPAGE_UPLINK_READ);
}

int netfront_page_grant(const struct netfront *front, struct iopage *page, bool readonly)
{
	int64_t gref = gnttab_grant_access(front->backend_id, page->frame, readonly);

	if (gref < 0)
		return (int)gref;
	page->gref = (uint32_t)gref;
	return 0;
}

static int pages_grant(const struct netfront *front, struct iopage **pages, uint32_t count,
		       bool readonly)
{
	for (uint32_t i = 0; i < count; i++) {
		int error = pages[i] ? netfront_page_grant(front, pages[i], readonly) : 0;

		if (error)
			return error;
	}
	return 0;
}

/* Pages whose grant could not be ended. */
static uint32_t pages_revoke(struct iopage **pages, uint32_t count)
{
	uint32_t held = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!pages[i] || pages[i]->gref == IOPAGE_NO_GREF)
			continue;
		if (gnttab_end_access(pages[i]->gref))
			held++;
		else
			pages[i]->gref = IOPAGE_NO_GREF;
	}
	return held;
}

static void page_never_home(struct iopage *page, void *context)
{
	(void)context;
	page->home = NULL;
	iopage_quarantine(page);
}

/* Gives up a page that the backend still holds after all this time. */
static void page_give_up(struct netfront *front, struct iopage **place)
{
	struct iopage *page = *place;
	bool in_a_list;

	if (!page || page->gref == IOPAGE_NO_GREF)
		return;
	*place = NULL;
	in_a_list = !list_is_empty(&page->link);
	if (page->state == IOPAGE_OWNED && !in_a_list) {
		page->home = page_never_home; /* a packet has it; when that is freed */
		return;
	}
	if (page->class == IOPAGE_UPLINK_WRITE && in_a_list)
		netfront_rx_queue_of(front, page)->rx.idle_count--;
	iopage_quarantine(page);
}

static void pages_give_up(struct netfront *front, struct iopage **pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		page_give_up(front, &pages[i]);
}

int netfront_pages_grant(struct netfront *front)
{
	int error = pages_grant(front, front->rx_pages, front->config.rx_pages, false);

	if (error)
		return error;
	return pages_grant(front, front->tx_pages, front->config.tx_pages, true);
}

/* Also those of queues that this connection does not use: they are not granted. */
static uint32_t rings_revoke(struct netfront *front)
{
	uint32_t held = 0;

	for (uint32_t i = 0; i < front->config.max_queues; i++)
		held += pages_revoke(&front->queues[i].tx.page, 1) +
			pages_revoke(&front->queues[i].rx.page, 1);
	return held;
}

static void ring_give_up(struct iopage **ring)
{
	if (!*ring || (*ring)->gref == IOPAGE_NO_GREF)
		return;
	iopage_quarantine(*ring);
	*ring = NULL;
}

static void all_give_up(struct netfront *front)
{
	pages_give_up(front, front->rx_pages, front->config.rx_pages);
	pages_give_up(front, front->tx_pages, front->config.tx_pages);
	for (uint32_t i = 0; i < front->config.max_queues; i++) {
		ring_give_up(&front->queues[i].tx.page);
		ring_give_up(&front->queues[i].rx.page);
	}
}

void netfront_grants_end(struct netfront *front)
{
	uint32_t held = 0;

	for (unsigned int i = 0; i < RELEASE_TRIES; i++) {
		held = rings_revoke(front) + pages_revoke(front->rx_pages, front->config.rx_pages) +
		       pages_revoke(front->tx_pages, front->config.tx_pages);
		if (!held)
			return;
		fiber_sleep_until(loop_now_ns() + RELEASE_STEP_NS);
	}
	log_line(LOG_ERROR, front->netdev.name, "%u pages are not released and are lost", held);
	all_give_up(front);
}
