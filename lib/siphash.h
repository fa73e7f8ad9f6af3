/* SPDX-License-Identifier: ISC */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash for tables whose keys a
 * neighbour chooses. The key is random for each boot.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

/* 64-bit hash of `bytes` bytes. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t bytes);
