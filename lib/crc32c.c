/* SPDX-License-Identifier: ISC */
#include "lib/crc32c.h"

#define POLYNOMIAL 0x82f63b78u /* the lowest bit is the highest power */

/* What four bits become: small, as a log is no data path. */
#define STEP(r) ((r) >> 1 ^ ((r)&1 ? POLYNOMIAL : 0))
#define ENTRY(n) STEP(STEP(STEP(STEP((uint32_t)(n)))))

static const uint32_t table[16] = {
	ENTRY(0), ENTRY(1), ENTRY(2),  ENTRY(3),  ENTRY(4),  ENTRY(5),	ENTRY(6),  ENTRY(7),
	ENTRY(8), ENTRY(9), ENTRY(10), ENTRY(11), ENTRY(12), ENTRY(13), ENTRY(14), ENTRY(15),
};

uint32_t crc32c(uint32_t before, const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint32_t rest = ~before;

	for (size_t i = 0; i < bytes; i++) {
		rest ^= at[i];
		rest = rest >> 4 ^ table[rest & 15];
		rest = rest >> 4 ^ table[rest & 15];
	}
	return ~rest;
}
