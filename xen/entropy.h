/* SPDX-License-Identifier: ISC */
#pragma once

#include <stdint.h>

/*
 * Fills a seed for random_init() from what the machine has: RDSEED or RDRAND where
 * the CPU offers them, the jitter of the cycle counter, Xen's times, and the domain's
 * UUID. Mixed by ChaCha20, so that one good source is enough.
 */
void entropy_gather(uint8_t seed[32]);
