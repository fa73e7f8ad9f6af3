/* SPDX-License-Identifier: ISC */
#include "net/tcp_cookie.h"

#include <assert.h>

#define INDEX_MASK 7u
#define BITS_MASK ((1u << TCP_COOKIE_TIMESTAMP_BITS) - 1)
#define BITS_SCALE 15u /* mask, and the value for none */
#define BITS_SACK 16u
#define BITS_ECN 32u
#define BITS_NO_TIMESTAMPS 64u /* in the hash only */

/*
 * Of what links announce: Ethernet and what tunnels leave of it, IPv6's minimum, jumbo
 * frames; the defaults; and what suits everybody.
 */
static const uint16_t sizes[INDEX_MASK + 1] = {
	TCP_MSS_MIN, TCP_MSS_DEFAULT4, TCP_MSS_DEFAULT6, 1360, 1400, 1440, 1460, 8940,
};

/* What is hashed. */
struct claim {
	struct tcp_key key;
	uint32_t client_isn;
	uint16_t index;
	uint16_t bits;
};
static_assert(sizeof(struct claim) == 48, "without padding");

static struct siphash_key new_key(struct tcp_cookies *cookies)
{
	struct siphash_key key;

	random_bytes(cookies->random, &key, sizeof(key));
	return key;
}

void tcp_cookies_init(struct tcp_cookies *cookies, struct random *random)
{
	*cookies = (struct tcp_cookies){ .random = random };
	cookies->key = new_key(cookies);
	cookies->previous = new_key(cookies);
}

void tcp_cookies_forget(struct tcp_cookies *cookies)
{
	cookies->key = new_key(cookies);
	cookies->previous = new_key(cookies);
	cookies->made = false;
}

static void renew(struct tcp_cookies *cookies, uint64_t now_ns)
{
	uint64_t period = now_ns / TCP_COOKIE_PERIOD_NS;

	if (period == cookies->period)
		return;
	cookies->previous = period == cookies->period + 1 ? cookies->key : new_key(cookies);
	cookies->key = new_key(cookies);
	cookies->period = period;
}

static uint32_t sign(const struct siphash_key *key, const struct claim *claim)
{
	return ((uint32_t)siphash(key, claim, sizeof(*claim)) & ~INDEX_MASK) | claim->index;
}

static uint16_t index_of(uint16_t mss)
{
	uint16_t index = INDEX_MASK;

	while (index > 0 && sizes[index] > mss)
		index--;
	return index;
}

static uint16_t bits_of(const struct tcp_options *syn, bool ecn)
{
	uint16_t bits = syn->present & TCP_HAS_SCALE ? syn->scale : BITS_SCALE;

	if (syn->present & TCP_HAS_SACK_PERMITTED)
		bits |= BITS_SACK;
	if (ecn)
		bits |= BITS_ECN;
	return bits;
}

/* The last time that is not behind `now` and ends with `bits`. */
static uint32_t timestamp_with(uint32_t now, uint32_t bits)
{
	uint32_t timestamp = (now & ~BITS_MASK) | bits;

	return tcp_after(timestamp, now) ? timestamp - (BITS_MASK + 1) : timestamp;
}

uint32_t tcp_cookie_make(struct tcp_cookies *cookies, const struct tcp_key *key,
			 uint32_t client_isn, const struct tcp_options *syn, bool ecn,
			 uint32_t *timestamp, uint64_t now_ns)
{
	struct claim claim = { *key, client_isn, 0, BITS_NO_TIMESTAMPS };

	renew(cookies, now_ns);
	cookies->made = true;
	cookies->last_ns = now_ns;
	claim.index = index_of(tcp_options_mss(syn, key->version, UINT16_MAX));
	if (syn->present & TCP_HAS_TIMESTAMPS) {
		claim.bits = bits_of(syn, ecn);
		*timestamp = timestamp_with(*timestamp, claim.bits);
	}
	return sign(&cookies->key, &claim);
}

static void read_bits(const struct tcp_options *ack, uint16_t bits, struct tcp_options *syn,
		      bool *ecn)
{
	syn->present |= TCP_HAS_TIMESTAMPS;
	syn->ts_value = ack->ts_value;
	syn->ts_echo = ack->ts_echo;
	*ecn = bits & BITS_ECN;
	if (bits & BITS_SACK)
		syn->present |= TCP_HAS_SACK_PERMITTED;
	if ((bits & BITS_SCALE) == BITS_SCALE)
		return;
	syn->present |= TCP_HAS_SCALE;
	syn->scale = bits & BITS_SCALE;
}

bool tcp_cookie_check(struct tcp_cookies *cookies, const struct tcp_key *key, uint32_t client_isn,
		      uint32_t cookie, const struct tcp_options *ack, uint64_t now_ns,
		      struct tcp_options *syn, bool *ecn)
{
	struct claim claim = { *key, client_isn, (uint16_t)(cookie & INDEX_MASK),
			       BITS_NO_TIMESTAMPS };

	if (!cookies->made || now_ns - cookies->last_ns > 2 * TCP_COOKIE_PERIOD_NS)
		return false;
	renew(cookies, now_ns);
	if (ack->present & TCP_HAS_TIMESTAMPS)
		claim.bits = ack->ts_echo & BITS_MASK;
	if (sign(&cookies->key, &claim) != cookie && sign(&cookies->previous, &claim) != cookie)
		return false;
	*syn = (struct tcp_options){ .present = TCP_HAS_MSS, .mss = sizes[claim.index] };
	*ecn = false;
	if (ack->present & TCP_HAS_TIMESTAMPS)
		read_bits(ack, claim.bits, syn, ecn);
	return true;
}
