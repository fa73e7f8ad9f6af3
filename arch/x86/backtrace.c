/* SPDX-License-Identifier: ISC */
/*
 * The table is made from the linked image and linked in at the second pass (see
 * arch/x86/make-symbols): addresses in order, then their names, each without what it has in
 * common with the one before.
 */
#include "arch/x86/backtrace.h"

#include <stdbool.h>
#include <stddef.h>

#include "arch/x86/emergency.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"

#define MAX_DEPTH 32u
#define NAME_BYTES 64u

extern const uint32_t symbols_table[];
extern const uint32_t symbols_count;
extern const char symbols_names[];

static bool is_text(uint64_t address)
{
	return address >= (uint64_t)text_start && address < (uint64_t)text_end;
}

/* The name of the symbol at `index`; a long one is cut. */
static const char *name_of(uint32_t index, char name[NAME_BYTES])
{
	const char *from = symbols_names;

	for (uint32_t i = 0; i <= index; i++) {
		uint32_t at = (uint8_t)*from++;

		for (; *from; from++, at++)
			if (at < NAME_BYTES - 1)
				name[at] = *from;
		name[at < NAME_BYTES - 1 ? at : NAME_BYTES - 1] = '\0';
		from++;
	}
	return name;
}

static void address_print(uint64_t address)
{
	uint32_t low = 0, high = symbols_count;
	char name[NAME_BYTES];

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (symbols_table[middle] <= address)
			low = middle;
		else
			high = middle;
	}
	if (!is_text(address) || symbols_count == 0 || symbols_table[low] > address)
		emergency_print("  %016lx\n", address);
	else
		emergency_print("  %016lx %s+%#lx\n", address, name_of(low, name),
				address - symbols_table[low]);
}

void backtrace_print(uint64_t rip, uint64_t rbp)
{
	uint64_t ram = boot_info_get()->ram_bytes;
	uint64_t end = ram ? ram : (uint64_t)image_end;

	emergency_print("backtrace:\n");
	if (rip)
		address_print(rip);
	for (unsigned int depth = 0; depth < MAX_DEPTH; depth++) {
		const uint64_t *frame = (const uint64_t *)rbp;

		/* Stacks lie anywhere in RAM above page 0. */
		if (rbp < PAGE_BYTES || rbp % 8 || rbp + 16 > end || !is_text(frame[1]))
			return;
		address_print(frame[1]);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}
