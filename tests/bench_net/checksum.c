/* SPDX-License-Identifier: ISC */
/*
 * The Internet checksum against copying the same bytes: by the C library of this host,
 * which has vector registers, and by what the image links, which has none; and what newlib
 * would give it. Once the
 * same bytes again and again, and once as packets come: many, each in a page of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/checksum.h"
#include "tests/bench_net/bench.h"

#define PACKETS 256u
#define PAGE_BYTES 4096u
#define BUFFER_BYTES ((PACKETS + 1) * PAGE_BYTES)
#define BATCH_BYTES (1u << 21)
#define CALL_BYTES 64u	     /* what a call counts at least, so that batches are short */
#define TRANSPORT_OFFSET 34u /* where a TCP header lies in a frame in a page */

void *newlib_memcpy(void *to, const void *from, size_t bytes);

static uint8_t from[BUFFER_BYTES] __attribute__((aligned(4096)));
static uint8_t to[BUFFER_BYTES] __attribute__((aligned(4096)));
static volatile uint32_t result;

static void sum(const uint8_t *at, size_t bytes)
{
	result = checksum_add(0, at, bytes);
}

static void sum_portable(const uint8_t *at, size_t bytes)
{
	result = (uint32_t)checksum_bytes_portable(0, at, bytes);
}

/* By a pointer that the compiler does not know, so that it is a call of any length. */
static void *(*volatile host_copy)(void *, const void *, size_t) = memcpy;

static void copy_host(const uint8_t *at, size_t bytes)
{
	host_copy(to + (at - from), at, bytes);
}

static void copy_newlib(const uint8_t *at, size_t bytes)
{
	newlib_memcpy(to + (at - from), at, bytes);
}

static void copy_image(const uint8_t *at, size_t bytes)
{
	bytes_copy(to + (at - from), at, bytes);
}

/* The bytes of a nanosecond: GB/s. */
static double run(void (*what)(const uint8_t *, size_t), size_t bytes, size_t offset, bool in_turn)
{
	size_t step = in_turn ? PAGE_BYTES : 0, most = in_turn ? PACKETS * PAGE_BYTES : 1;
	size_t at = 0;

	uint32_t calls = (uint32_t)(BATCH_BYTES / (bytes + CALL_BYTES)) + 1;
	uint64_t start = bench_ticks();

	for (uint32_t i = 0; i < calls; i++) {
		what(from + at + offset, bytes);
		at += step;
		if (at == most)
			at = 0;
	}
	return (double)bytes * calls / bench_ns(bench_ticks() - start);
}

enum { SUM, SUM_PORTABLE, COPY_HOST, COPY_IMAGE, COPY_NEWLIB, WAYS };

static const struct {
	const char *name;
	void (*run)(const uint8_t *, size_t);
} ways[WAYS] = {
	[SUM] = { "checksum_add()", sum },
	[SUM_PORTABLE] = { "checksum_bytes_portable()", sum_portable },
	[COPY_HOST] = { "memcpy() of this host", copy_host },
	[COPY_IMAGE] = { "memcpy() of the image", copy_image },
	[COPY_NEWLIB] = { "memcpy() of newlib", copy_newlib },
};

static void measure(size_t bytes, size_t offset, bool in_turn)
{
	struct bench_rounds rounds[WAYS] = { 0 }, ratio = { 0 };
	static struct bench_batches batches;
	const char *where = in_turn ? " of many" : "";
	char name[96];

	/* The ways take turns, so that what disturbs the machine disturbs all. */
	for (uint32_t r = 0; r < bench_options.rounds; r++) {
		for (unsigned int w = 0; w < WAYS; w++) {
			for (uint32_t i = 0; i < 9; i++)
				bench_batch(&batches, run(ways[w].run, bytes, offset, in_turn));
			bench_round(&rounds[w], &batches);
		}
		ratio.values[ratio.count++] = rounds[SUM].values[r] / rounds[COPY_HOST].values[r];
	}
	for (unsigned int w = 0; w < WAYS; w++) {
		snprintf(name, sizeof(name), "%s, %zu B%s, offset %zu", ways[w].name, bytes, where,
			 offset);
		bench_row("checksum", name, "GB/s", &rounds[w], 0);
	}
	snprintf(name, sizeof(name), "checksum / memcpy, %zu B%s, offset %zu", bytes, where,
		 offset);
	bench_row("checksum", name, "x", &ratio, bytes == 1500 ? -0.7 : 0);
}

void bench_checksum(void)
{
	static const size_t sizes[] = { 20, 64, 256, 1500, 4096, 65536 };
	uint64_t state = 1;

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)bench_random(&state);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		measure(sizes[i], 0, false);
		measure(sizes[i], TRANSPORT_OFFSET, false);
		if (sizes[i] == 1500)
			measure(sizes[i], TRANSPORT_OFFSET, true);
	}
}
