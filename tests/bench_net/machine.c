/* SPDX-License-Identifier: ISC */
/*
 * What the machine gives at this moment: loads of random cache lines, each of which says
 * where the next is, and many that do not wait for each other. A packet of one of 100,000
 * flows cannot cost less than its look-up's loads, and what they cost depends on who else
 * uses the caches; the tables are to be read beside these rows.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench_net/bench.h"

#define LINE_BYTES 64u
#define LOADS 1600u /* a batch: shorter than a time slice */
#define CHAINS 16u

struct line {
	struct line *next;
	uint8_t rest[LINE_BYTES - sizeof(struct line *)];
};

static struct line *const volatile *keep;

static struct line *make_ring(uint32_t lines)
{
	struct line *memory = bench_memory((size_t)lines * sizeof(*memory));
	uint32_t *order = bench_shuffled(lines, 7);

	for (uint32_t i = 0; i < lines; i++)
		memory[order[i]].next = &memory[order[i + 1 == lines ? 0 : i + 1]];
	free(order);
	return memory;
}

static void run(struct line **chains, uint32_t count)
{
	for (uint32_t i = 0; i < LOADS / count; i++)
		for (uint32_t c = 0; c < count; c++)
			chains[c] = chains[c]->next;
	keep = chains;
}

static void measure(struct line *memory, uint32_t lines, uint32_t count, const char *what)
{
	struct bench_rounds rounds = { .count = 0 };
	static struct bench_batches batches;
	struct line *chains[CHAINS];
	char name[96];

	for (uint32_t c = 0; c < count; c++)
		chains[c] = &memory[lines / count * c];
	run(chains, count);
	for (uint32_t r = 0; r < bench_options.rounds; r++) {
		for (uint32_t i = 0; i < 64; i++) {
			uint64_t start = bench_ticks();

			if (count == 1)
				run(chains, 1);
			else
				run(chains, CHAINS);
			bench_batch(&batches, bench_ns(bench_ticks() - start) / LOADS);
		}
		bench_round(&rounds, &batches);
	}
	snprintf(name, sizeof(name), "random loads in %u KiB, %s", lines * LINE_BYTES / 1024, what);
	bench_row("machine", name, "ns/load", &rounds, 0);
}

void bench_machine(void)
{
	static const uint32_t kib[] = { 256, 2048, 14336, 153600 };

	for (size_t i = 0; i < sizeof(kib) / sizeof(kib[0]); i++) {
		uint32_t lines = kib[i] * 1024 / LINE_BYTES;
		struct line *memory = make_ring(lines);

		measure(memory, lines, 1, "one after another");
		measure(memory, lines, CHAINS, "16 at once");
	}
}
