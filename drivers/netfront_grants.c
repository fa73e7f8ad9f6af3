/* SPDX-License-Identifier: ISC */
/*
 * The pages of netfront: taken from the pool once, granted to the backend for each
 * connection and taken back afterwards. What the backend does not let go is put aside
 * (netfront_lost.c).
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

/* What an earlier backend was sent is nothing for this one, which may be another domain. */
static void pages_wipe(struct iopage **pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (pages[i] && pages[i]->state == IOPAGE_FREE)
			iopage_scrub(pages[i], 0, IOPAGE_SIZE);
}

int netfront_pages_grant(struct netfront *front)
{
	int error = pages_grant(front, front->rx_pages, front->config.rx_pages, false);

	if (error)
		return error;
	pages_wipe(front->tx_pages, front->config.tx_pages);
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
	log_limited(&front->log_limit, LOG_ERROR, front->netdev.name,
		    "%u pages are not released by domain %u and are out of use", held,
		    front->backend_id);
	netfront_lost_add_all(front);
}
