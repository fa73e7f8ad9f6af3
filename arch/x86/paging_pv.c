/* SPDX-License-Identifier: ISC */
/*
 * Page tables in PV mode: the domain builder made the first ones, Xen checks every
 * change. Tables hold machine frames and are read-only to us. A new table is
 * filled while it is an ordinary page, then made read-only, then hooked in.
 */
#include <errno.h>
#include <string.h>

#include "arch/x86/hypercall.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "lib/panic.h"

#define MACHINE_TO_PHYS ((const uint64_t *)HYPERVISOR_VIRT_START)
#define TABLE_ENTRIES 512u
#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

static const uint64_t *phys_to_machine;
static uint64_t *top_table;
static uint64_t ram_frames;

void paging_pv_init(struct start_info *start)
{
	phys_to_machine = (const uint64_t *)start->mfn_list;
	top_table = (uint64_t *)start->pt_base;
	ram_frames = start->nr_pages;
}

static uint64_t pv_frame_of(uint64_t address)
{
	return phys_to_machine[address / PAGE_BYTES];
}

static uint64_t *table_of_entry(uint64_t entry)
{
	return (uint64_t *)(MACHINE_TO_PHYS[(entry & PTE_FRAME_MASK) / PAGE_BYTES] * PAGE_BYTES);
}

static uint64_t machine_address_of(const uint64_t *entry)
{
	uint64_t address = (uint64_t)entry;

	return pv_frame_of(address) * PAGE_BYTES + address % PAGE_BYTES;
}

static void entry_set(uint64_t *entry, uint64_t value)
{
	struct mmu_update update = {
		.ptr = machine_address_of(entry) | MMU_NORMAL_PT_UPDATE,
		.val = value,
	};
	long result = hypercall_mmu_update(&update, 1);

	if (result)
		panic("mmu_update of %p to %#lx: %ld", (void *)entry, value, result);
}

static int mapping_set(uint64_t address, uint64_t value)
{
	return (int)hypercall_update_va_mapping(address, value, UVMF_INVLPG | UVMF_ALL);
}

static void table_make_readonly(const uint64_t *table)
{
	uint64_t address = (uint64_t)table;

	if (mapping_set(address, pv_frame_of(address) * PAGE_BYTES | PAGING_RO_NX | PTE_USER))
		panic("cannot make the page table at %p read-only", (const void *)table);
}

/* The page comes from memory that the builder has mapped, or that we have by now. */
static uint64_t *table_new(void)
{
	uint64_t *table = memory_alloc_pages(1);

	if (!table)
		panic("no memory for a page table");
	return table;
}

/* The next lower table for `address`, made empty if it does not exist. */
static uint64_t *table_below(uint64_t *table, unsigned int shift, uint64_t address)
{
	uint64_t *entry = &table[address >> shift & (TABLE_ENTRIES - 1)];
	uint64_t *below;

	if (*entry & PTE_PRESENT)
		return table_of_entry(*entry);
	below = table_new();
	table_make_readonly(below);
	entry_set(entry, pv_frame_of((uint64_t)below) * PAGE_BYTES | TABLE_FLAGS);
	return below;
}

static uint64_t leaf(uint64_t address, uint64_t flags)
{
	return flags ? pv_frame_of(address) * PAGE_BYTES | flags | PTE_USER : 0;
}

static void map_ram_chunk(uint64_t start, uint64_t end)
{
	uint64_t *pdpt = table_below(top_table, 39, start);
	uint64_t *pd = table_below(pdpt, 30, start);
	uint64_t *entry = &pd[start >> 21 & (TABLE_ENTRIES - 1)];
	uint64_t *table;

	if (*entry & PTE_PRESENT) {
		table = table_of_entry(*entry);
		for (uint64_t a = start; a < end; a += PAGE_BYTES) {
			uint64_t *slot = &table[a >> 12 & (TABLE_ENTRIES - 1)];

			if (!(*slot & PTE_PRESENT))
				entry_set(slot, leaf(a, PAGING_RW_NX));
		}
		return;
	}
	table = table_new();
	for (uint64_t a = start; a < end; a += PAGE_BYTES)
		table[a >> 12 & (TABLE_ENTRIES - 1)] = leaf(a, PAGING_RW_NX);
	table_make_readonly(table);
	entry_set(entry, pv_frame_of((uint64_t)table) * PAGE_BYTES | TABLE_FLAGS);
}

static void image_protect(void)
{
	for (uint64_t a = 0; a < (uint64_t)image_end; a += PAGE_BYTES) {
		if (a >= PAGE_BYTES && a < (uint64_t)image_start)
			continue;
		if (mapping_set(a, leaf(a, paging_rights(a))))
			panic("cannot protect the page at %#lx", a);
	}
}

static void pv_finish(uint64_t ram_end, uint64_t window)
{
	const uint64_t chunk = 1ul << 21;

	for (uint64_t a = 0; a < ram_end; a += chunk)
		map_ram_chunk(a, a + chunk < ram_end ? a + chunk : ram_end);
	for (uint64_t a = window; a < window + WINDOW_PAGES * PAGE_BYTES; a += chunk)
		(void)table_below(table_below(table_below(top_table, 39, a), 30, a), 21, a);
	image_protect();
}

static int pv_protect(uint64_t address, uint64_t flags)
{
	return mapping_set(address, leaf(address, flags));
}

/* A grant map writes the entry itself, and the unmap clears it. */
static void pv_window_open(uint64_t address)
{
	(void)address;
}

static void pv_window_shut(uint64_t address)
{
	(void)address;
}

static int pv_map_grant_frames(unsigned int first, unsigned int count, uint64_t address)
{
	xen_pfn_t frames[64];
	struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = first + count };
	long result;

	if (first + count > 64)
		return -EINVAL;
	set_xen_guest_handle(setup.frame_list, frames);
	result = hypercall_grant_table_op(GNTTABOP_setup_table, &setup, 1);
	if (result || setup.status != GNTST_okay)
		return result ? (int)result : -ENOMEM;
	for (unsigned int i = 0; i < count; i++) {
		result = mapping_set(address + i * PAGE_BYTES,
				     frames[first + i] * PAGE_BYTES | PAGING_RW_NX | PTE_USER);
		if (result)
			return (int)result;
	}
	return 0;
}

const struct paging_ops paging_pv = {
	.finish = pv_finish,
	.protect = pv_protect,
	.frame_of = pv_frame_of,
	.window_open = pv_window_open,
	.window_shut = pv_window_shut,
	.map_grant_frames = pv_map_grant_frames,
};
