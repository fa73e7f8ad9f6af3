/* SPDX-License-Identifier: ISC */
/*
 * Memory at page level. Virtual address == guest-physical address for all RAM;
 * above RAM lies the window, address space without memory, for pages that belong
 * to others: shared_info, grant table frames, foreign grants.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define PAGE_BYTES 4096ul

/* First address of the window; set by the boot code. */
extern uint64_t memory_window_base;

/*
 * Takes `count` contiguous zeroed pages for good; NULL when there are not so many.
 */
must_check void *memory_alloc_pages(size_t count);

/*
 * A zeroed page, for good, for the arguments of hypercalls that are made often: Xen finds
 * it in fewer steps than other memory. In PVH mode it reads arguments through our page
 * tables, by software, each level a look-up of its own. NULL: no memory is better than any
 * other, as in PV mode, or there is no more.
 */
must_check void *memory_alloc_arguments(void);

/* Pages not yet given out, and the longest contiguous run of them. */
size_t memory_free_pages(void);
size_t memory_largest_run(void);

/* What a grant entry or a grant copy takes for our page at `p`: MFN in PV, GFN in PVH. */
uint64_t memory_frame_of(const void *p);

/* Makes our page inaccessible (below a stack) / accessible again. 0 or -ENOMEM. */
must_check int memory_protect_guard(void *page);
must_check int memory_unprotect_guard(void *page);

/*
 * Address space for `count` pages in the window, for a grant map (host_addr is this
 * address in both modes), grant table frames, or the shared page. There is nothing
 * behind it until then. NULL when the window is full.
 */
must_check void *window_alloc(size_t count);

/* Gives it back; whatever was there must have been unmapped. An access faults now. */
void window_free(void *address, size_t count);

/* Grant table frames [first, first+count) at `address`, a window address. 0 or errno. */
must_check int arch_grant_frames_map(unsigned int first, unsigned int count, void *address);

/* Called by the boot code only. */
struct memory_range {
	uint64_t start;
	uint64_t end;
};

void memory_init_regions(const struct memory_range *ram, size_t ram_count,
			 const struct memory_range *reserved, size_t reserved_count);
