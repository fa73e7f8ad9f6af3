/* SPDX-License-Identifier: ISC */
/*
 * Exceptions end the domain: registers, cause and backtrace go to the console,
 * then the toolstack is told that we crashed, so that on_crash acts.
 */
#include "arch/x86/traps.h"

#include <stdint.h>
#include <string.h>

#include "arch/x86/backtrace.h"
#include "arch/x86/emergency.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "lib/panic.h"

#define TRAP_COUNT 22u
#define INVALID_OPCODE 6u
#define UPCALL_VECTOR 0x20u
#define KERNEL_CS_PVH 0x08u
#define TSS_SELECTOR 0x18u
#define IST_STACK_BYTES 8192u
#define GATE_INTERRUPT 0x8eu
#define CALLBACK_VIA_VECTOR (2ull << 56)

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t zero;
};

struct __attribute__((packed)) tss {
	uint32_t zero;
	uint64_t rsp[3];
	uint64_t zero1;
	uint64_t ist[7];
	uint64_t zero2;
	uint16_t zero3;
	uint16_t io_map;
};

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

extern const uint64_t trap_stubs_pvh[], trap_stubs_pv[];
extern void upcall_pvh(void), upcall_pv(void), failsafe_pv(void), idle_pvh(void);
void trap_handle(struct trap_frame *frame);

/* Where the upcall handlers find the pending flag; a private word until Xen's page is mapped. */
static struct vcpu_info vcpu_info_early;
struct vcpu_info *vcpu_info = &vcpu_info_early;

static struct gate idt[UPCALL_VECTOR + 1];
static struct tss tss;
static uint64_t gdt[5];
static struct trap_info pv_table[TRAP_COUNT + 1];
static uint8_t ist_stacks[3][IST_STACK_BYTES] __attribute__((aligned(16)));
static enum boot_mode mode;

static const char *const trap_names[TRAP_COUNT] = {
	"divide error",
	"debug",
	"NMI",
	"breakpoint",
	"overflow",
	"bound range",
	"invalid opcode",
	"no FPU",
	"double fault",
	"coprocessor",
	"invalid TSS",
	"segment not present",
	"stack segment",
	"general protection",
	"page fault",
	"reserved",
	"x87 exception",
	"alignment check",
	"machine check",
	"SIMD exception",
	"virtualization",
	"control protection",
};

static void gate_set(unsigned int vector, uint64_t handler, uint8_t ist)
{
	idt[vector] = (struct gate){
		.offset_low = (uint16_t)handler,
		.selector = KERNEL_CS_PVH,
		.ist = ist,
		.type = GATE_INTERRUPT,
		.offset_middle = (uint16_t)(handler >> 16),
		.offset_high = (uint32_t)(handler >> 32),
	};
}

static void tss_load(void)
{
	uint64_t base = (uint64_t)&tss;
	struct table_pointer pointer = { sizeof(gdt) - 1, (uint64_t)gdt };

	for (unsigned int i = 0; i < ARRAY_SIZE(ist_stacks); i++)
		tss.ist[i] = (uint64_t)ist_stacks[i] + IST_STACK_BYTES;
	tss.io_map = sizeof(tss);
	gdt[1] = 0x00af9b000000ffffull;
	gdt[2] = 0x00cf93000000ffffull;
	gdt[3] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
		 (base >> 24 & 0xff) << 56;
	gdt[4] = base >> 32;
	__asm__ volatile("lgdt %0" : : "m"(pointer));
	__asm__ volatile("ltr %0" : : "r"((uint16_t)TSS_SELECTOR));
}

static void pvh_init(void)
{
	struct table_pointer pointer = { sizeof(idt) - 1, (uint64_t)idt };
	struct xen_hvm_param callback = {
		.domid = DOMID_SELF,
		.index = HVM_PARAM_CALLBACK_IRQ,
		.value = CALLBACK_VIA_VECTOR | UPCALL_VECTOR,
	};

	for (unsigned int i = 0; i < TRAP_COUNT; i++)
		gate_set(i, trap_stubs_pvh[i], 0);
	gate_set(2, trap_stubs_pvh[2], 1);
	gate_set(8, trap_stubs_pvh[8], 2);
	gate_set(18, trap_stubs_pvh[18], 3);
	gate_set(UPCALL_VECTOR, (uint64_t)upcall_pvh, 0);
	tss_load();
	__asm__ volatile("lidt %0" : : "m"(pointer));
	if (hypercall_hvm_op(HVMOP_set_param, &callback))
		panic("Xen refuses the upcall vector");
}

static void pv_init(void)
{
	for (unsigned int i = 0; i < TRAP_COUNT; i++)
		pv_table[i] = (struct trap_info){
			.vector = (uint8_t)i,
			.cs = FLAT_KERNEL_CS,
			.address = trap_stubs_pv[i],
		};
	if (hypercall_set_trap_table(pv_table) || hypercall_set_callbacks(upcall_pv, failsafe_pv))
		panic("Xen refuses the trap table");
}

void traps_init(enum boot_mode boot_mode)
{
	mode = boot_mode;
	if (mode == BOOT_PV)
		pv_init();
	else
		pvh_init();
}

void arch_cpu_idle(void)
{
	/*
	 * The flag stays set while we are busy, which spares Xen the kicks. From
	 * here on an event sets it again and ends the wait, so: clear, look once
	 * more, and only then wait.
	 */
	write_once(vcpu_info->evtchn_upcall_pending, 0);
	memory_barrier();
	if (read_once(vcpu_info->evtchn_pending_sel))
		return;
	if (mode == BOOT_PVH) {
		idle_pvh();
		return;
	}
	/* Unmasks and waits in one step. The upcall on the way back masks again. */
	(void)hypercall_sched_op(SCHEDOP_block, NULL);
	write_once(vcpu_info->evtchn_upcall_mask, 1);
}

static uint64_t fault_address(void)
{
	uint64_t address;

	if (mode == BOOT_PV)
		return vcpu_info->arch.cr2;
	__asm__ volatile("mov %%cr2, %0" : "=r"(address));
	return address;
}

static void registers_print(const struct trap_frame *f)
{
	emergency_print("rip %016lx  cs %04lx  rflags %08lx  error %lx\n", f->rip, f->cs & 0xffff,
			f->rflags, f->error);
	emergency_print("rsp %016lx  rbp %016lx  cr2 %016lx\n", f->rsp, f->rbp, fault_address());
	emergency_print("rax %016lx  rbx %016lx  rcx %016lx\n", f->rax, f->rbx, f->rcx);
	emergency_print("rdx %016lx  rsi %016lx  rdi %016lx\n", f->rdx, f->rsi, f->rdi);
	emergency_print("r8  %016lx  r9  %016lx  r10 %016lx\n", f->r8, f->r9, f->r10);
	emergency_print("r11 %016lx  r12 %016lx  r13 %016lx\n", f->r11, f->r12, f->r13);
	emergency_print("r14 %016lx  r15 %016lx\n", f->r14, f->r15);
}

/* The compiler's own trap: what the build with SANITIZE=trap runs into. */
static bool is_ud2(const struct trap_frame *f)
{
	static const uint8_t ud2[] = { 0x0f, 0x0b };

	return f->vector == INVALID_OPCODE && f->rip >= (uint64_t)text_start &&
	       f->rip + sizeof(ud2) <= (uint64_t)text_end &&
	       memcmp((const void *)f->rip, ud2, sizeof(ud2)) == 0;
}

void trap_handle(struct trap_frame *frame)
{
	const char *name = frame->vector < TRAP_COUNT ? trap_names[frame->vector] : "unknown";

	emergency_begin();
	emergency_print("FAULT: %s (vector %lu)\n", name, frame->vector);
	if (is_ud2(frame))
		emergency_print("ud2: undefined behaviour, or a place that is never reached\n");
	registers_print(frame);
	backtrace_print(frame->rip, frame->rbp);
	emergency_crash();
}
