/* SPDX-License-Identifier: ISC */
/*
 * Where Xen jumps to. PV: 64-bit, paging on, %rsi = start_info. PVH: 32-bit, flat,
 * paging off, %ebx = hvm_start_info. Both end in boot_start(mode, info).
 */
#include <xen/elfnote.h>

#define BOOT_STACK_BYTES 32768
#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_WP 0x10000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800
#define PTE_TABLE 0x7
#define PTE_LARGE 0x83

.macro note type, data:vararg
	.pushsection .note.Xen, "a", @note
	.balign 4
	.long 4
	.long 2f - 1f
	.long \type
	.asciz "Xen"
1:	\data
2:	.balign 4
	.popsection
.endm

	note XEN_ELFNOTE_GUEST_OS, .asciz "ringwall"
	note XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
	note XEN_ELFNOTE_LOADER, .asciz "generic"
	note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
	note XEN_ELFNOTE_VIRT_BASE, .quad 0
	note XEN_ELFNOTE_PADDR_OFFSET, .quad 0
	note XEN_ELFNOTE_ENTRY, .quad boot_pv_entry
	note XEN_ELFNOTE_FEATURES, .asciz ""
	note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
	note XEN_ELFNOTE_PHYS32_ENTRY, .long boot_pvh_entry

	.section .text.boot, "ax"
	.code64
	.globl boot_pv_entry
boot_pv_entry:
	cld
	leaq boot_stack_top(%rip), %rsp
	xorl %ebp, %ebp
	xorl %edi, %edi
	call boot_start
	ud2

	.code32
	.globl boot_pvh_entry
boot_pvh_entry:
	cld
	movl $boot_stack_top, %esp

	/* PML4 -> PDPT -> 4 page directories: the low 4 GiB in 2 MiB pages. */
	movl $boot_pdpt + PTE_TABLE, boot_pml4
	movl $boot_pd + PTE_TABLE, %eax
	movl $boot_pdpt, %edi
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 1b
	movl $PTE_LARGE, %eax
	movl $boot_pd, %edi
	movl $2048, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b

	movl %cr4, %eax
	orl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl $(CR0_PE | CR0_MP | CR0_WP | CR0_PG), %eax
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $0x08, $1f

	.code64
1:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq boot_stack_top(%rip), %rsp
	xorl %ebp, %ebp
	movl $1, %edi
	movl %ebx, %esi
	call boot_start
	ud2

	.section .rodata
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
boot_gdt_pointer:
	.word . - boot_gdt - 1
	.long boot_gdt

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_pml4, boot_pdpt, boot_pd, boot_stack_guard, boot_stack_top
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pd:
	.skip 4096 * 4
boot_stack_guard:
	.skip 4096
	.skip BOOT_STACK_BYTES
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
