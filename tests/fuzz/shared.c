/* SPDX-License-Identifier: ISC */
/* A peer that writes between two loads. */
#include "tests/fuzz/shared.h"

#include <string.h>

#include "lib/iopage.h"

#define PAGES 4u
#define LOADS_MOST 64u	      /* a slot is loaded byte by byte */
#define RING_HEADER_BYTES 64u /* in front of the slots: the indices */
#define UNTRACED __attribute__((no_sanitize("coverage")))

/* One write of the peer. */
struct planned {
	uint8_t loads;	/* to shared memory, before it happens */
	int8_t nearby;	/* bytes from the load that it goes before */
	uint8_t bytes;	/* 1, 2 or 4 */
	uint32_t value; /* little-endian */
};

/* Which bytes of a page have been loaded. */
struct loaded_page {
	const uint8_t *page;
	uint8_t bits[IOPAGE_SIZE / 8];
};

static struct {
	shared_resolve *resolve;
	struct planned writes[SHARED_WRITES];
	uint32_t write_count, next_write;
	uint32_t loads; /* since the last write */
	uint8_t change; /* what loaded bytes are xored with; 0: they stay */
	struct loaded_page pages[PAGES];
	uint32_t page_count;
	bool armed;
} plan;

void __sanitizer_cov_load1(uint8_t *address);
void __sanitizer_cov_load2(uint16_t *address);
void __sanitizer_cov_load4(uint32_t *address);
void __sanitizer_cov_load8(uint64_t *address);
void __sanitizer_cov_load16(__uint128_t *address);

void shared_reset(void)
{
	plan.armed = false;
	plan.write_count = plan.next_write = 0;
	plan.loads = 0;
	plan.change = 0;
	shared_forget_loads();
}

void shared_forget_loads(void)
{
	plan.page_count = 0;
}

void shared_plan(struct script *script, shared_resolve *resolve)
{
	uint8_t draw = script_u8(script);
	uint32_t count = draw % (SHARED_WRITES + 1);

	shared_reset();
	plan.resolve = resolve;
	if (draw & 0x80)
		plan.change = script_u8(script);
	while (count-- && !script_is_over(script)) {
		struct planned *planned = &plan.writes[plan.write_count++];

		planned->loads = script_u8(script) % LOADS_MOST;
		planned->nearby = (int8_t)script_u8(script);
		planned->bytes = (uint8_t)(1u << script_u8(script) % 3);
		planned->value = planned->bytes == 4 ? script_u32(script) : script_u16(script);
	}
	plan.armed = plan.write_count || plan.change;
}

UNTRACED static void write_one(const struct planned *planned, uint8_t *place)
{
	uint8_t *page = place - (uintptr_t)place % IOPAGE_SIZE;
	uint32_t offset = (uint32_t)((uintptr_t)place % IOPAGE_SIZE + IOPAGE_SIZE +
				     (uint32_t)planned->nearby);

	for (uint32_t i = 0; i < planned->bytes; i++)
		page[(offset + i) % IOPAGE_SIZE] = (uint8_t)(planned->value >> 8 * i);
}

UNTRACED static struct loaded_page *page_find(const uint8_t *page)
{
	for (uint32_t i = 0; i < plan.page_count; i++)
		if (plan.pages[i].page == page)
			return &plan.pages[i];
	if (plan.page_count == PAGES)
		return NULL;
	plan.pages[plan.page_count].page = page;
	memset(plan.pages[plan.page_count].bits, 0, sizeof(plan.pages[0].bits));
	return &plan.pages[plan.page_count++];
}

/* Changes those of the bytes that have been loaded before. Indices may, and stay. */
UNTRACED static void change_loaded(uint8_t *place, uint32_t bytes)
{
	uint8_t *page = place - (uintptr_t)place % IOPAGE_SIZE;
	struct loaded_page *loaded = page_find(page);

	if (!loaded)
		return;
	for (uintptr_t at = (uintptr_t)(place - page); bytes-- && at < IOPAGE_SIZE; at++) {
		uint8_t bit = (uint8_t)(1u << at % 8);

		if (at < RING_HEADER_BYTES)
			continue;
		if (loaded->bits[at / 8] & bit)
			page[at] ^= plan.change;
		loaded->bits[at / 8] |= bit;
	}
}

UNTRACED static void before_load(const void *address, uint32_t bytes)
{
	uint8_t *place;

	if (!plan.armed)
		return;
	place = plan.resolve((uintptr_t)address);
	if (!place)
		return;
	if (plan.change)
		change_loaded(place, bytes);
	if (plan.next_write == plan.write_count)
		return;
	if (plan.loads++ < plan.writes[plan.next_write].loads)
		return;
	plan.loads = 0;
	write_one(&plan.writes[plan.next_write++], place);
}

UNTRACED void __sanitizer_cov_load1(uint8_t *address)
{
	before_load(address, 1);
}

UNTRACED void __sanitizer_cov_load2(uint16_t *address)
{
	before_load(address, 2);
}

UNTRACED void __sanitizer_cov_load4(uint32_t *address)
{
	before_load(address, 4);
}

UNTRACED void __sanitizer_cov_load8(uint64_t *address)
{
	before_load(address, 8);
}

UNTRACED void __sanitizer_cov_load16(__uint128_t *address)
{
	before_load(address, 16);
}
