/* SPDX-License-Identifier: ISC */
/*
 * Hypercalls, inline (no hypercall page: XSA-466). PV enters Xen by syscall, PVH
 * by vmcall or vmmcall as the CPU's vendor has it. Results are Xen's: 0 or a
 * count, or a negative errno with Xen's numbers (<xen/errno.h>, Linux's values).
 */
#pragma once

#include <stdint.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "lib/compiler.h"

enum hypercall_kind { HYPERCALL_SYSCALL, HYPERCALL_VMCALL, HYPERCALL_VMMCALL };

/* Set once by the boot code before the first hypercall. */
extern enum hypercall_kind hypercall_kind;

static inline long hypercall(long number, unsigned long a1, unsigned long a2, unsigned long a3,
			     unsigned long a4, unsigned long a5)
{
	long result = number;
	register unsigned long r10 __asm__("r10") = a4;
	register unsigned long r8 __asm__("r8") = a5;

	if (hypercall_kind == HYPERCALL_SYSCALL)
		__asm__ volatile("syscall"
				 : "+a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
				 :
				 : "rcx", "r11", "memory");
	else if (hypercall_kind == HYPERCALL_VMCALL)
		__asm__ volatile("vmcall"
				 : "+a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
				 :
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "+a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
				 :
				 : "memory");
	return result;
}

static inline unsigned long hypercall_pointer(const void *p)
{
	return (unsigned long)p;
}

static inline long hypercall_sched_op(unsigned int command, void *argument)
{
	return hypercall(__HYPERVISOR_sched_op, command, hypercall_pointer(argument), 0, 0, 0);
}

static inline long hypercall_event_channel_op(unsigned int command, void *argument)
{
	return hypercall(__HYPERVISOR_event_channel_op, command, hypercall_pointer(argument), 0, 0,
			 0);
}

static inline long hypercall_grant_table_op(unsigned int command, void *ops, unsigned int count)
{
	return hypercall(__HYPERVISOR_grant_table_op, command, hypercall_pointer(ops), count, 0, 0);
}

static inline long hypercall_memory_op(unsigned int command, void *argument)
{
	return hypercall(__HYPERVISOR_memory_op, command, hypercall_pointer(argument), 0, 0, 0);
}

static inline long hypercall_vcpu_op(unsigned int command, unsigned int vcpu, void *argument)
{
	return hypercall(__HYPERVISOR_vcpu_op, command, vcpu, hypercall_pointer(argument), 0, 0);
}

static inline long hypercall_hvm_op(unsigned int command, void *argument)
{
	return hypercall(__HYPERVISOR_hvm_op, command, hypercall_pointer(argument), 0, 0, 0);
}

static inline long hypercall_xen_version(unsigned int command, void *argument)
{
	return hypercall(__HYPERVISOR_xen_version, command, hypercall_pointer(argument), 0, 0, 0);
}

static inline long hypercall_console_io(unsigned int command, unsigned int bytes, const char *text)
{
	return hypercall(__HYPERVISOR_console_io, command, bytes, hypercall_pointer(text), 0, 0);
}

/* PV only. */
static inline long hypercall_mmu_update(struct mmu_update *updates, unsigned int count)
{
	return hypercall(__HYPERVISOR_mmu_update, hypercall_pointer(updates), count, 0, DOMID_SELF,
			 0);
}

static inline long hypercall_update_va_mapping(unsigned long va, uint64_t pte, unsigned long flags)
{
	return hypercall(__HYPERVISOR_update_va_mapping, va, pte, flags, 0, 0);
}

static inline long hypercall_set_trap_table(const struct trap_info *table)
{
	return hypercall(__HYPERVISOR_set_trap_table, hypercall_pointer(table), 0, 0, 0, 0);
}

static inline long hypercall_set_callbacks(void (*event)(void), void (*failsafe)(void))
{
	return hypercall(__HYPERVISOR_set_callbacks, (unsigned long)event, (unsigned long)failsafe,
			 0, 0, 0);
}
