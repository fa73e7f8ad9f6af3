/* SPDX-License-Identifier: ISC */
#include "tests/bench_net/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#define LARGE_BYTES ((size_t)2 << 20)
#define CALIBRATION_NS 50000000ull

struct bench_options bench_options = {
	.rounds = BENCH_ROUNDS,
	.batches = 64,
	.flows_max = 1000000,
	.large_pages = true,
};

uint64_t bench_ticks(void)
{
	unsigned int core;

	return __rdtscp(&core);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double bench_ns(uint64_t ticks)
{
	static double ns_a_tick;

	if (ns_a_tick == 0) {
		uint64_t start_ns = clock_ns(), start = bench_ticks(), ns;

		do
			ns = clock_ns() - start_ns;
		while (ns < CALIBRATION_NS);
		ns_a_tick = (double)ns / (double)(bench_ticks() - start);
	}
	return (double)ticks * ns_a_tick;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, uint32_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

void bench_round(struct bench_rounds *rounds, struct bench_batches *batches)
{
	if (batches->count == 0 || rounds->count == sizeof(rounds->values) / sizeof(double))
		bench_fail("a round without batches, or too many rounds");
	rounds->values[rounds->count++] = bench_median(batches->values, batches->count);
	batches->count = 0;
}

void bench_row(const char *group, const char *name, const char *unit, struct bench_rounds *rounds,
	       double target)
{
	double median = bench_median(rounds->values, rounds->count);

	printf("%s\t%s\t%s\t%.4g\t%.4g\t%.4g\t%g\n", group, name, unit, rounds->values[0], median,
	       rounds->values[rounds->count - 1], target);
	fflush(stdout);
}

void bench_row_exact(const char *group, const char *name, const char *unit, double value,
		     double target)
{
	struct bench_rounds rounds = { .count = 1, .values = { value } };

	bench_row(group, name, unit, &rounds, target);
}

bool bench_wants(const char *group)
{
	return !bench_options.only || strcmp(bench_options.only, group) == 0;
}

void *bench_memory(size_t bytes)
{
	size_t whole = (bytes + 2 * LARGE_BYTES - 1) & ~(LARGE_BYTES - 1);
	uint8_t *memory =
		mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("no memory for %zu bytes", bytes);
	memory += -(uintptr_t)memory & (LARGE_BYTES - 1);
	/* Refused where the host has no large pages: slower, and that is then the truth. */
	(void)madvise(memory, bytes, bench_options.large_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return memory;
}

void bench_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("bench-net: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(2);
}

uint64_t bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

uint32_t *bench_shuffled(uint32_t count, uint64_t seed)
{
	uint32_t *order = malloc(count * sizeof(*order));

	if (!order)
		bench_fail("no memory for an order of %u", count);
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t k = (uint32_t)(bench_random(&seed) % i), other = order[k];

		order[k] = order[i - 1];
		order[i - 1] = other;
	}
	return order;
}
