/* SPDX-License-Identifier: ISC */
/*
 * What to do while another CPU holds a lock. Implemented by the platform: arch/ in the
 * kernel, tests/ in hosted programs.
 */
#pragma once

#include <stdint.h>

/*
 * Called again and again with how often that was so far. It first only spares the bus;
 * later it gives the CPU to whoever has none, for the one that is waited for may be
 * among them: a vCPU that the hypervisor, a thread that the system has set aside.
 */
void relax_cpu(uint32_t spins);
