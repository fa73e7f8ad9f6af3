/* SPDX-License-Identifier: ISC */
/* Watches of the real store. */
#include "configs/selftest/selftest.h"

#include <errno.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "xen/fiber.h"
#include "xen/store.h"

#define BASE "data/selftest-watch"
#define MS 1000000ull
#define SOON (2000 * MS)
#define QUIET (100 * MS)
#define WRITES 30u

static struct fiber_event event;

/* Whether the watch fires within the time; takes what has fired. */
static bool fires(struct store_watch *watch, uint64_t within_ns)
{
	uint64_t end = clock_now_ns() + within_ns;

	while (!watch->fired)
		if (fiber_event_wait(&event, end))
			return false;
	watch->fired = false;
	return true;
}

static void firing(void)
{
	struct store_watch watch;
	uint32_t before = store_watch_count();

	if (!CHECK_EQUAL(store_watch_add(&watch, BASE, &event), 0))
		return;
	CHECK_EQUAL(store_watch_count(), before + 1);
	CHECK(fires(&watch, SOON)); /* at the start, though there is nothing */
	CHECK(!fires(&watch, QUIET));
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE, "1"), 0);
	CHECK(fires(&watch, SOON));
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/below", "1"), 0);
	CHECK(fires(&watch, SOON));
	CHECK_EQUAL(store_remove(STORE_NO_TRANSACTION, BASE "/below"), 0);
	CHECK(fires(&watch, SOON));
	for (unsigned int i = 0; i < WRITES; i++)
		CHECK_EQUAL(store_writef(STORE_NO_TRANSACTION, BASE, "%u", i), 0);
	CHECK(fires(&watch, SOON));
	(void)fires(&watch, QUIET);
	CHECK(!fires(&watch, QUIET)); /* thirty writes were no thirty firings */
	store_watch_remove(&watch);
	store_watch_remove(&watch);
	CHECK_EQUAL(store_watch_count(), before);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE, "2"), 0);
	CHECK(!fires(&watch, QUIET));
}

/* Two watches of one path, and one of another, do not take each other's events. */
static void several(void)
{
	struct store_watch first, second, third;

	CHECK_EQUAL(store_watch_add(&first, BASE "/a", &event), 0);
	CHECK_EQUAL(store_watch_add(&second, BASE "/a", &event), 0);
	CHECK_EQUAL(store_watch_add(&third, BASE "/b", &event), 0);
	CHECK(fires(&first, SOON) && fires(&second, SOON) && fires(&third, SOON));
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/a", ""), 0);
	CHECK(fires(&first, SOON) && fires(&second, SOON));
	CHECK(!fires(&third, QUIET));
	store_watch_remove(&first);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/a", ""), 0);
	CHECK(fires(&second, SOON));
	CHECK(!first.fired);
	store_watch_remove(&second);
	store_watch_remove(&third);
}

/* An earlier kernel's watches are forgotten; ours must be set again after it. */
static void resetting(void)
{
	struct store_watch watch;

	CHECK_EQUAL(store_watch_add(&watch, BASE, &event), 0);
	CHECK(fires(&watch, SOON));
	CHECK_EQUAL(store_reset_watches(), 0);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE, "3"), 0);
	CHECK(!fires(&watch, QUIET));
	store_watch_remove(&watch);
}

static void errors(void)
{
	struct store_watch watch;
	char path[2 * STORE_PATH_BYTES];
	uint32_t before = store_watch_count();

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	CHECK_EQUAL(store_watch_add(&watch, path, &event), -E2BIG);
	CHECK_EQUAL(store_watch_add(&watch, "a//b", &event), -EINVAL);
	CHECK_EQUAL(store_watch_count(), before);
}

void selftest_watches(void)
{
	uint32_t before = store_watch_count();

	fiber_event_init(&event);
	firing();
	several();
	errors();
	resetting();
	CHECK_EQUAL(store_watch_count(), before);
	CHECK_EQUAL(store_remove(STORE_NO_TRANSACTION, BASE), 0);
}
