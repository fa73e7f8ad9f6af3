/* SPDX-License-Identifier: ISC */
/*
 * The switch between stacks for arch/x86/context.h in a process. Not swapcontext():
 * that one asks the system for the signal mask at every switch.
 */
	.text

/* void context_switch(struct context *from, struct context *to) */
	.balign 16
	.globl context_switch
	.type context_switch, @function
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
	.size context_switch, . - context_switch

/* The first return of a new context lands here: entry in %rbx, argument in %r12. */
	.globl context_begin
	.type context_begin, @function
context_begin:
	movq %r12, %rdi
	xorl %ebp, %ebp
	andq $-16, %rsp
	call *%rbx
	ud2
	.size context_begin, . - context_begin

	.section .note.GNU-stack, "", @progbits
