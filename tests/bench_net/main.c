/* SPDX-License-Identifier: ISC */
/* Usage: bench-net [--only GROUP] [--rounds N] [--flows MAX] [--small-pages] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench_net/bench.h"

/* The kernel's flags name the stack protector's guard so. */
extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard = 0x595e9fbd94fda766u;

static const struct {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "machine", bench_machine },	{ "established", bench_established },
	{ "decision", bench_decision }, { "new-flows", bench_new_flows },
	{ "checksum", bench_checksum }, { "memory", bench_memory_use },
};

static uint32_t number(const char *text, uint32_t least, uint32_t most)
{
	char *end;
	unsigned long value = text ? strtoul(text, &end, 10) : 0;

	if (!text || *end || value < least || value > most)
		bench_fail("wants a number from %u to %u", least, most);
	return (uint32_t)value;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--only") == 0)
			bench_options.only = argv[++i];
		else if (strcmp(argv[i], "--rounds") == 0)
			bench_options.rounds = number(argv[++i], 1, 60);
		else if (strcmp(argv[i], "--batches") == 0)
			bench_options.batches = number(argv[++i], 1, BENCH_BATCHES_MAX);
		else if (strcmp(argv[i], "--flows") == 0)
			bench_options.flows_max = number(argv[++i], 100, 10000000);
		else if (strcmp(argv[i], "--small-pages") == 0)
			bench_options.large_pages = false;
		else
			bench_fail("what is %s?", argv[i]);
	}
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (bench_wants(groups[i].name))
			groups[i].run();
	return 0;
}
