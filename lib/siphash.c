/* SPDX-License-Identifier: ISC */
#include "lib/siphash.h"

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t last = (uint64_t)bytes << 56;
	struct sip s = sip_begin(key);

	for (; bytes >= 8; bytes -= 8, p += 8)
		sip_word(&s, word64_at(p, 0));
	for (size_t i = 0; i < bytes; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(&s, last);
	s.v2 ^= 0xff;
	for (unsigned int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
