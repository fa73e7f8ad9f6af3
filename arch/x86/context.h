/* SPDX-License-Identifier: ISC */
/*
 * Switching between stacks. Only callee-saved registers are kept; it is an
 * ordinary function call for the compiler.
 */
#pragma once

struct context {
	void *sp;
};

/* Prepares `context` to run entry(argument) on a stack that ends at `stack_top`
 * (16-byte aligned). entry must never return. */
void context_init(struct context *context, void *stack_top, void (*entry)(void *argument),
		  void *argument);

/* Goes on in `to`; returns when somebody switches back to `from`. */
void context_switch(struct context *from, struct context *to);
