/* SPDX-License-Identifier: ISC */
/*
 * What the measurements share: rounds of samples, rows of results, and a clock.
 *
 * A row is one line of tab-separated text on standard output; tests/bench_net/run turns
 * the rows into tables. A round's value is the median of its batches, so that a batch
 * that another process interrupted counts for nothing; a row has the least, the median
 * and the greatest of its rounds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_ROUNDS 15u
#define BENCH_BATCHES_MAX 8192u

struct bench_options {
	uint32_t rounds;
	uint32_t batches;   /* a round */
	uint32_t flows_max; /* larger tables are left out */
	const char *only;   /* a group, or NULL */
	bool large_pages;   /* tables in 2 MiB pages, as a PVH guest has them */
};

extern struct bench_options bench_options;

struct bench_batches {
	uint32_t count;
	double values[BENCH_BATCHES_MAX];
};

struct bench_rounds {
	uint32_t count;
	double values[64];
};

/* Time stamps in ticks, and how long they are. */
uint64_t bench_ticks(void);
double bench_ns(uint64_t ticks);

static inline void bench_batch(struct bench_batches *batches, double value)
{
	if (batches->count < BENCH_BATCHES_MAX)
		batches->values[batches->count++] = value;
}

/* Ends a round: its median joins the rounds, and the batches are empty again. */
void bench_round(struct bench_rounds *rounds, struct bench_batches *batches);

double bench_median(double *values, uint32_t count);

/*
 * Prints a row. `target` is what the median is to reach in `unit`: at most when
 * positive, at least when negative, none when 0.
 */
void bench_row(const char *group, const char *name, const char *unit, struct bench_rounds *rounds,
	       double target);

/* A row with one exact value. */
void bench_row_exact(const char *group, const char *name, const char *unit, double value,
		     double target);

/* Is the group to be measured? */
bool bench_wants(const char *group);

/* Memory for a table, zeroed, in pages as the options say; for ever. */
void *bench_memory(size_t bytes);

/* Ends the program: the bench itself is wrong. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

uint64_t bench_random(uint64_t *state);

/* A random order of the numbers below `count`; the caller frees it. */
uint32_t *bench_shuffled(uint32_t count, uint64_t seed);

/* The groups. */
void bench_machine(void);
void bench_established(void);
void bench_decision(void);
void bench_new_flows(void);
void bench_checksum(void);
void bench_memory_use(void);
