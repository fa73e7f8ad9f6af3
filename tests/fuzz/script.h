/* SPDX-License-Identifier: ISC */
/* The input of a fuzzer as a script: numbers taken from its bytes, 0 behind the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Where a script's time stops, 292 years: lifetimes on the wire last up to 136, and behind
 * twice this the clock itself would wrap.
 */
#define SCRIPT_LAST_NS (UINT64_MAX / 2)

struct script {
	const uint8_t *data;
	size_t left;
};

static inline bool script_is_over(const struct script *script)
{
	return script->left == 0;
}

static inline uint8_t script_u8(struct script *script)
{
	if (!script->left)
		return 0;
	script->left--;
	return *script->data++;
}

static inline uint16_t script_u16(struct script *script)
{
	uint16_t low = script_u8(script);

	return (uint16_t)(low | script_u8(script) << 8);
}

static inline uint32_t script_u32(struct script *script)
{
	uint32_t low = script_u16(script);

	return low | (uint32_t)script_u16(script) << 16;
}

/* At most `bytes` of what is left; how many. */
static inline size_t script_bytes(struct script *script, uint8_t *to, size_t bytes)
{
	size_t taken = 0;

	while (taken < bytes && script->left)
		to[taken++] = script_u8(script);
	return taken;
}

/* Steps of both rings' producer indices, as small as honest ones or any. */
struct script_jump {
	uint32_t tx, rx;
	bool keep_tx, keep_rx; /* whether the next step begins where this one ended */
};

static inline struct script_jump script_jump(struct script *script)
{
	uint8_t how = script_u8(script);
	struct script_jump jump = { .keep_tx = how & 16, .keep_rx = how & 32 };

	if (how & 1)
		jump.tx = (uint32_t)(int8_t)script_u8(script);
	if (how & 2)
		jump.rx = (uint32_t)(int8_t)script_u8(script);
	if (how & 4)
		jump.tx = script_u32(script);
	if (how & 8)
		jump.rx = script_u32(script);
	return jump;
}

/* Writes a word anywhere into one of two pages of `page_bytes`. */
static inline void script_poke(struct script *script, void *odd, void *even, size_t page_bytes)
{
	uint8_t *page = script_u8(script) % 2 ? odd : even;
	size_t offset = script_u16(script) % (page_bytes / 4) * 4;
	uint32_t value = script_u32(script);

	memcpy(page + offset, &value, sizeof(value));
}

/* What must hold whatever the input is. Aborts, so that the fuzzer keeps the input. */
#define fuzz_assert(condition)                                                            \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
				#condition);                                              \
			abort();                                                          \
		}                                                                         \
	} while (0)
