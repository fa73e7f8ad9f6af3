/* SPDX-License-Identifier: ISC */
/* Boot-time page allocator and the address space of the window. */
#include "arch/x86/memory.h"

#include <errno.h>
#include <string.h>

#include "arch/x86/paging.h"
#include "lib/panic.h"

#define MAX_REGIONS 16u

static struct memory_range regions[MAX_REGIONS];
static size_t region_count;
static uint8_t window_used[WINDOW_PAGES];

const struct paging_ops *paging;
uint64_t memory_window_base;

/* Adds [start, end) less what is reserved; recursion depth is the number of reserved ranges. */
static void region_add(uint64_t start, uint64_t end, const struct memory_range *reserved,
		       size_t reserved_count)
{
	for (size_t i = 0; i < reserved_count; i++) {
		if (reserved[i].end <= start || reserved[i].start >= end)
			continue;
		if (reserved[i].start > start)
			region_add(start, reserved[i].start, reserved + i + 1,
				   reserved_count - i - 1);
		start = reserved[i].end;
		if (start >= end)
			return;
	}
	start = (start + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	end &= ~(PAGE_BYTES - 1);
	if (start >= end || region_count == MAX_REGIONS)
		return;
	regions[region_count++] = (struct memory_range){ start, end };
}

void memory_init_regions(const struct memory_range *ram, size_t ram_count,
			 const struct memory_range *reserved, size_t reserved_count)
{
	for (size_t i = 0; i < ram_count; i++)
		region_add(ram[i].start, ram[i].end, reserved, reserved_count);
}

void *memory_alloc_pages(size_t count)
{
	uint64_t bytes = count * PAGE_BYTES;

	for (size_t i = 0; i < region_count; i++) {
		void *pages = (void *)regions[i].start;

		if (count == 0 || regions[i].end - regions[i].start < bytes)
			continue;
		regions[i].start += bytes;
		memset(pages, 0, bytes);
		return pages;
	}
	return NULL;
}

void *memory_alloc_arguments(void)
{
	void *page = paging->move_to_large ? memory_alloc_pages(1) : NULL;

	return page ? paging->move_to_large((uint64_t)page) : NULL;
}

size_t memory_free_pages(void)
{
	size_t pages = 0;

	for (size_t i = 0; i < region_count; i++)
		pages += (regions[i].end - regions[i].start) / PAGE_BYTES;
	return pages;
}

size_t memory_largest_run(void)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < region_count; i++)
		if (regions[i].end - regions[i].start > largest)
			largest = regions[i].end - regions[i].start;
	return largest / PAGE_BYTES;
}

uint64_t memory_frame_of(const void *p)
{
	return paging->frame_of((uint64_t)p);
}

int memory_protect_guard(void *page)
{
	return paging->protect((uint64_t)page, 0);
}

int memory_unprotect_guard(void *page)
{
	return paging->protect((uint64_t)page, PAGING_RW_NX);
}

uint64_t paging_rights(uint64_t address)
{
	if (address < PAGE_BYTES)
		return 0;
	if (address == (uint64_t)boot_stack_guard)
		return 0;
	if (address >= (uint64_t)text_start && address < (uint64_t)text_end)
		return PAGING_RX;
	if (address >= (uint64_t)rodata_start && address < (uint64_t)rodata_end)
		return PAGING_RO_NX;
	return PAGING_RW_NX;
}

static void *window_take(size_t first, size_t count)
{
	uint64_t address = memory_window_base + first * PAGE_BYTES;

	memset(&window_used[first], 1, count);
	for (size_t i = 0; i < count; i++)
		paging->window_open(address + i * PAGE_BYTES);
	return (void *)address;
}

void *window_alloc(size_t count)
{
	size_t run = 0;

	for (size_t i = 0; i < WINDOW_PAGES && count; i++) {
		run = window_used[i] ? 0 : run + 1;
		if (run == count)
			return window_take(i + 1 - count, count);
	}
	return NULL;
}

void window_free(void *address, size_t count)
{
	size_t first = ((uint64_t)address - memory_window_base) / PAGE_BYTES;

	if ((uint64_t)address < memory_window_base || first + count > WINDOW_PAGES)
		panic("window_free: %p is not in the window", address);
	memset(&window_used[first], 0, count);
	for (size_t i = 0; i < count; i++)
		paging->window_shut((uint64_t)address + i * PAGE_BYTES);
}

int arch_grant_frames_map(unsigned int first, unsigned int count, void *address)
{
	return paging->map_grant_frames(first, count, (uint64_t)address);
}
