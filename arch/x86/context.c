/* SPDX-License-Identifier: ISC */
#include "arch/x86/context.h"

#include <stdint.h>

void context_begin(void);

/* The stack looks as if context_switch() had been called by context_begin(). */
void context_init(struct context *context, void *stack_top, void (*entry)(void *argument),
		  void *argument)
{
	uint64_t *sp = stack_top;

	*--sp = 0;
	*--sp = (uint64_t)context_begin;
	*--sp = 0;		    /* rbp */
	*--sp = (uint64_t)entry;    /* rbx */
	*--sp = (uint64_t)argument; /* r12 */
	*--sp = 0;		    /* r13 */
	*--sp = 0;		    /* r14 */
	*--sp = 0;		    /* r15 */
	context->sp = sp;
}
