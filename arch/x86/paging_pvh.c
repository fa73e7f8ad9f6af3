/* SPDX-License-Identifier: ISC */
/*
 * Page tables in PVH mode: our own. boot.S mapped the low 4 GiB in 2 MiB pages;
 * here the image gets 4 KiB pages with rights, what is not RAM disappears, RAM
 * above 4 GiB and the window are added, and one page of 1 GiB.
 */
#include <errno.h>
#include <string.h>

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "lib/panic.h"

#define TABLE_ENTRIES 512u
#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE)
#define LARGE_BYTES (1ull << 21)
#define HUGE_BYTES (1ull << 30)
#define HUGE_PAGES_MAX (HUGE_BYTES / PAGE_BYTES)
#define CPUID_HAS_HUGE (1u << 26) /* leaf 0x80000001, edx: pages of 1 GiB */
#define FOUR_GIB (1ull << 32)
/* Xen's special pages (console and xenstore rings) and the LAPIC lie above this. */
#define SPECIAL_START 0xfec00000ull

extern uint64_t boot_pml4[], boot_pdpt[];

/* A page of 1 GiB with nothing behind it but what is moved there; 0: the CPU has none. */
static uint64_t huge_base;
static uint64_t huge_used;

static uint64_t *table_new(void)
{
	uint64_t *table = memory_alloc_pages(1);

	if (!table)
		panic("no memory for a page table");
	return table;
}

static uint64_t *table_below(uint64_t *entry)
{
	if (!(*entry & PTE_PRESENT))
		*entry = (uint64_t)table_new() | TABLE_FLAGS;
	return (uint64_t *)(*entry & PTE_FRAME_MASK);
}

static uint64_t *directory_entry(uint64_t address)
{
	uint64_t *pdpt = table_below(&boot_pml4[address >> 39 & (TABLE_ENTRIES - 1)]);
	uint64_t *pd = table_below(&pdpt[address >> 30 & (TABLE_ENTRIES - 1)]);

	return &pd[address >> 21 & (TABLE_ENTRIES - 1)];
}

static void invalidate(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* The 4 KiB entry of `address`; a 2 MiB page is split first. */
static uint64_t *page_entry(uint64_t address)
{
	uint64_t *entry = directory_entry(address);

	if (*entry & PTE_LARGE) {
		uint64_t start = *entry & PTE_FRAME_MASK & ~(LARGE_BYTES - 1);
		uint64_t flags = *entry & (PAGING_RW_NX);
		uint64_t *table = table_new();

		for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
			table[i] = (start + i * PAGE_BYTES) | flags;
		*entry = (uint64_t)table | TABLE_FLAGS;
		invalidate(address);
	}
	return &table_below(entry)[address >> 12 & (TABLE_ENTRIES - 1)];
}

static int pvh_protect(uint64_t address, uint64_t flags)
{
	*page_entry(address) = flags ? address | flags : 0;
	invalidate(address);
	return 0;
}

static bool cpu_has_huge_pages(void)
{
	uint32_t registers[4];

	cpu_id(0x80000000u, registers);
	if (registers[0] < 0x80000001u)
		return false;
	cpu_id(0x80000001u, registers);
	return registers[3] & CPUID_HAS_HUGE;
}

/* Above all else that there is, in addresses of both kinds. */
static void huge_page_make(uint64_t end)
{
	uint64_t base = (end + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	uint64_t *pdpt;

	if (!cpu_has_huge_pages())
		return;
	pdpt = table_below(&boot_pml4[base >> 39 & (TABLE_ENTRIES - 1)]);
	pdpt[base >> 30 & (TABLE_ENTRIES - 1)] = base | PAGING_RW_NX | PTE_LARGE;
	huge_base = base;
}

static void pvh_finish(uint64_t ram_end, uint64_t window)
{
	uint64_t window_end = window + WINDOW_PAGES * PAGE_BYTES;

	for (uint64_t a = 0; a < FOUR_GIB || a < ram_end; a += LARGE_BYTES) {
		bool present =
			a < ram_end || (a >= (SPECIAL_START & ~(LARGE_BYTES - 1)) && a < FOUR_GIB);
		uint64_t entry = present ? a | PAGING_RW_NX | PTE_LARGE : 0;

		/*
		 * We are running in the first, which must not be without its rights for an
		 * instruction: that is when the hypervisor may flush what the CPU remembers.
		 */
		if (a == 0)
			entry &= ~PTE_NX;
		*directory_entry(a) = entry;
	}
	for (uint64_t a = 0; a < (uint64_t)image_end; a += PAGE_BYTES)
		*page_entry(a) = paging_rights(a) ? a | paging_rights(a) : 0;
	for (uint64_t a = window; a < window_end; a += LARGE_BYTES)
		(void)table_below(directory_entry(a));
	huge_page_make(window_end > FOUR_GIB ? window_end : FOUR_GIB);
	__asm__ volatile("mov %0, %%cr3" : : "r"(boot_pml4) : "memory");
}

static uint64_t pvh_frame_of(uint64_t address)
{
	return address / PAGE_BYTES;
}

static void pvh_window_open(uint64_t address)
{
	*page_entry(address) = address | PAGING_RW_NX;
	invalidate(address);
}

static void pvh_window_shut(uint64_t address)
{
	*page_entry(address) = 0;
	invalidate(address);
}

static int pvh_map_grant_frames(unsigned int first, unsigned int count, uint64_t address)
{
	for (unsigned int i = 0; i < count; i++) {
		struct xen_add_to_physmap add = {
			.domid = DOMID_SELF,
			.space = XENMAPSPACE_grant_table,
			.idx = first + i,
			.gpfn = address / PAGE_BYTES + i,
		};
		long result = hypercall_memory_op(XENMEM_add_to_physmap, &add);

		if (result)
			return (int)result;
	}
	return 0;
}

/*
 * The page's frame gets another number, which lies behind the huge page. Mapping RAM as a
 * whole by huge pages would do the same, and make the kernel's code writable.
 */
static void *pvh_move_to_large(uint64_t address)
{
	struct xen_add_to_physmap move = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_gmfn,
		.idx = address / PAGE_BYTES,
		.gpfn = huge_base / PAGE_BYTES + huge_used,
	};

	if (!huge_base || huge_used == HUGE_PAGES_MAX ||
	    hypercall_memory_op(XENMEM_add_to_physmap, &move))
		return NULL;
	(void)pvh_protect(address, 0);
	return (void *)(huge_base + huge_used++ * PAGE_BYTES);
}

const struct paging_ops paging_pvh = {
	.finish = pvh_finish,
	.protect = pvh_protect,
	.frame_of = pvh_frame_of,
	.window_open = pvh_window_open,
	.window_shut = pvh_window_shut,
	.map_grant_frames = pvh_map_grant_frames,
	.move_to_large = pvh_move_to_large,
};
