/* SPDX-License-Identifier: ISC */
/*
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
 * Sums are running 32-bit sums of 16-bit words in network order as they lie in
 * memory; fold and complement once at the end. What takes a few instructions is here, for
 * every packet that is translated needs some of it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"

/* Adds `bytes` bytes (at most 65,535; odd allowed only in the last part) to `sum`. */
uint32_t checksum_add(uint32_t sum, const void *data, size_t bytes);

/*
 * The same as a sum of 64-bit words, each carry added at the other end: where checksum_add()
 * spends its time. An image may link one made for its processor; lib/'s own is always there
 * by its second name.
 */
uint64_t checksum_bytes(uint64_t sum, const void *data, size_t bytes);
uint64_t checksum_bytes_portable(uint64_t sum, const void *data, size_t bytes);

/* 64 or 32 bits to a sum of fewer bits that means the same. */
static inline uint32_t checksum_fold64(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	return (uint32_t)sum;
}

static inline uint16_t checksum_fold32(uint32_t sum)
{
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)sum;
}

/* Adds one 16-bit or 32-bit field. */
static inline uint32_t checksum_add_be16(uint32_t sum, be16 value)
{
	return checksum_fold64((uint64_t)sum + value.raw);
}

static inline uint32_t checksum_add_be32(uint32_t sum, be32 value)
{
	return checksum_fold64((uint64_t)sum + value.raw);
}

/* The sum of an IPv4 pseudo-header: addresses, protocol, transport length (host order). */
uint32_t checksum_pseudo_ip4(be32 source, be32 destination, uint8_t protocol, uint16_t length);

/* The same of IPv6 (RFC 8200 section 8.1): addresses of 16 bytes each. */
uint32_t checksum_pseudo_ip6(const uint8_t *source, const uint8_t *destination, uint8_t protocol,
			     uint16_t length);

/* Folds to 16 bits without complement (what a blank checksum field holds). */
static inline be16 checksum_fold(uint32_t sum)
{
	return (be16){ checksum_fold32(sum) };
}

/* Folds and complements: the value for a checksum field. */
static inline be16 checksum_finish(uint32_t sum)
{
	return (be16){ (uint16_t)~checksum_fold32(sum) };
}

/*
 * RFC 1624 eqn. 3, HC' = ~(~HC + ~m + m'): the checksum field after a 16-bit or 32-bit
 * field changed from `from` to `to`. For a complemented (ordinary) checksum field.
 */
static inline be16 checksum_replace_be16(be16 field, be16 from, be16 to)
{
	uint32_t sum = (uint16_t)~field.raw;

	sum += (uint16_t)~from.raw;
	sum += to.raw;
	return checksum_finish(sum);
}

static inline be16 checksum_replace_be32(be16 field, be32 from, be32 to)
{
	uint64_t sum = (uint16_t)~field.raw;

	sum += (uint32_t)~from.raw;
	sum += to.raw;
	return checksum_finish(checksum_fold64(sum));
}
