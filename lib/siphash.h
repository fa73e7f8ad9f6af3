/* SPDX-License-Identifier: ISC */
/*
 * SipHash (Aumasson, Bernstein 2012): a keyed hash for tables whose keys a neighbour
 * chooses. The key is random for each boot.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"

struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

/* 64-bit hash of `bytes` bytes: SipHash-2-4. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t bytes);

/* (internal) */
struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t sip_rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static always_inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = sip_rotate(s->v1, 13) ^ s->v0;
	s->v0 = sip_rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = sip_rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = sip_rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = sip_rotate(s->v1, 17) ^ s->v2;
	s->v2 = sip_rotate(s->v2, 32);
}

static inline struct sip sip_begin(const struct siphash_key *key)
{
	return (struct sip){
		.v0 = key->k0 ^ 0x736f6d6570736575ull,
		.v1 = key->k1 ^ 0x646f72616e646f6dull,
		.v2 = key->k0 ^ 0x6c7967656e657261ull,
		.v3 = key->k1 ^ 0x7465646279746573ull,
	};
}

static always_inline void sip13_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

/*
 * SipHash-1-3 of `bytes` bytes, a multiple of 8, for what is done for every packet: with a
 * constant size there is neither a call nor a loop. A table shows nothing of its hashes but,
 * at most, how full a bucket is: the rounds that make a message authentication code are not
 * needed there.
 */
static always_inline uint64_t siphash13(const struct siphash_key *key, const void *data,
					size_t bytes)
{
	struct sip s = sip_begin(key);

#pragma GCC unroll 6
	for (unsigned int i = 0; i < bytes / 8; i++)
		sip13_word(&s, word64_at(data, i));
	sip13_word(&s, (uint64_t)bytes << 56);
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
