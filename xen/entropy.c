/* SPDX-License-Identifier: ISC */
#include "xen/entropy.h"

#include <stdbool.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "lib/random.h"

#define JITTER_ROUNDS 64u

void entropy_gather(uint8_t seed[32])
{
	struct random random;
	xen_domain_handle_t uuid;
	uint64_t word;

	memset(seed, 0, RANDOM_SEED_BYTES);
	random_init(&random, seed);
	for (unsigned int i = 0; i < 8; i++)
		if (cpu_random(&word))
			random_add(&random, &word, sizeof(word));
	for (unsigned int i = 0; i < JITTER_ROUNDS; i++) {
		word = clock_cycles();
		random_add(&random, &word, sizeof(word));
	}
	word = clock_now_ns();
	random_add(&random, &word, sizeof(word));
	word = clock_wall_ns();
	random_add(&random, &word, sizeof(word));
	if (hypercall_xen_version(XENVER_guest_handle, &uuid) == 0)
		random_add(&random, &uuid, sizeof(uuid));
	random_bytes(&random, seed, RANDOM_SEED_BYTES);
}
