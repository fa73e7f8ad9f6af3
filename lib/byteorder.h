/* SPDX-License-Identifier: ISC */
/*
 * Numbers in network byte order. They are structs of one member, so that a raw
 * addition or comparison with a host number does not compile, and packed, so
 * that they can lie anywhere in a packet.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct __attribute__((packed)) {
	uint16_t raw;
} be16;

typedef struct __attribute__((packed)) {
	uint32_t raw;
} be32;

/* Host order to network order. */
static inline be16 be16_of(uint16_t host)
{
	return (be16){ __builtin_bswap16(host) };
}

static inline be32 be32_of(uint32_t host)
{
	return (be32){ __builtin_bswap32(host) };
}

/* Network order to host order. */
static inline uint16_t be16_get(be16 wire)
{
	return __builtin_bswap16(wire.raw);
}

static inline uint32_t be32_get(be32 wire)
{
	return __builtin_bswap32(wire.raw);
}

static inline bool be16_equal(be16 a, be16 b)
{
	return a.raw == b.raw;
}

static inline bool be32_equal(be32 a, be32 b)
{
	return a.raw == b.raw;
}

/* Word i of what may lie anywhere: in a register, and never by a call or an array. */
static inline uint64_t word64_at(const void *what, unsigned int i)
{
	uint64_t word;

	__builtin_memcpy(&word, (const uint8_t *)what + i * sizeof(word), sizeof(word));
	return word;
}
