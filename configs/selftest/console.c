/* SPDX-License-Identifier: ISC */
/* The console under a flood; what comes out at the other end is for the bench to see. */
#include "configs/selftest/selftest.h"

#include <stdio.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "xen/console.h"
#include "xen/fiber.h"

#define MS 1000000ull
#define FLOOD_LINES 4000u
#define SOME_LINES 10u
#define FLOOD_LIMIT_NS (5000 * MS)
#define DRAIN_LIMIT_NS (20000 * MS)
#define STEP_NS (20 * MS)

static unsigned int lines_write(unsigned int count)
{
	char line[80];
	unsigned int bytes = 0;

	for (unsigned int i = 0; i < count; i++) {
		int length = snprintf(line, sizeof(line),
				      "flood %04u: a line as long as lines are, and its end\n", i);

		console_write(line, (size_t)length);
		bytes += (unsigned int)length;
	}
	return bytes;
}

/* Whoever reads the ring may take his time: the line that says the loss comes last. */
static void drain(void)
{
	uint64_t end = clock_now_ns() + DRAIN_LIMIT_NS;
	uint64_t dropped;
	static const char mark[] = "flood is over\n";

	do {
		fiber_sleep_until(clock_now_ns() + STEP_NS);
		dropped = console_dropped_bytes();
		console_write(mark, sizeof(mark) - 1);
	} while (console_dropped_bytes() != dropped && clock_now_ns() < end);
	CHECK_EQUAL(console_dropped_bytes(), dropped);
	console_flush();
}

void selftest_console(bool has_ring)
{
	uint64_t dropped = console_dropped_bytes();
	uint64_t begin = clock_now_ns();
	unsigned int bytes;

	CHECK_EQUAL(dropped, 0); /* so far nothing was lost */
	bytes = lines_write(has_ring ? FLOOD_LINES : SOME_LINES);
	CHECK(clock_now_ns() - begin < FLOOD_LIMIT_NS);
	dropped = console_dropped_bytes();
	if (!has_ring) {
		CHECK_EQUAL(dropped, 0);
		return;
	}
	/* Nobody reads while we write, except on another CPU. */
	CHECK(dropped > 0);
	CHECK(dropped < bytes + FLOOD_LINES);
	drain();
}
