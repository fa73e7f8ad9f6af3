/* SPDX-License-Identifier: ISC */
/*
 * From the boot code to the configuration: brings up the parts of this folder in
 * order, and then runs the loop.
 */
#include "xen/start.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

extern uintptr_t __stack_chk_guard;

static uint64_t since_entry_ns(void)
{
	return clock_now_ns() - boot_info_get()->entry_ns;
}

static void guest_fiber(void *argument)
{
	const struct boot_info *info = boot_info_get();

	(void)argument;
	if (!info->initial_domain) {
		int error = store_reset_watches();

		if (error)
			log_line(LOG_WARNING, "store", "old watches are not reset: error %d",
				 error);
	}
	guest_main(info->cmdline, info->module, info->module_bytes);
}

/* Never returns, so the canary may change under it. */
void kernel_main(const struct boot_info *info)
{
	uint64_t word = 0;

	(void)cpu_random(&word);
	/* The lowest byte stays zero: an overrun string cannot write it back. */
	__stack_chk_guard = (word ^ clock_cycles() * 0x9e3779b97f4a7c15ull) << 8;
	evtchn_init();
	console_init();
	log_init(console_write, since_entry_ns);
	log_line(LOG_INFO, "boot", "ringwall, %s, %zu KiB", boot_mode_name(info->mode),
		 info->ram_bytes / 1024);
	if (gnttab_init())
		panic("no grant table");
	loop_init();
	if (loop_bind_timer())
		panic("no timer");
	if (store_init() && !info->initial_domain)
		panic("no xenstore");
	if (fiber_start("main", guest_fiber, NULL))
		panic("no memory for the first fiber");
	loop_run();
	panic("the loop ended");
}
