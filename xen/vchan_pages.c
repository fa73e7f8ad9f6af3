/* SPDX-License-Identifier: ISC */
/* Pages of vchan servers: taken, granted, and taken back when the client has let go. */
#include "xen/vchan_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/memory.h"
#include "lib/log.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/vchan.h"

#define LOOK_FIRST_NS 2000000ull
#define LOOK_MOST_NS 1000000000ull
#define REPORT_NS 10000000000ull
/* Of one peer, put aside: two vchans of the largest size. */
#define HELD_MOST 1026u

static struct list free_pages = { &free_pages, &free_pages };
static struct list held_shares = { &held_shares, &held_shares };
static uint64_t look_step_ns;
static uint64_t look_ns = UINT64_MAX;
static struct log_limit log_limit = LOG_LIMIT_INIT;

/* ---- pages ---- */

/* A free page holds its link, as nobody else can write it then. */
static uint8_t *page_take(void)
{
	struct list *link = list_pop_front(&free_pages);

	if (!link)
		return memory_alloc_pages(1);
	return memset(link, 0, PAGE_BYTES);
}

static void page_give(uint8_t *data)
{
	struct list *link = (struct list *)(void *)data;

	list_init(link);
	list_push_front(&free_pages, link);
}

/* ---- shares ---- */

static uint32_t share_held(const struct vchan_share *share)
{
	uint32_t held = 0;

	for (uint32_t i = 0; i < share->count; i++)
		held += share->pages[i].data != NULL;
	return held;
}

static uint32_t peer_held(uint16_t peer)
{
	uint32_t held = 0;

	list_for_each(link, &held_shares) {
		const struct vchan_share *share = list_entry(link, struct vchan_share, link);

		if (share->peer == peer)
			held += share_held(share);
	}
	return held;
}

uint32_t vchan_held_pages(void)
{
	uint32_t held = 0;

	list_for_each(link, &held_shares)
		held += share_held(list_entry(link, struct vchan_share, link));
	return held;
}

/* True: all its pages are free again. */
static bool share_withdraw(struct vchan_share *share)
{
	bool all = true;

	for (uint32_t i = 0; i < share->count; i++) {
		struct vchan_page *page = &share->pages[i];

		if (!page->data)
			continue;
		if (page->gref != VCHAN_NOT_GRANTED && gnttab_end_access(page->gref)) {
			all = false;
			continue;
		}
		page_give(page->data);
		page->data = NULL;
	}
	return all;
}

int vchan_share_make(uint16_t peer, uint32_t count, struct vchan_share **made)
{
	struct vchan_share *share;

	if (peer_held(peer) >= HELD_MOST)
		return -EBUSY;
	share = calloc(1, sizeof(*share) + count * sizeof(share->pages[0]));
	if (!share)
		return -ENOMEM;
	list_init(&share->link);
	share->peer = peer;
	for (; share->count < count; share->count++) {
		struct vchan_page *page = &share->pages[share->count];

		page->gref = VCHAN_NOT_GRANTED;
		page->data = page_take();
		if (!page->data) {
			vchan_share_end(share);
			return -ENOMEM;
		}
	}
	*made = share;
	return 0;
}

int vchan_share_grant(struct vchan_share *share, uint32_t index)
{
	struct vchan_page *page = &share->pages[index];
	int64_t gref = gnttab_grant_access(share->peer, memory_frame_of(page->data), false);

	if (gref < 0)
		return (int)gref;
	page->gref = (uint32_t)gref;
	return 0;
}

static void look_at(uint64_t now_ns, uint64_t step_ns)
{
	look_step_ns = step_ns;
	look_ns = now_ns + step_ns;
}

void vchan_share_end(struct vchan_share *share)
{
	if (!share)
		return;
	if (share_withdraw(share)) {
		free(share);
		return;
	}
	share->ended_ns = loop_now_ns();
	list_push_back(&held_shares, &share->link);
	look_at(share->ended_ns, LOOK_FIRST_NS);
}

static void share_report(struct vchan_share *share, uint64_t now_ns)
{
	if (share->is_reported || now_ns < share->ended_ns + REPORT_NS)
		return;
	share->is_reported = true;
	log_limited(&log_limit, LOG_WARNING, "vchan",
		    "domain %u does not let go of %u pages of a vchan that ended", share->peer,
		    share_held(share));
}

void vchan_shares_look(uint64_t now_ns)
{
	if (now_ns < look_ns)
		return;
	list_for_each_safe(link, spare, &held_shares) {
		struct vchan_share *share = list_entry(link, struct vchan_share, link);

		if (!share_withdraw(share)) {
			share_report(share, now_ns);
			continue;
		}
		list_remove(link);
		free(share);
	}
	if (list_is_empty(&held_shares))
		look_ns = UINT64_MAX;
	else
		look_at(now_ns, look_step_ns < LOOK_MOST_NS / 2 ? 2 * look_step_ns : LOOK_MOST_NS);
}

uint64_t vchan_shares_next_ns(void)
{
	return look_ns;
}
