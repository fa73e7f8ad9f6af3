/* SPDX-License-Identifier: ISC */
/*
 * Grant table (version 1, <xen/grant_table.h>): giving others access to our
 * pages, mapping theirs, and copying between domains. The table grows on demand
 * up to the host's limit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <xen/grant_table.h>

#include "arch/x86/memory.h"
#include "lib/compiler.h"

must_check int gnttab_init(void);

/* The frame number of our page at `p`, as grants and copies take it. */
static inline uint64_t gnttab_frame_of(const void *p)
{
	return memory_frame_of(p);
}

/* Contiguous zeroed pages that have frame numbers, for good; NULL when there are not so many. */
must_check static inline void *gnttab_alloc_pages(size_t count)
{
	return memory_alloc_pages(count);
}

/*
 * Lets `domid` access the page with frame number `frame` (gnttab_frame_of()).
 * The grant reference (>= 8), or -ENOSPC when the table is full.
 */
must_check int64_t gnttab_grant_access(uint16_t domid, uint64_t frame, bool readonly);

/*
 * Ends access. 0: nobody can reach the page any more and the reference is free.
 * -EBUSY: the peer still has it mapped; the reference stays taken and the page
 * must not be used for anything else (iopage_quarantine, or try again). XSA-396.
 */
must_check int gnttab_end_access(uint32_t gref);

/* A foreign page in our address space. */
struct gnttab_mapping {
	void *address; /* NULL: not mapped */
	uint32_t handle;
};

/* Maps one page of `domid`. 0 or negative errno; `*mapping` is set only on success. */
must_check int gnttab_map(uint16_t domid, uint32_t gref, bool readonly,
			  struct gnttab_mapping *mapping);

/* Unmaps; harmless when not mapped. Never fails for a mapping that gnttab_map made. */
void gnttab_unmap(struct gnttab_mapping *mapping);

/*
 * Runs `count` copies (GNTTABOP_copy) with as few hypercalls as the hypervisor
 * takes; GNTST_eagain is tried again a bounded number of times. The caller must
 * look at every op's status: only GNTST_okay copied anything.
 */
void gnttab_copy(struct gnttab_copy *ops, uint32_t count);

/* References granted / foreign pages mapped now, for the stats and leak tests. */
uint32_t gnttab_granted_count(void);
uint32_t gnttab_mapped_count(void);
