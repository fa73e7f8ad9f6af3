/* SPDX-License-Identifier: ISC */
/*
 * An address of either version, as bytes in network order. An IPv4 address is the first
 * four bytes; the rest is zero, so that two addresses are equal when all bytes are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/byteorder.h"

struct ip_address {
	uint8_t bytes[16];
	uint8_t version; /* 4, 6, or 0 for none */
};

/* An address as a number that can be compared and counted, in host order. */
typedef unsigned __int128 ip_number;

static inline struct ip_address ip_address_of4(be32 address)
{
	struct ip_address result = { .version = 4 };

	memcpy(result.bytes, &address, sizeof(address));
	return result;
}

/* The IPv4 address; `address` must be one. */
static inline be32 ip_address_get4(const struct ip_address *address)
{
	be32 result;

	memcpy(&result, address->bytes, sizeof(result));
	return result;
}

/* `bytes`: 16 of them, as on the wire. */
static inline struct ip_address ip_address_of6(const uint8_t *bytes)
{
	struct ip_address result = { .version = 6 };

	memcpy(result.bytes, bytes, sizeof(result.bytes));
	return result;
}

static inline bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return a->version == b->version && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Bits in an address of this version. */
static inline unsigned int ip_address_bits(uint8_t version)
{
	return version == 4 ? 32 : 128;
}

/* The number of an IPv6 address's 16 bytes. */
static inline ip_number ip_number_of6(const uint8_t *bytes)
{
	uint64_t high, low;

	memcpy(&high, bytes, 8);
	memcpy(&low, bytes + 8, 8);
	return (ip_number)__builtin_bswap64(high) << 64 | __builtin_bswap64(low);
}

/* An IPv4 address gives a number below 2^32. */
static inline ip_number ip_address_number(const struct ip_address *address)
{
	if (address->version == 4)
		return be32_get(ip_address_get4(address));
	return ip_number_of6(address->bytes);
}

/* The bits of a `version` address behind its first `prefix` ones, all set. */
static inline ip_number ip_number_host_bits(uint8_t version, uint8_t prefix)
{
	unsigned int bits = ip_address_bits(version) - prefix;

	return bits >= 128 ? ~(ip_number)0 : ((ip_number)1 << bits) - 1;
}

/* Clears the bits behind the first `prefix` ones. */
static inline void ip_address_mask(struct ip_address *address, uint8_t prefix)
{
	for (unsigned int bit = prefix; bit < 128; bit = (bit | 7) + 1)
		address->bytes[bit / 8] &= (uint8_t)(0xff00 >> (bit % 8));
}
