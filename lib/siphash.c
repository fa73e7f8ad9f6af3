/* SPDX-License-Identifier: ISC */
#include "lib/siphash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
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

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t word;

	__builtin_memcpy(&word, p, sizeof(word)); /* never a call, also where freestanding */
	return word;
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t last = (uint64_t)bytes << 56;
	struct sip s = sip_begin(key);

	for (; bytes >= 8; bytes -= 8, p += 8)
		sip_word(&s, load64(p));
	for (size_t i = 0; i < bytes; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(&s, last);
	s.v2 ^= 0xff;
	for (unsigned int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static inline void sip13_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static inline uint64_t sip13_end(struct sip *s, uint64_t bytes)
{
	sip13_word(s, bytes << 56);
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t siphash13_16(const struct siphash_key *key, const void *data)
{
	struct sip s = sip_begin(key);
	const uint8_t *p = data;

	sip13_word(&s, load64(p));
	sip13_word(&s, load64(p + 8));
	return sip13_end(&s, 16);
}

uint64_t siphash13_48(const struct siphash_key *key, const void *data)
{
	struct sip s = sip_begin(key);
	const uint8_t *p = data;

	for (unsigned int i = 0; i < 48; i += 8)
		sip13_word(&s, load64(p + i));
	return sip13_end(&s, 48);
}
