/* SPDX-License-Identifier: ISC */
/* Exceptions, the event upcall, and waiting for it. */
#pragma once

#include "arch/x86/boot.h"

/* Our vcpu_info in the shared page; set by the boot code. */
extern struct vcpu_info *vcpu_info;

/* Installs all handlers for the mode. Called once by the boot code. */
void traps_init(enum boot_mode mode);

/*
 * Waits until an event is pending or the timer fires (SCHEDOP_block; in PVH by
 * hlt, which Xen treats as the same). Returns at once when one is pending.
 */
void arch_cpu_idle(void);
