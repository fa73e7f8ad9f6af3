/* SPDX-License-Identifier: ISC */
/*
 * The Internet checksum's inner loop by adc. Each 64 bytes are a chain of their own, so that
 * the processor runs several at once: one long chain is bound by the latency of its carry,
 * this by how many words can be loaded. No vector registers: kernel code has none.
 */
#include "lib/checksum.h"

#define LONG_BYTES 256u

/* Adds the 64 bytes at p + `offset` to `sum`. */
#define ADD_64(sum, p, offset)                                                              \
	do {                                                                                \
		uint64_t chain;                                                             \
		__asm__("movq %c3+0(%2), %1\n\t"                                            \
			"addq %c3+8(%2), %1\n\t"                                            \
			"adcq %c3+16(%2), %1\n\t"                                           \
			"adcq %c3+24(%2), %1\n\t"                                           \
			"adcq %c3+32(%2), %1\n\t"                                           \
			"adcq %c3+40(%2), %1\n\t"                                           \
			"adcq %c3+48(%2), %1\n\t"                                           \
			"adcq %c3+56(%2), %1\n\t"                                           \
			"adcq %1, %0\n\t"                                                   \
			"adcq $0, %0"                                                       \
			: "+r"(sum), "=&r"(chain)                                           \
			: "r"(p), "i"(offset), "m"(*(const uint8_t(*)[64])((p) + (offset))) \
			: "cc");                                                            \
	} while (0)

static inline uint64_t add_32(uint64_t sum, const uint8_t *p)
{
	__asm__("addq 0(%1), %0\n\t"
		"adcq 8(%1), %0\n\t"
		"adcq 16(%1), %0\n\t"
		"adcq 24(%1), %0\n\t"
		"adcq $0, %0"
		: "+r"(sum)
		: "r"(p), "m"(*(const uint8_t(*)[32])p)
		: "cc");
	return sum;
}

static inline uint64_t add_16(uint64_t sum, const uint8_t *p)
{
	__asm__("addq 0(%1), %0\n\t"
		"adcq 8(%1), %0\n\t"
		"adcq $0, %0"
		: "+r"(sum)
		: "r"(p), "m"(*(const uint8_t(*)[16])p)
		: "cc");
	return sum;
}

static inline uint64_t add_word(uint64_t sum, uint64_t word)
{
	__asm__("addq %1, %0\n\tadcq $0, %0" : "+r"(sum) : "r"(word) : "cc");
	return sum;
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
}

/* The last `bytes` (1 .. 7) bytes before `end`; at least eight may be read there. */
static inline uint64_t load_last(const uint8_t *end, size_t bytes)
{
	return load64(end - 8) >> (64 - 8 * bytes);
}

static uint64_t load_short(const uint8_t *p, size_t bytes)
{
	uint64_t word = 0;
	uint32_t half;
	uint16_t quarter;

	if (bytes & 1)
		word = p[bytes - 1];
	if (bytes & 2) {
		__builtin_memcpy(&quarter, p + (bytes & 4), sizeof(quarter));
		word = word << 16 | quarter;
	}
	if (bytes & 4) {
		__builtin_memcpy(&half, p, sizeof(half));
		word = word << 32 | half;
	}
	return word;
}

uint64_t checksum_bytes(uint64_t sum, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t other = 0;

	if (bytes < 8)
		return add_word(sum, load_short(p, bytes));
	if (bytes >= LONG_BYTES) {
		size_t before = -(uintptr_t)p & 7;

		/*
		 * From an aligned word on, no load crosses a cache line. At an odd address
		 * every word would have to be turned round: not worth it.
		 */
		if (before && !(before & 1)) {
			sum = add_word(sum, load64(p) << (64 - 8 * before) >> (64 - 8 * before));
			p += before;
			bytes -= before;
		}
		for (; bytes >= LONG_BYTES; bytes -= LONG_BYTES, p += LONG_BYTES) {
			ADD_64(sum, p, 0);
			ADD_64(sum, p, 64);
			ADD_64(sum, p, 128);
			ADD_64(sum, p, 192);
		}
	}
	if (bytes & 128) {
		ADD_64(sum, p, 0);
		ADD_64(other, p, 64);
		p += 128;
	}
	if (bytes & 64) {
		ADD_64(sum, p, 0);
		p += 64;
	}
	if (bytes & 32) {
		other = add_32(other, p);
		p += 32;
	}
	if (bytes & 16) {
		sum = add_16(sum, p);
		p += 16;
	}
	if (bytes & 8) {
		other = add_word(other, load64(p));
		p += 8;
	}
	if (bytes & 7)
		sum = add_word(sum, load_last(p + (bytes & 7), bytes & 7));
	return add_word(sum, other);
}
