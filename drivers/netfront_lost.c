/* SPDX-License-Identifier: ISC */
/*
 * Pages that a backend did not let go in time. They are out of use for as long as it
 * holds them, and come back when it lets go or dies: a bad net VM that was replaced
 * must not have cost the next one its pages.
 */
#include "drivers/netfront_internal.h"

/* ---- losing ---- */

/* Its tag is the domain that holds it. */
static void page_lose(struct netfront *front, struct iopage *page)
{
	iopage_quarantine(page);
	list_push_back(&front->lost, &page->link);
}

static void page_comes_home(struct iopage *page, void *context)
{
	page->home = NULL;
	page_lose(context, page);
}

static void page_give_up(struct netfront *front, struct iopage **place)
{
	struct iopage *page = *place;
	bool in_a_list;

	if (!page || page->gref == IOPAGE_NO_GREF)
		return;
	*place = NULL;
	in_a_list = !list_is_empty(&page->link);
	if (page->class == IOPAGE_UPLINK_WRITE && in_a_list)
		netfront_rx_queue_of(front, page)->rx.idle_count--;
	page->tag = front->backend_id; /* no more its queue */
	if (page->state == IOPAGE_OWNED && !in_a_list) {
		page->home = page_comes_home; /* a packet has it; when that is freed */
		page->home_context = front;
		return;
	}
	page_lose(front, page);
}

static void ring_give_up(struct netfront *front, struct iopage **ring)
{
	struct iopage *page = *ring;

	if (!page || page->gref == IOPAGE_NO_GREF)
		return;
	*ring = NULL;
	page->tag = front->backend_id;
	page_lose(front, page);
}

void netfront_lost_add_all(struct netfront *front)
{
	for (uint32_t i = 0; i < front->config.rx_pages; i++)
		page_give_up(front, &front->rx_pages[i]);
	for (uint32_t i = 0; i < front->config.tx_pages; i++)
		page_give_up(front, &front->tx_pages[i]);
	for (uint32_t i = 0; i < front->config.max_queues; i++) {
		ring_give_up(front, &front->queues[i].tx.page);
		ring_give_up(front, &front->queues[i].rx.page);
	}
}

/* ---- finding again ---- */

static struct iopage **hole_find(struct iopage **pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!pages[i])
			return &pages[i];
	return NULL;
}

/* Of the queues in use alone: the rings of more queues, should they come, are the pool's. */
static struct iopage **ring_hole_find(struct netfront *front)
{
	for (uint32_t i = 0; i < front->queue_count; i++) {
		struct netfront_queue *queue = &front->queues[i];

		if (!queue->tx.page)
			return &queue->tx.page;
		if (!queue->rx.page)
			return &queue->rx.page;
	}
	return NULL;
}

static void page_to_pool(struct iopage *page)
{
	page->home = NULL;
	iopage_reclass(page, IOPAGE_PRIVATE);
	iopage_free(page);
}

/* False: it would have to be granted, and the table is full. */
static bool page_is_granted(const struct netfront *front, struct iopage *page, bool readonly)
{
	if (!front->connected)
		return true; /* with all others, when the next connection is made */
	return netfront_page_grant(front, page, readonly) == 0;
}

static bool page_to_place(struct netfront *front, struct iopage *page, struct iopage **pages,
			  uint32_t count, enum iopage_class class)
{
	struct iopage **place = hole_find(pages, count);

	if (!place)
		return false;
	iopage_reclass(page, class);
	if (!page_is_granted(front, page, class == IOPAGE_UPLINK_READ))
		return false;
	page->tag = (uint16_t)(place - pages);
	page->home = class == IOPAGE_UPLINK_WRITE ? netfront_rx_page_home : NULL;
	page->home_context = front;
	*place = page;
	iopage_free(page);
	return true;
}

/* Only between connections: while there is one, all its rings have their page. */
static bool page_to_ring(struct netfront *front, struct iopage *page)
{
	struct iopage **ring = ring_hole_find(front);

	if (!ring)
		return false;
	iopage_reclass(page, IOPAGE_UPLINK_WRITE);
	page->home = NULL;
	list_init(&page->link);
	*ring = page;
	return true;
}

/* What it was before does not matter, only what is missing now. */
static void page_take_back(struct netfront *front, struct iopage *page)
{
	list_remove(&page->link);
	page->gref = IOPAGE_NO_GREF;
	iopage_recover(page);
	if (!page_to_ring(front, page) &&
	    !page_to_place(front, page, front->rx_pages, front->config.rx_pages,
			   IOPAGE_UPLINK_WRITE) &&
	    !page_to_place(front, page, front->tx_pages, front->config.tx_pages,
			   IOPAGE_UPLINK_READ))
		page_to_pool(page);
}

bool netfront_lost_find(struct netfront *front)
{
	struct list *link = front->lost.next;
	bool held = false;

	while (link != &front->lost) {
		struct iopage *page = list_entry(link, struct iopage, link);

		link = link->next;
		if (gnttab_end_access(page->gref) == 0)
			page_take_back(front, page);
		else if (page->tag == front->backend_id)
			held = true;
	}
	return held;
}
