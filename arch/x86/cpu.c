/* SPDX-License-Identifier: ISC */
#include "arch/x86/cpu.h"

#define LEAF_FEATURES 1u
#define ECX_RDRAND (1u << 30)
#define TRIES 16u

void cpu_id(uint32_t leaf, uint32_t registers[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]),
			   "=d"(registers[3])
			 : "a"(leaf), "c"(0));
}

bool cpu_random(uint64_t *value)
{
	uint32_t registers[4];

	cpu_id(LEAF_FEATURES, registers);
	if (!(registers[2] & ECX_RDRAND))
		return false;
	for (unsigned int i = 0; i < TRIES; i++) {
		bool good;

		__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(good));
		if (good)
			return true;
	}
	return false;
}
