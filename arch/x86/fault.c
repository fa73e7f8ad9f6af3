/* SPDX-License-Identifier: ISC */
#include "arch/x86/fault.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "arch/x86/paging.h"
#include "lib/panic.h"

static uint8_t code_in_data[16] = { 0xc3 }; /* ret */

/* Addresses that the compiler must not reason about. */
static void *hidden(const void *p)
{
	__asm__("" : "+r"(p));
	return (void *)p;
}

static void fault_null(void)
{
	(void)*(volatile uint8_t *)hidden(NULL);
}

static void fault_text(void)
{
	*(volatile uint8_t *)hidden(text_start) = 0;
}

static void fault_data(void)
{
	void (*run)(void) = (void (*)(void))hidden(code_in_data);

	run();
}

static int overrun(volatile int depth)
{
	volatile uint8_t frame[512];

	frame[0] = (uint8_t)depth;
	return depth < 0 ? 0 : frame[0] + overrun(depth + 1) + frame[0];
}

static void fault_stack(void)
{
	(void)overrun(0);
}

static void fault_ud(void)
{
	__asm__ volatile("ud2");
}

static void fault_div(void)
{
	__asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" : : "a"(1), "d"(0) : "ecx", "cc");
}

static void fault_panic(void)
{
	panic("forced by fault=panic");
}

static void fault_canary(void)
{
	char word[16];

	memset(hidden(word), 0, sizeof(word) + 16);
}

static const struct {
	const char *name;
	void (*run)(void);
} faults[] = {
	{ "null", fault_null },	  { "text", fault_text },     { "data", fault_data },
	{ "stack", fault_stack }, { "ud", fault_ud },	      { "div", fault_div },
	{ "panic", fault_panic }, { "canary", fault_canary },
};

int fault_force(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(name, faults[i].name) != 0)
			continue;
		faults[i].run();
		panic("fault=%s was survived", name);
	}
	return -EINVAL;
}
