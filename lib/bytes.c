/* SPDX-License-Identifier: ISC */
/*
 * What is short is loaded whole and then stored, by words that overlap in the middle; so it
 * does not matter whether `to` and `from` overlap. What is long goes by a loop between a
 * first and a last part, which are loaded before the loop and stored after it; stores of the
 * loop are aligned.
 */
#include "lib/bytes.h"

#include <stdint.h>

#include "lib/compiler.h"

#define STEP 32u /* bytes of four words */

/* Otherwise the compiler may make a loop that copies into a call of what is defined here. */
#if __has_attribute(optimize)
#define loops_stay_loops __attribute__((optimize("no-tree-loop-distribute-patterns")))
#else
#define loops_stay_loops
#endif

static always_inline uint64_t get(const uint8_t *p)
{
	uint64_t word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
}

static always_inline void put(uint8_t *p, uint64_t word)
{
	__builtin_memcpy(p, &word, sizeof(word));
}

struct four {
	uint64_t a, b, c, d;
};

static always_inline struct four get_four(const uint8_t *p)
{
	return (struct four){ get(p), get(p + 8), get(p + 16), get(p + 24) };
}

static always_inline void put_four(uint8_t *p, struct four words)
{
	put(p, words.a);
	put(p + 8, words.b);
	put(p + 16, words.c);
	put(p + 24, words.d);
}

/* Less than 8 bytes. */
static always_inline void copy_tiny(uint8_t *to, const uint8_t *from, size_t bytes)
{
	if (bytes >= 4) {
		uint32_t first, last;

		__builtin_memcpy(&first, from, 4);
		__builtin_memcpy(&last, from + bytes - 4, 4);
		__builtin_memcpy(to, &first, 4);
		__builtin_memcpy(to + bytes - 4, &last, 4);
	} else if (bytes >= 2) {
		uint16_t first, last;

		__builtin_memcpy(&first, from, 2);
		__builtin_memcpy(&last, from + bytes - 2, 2);
		__builtin_memcpy(to, &first, 2);
		__builtin_memcpy(to + bytes - 2, &last, 2);
	} else if (bytes) {
		*to = *from;
	}
}

/* At most two steps. */
static always_inline void copy_short(uint8_t *to, const uint8_t *from, size_t bytes)
{
	if (bytes > STEP) {
		struct four first = get_four(from), last = get_four(from + bytes - STEP);

		put_four(to, first);
		put_four(to + bytes - STEP, last);
	} else if (bytes > 16) {
		uint64_t a = get(from), b = get(from + 8);
		uint64_t c = get(from + bytes - 16), d = get(from + bytes - 8);

		put(to, a);
		put(to + 8, b);
		put(to + bytes - 16, c);
		put(to + bytes - 8, d);
	} else if (bytes >= 8) {
		uint64_t first = get(from), last = get(from + bytes - 8);

		put(to, first);
		put(to + bytes - 8, last);
	} else {
		copy_tiny(to, from, bytes);
	}
}

/*
 * More than two steps, where nothing is stored to before it has been loaded. Two steps a round
 * with one comparison: of a long copy little but loads and stores is left.
 */
loops_stay_loops static void copy_upwards(uint8_t *to, const uint8_t *from, size_t bytes)
{
	struct four last = get_four(from + bytes - STEP);
	uint64_t first = get(from);
	size_t at = 8 - ((uintptr_t)to & 7);
	size_t end = bytes - 2 * STEP;

	for (; at < end; at += 2 * STEP) {
		put_four(to + at, get_four(from + at));
		put_four(to + at + STEP, get_four(from + at + STEP));
	}
	if (bytes - at > STEP)
		put_four(to + at, get_four(from + at));
	put(to, first);
	put_four(to + bytes - STEP, last);
}

loops_stay_loops static void copy_downwards(uint8_t *to, const uint8_t *from, size_t bytes)
{
	struct four first = get_four(from);
	uint64_t last = get(from + bytes - 8);
	size_t end = bytes - ((uintptr_t)(to + bytes) & 7);

	for (; end > STEP; end -= STEP)
		put_four(to + end - STEP, get_four(from + end - STEP));
	put_four(to, first);
	put(to + bytes - 8, last);
}

void *bytes_copy(void *to, const void *from, size_t bytes)
{
	if (bytes <= 2 * STEP)
		copy_short(to, from, bytes);
	else
		copy_upwards(to, from, bytes);
	return to;
}

void *bytes_move(void *to, const void *from, size_t bytes)
{
	if (bytes <= 2 * STEP)
		copy_short(to, from, bytes);
	else if ((uintptr_t)to - (uintptr_t)from >= bytes) /* it wraps where `to` is lower */
		copy_upwards(to, from, bytes);
	else
		copy_downwards(to, from, bytes);
	return to;
}

/* Less than 8 bytes. */
static always_inline void set_tiny(uint8_t *to, uint64_t word, size_t bytes)
{
	if (bytes >= 4) {
		__builtin_memcpy(to, &word, 4);
		__builtin_memcpy(to + bytes - 4, &word, 4);
	} else if (bytes) {
		to[0] = to[bytes / 2] = to[bytes - 1] = (uint8_t)word;
	}
}

loops_stay_loops void *bytes_set(void *to, int value, size_t bytes)
{
	const uint64_t word = 0x0101010101010101ull * (uint8_t)value;
	const struct four words = { word, word, word, word };
	uint8_t *p = to;

	if (bytes > STEP) {
		put(p, word);
		for (size_t at = 8 - ((uintptr_t)p & 7); bytes - at > STEP; at += STEP)
			put_four(p + at, words);
		put_four(p + bytes - STEP, words);
	} else if (bytes >= 8) {
		put(p, word);
		put(p + bytes - 8, word);
		if (bytes > 16) {
			put(p + 8, word);
			put(p + bytes - 16, word);
		}
	} else {
		set_tiny(p, word, bytes);
	}
	return to;
}
