/* SPDX-License-Identifier: ISC */
/*
 * The smallest guest: says where it runs, waits a second by the timer, and powers
 * off. A first thing to try on a new host.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "arch/x86/emergency.h"
#include "arch/x86/fault.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/memory.h"
#include "arch/x86/traps.h"

#define SECOND_NS 1000000000ul

static void timer_bind(struct shared_info *shared)
{
	struct evtchn_bind_virq bind = { .virq = VIRQ_TIMER };

	if (hypercall_event_channel_op(EVTCHNOP_bind_virq, &bind))
		emergency_print("no timer\n");
	shared->evtchn_mask[bind.port / 64] &= ~(1ul << bind.port % 64);
}

static void wait_until(struct shared_info *shared, uint64_t deadline)
{
	clock_set_deadline(deadline);
	while (clock_now_ns() < deadline) {
		arch_cpu_idle();
		shared->vcpu_info[0].evtchn_pending_sel = 0;
		memset(shared->evtchn_pending, 0, sizeof(shared->evtchn_pending));
	}
}

void kernel_main(const struct boot_info *info)
{
	struct sched_shutdown off = { .reason = SHUTDOWN_poweroff };

	emergency_print("hello from %s, %zu KiB RAM, %zu pages free, entered %" PRIu64 " us ago\n",
			boot_mode_name(info->mode), info->ram_bytes / 1024, memory_free_pages(),
			(clock_now_ns() - info->entry_ns) / 1000);
	emergency_print("command line \"%s\", ramdisk %zu bytes, wall clock %" PRIu64 " s\n",
			info->cmdline, info->module_bytes, clock_wall_ns() / SECOND_NS);
	if (strncmp(info->cmdline, "fault=", 6) == 0 && fault_force(info->cmdline + 6))
		emergency_print("no such fault\n");
	memset(info->shared->evtchn_mask, 0xff, sizeof(info->shared->evtchn_mask));
	timer_bind(info->shared);
	wait_until(info->shared, clock_now_ns() + SECOND_NS);
	emergency_print("one second later\n");
	for (;;)
		(void)hypercall_sched_op(SCHEDOP_shutdown, &off);
}
