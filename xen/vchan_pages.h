/* SPDX-License-Identifier: ISC */
/*
 * The pages that a server of a vchan shares with its client. The client may keep them mapped
 * for as long as it likes, after the end too (a good one does so until it has read what we
 * wrote): such pages are put aside, looked at again now and then, and used for something
 * else only when the grant has ended (XSA-396).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"

struct vchan_page {
	uint8_t *data; /* NULL: given back */
	uint32_t gref; /* VCHAN_NOT_GRANTED until it is */
};

#define VCHAN_NOT_GRANTED UINT32_MAX

struct vchan_share {
	struct list link; /* among those put aside */
	uint16_t peer;
	bool is_reported;
	uint64_t ended_ns;
	uint32_t count;
	struct vchan_page pages[];
};

/*
 * `count` zeroed pages for `peer`, not granted yet. -ENOMEM; -EBUSY: it holds too many of
 * those it was given before.
 */
must_check int vchan_share_make(uint16_t peer, uint32_t count, struct vchan_share **share);

/* Grants page `index` for reading and writing. 0, or as gnttab_grant_access(). */
must_check int vchan_share_grant(struct vchan_share *share, uint32_t index);

/* Ends all grants. The share and its pages are not the caller's any more. NULL: nothing. */
void vchan_share_end(struct vchan_share *share);

/* Looks again at what was put aside, if it is time; and when that is (UINT64_MAX: never). */
void vchan_shares_look(uint64_t now_ns);
uint64_t vchan_shares_next_ns(void);
