/* SPDX-License-Identifier: ISC */
/*
 * Exceptions and the event upcall. All stubs build the same struct trap_frame.
 * Xen's PV frames carry %rcx and %r11 below the hardware frame.
 */
#define VCPU_UPCALL_PENDING 0
#define FRAME_RIP 0
#define FRAME_CS 8
#define FRAME_RFLAGS 16
#define FRAME_SS 32
#define RFLAGS_IF 0x200

	.text
	.code64

.macro push_registers
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

trap_common:
	push_registers
	cld
	movq %rsp, %rdi
	andq $-16, %rsp
	xorl %ebp, %ebp
	call trap_handle
	ud2

/* One stub a mode and vector, and its address in the mode's table. */
.macro stub vector, has_error=0
	.balign 16
1:	.if \has_error == 0
	pushq $0
	.endif
	pushq $\vector
	jmp trap_common
2:	popq %rcx
	popq %r11
	.if \has_error == 0
	pushq $0
	.endif
	pushq $\vector
	jmp trap_common
	.pushsection .rodata.trap_pvh, "a"
	.quad 1b
	.popsection
	.pushsection .rodata.trap_pv, "a"
	.quad 2b
	.popsection
.endm

	.pushsection .rodata.trap_pvh, "a"
	.balign 8
	.globl trap_stubs_pvh
trap_stubs_pvh:
	.popsection
	.pushsection .rodata.trap_pv, "a"
	.balign 8
	.globl trap_stubs_pv
trap_stubs_pv:
	.popsection

	stub 0
	stub 1
	stub 2
	stub 3
	stub 4
	stub 5
	stub 6
	stub 7
	stub 8, 1
	stub 9
	stub 10, 1
	stub 11, 1
	stub 12, 1
	stub 13, 1
	stub 14, 1
	stub 15
	stub 16
	stub 17, 1
	stub 18
	stub 19
	stub 20
	stub 21, 1

/*
 * The event upcall only ends a wait: it clears the pending flag and goes back
 * with upcalls off, as they are everywhere outside of the idle instruction. The
 * loop finds the events in the shared page.
 */
	.balign 16
	.globl upcall_pvh
upcall_pvh:
	pushq %rax
	movq vcpu_info(%rip), %rax
	movb $0, VCPU_UPCALL_PENDING(%rax)
	/*
	 * The shadow of sti should keep us away from the hlt behind it, but an exit to
	 * the hypervisor between the two can lose it (seen under emulation). A hlt with
	 * interrupts off would power the domain off, so it is stepped over.
	 */
	leaq idle_pvh_halt(%rip), %rax
	cmpq %rax, 8 + FRAME_RIP(%rsp)
	jne 1f
	incq 8 + FRAME_RIP(%rsp)
1:	popq %rax
	andq $~RFLAGS_IF, FRAME_RFLAGS(%rsp)
	iretq

/*
 * Xen masked upcalls when it delivered this one; a plain iretq leaves them so. Its
 * frame says privilege level 0, which is Xen's way to mark the kernel; we run in 3.
 */
	.balign 16
	.globl upcall_pv
upcall_pv:
	pushq %rax
	movq vcpu_info(%rip), %rax
	movb $0, VCPU_UPCALL_PENDING(%rax)
	popq %rax
	popq %rcx
	popq %r11
	orb $3, FRAME_CS(%rsp)
	orb $3, FRAME_SS(%rsp)
	iretq

/* Xen could not load a segment register on the way back: we never change one. */
	.globl failsafe_pv
failsafe_pv:
	ud2

/* Waits with interrupts on; the shadow of sti covers hlt, so no event slips between. */
	.balign 16
	.globl idle_pvh
idle_pvh:
	sti
idle_pvh_halt:
	hlt
	cli
	ret

/* void context_switch(struct context *from, struct context *to) */
	.balign 16
	.globl context_switch
context_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq (%rsi), %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

/* The first return of a new context lands here: entry in %rbx, argument in %r12. */
	.globl context_begin
context_begin:
	movq %r12, %rdi
	xorl %ebp, %ebp
	call *%rbx
	ud2

	.section .note.GNU-stack, "", @progbits
