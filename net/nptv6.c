/* SPDX-License-Identifier: ISC */
#include "net/nptv6.h"

#include <errno.h>

#include "lib/checksum.h"

#define SUBNET_WORD 3u /* bits 48 to 63 */
#define WORDS 8u

/* Sets the first `bits` bits of `address` to those of `prefix`. */
static void set_prefix(struct ip6_address *address, const struct ip6_address *prefix, uint8_t bits)
{
	for (unsigned int i = 0; i * 8 < bits; i++) {
		unsigned int left = bits - i * 8;
		uint8_t mask = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);

		address->bytes[i] =
			(uint8_t)((address->bytes[i] & ~mask) | (prefix->bytes[i] & mask));
	}
}

static bool has_prefix(const struct ip6_address *address, const struct ip6_address *prefix,
		       uint8_t bits)
{
	struct ip6_address same = *address;

	set_prefix(&same, prefix, bits);
	return __builtin_memcmp(&same, address, sizeof(same)) == 0;
}

static uint8_t longer(const struct nptv6 *nptv6)
{
	return nptv6->internal_bits > nptv6->external_bits ? nptv6->internal_bits
							   : nptv6->external_bits;
}

static uint16_t sum_of(const struct ip6_address *prefix)
{
	return checksum_fold(checksum_add(0, prefix, sizeof(*prefix))).raw;
}

int nptv6_init(struct nptv6 *nptv6, const struct ip6_address *internal, uint8_t internal_bits,
	       const struct ip6_address *external, uint8_t external_bits)
{
	struct ip6_address masked[2] = { { { 0 } }, { { 0 } } };

	if (internal_bits > NPTV6_LONGEST || external_bits > NPTV6_LONGEST)
		return -EINVAL;
	set_prefix(&masked[0], internal, internal_bits);
	set_prefix(&masked[1], external, external_bits);
	if (__builtin_memcmp(&masked[0], internal, sizeof(*internal)) != 0 ||
	    __builtin_memcmp(&masked[1], external, sizeof(*external)) != 0)
		return -EINVAL;
	nptv6->internal = *internal;
	nptv6->external = *external;
	nptv6->internal_bits = internal_bits;
	nptv6->external_bits = external_bits;
	nptv6->adjustment =
		checksum_fold((uint32_t)sum_of(internal) + (uint16_t)~sum_of(external)).raw;
	return 0;
}

static uint16_t word_at(const struct ip6_address *address, unsigned int word)
{
	uint16_t value;

	__builtin_memcpy(&value, address->bytes + word * 2, sizeof(value));
	return value;
}

/* The word that takes up the difference: it and its image are never ffff. Or WORDS. */
static unsigned int adjusted_word(const struct ip6_address *address, uint8_t bits)
{
	unsigned int word = SUBNET_WORD;

	if (bits <= 48)
		return word_at(address, word) == 0xffff ? WORDS : word;
	for (word = SUBNET_WORD + 1; word < WORDS; word++)
		if (word_at(address, word) != 0xffff)
			break;
	return word;
}

static bool translate(const struct ip6_address *from, const struct ip6_address *prefix,
		      uint8_t bits, uint16_t adjustment, struct ip6_address *to)
{
	struct ip6_address result = *from;
	unsigned int word = adjusted_word(from, bits);
	uint16_t value;

	if (word == WORDS)
		return false;
	value = checksum_fold((uint32_t)word_at(from, word) + adjustment).raw;
	if (value == 0xffff)
		value = 0;
	__builtin_memcpy(result.bytes + word * 2, &value, sizeof(value));
	set_prefix(&result, prefix, bits);
	*to = result;
	return true;
}

bool nptv6_outward(const struct nptv6 *nptv6, const struct ip6_address *from,
		   struct ip6_address *to)
{
	uint8_t bits = longer(nptv6);

	return has_prefix(from, &nptv6->internal, bits) &&
	       translate(from, &nptv6->external, bits, nptv6->adjustment, to);
}

bool nptv6_inward(const struct nptv6 *nptv6, const struct ip6_address *from, struct ip6_address *to)
{
	uint8_t bits = longer(nptv6);

	return has_prefix(from, &nptv6->external, bits) &&
	       translate(from, &nptv6->internal, bits, (uint16_t)~nptv6->adjustment, to);
}
