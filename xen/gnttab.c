/* SPDX-License-Identifier: ISC */
#include "xen/gnttab.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch/x86/hypercall.h"
#include "arch/x86/memory.h"
#include "lib/panic.h"

#define ENTRIES_PER_FRAME (PAGE_BYTES / sizeof(struct grant_entry_v1))
#define RESERVED_ENTRIES 8u /* the toolstack's own */
#define MAX_FRAMES 64u
#define MAX_ENTRIES (MAX_FRAMES * 512u)
#define COPY_CHUNK (PAGE_BYTES / sizeof(struct gnttab_copy))
#define EAGAIN_TRIES 16u
#define END_TRIES 16u
#define NO_ENTRY 0u

static struct grant_entry_v1 *table;
static uint32_t frames_mapped;
static uint32_t frames_limit;
/* Free references chained in memory of our own: the shared entries prove nothing. */
static uint16_t next_free[MAX_ENTRIES];
static uint32_t first_free = NO_ENTRY;
static uint32_t granted;
static uint32_t mapped;
static struct gnttab_copy *copy_arguments; /* a page; NULL: the callers' memory will do */

static void frame_add_entries(uint32_t frame)
{
	uint32_t first = frame * ENTRIES_PER_FRAME;

	for (uint32_t i = first + ENTRIES_PER_FRAME; i-- > first && i >= RESERVED_ENTRIES;) {
		next_free[i] = (uint16_t)first_free;
		first_free = i;
	}
}

static int table_grow(void)
{
	int error;

	if (frames_mapped == frames_limit)
		return -ENOSPC;
	error = arch_grant_frames_map(frames_mapped, 1,
				      (uint8_t *)table + frames_mapped * PAGE_BYTES);
	if (error)
		return -ENOSPC;
	frame_add_entries(frames_mapped++);
	return 0;
}

int gnttab_init(void)
{
	struct gnttab_query_size query = { .dom = DOMID_SELF };

	if (hypercall_grant_table_op(GNTTABOP_query_size, &query, 1) || query.status != GNTST_okay)
		return -EIO;
	frames_limit = query.max_nr_frames < MAX_FRAMES ? query.max_nr_frames : MAX_FRAMES;
	copy_arguments = memory_alloc_arguments();
	table = window_alloc(frames_limit);
	if (!table)
		return -ENOMEM;
	return table_grow();
}

int64_t gnttab_grant_access(uint16_t domid, uint64_t frame, bool readonly)
{
	uint32_t gref;

	if (first_free == NO_ENTRY && table_grow())
		return -ENOSPC;
	gref = first_free;
	if (frame > UINT32_MAX)
		return -EINVAL; /* version 1 entries hold 32 bits */
	first_free = next_free[gref];
	table[gref].frame = (uint32_t)frame;
	table[gref].domid = domid;
	write_barrier();
	write_once(table[gref].flags,
		   (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0)));
	granted++;
	return gref;
}

/*
 * The flags go to zero in one step, and only while the peer does not use the page. A
 * peer that maps and unmaps all the time makes the step fail, but not for ever.
 */
static bool access_withdraw(struct grant_entry_v1 *entry)
{
	uint16_t flags = read_once(entry->flags);

	for (unsigned int i = 0; i < END_TRIES; i++) {
		if (flags & (GTF_reading | GTF_writing))
			return false;
		if (__atomic_compare_exchange_n(&entry->flags, &flags, 0, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return true;
	}
	return false;
}

int gnttab_end_access(uint32_t gref)
{
	if (gref < RESERVED_ENTRIES || gref >= frames_mapped * ENTRIES_PER_FRAME)
		panic("gnttab_end_access: no such reference %u", gref);
	if (!access_withdraw(&table[gref]))
		return -EBUSY;
	table[gref].frame = 0;
	next_free[gref] = (uint16_t)first_free;
	first_free = gref;
	granted--;
	return 0;
}

static int status_to_errno(int16_t status)
{
	switch (status) {
	case GNTST_okay:
		return 0;
	case GNTST_no_device_space:
	case GNTST_no_space:
		return -ENOSPC;
	case GNTST_permission_denied:
		return -EACCES;
	case GNTST_eagain:
		return -EAGAIN;
	default:
		return -EINVAL;
	}
}

int gnttab_map(uint16_t domid, uint32_t gref, bool readonly, struct gnttab_mapping *mapping)
{
	void *address = window_alloc(1);
	struct gnttab_map_grant_ref op = {
		.host_addr = (uint64_t)address,
		.flags = (uint32_t)(GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0)),
		.ref = gref,
		.dom = domid,
	};
	long error;

	if (!address)
		return -ENOSPC;
	for (unsigned int i = 0; i < EAGAIN_TRIES; i++) {
		error = hypercall_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
		if (error || op.status != GNTST_eagain)
			break;
	}
	if (!error)
		error = status_to_errno(op.status);
	if (error) {
		window_free(address, 1);
		return (int)error;
	}
	mapping->address = address;
	mapping->handle = op.handle;
	mapped++;
	return 0;
}

void gnttab_unmap(struct gnttab_mapping *mapping)
{
	struct gnttab_unmap_grant_ref op = {
		.host_addr = (uint64_t)mapping->address,
		.handle = mapping->handle,
	};

	if (!mapping->address)
		return;
	if (hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) || op.status != GNTST_okay)
		panic("a grant cannot be unmapped (status %d)", op.status);
	window_free(mapping->address, 1);
	mapping->address = NULL;
	mapped--;
}

static void copy_retry(struct gnttab_copy *op)
{
	for (unsigned int i = 0; i < EAGAIN_TRIES && op->status == GNTST_eagain; i++)
		if (hypercall_grant_table_op(GNTTABOP_copy, op, 1))
			op->status = GNTST_general_error;
}

static long copy_call(struct gnttab_copy *ops, uint32_t count)
{
	long error;

	if (!copy_arguments)
		return hypercall_grant_table_op(GNTTABOP_copy, ops, count);
	memcpy(copy_arguments, ops, count * sizeof(*ops));
	error = hypercall_grant_table_op(GNTTABOP_copy, copy_arguments, count);
	for (uint32_t i = 0; i < count; i++)
		ops[i].status = copy_arguments[i].status;
	return error;
}

void gnttab_copy(struct gnttab_copy *ops, uint32_t count)
{
	while (count) {
		uint32_t part = count < COPY_CHUNK ? count : (uint32_t)COPY_CHUNK;

		if (copy_call(ops, part))
			for (uint32_t i = 0; i < part; i++)
				ops[i].status = GNTST_general_error;
		for (uint32_t i = 0; i < part; i++)
			if (unlikely(ops[i].status == GNTST_eagain))
				copy_retry(&ops[i]);
		ops += part;
		count -= part;
	}
}

uint32_t gnttab_granted_count(void)
{
	return granted;
}

uint32_t gnttab_mapped_count(void)
{
	return mapped;
}
