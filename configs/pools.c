/* SPDX-License-Identifier: ISC */
#include "configs/pools.h"

#include "arch/x86/boot.h"
#include "arch/x86/memory.h"
#include "lib/panic.h"

static void *array_make(size_t count, size_t bytes)
{
	return memory_alloc_pages(count * bytes / PAGE_BYTES + 1);
}

uint32_t pools_share(size_t pages, uint32_t percent, uint32_t least, uint32_t most)
{
	size_t part = pages * percent / 100;

	return part < least ? least : part > most ? most : (uint32_t)part;
}

void pools_make(struct iopage_pool *pages, uint32_t page_count, struct packet_pool *packets,
		uint32_t packet_count)
{
	struct packet *packet_array = array_make(packet_count, sizeof(*packet_array));
	struct iopage *page_array = array_make(page_count, sizeof(*page_array));
	void *arena = memory_alloc_pages(page_count);

	if (!packet_array || !page_array || !arena)
		panic("not enough memory: %zu KiB", boot_info_get()->ram_bytes / 1024);
	iopage_pool_init(pages, arena, page_array, page_count, memory_frame_of);
	if (packet_pool_init(packets, pages, packet_array, packet_count))
		panic("not enough pages for the packets' heads");
}
