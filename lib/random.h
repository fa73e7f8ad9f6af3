/* SPDX-License-Identifier: ISC */
/*
 * Random numbers: ChaCha20 (RFC 8439) as a generator with fast key erasure.
 * A context is passed to whoever needs numbers, so tests can seed their own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RANDOM_SEED_BYTES 32u
#define RANDOM_BUFFER_BYTES 512u

struct random {
	uint32_t key[8];
	uint8_t buffer[RANDOM_BUFFER_BYTES];
	size_t used; /* bytes of buffer already given out */
};

/* Starts from a seed of RANDOM_SEED_BYTES. */
void random_init(struct random *random, const uint8_t *seed);

/* Mixes more entropy into the key; never makes it worse. */
void random_add(struct random *random, const void *data, size_t bytes);

void random_bytes(struct random *random, void *to, size_t bytes);
uint32_t random_u32(struct random *random);
uint64_t random_u64(struct random *random);

/* Uniform in [0, bound); bound > 0. */
uint32_t random_below(struct random *random, uint32_t bound);

/* One block of ChaCha20 (RFC 8439, 2.3): 64 bytes of key stream. */
void random_chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
			   uint8_t out[64]);
