/* SPDX-License-Identifier: ISC */
/* A token bucket: rations what a neighbour can make us send. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t refilled_ns;
	uint32_t tokens;
	uint32_t per_second;
	uint32_t burst;
};

/* Starts full. */
static inline void bucket_init(struct bucket *bucket, uint32_t per_second, uint32_t burst,
			       uint64_t now_ns)
{
	*bucket = (struct bucket){ now_ns, burst, per_second, burst };
}

/* Takes one token; false when there is none. */
static inline bool bucket_take(struct bucket *bucket, uint64_t now_ns)
{
	uint64_t step_ns = 1000000000ull / bucket->per_second;
	uint64_t gained = (now_ns - bucket->refilled_ns) / step_ns;

	if (gained >= bucket->burst - bucket->tokens) {
		bucket->tokens = bucket->burst;
		bucket->refilled_ns = now_ns;
	} else {
		bucket->tokens += (uint32_t)gained;
		bucket->refilled_ns += gained * step_ns;
	}
	if (bucket->tokens == 0)
		return false;
	bucket->tokens--;
	return true;
}
