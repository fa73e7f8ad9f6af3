/* SPDX-License-Identifier: ISC */
/* Clock, timer, idle, and random numbers. */
#include "configs/selftest/selftest.h"

#include <string.h>

#include "arch/x86/clock.h"
#include "xen/entropy.h"
#include "xen/fiber.h"
#include "xen/loop.h"

#define MS 1000000ull
#define SECOND 1000000000ull
#define YEAR_2020 1577836800ull
#define READINGS 10000u
#define NAPS 50u
#define REST_NS (400 * MS)

static void clocks(void)
{
	uint64_t last = clock_now_ns();
	unsigned int back = 0;

	for (unsigned int i = 0; i < READINGS; i++) {
		uint64_t now = clock_now_ns();

		back += now < last;
		last = now;
	}
	CHECK_EQUAL(back, 0);
	CHECK(clock_wall_ns() / SECOND > YEAR_2020);
}

/* The wall clock can be set, and goes on from there. */
static void wall(void)
{
	uint64_t before = clock_wall_ns();

	clock_wall_set(before + 3600 * SECOND);
	CHECK(clock_wall_ns() >= before + 3600 * SECOND);
	CHECK(clock_wall_ns() < before + 3601 * SECOND);
	clock_wall_set(before);
	CHECK(clock_wall_ns() >= before);
	CHECK(clock_wall_ns() < before + SECOND);
}

static void naps(void)
{
	unsigned int early = 0;

	for (unsigned int i = 0; i < NAPS; i++) {
		/* Also some that are over before they begin. */
		uint64_t until = clock_now_ns() + i % 5 * MS / 2;
		uint64_t now;

		fiber_sleep_until(until);
		now = clock_now_ns();
		early += now < until;
	}
	CHECK_EQUAL(early, 0);
}

/* While all fibers sleep, the loop waits in Xen: a few times, not again and again. */
static void idleness(void)
{
	uint64_t idles = loop_stats_get()->idles;
	uint64_t begin = clock_now_ns();

	fiber_sleep_until(begin + REST_NS);
	CHECK(clock_now_ns() - begin >= REST_NS);
	CHECK(loop_stats_get()->idles > idles);
	CHECK(loop_stats_get()->idles < idles + 100);
}

static void randomness(void)
{
	uint8_t first[32], second[32];
	uint8_t all = 0;

	entropy_gather(first);
	entropy_gather(second);
	for (unsigned int i = 0; i < sizeof(first); i++)
		all |= first[i];
	CHECK(all != 0);
	CHECK(memcmp(first, second, sizeof(first)) != 0);
}

void selftest_time(void)
{
	clocks();
	wall();
	naps();
	idleness();
	randomness();
}
