/* SPDX-License-Identifier: ISC */
/*
 * From Xen's entry to kernel_main(): what mode this is, how to call the
 * hypervisor, where memory, command line, ramdisk and the two rings are.
 */
#include <stdint.h>
#include <string.h>

#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "arch/x86/cpu.h"
#include "arch/x86/emergency.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "arch/x86/traps.h"
#include "lib/panic.h"

#define CMDLINE_BYTES 2048u
#define MAX_RANGES 16u
#define FOUR_GIB (1ull << 32)
#define GIB (1ull << 30)

enum hypercall_kind hypercall_kind;

static struct boot_info info;
static char cmdline[CMDLINE_BYTES];
static struct memory_range ram[MAX_RANGES];
static size_t ram_count;
static struct memory_range reserved[MAX_RANGES];
static size_t reserved_count;

_Noreturn void boot_start(unsigned int is_pvh, uint64_t start);

const struct boot_info *boot_info_get(void)
{
	return &info;
}

const char *boot_mode_name(enum boot_mode mode)
{
	return mode == BOOT_PV ? "pv" : "pvh";
}

static void range_add(struct memory_range *ranges, size_t *count, uint64_t start, uint64_t end)
{
	if (start < end && *count < MAX_RANGES)
		ranges[(*count)++] = (struct memory_range){ start, end };
}

static void reserve(uint64_t start, uint64_t bytes)
{
	range_add(reserved, &reserved_count, start & ~(PAGE_BYTES - 1),
		  (start + bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
}

static void cmdline_copy(const char *from)
{
	size_t length = from ? strnlen(from, sizeof(cmdline) - 1) : 0;

	if (from)
		memcpy(cmdline, from, length);
	cmdline[length] = '\0';
	info.cmdline = cmdline;
}

/* Xen's leaves may be moved up by a Viridian interface in front of them. */
static bool xen_is_present(void)
{
	uint32_t r[4];

	for (uint32_t leaf = XEN_CPUID_FIRST_LEAF; leaf < XEN_CPUID_FIRST_LEAF + 0x10000;
	     leaf += 0x100) {
		cpu_id(leaf, r);
		if (r[1] == XEN_CPUID_SIGNATURE_EBX && r[2] == XEN_CPUID_SIGNATURE_ECX &&
		    r[3] == XEN_CPUID_SIGNATURE_EDX)
			return true;
	}
	return false;
}

static enum hypercall_kind hypercall_kind_of_cpu(void)
{
	static const uint32_t intel = 0x756e6547, zhaoxin = 0x68532020, centaur = 0x746e6543;
	uint32_t r[4];

	cpu_id(0, r);
	if (r[1] == intel || r[1] == zhaoxin || r[1] == centaur)
		return HYPERCALL_VMCALL;
	return HYPERCALL_VMMCALL;
}

/* ---- PV ---- */

static void pv_learn(struct start_info *start)
{
	const uint64_t *machine_to_phys = (const uint64_t *)HYPERVISOR_VIRT_START;

	info.mode = BOOT_PV;
	info.initial_domain = start->flags & SIF_INITDOMAIN;
	info.ram_bytes = start->nr_pages * PAGE_BYTES;
	cmdline_copy((const char *)start->cmd_line);
	if (start->mod_start) {
		info.module = (const void *)start->mod_start;
		info.module_bytes = start->mod_len;
	}
	if (!info.initial_domain) {
		info.store_ring = (void *)(machine_to_phys[start->store_mfn] * PAGE_BYTES);
		info.store_evtchn = start->store_evtchn;
		info.console_ring = (void *)(machine_to_phys[start->console.domU.mfn] * PAGE_BYTES);
		info.console_evtchn = start->console.domU.evtchn;
	}
	range_add(ram, &ram_count, PAGE_BYTES, info.ram_bytes);
	/* The builder lays out image, ramdisk, p2m, start_info, rings, tables in one run. */
	reserve((uint64_t)image_start,
		start->pt_base + start->nr_pt_frames * PAGE_BYTES - (uint64_t)image_start);
	reserve((uint64_t)start, sizeof(*start));
	reserve(start->mfn_list, start->nr_pages * sizeof(uint64_t));
	reserve(start->mod_start, start->mod_len);
	paging_pv_init(start);
	paging = &paging_pv;
}

static void pv_map_shared(uint64_t machine_address)
{
	info.shared = window_alloc(1);
	if (!info.shared || hypercall_update_va_mapping((unsigned long)info.shared,
							machine_address | PAGING_RW_NX | PTE_USER,
							UVMF_INVLPG | UVMF_ALL))
		panic("cannot map shared_info");
}

/* ---- PVH ---- */

static void pvh_add_ram(uint64_t start, uint64_t bytes)
{
	range_add(ram, &ram_count, start ? start : PAGE_BYTES, start + bytes);
	info.ram_bytes += bytes;
}

/* Version 0 of hvm_start_info has no memory map: Xen is asked instead. */
static void pvh_ask_memory(void)
{
	static struct {
		uint64_t start;
		uint64_t bytes;
		uint32_t type;
	} __attribute__((packed)) map[MAX_RANGES];
	struct xen_memory_map request = { .nr_entries = MAX_RANGES };
	const uint32_t type_ram = 1; /* as in the BIOS's E820 */

	set_xen_guest_handle(request.buffer, (void *)map);
	if (hypercall_memory_op(XENMEM_memory_map, &request))
		panic("Xen gives no memory map");
	for (unsigned int i = 0; i < request.nr_entries && i < MAX_RANGES; i++)
		if (map[i].type == type_ram)
			pvh_add_ram(map[i].start, map[i].bytes);
}

static void pvh_learn_memory(const struct hvm_start_info *start)
{
	const struct hvm_memmap_table_entry *map = (const void *)start->memmap_paddr;

	if (start->version < 1 || start->memmap_entries == 0) {
		pvh_ask_memory();
		return;
	}
	for (uint32_t i = 0; i < start->memmap_entries; i++)
		if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM)
			pvh_add_ram(map[i].addr, map[i].size);
	reserve(start->memmap_paddr, start->memmap_entries * sizeof(*map));
}

static uint64_t hvm_parameter(uint32_t index)
{
	struct xen_hvm_param parameter = { .domid = DOMID_SELF, .index = index };

	if (hypercall_hvm_op(HVMOP_get_param, &parameter))
		return 0;
	return parameter.value;
}

static void pvh_learn(const struct hvm_start_info *start)
{
	const struct hvm_modlist_entry *modules = (const void *)start->modlist_paddr;

	info.mode = BOOT_PVH;
	info.initial_domain = start->flags & SIF_INITDOMAIN;
	cmdline_copy((const char *)start->cmdline_paddr);
	pvh_learn_memory(start);
	reserve((uint64_t)image_start, (uint64_t)image_end - (uint64_t)image_start);
	reserve((uint64_t)start, sizeof(*start));
	if (start->nr_modules && modules) {
		info.module = (const void *)modules[0].paddr;
		info.module_bytes = modules[0].size;
		reserve(modules[0].paddr, modules[0].size);
	}
	if (!info.initial_domain) {
		info.store_ring = (void *)(hvm_parameter(HVM_PARAM_STORE_PFN) * PAGE_BYTES);
		info.store_evtchn = (uint32_t)hvm_parameter(HVM_PARAM_STORE_EVTCHN);
		info.console_ring = (void *)(hvm_parameter(HVM_PARAM_CONSOLE_PFN) * PAGE_BYTES);
		info.console_evtchn = (uint32_t)hvm_parameter(HVM_PARAM_CONSOLE_EVTCHN);
	}
	paging = &paging_pvh;
}

static void pvh_map_shared(void)
{
	struct xen_add_to_physmap add = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info };

	info.shared = window_alloc(1);
	add.gpfn = (uint64_t)info.shared / PAGE_BYTES;
	if (!info.shared || hypercall_memory_op(XENMEM_add_to_physmap, &add))
		panic("cannot map shared_info");
}

static uint64_t ram_end(void)
{
	uint64_t end = 0;

	for (size_t i = 0; i < ram_count; i++)
		if (ram[i].end > end)
			end = ram[i].end;
	return end;
}

static void memory_start(void)
{
	uint64_t end = ram_end();
	uint64_t above = end > FOUR_GIB ? end : FOUR_GIB;

	memory_window_base = (above + GIB - 1) & ~(GIB - 1);
	memory_init_regions(ram, ram_count, reserved, reserved_count);
	paging->finish(end, memory_window_base);
}

void boot_start(unsigned int is_pvh, uint64_t start)
{
	const struct start_info *pv_start = (const struct start_info *)start;
	uint64_t entry_cycles = clock_cycles();

	if (is_pvh) {
		if (!xen_is_present())
			emergency_stop_without_xen();
		hypercall_kind = hypercall_kind_of_cpu();
		pvh_learn((const struct hvm_start_info *)start);
	} else {
		hypercall_kind = HYPERCALL_SYSCALL;
		pv_learn((struct start_info *)start);
	}
	traps_init(info.mode);
	memory_start();
	if (is_pvh)
		pvh_map_shared();
	else
		pv_map_shared(pv_start->shared_info);
	vcpu_info = &info.shared->vcpu_info[0];
	vcpu_info->evtchn_upcall_mask = 1;
	info.entry_ns = clock_now_ns() - clock_cycles_to_ns(clock_cycles() - entry_cycles);
	kernel_main(&info);
}
