/* SPDX-License-Identifier: ISC */
/*
 * SipHash (Aumasson, Bernstein 2012): a keyed hash for tables whose keys a neighbour
 * chooses. The key is random for each boot.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

/* 64-bit hash of `bytes` bytes: SipHash-2-4. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t bytes);

/*
 * SipHash-1-3 of 16 and of 48 bytes, for what is done for every packet. A table shows
 * nothing of its hashes but, at most, how full a bucket is: the rounds that make a
 * message authentication code are not needed there.
 */
uint64_t siphash13_16(const struct siphash_key *key, const void *data);
uint64_t siphash13_48(const struct siphash_key *key, const void *data);
