/* SPDX-License-Identifier: ISC */
/*
 * io-pages: 4 KiB pages that are page-aligned, never move, and never mix with
 * other memory. All of them are made once at boot from one arena. A page
 * belongs to one class for as long as it is exposed to a neighbour:
 *
 *	PRIVATE		nobody else can see it
 *	UPLINK_READ	granted read-only to the uplink's backend (its TX pages)
 *	UPLINK_WRITE	granted read-write to the uplink's backend (its RX pages)
 *
 * A pool has one uplink: its exposed pages are granted to one backend. Where there are
 * two uplinks each has a pool.
 *
 * A page changes class only through iopage_reclass(), which zeroes it. A page
 * that a neighbour will not let go is quarantined: counted, not used until it does.
 *
 * One owner at a time: the code that got a page from iopage_alloc() owns it
 * until it calls iopage_free() or hands it on in a packet.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"

#define IOPAGE_SIZE 4096u
#define IOPAGE_NO_GREF UINT32_MAX

enum iopage_class { IOPAGE_PRIVATE, IOPAGE_UPLINK_READ, IOPAGE_UPLINK_WRITE, IOPAGE_CLASS_COUNT };

enum iopage_state {
	IOPAGE_FREE,	    /* in its class's free list */
	IOPAGE_OWNED,	    /* one owner, which is whoever holds the pointer */
	IOPAGE_QUARANTINED, /* a neighbour still holds it: out of use */
};

struct iopage;

/*
 * Where a page goes when its owner lets it go. NULL: back to the pool's free
 * list of its class. netfront sets it on its RX pages to post them again.
 */
typedef void iopage_home(struct iopage *page, void *context);

struct iopage {
	uint8_t *data;	/* the page itself: IOPAGE_SIZE bytes, aligned */
	uint64_t frame; /* what a grant entry or a grant copy takes (GFN, or MFN in PV) */
	struct iopage_pool *pool;
	iopage_home *home;
	void *home_context;
	uint32_t gref; /* standing grant of an exposed page, else IOPAGE_NO_GREF */
	uint8_t class; /* enum iopage_class */
	uint8_t state; /* enum iopage_state */
	uint16_t tag;  /* the home's own use */
	struct list link;
};

struct iopage_pool {
	struct iopage *pages; /* descriptor i describes arena page i */
	uint8_t *arena;
	uint32_t total;
	struct list free[IOPAGE_CLASS_COUNT];
	uint32_t free_count[IOPAGE_CLASS_COUNT];
	uint32_t class_count[IOPAGE_CLASS_COUNT]; /* free and owned ones */
	uint32_t quarantined;
};

/*
 * Makes a pool over `count` zeroed pages at `arena` (page-aligned) with one
 * descriptor each in `descriptors`. `frame_of` tells the frame number of a page.
 * All pages start PRIVATE and free. The pool and both arrays live for ever.
 */
void iopage_pool_init(struct iopage_pool *pool, void *arena, struct iopage *descriptors,
		      uint32_t count, uint64_t (*frame_of)(const void *page));

/* Takes a free page of `class`; NULL when there is none. The caller owns it. */
must_check struct iopage *iopage_alloc(struct iopage_pool *pool, enum iopage_class class);

/* Ends ownership: to the page's home if it has one, else to its free list. */
void iopage_free(struct iopage *page);

/*
 * Zeroes `bytes` from `offset` of a page that the caller owns, where the uplink's backend
 * may read it: what it is not to be sent must not stay there (XSA-403).
 */
void iopage_scrub(struct iopage *page, uint32_t offset, uint32_t bytes);

/*
 * Moves a page that the caller owns to another class and zeroes it. Every grant
 * of it must have ended. The caller still owns it.
 */
void iopage_reclass(struct iopage *page, enum iopage_class class);

/*
 * Gives up a page that a neighbour still holds, free or owned by the caller. It is
 * counted and not used; its link is the caller's.
 */
void iopage_quarantine(struct iopage *page);

/* The neighbour has let it go: ends the quarantine, and the caller owns the page. */
void iopage_recover(struct iopage *page);

/* The descriptor of the page that holds address `p`; NULL outside the arena. */
struct iopage *iopage_of(struct iopage_pool *pool, const void *p);
