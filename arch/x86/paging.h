/* SPDX-License-Identifier: ISC */
/*
 * Page tables, the one thing that PV and PVH do differently all through. Inside
 * arch/x86 only; each mode fills one table of functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/boot.h"
#include "lib/compiler.h"

#define PTE_PRESENT 0x1ull
#define PTE_WRITE 0x2ull
#define PTE_USER 0x4ull
#define PTE_ACCESSED 0x20ull
#define PTE_DIRTY 0x40ull
#define PTE_LARGE 0x80ull
#define PTE_NX (1ull << 63)
#define PTE_FRAME_MASK 0x000ffffffffff000ull

#define PAGING_RW_NX (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_NX)
#define PAGING_RO_NX (PTE_PRESENT | PTE_ACCESSED | PTE_NX)
#define PAGING_RX (PTE_PRESENT | PTE_ACCESSED)

#define WINDOW_PAGES 2048u

struct paging_ops {
	/* Maps all RAM, gives the image its rights, makes empty tables for the window. */
	void (*finish)(uint64_t ram_end, uint64_t window);
	/* Sets the rights of one mapped-by-identity page; flags 0: inaccessible. */
	int (*protect)(uint64_t address, uint64_t flags);
	uint64_t (*frame_of)(uint64_t address);
	/* The window page becomes reachable / unreachable for a later grant map. */
	void (*window_open)(uint64_t address);
	void (*window_shut)(uint64_t address);
	int (*map_grant_frames)(unsigned int first, unsigned int count, uint64_t address);
	/* Moves a page of RAM behind a page table entry of 1 GiB. NULL: cannot; NULL op: never. */
	void *(*move_to_large)(uint64_t address);
};

extern const struct paging_ops paging_pv;
extern const struct paging_ops paging_pvh;

/* The one in use. */
extern const struct paging_ops *paging;

extern char image_start[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[],
	image_end[], boot_stack_guard[];

/* The rights that a page of RAM has once everything is set up. */
uint64_t paging_rights(uint64_t address);

/* PV: where the builder's tables are and what lies in them. Called before paging_pv. */
void paging_pv_init(struct start_info *start);
