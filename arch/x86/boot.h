/* SPDX-License-Identifier: ISC */
/*
 * What the boot code learned from Xen, in one form for PV and PVH.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

enum boot_mode { BOOT_PV, BOOT_PVH };

struct boot_info {
	enum boot_mode mode;
	bool initial_domain; /* no toolstack above us: no xenstore */
	const char *cmdline; /* NUL-terminated, ours */
	const void *module;  /* the ramdisk; NULL: none */
	size_t module_bytes;
	size_t ram_bytes; /* RAM the domain has */
	void *store_ring; /* NULL: none */
	uint32_t store_evtchn;
	void *console_ring; /* NULL: none */
	uint32_t console_evtchn;
	struct shared_info *shared;
	uint64_t entry_ns; /* Xen's time when the kernel was entered */
};

/* Valid from the moment kernel_main() is called; lives for ever. */
const struct boot_info *boot_info_get(void);

/* "pv" or "pvh". */
const char *boot_mode_name(enum boot_mode mode);

/* Supplied by the layer above: never returns. Called on the boot stack. */
_Noreturn void kernel_main(const struct boot_info *info);
