/* SPDX-License-Identifier: ISC */
/*
 * The portable sum. Ones' complement addition does not care how wide the words are: halves
 * of 32 bits are added in 64, so that no carry is lost and none has to be looked for; four
 * sums, so that no addition waits for another. Builtins by name: the kernel is compiled as
 * freestanding, where memcpy() is a call.
 */
#include "lib/checksum.h"

static uint64_t load32(const uint8_t *p)
{
	uint32_t word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
}

static uint64_t load16(const uint8_t *p)
{
	uint16_t word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
}

static uint64_t add_carry(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

uint64_t checksum_bytes_portable(uint64_t sum, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t a = 0, b = 0, c = 0, d = 0;

	for (; bytes >= 32; bytes -= 32, p += 32) {
		a += load32(p) + load32(p + 16);
		b += load32(p + 4) + load32(p + 20);
		c += load32(p + 8) + load32(p + 24);
		d += load32(p + 12) + load32(p + 28);
	}
	for (; bytes >= 4; bytes -= 4, p += 4)
		a += load32(p);
	if (bytes & 2) {
		b += load16(p);
		p += 2;
	}
	if (bytes & 1)
		b += *p;
	return add_carry(add_carry(sum, a + b), c + d);
}

/* An image that links a faster one for its processor gets that one. */
uint64_t checksum_bytes(uint64_t sum, const void *data, size_t bytes)
	__attribute__((weak, alias("checksum_bytes_portable")));
