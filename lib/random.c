/* SPDX-License-Identifier: ISC */
/*
 * Each refill makes RANDOM_BUFFER_BYTES of key stream; the first 32 become the next
 * key and what was given out is wiped, so an old number cannot be found again from
 * the state (fast key erasure).
 */
#include "lib/random.h"

#include <string.h>

#include "lib/siphash.h"

#define BLOCK_BYTES 64u
#define KEY_BYTES 32u

static inline uint32_t rotate(uint32_t x, unsigned int bits)
{
	return x << bits | x >> (32 - bits);
}

static inline void quarter_round(uint32_t s[16], unsigned int a, unsigned int b, unsigned int c,
				 unsigned int d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

void random_chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
			   uint8_t out[BLOCK_BYTES])
{
	const uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1],
				     key[2],	 key[3],     key[4],	 key[5],     key[6], key[7],
				     counter,	 nonce[0],   nonce[1],	 nonce[2] };
	uint32_t s[16];

	memcpy(s, start, sizeof(s));
	for (unsigned int i = 0; i < 10; i++) {
		quarter_round(s, 0, 4, 8, 12);
		quarter_round(s, 1, 5, 9, 13);
		quarter_round(s, 2, 6, 10, 14);
		quarter_round(s, 3, 7, 11, 15);
		quarter_round(s, 0, 5, 10, 15);
		quarter_round(s, 1, 6, 11, 12);
		quarter_round(s, 2, 7, 8, 13);
		quarter_round(s, 3, 4, 9, 14);
	}
	for (unsigned int i = 0; i < 16; i++)
		s[i] += start[i];
	memcpy(out, s, BLOCK_BYTES);
}

static void refill(struct random *random)
{
	static const uint32_t nonce[3];

	for (uint32_t i = 0; i < RANDOM_BUFFER_BYTES / BLOCK_BYTES; i++)
		random_chacha20_block(random->key, i, nonce, &random->buffer[i * BLOCK_BYTES]);
	memcpy(random->key, random->buffer, KEY_BYTES);
	memset(random->buffer, 0, KEY_BYTES);
	random->used = KEY_BYTES;
}

void random_init(struct random *random, const uint8_t *seed)
{
	memset(random, 0, sizeof(*random));
	memcpy(random->key, seed, RANDOM_SEED_BYTES);
	refill(random);
}

void random_add(struct random *random, const void *data, size_t bytes)
{
	const struct siphash_key keys[2] = {
		{ (uint64_t)random->key[0] << 32 | random->key[1],
		  (uint64_t)random->key[2] << 32 | random->key[3] },
		{ (uint64_t)random->key[4] << 32 | random->key[5],
		  (uint64_t)random->key[6] << 32 | random->key[7] },
	};

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t hash = siphash(&keys[i], data, bytes);

		random->key[4 * i] ^= (uint32_t)hash;
		random->key[4 * i + 1] ^= (uint32_t)(hash >> 32);
	}
	refill(random);
}

void random_bytes(struct random *random, void *to, size_t bytes)
{
	uint8_t *out = to;

	while (bytes) {
		size_t part = RANDOM_BUFFER_BYTES - random->used;

		if (part == 0) {
			refill(random);
			continue;
		}
		if (part > bytes)
			part = bytes;
		memcpy(out, &random->buffer[random->used], part);
		memset(&random->buffer[random->used], 0, part);
		random->used += part;
		out += part;
		bytes -= part;
	}
}

uint32_t random_u32(struct random *random)
{
	uint32_t value;

	random_bytes(random, &value, sizeof(value));
	return value;
}

uint64_t random_u64(struct random *random)
{
	uint64_t value;

	random_bytes(random, &value, sizeof(value));
	return value;
}

/* The bias of a 64-bit product is below 2^-32, which no use of ours can see. */
uint32_t random_below(struct random *random, uint32_t bound)
{
	return (uint32_t)(((unsigned __int128)random_u64(random) * bound) >> 64);
}
