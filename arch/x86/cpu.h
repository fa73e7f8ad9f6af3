/* SPDX-License-Identifier: ISC */
/* What a CPU can be asked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One leaf, sub-leaf 0: eax, ebx, ecx, edx. */
void cpu_id(uint32_t leaf, uint32_t registers[4]);

/* 64 random bits by RDSEED or RDRAND; false when there is neither or it is exhausted. */
bool cpu_random(uint64_t *value);
