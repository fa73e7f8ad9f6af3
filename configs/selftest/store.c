/* SPDX-License-Identifier: ISC */
/* The xenstore client against the real daemon, in the guest's own data/ folder. */
#include "configs/selftest/selftest.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "xen/bus.h"
#include "xen/fiber.h"
#include "xen/store.h"

#define BASE "data/selftest"
#define CHILD_NAME "a-name-of-some-length-for-child-"
#define CHILDREN 150u
#define CALLERS 8u
#define CALLS 20u
#define LONG_BYTES 2000u
#define SECOND 1000000000ull
#define BENCH_LIMIT_NS (30 * SECOND)
#define BENCH_STEP_NS (SECOND / 10)

static unsigned int callers_done, callers_wrong;

static void values(void)
{
	char text[32], tiny[4] = "abc";
	char longer[STORE_VALUE_BYTES], back[STORE_VALUE_BYTES];
	uint64_t number = 0;

	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/value", "some text"), 0);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/value", text, sizeof(text)), 9);
	CHECK(strcmp(text, "some text") == 0);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/value", tiny, sizeof(tiny)), -E2BIG);
	CHECK(strcmp(tiny, "abc") == 0);
	CHECK_EQUAL(store_read_u64(STORE_NO_TRANSACTION, BASE "/value", &number), -EINVAL);
	CHECK_EQUAL(store_writef(STORE_NO_TRANSACTION, BASE "/value", "%d", 4711), 0);
	CHECK_EQUAL(store_read_u64(STORE_NO_TRANSACTION, BASE "/value", &number), 0);
	CHECK_EQUAL(number, 4711);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/value", ""), 0);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/value", text, sizeof(text)), 0);
	/* Longer than the ring: it goes round twice. */
	memset(longer, 'x', LONG_BYTES);
	longer[LONG_BYTES] = '\0';
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/value", longer), 0);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/value", back, sizeof(back)),
		    LONG_BYTES);
	CHECK(strcmp(longer, back) == 0);
}

static void errors(void)
{
	static char endless[5000];
	char text[8];

	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/nothing", text, sizeof(text)), -ENOENT);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "//bad", text, sizeof(text)), -EINVAL);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, "/local/domain/0/selftest", "x"), -EACCES);
	CHECK_EQUAL(store_remove(STORE_NO_TRANSACTION, "/local/domain/0"), -EACCES);
	memset(endless, 'x', sizeof(endless) - 1);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/value", endless), -E2BIG);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/value", "still well"), 0);
}

static void directories(void)
{
	struct store_list list;

	CHECK_EQUAL(store_mkdir(STORE_NO_TRANSACTION, BASE "/folder"), 0);
	CHECK_EQUAL(store_list(STORE_NO_TRANSACTION, BASE "/folder", 10, &list), 0);
	CHECK_EQUAL(list.count, 0);
	store_list_free(&list);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/folder/one", "1"), 0);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/folder/two", "2"), 0);
	CHECK_EQUAL(store_list(STORE_NO_TRANSACTION, BASE "/folder", 10, &list), 0);
	CHECK_EQUAL(list.count, 2);
	CHECK(list.count == 2 &&
	      (strcmp(list.names[0], "one") == 0) != (strcmp(list.names[1], "one") == 0));
	store_list_free(&list);
	CHECK_EQUAL(store_list(STORE_NO_TRANSACTION, BASE "/folder", 1, &list), -E2BIG);
	CHECK_EQUAL(store_remove(STORE_NO_TRANSACTION, BASE "/folder"), 0);
	CHECK_EQUAL(store_list(STORE_NO_TRANSACTION, BASE "/folder", 10, &list), -ENOENT);
}

static bool bench_has_written(void)
{
	uint64_t end = clock_now_ns() + BENCH_LIMIT_NS;
	uint64_t value;

	while (store_read_u64(STORE_NO_TRANSACTION, "data/large-is-ready", &value)) {
		if (clock_now_ns() > end)
			return false;
		fiber_sleep_until(clock_now_ns() + BENCH_STEP_NS);
	}
	return true;
}

/*
 * More names than one message holds, so that they come in parts. A guest's quota does
 * not reach that far: the bench writes them.
 */
static void large_directory(void)
{
	static bool seen[CHILDREN];
	struct store_list list = { 0 };
	unsigned int number, wrong = 0;

	if (!CHECK(bench_has_written()))
		return;
	if (CHECK_EQUAL(store_list(STORE_NO_TRANSACTION, "data/large", 2 * CHILDREN, &list), 0)) {
		CHECK_EQUAL(list.count, CHILDREN);
		for (uint32_t i = 0; i < list.count; i++) {
			const char *name = list.names[i];

			number = UINT_MAX;
			if (strncmp(name, CHILD_NAME, strlen(CHILD_NAME)) == 0)
				number = (unsigned int)strtoul(name + strlen(CHILD_NAME), NULL, 10);
			if (number >= CHILDREN || seen[number])
				wrong++;
			else
				seen[number] = true;
		}
		CHECK_EQUAL(wrong, 0);
		store_list_free(&list);
	}
	CHECK_EQUAL(store_list(STORE_NO_TRANSACTION, "data/large", 20, &list), -E2BIG);
	CHECK_EQUAL(store_remove(STORE_NO_TRANSACTION, "data/large"), 0);
}

static void permissions(uint16_t self)
{
	char owner[8], text[32], expected[32];
	const char *list[2] = { owner, "r0" };
	const char *too_many[20] = { 0 };

	snprintf(owner, sizeof(owner), "n%u", (unsigned int)self);
	snprintf(expected, sizeof(expected), "n%u r0", (unsigned int)self);
	CHECK_EQUAL(store_set_permissions(BASE "/value", list, 2), 0);
	CHECK_EQUAL(store_get_permissions(BASE "/value", text, sizeof(text)), 0);
	CHECK(strcmp(text, expected) == 0);
	CHECK_EQUAL(store_get_permissions(BASE "/value", text, 3), -E2BIG);
	CHECK_EQUAL(store_set_permissions(BASE "/value", too_many, 20), -E2BIG);
	CHECK_EQUAL(store_get_permissions(BASE "/nothing", text, sizeof(text)), -ENOENT);
}

static void transactions(void)
{
	store_transaction t;
	char text[8];

	if (!CHECK_EQUAL(store_transaction_start(&t), 0))
		return;
	CHECK(t != STORE_NO_TRANSACTION);
	CHECK_EQUAL(store_write(t, BASE "/kept", "1"), 0);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/kept", text, sizeof(text)), -ENOENT);
	CHECK_EQUAL(store_read(t, BASE "/kept", text, sizeof(text)), 1);
	CHECK_EQUAL(store_transaction_end(t, true), 0);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/kept", text, sizeof(text)), 1);
	CHECK_EQUAL(store_transaction_start(&t), 0);
	CHECK_EQUAL(store_write(t, BASE "/kept", "2"), 0);
	CHECK_EQUAL(store_transaction_end(t, false), 0);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/kept", text, sizeof(text)), 1);
	CHECK(text[0] == '1');
	CHECK_EQUAL(store_transaction_end(t, true), -ENOENT);
	/* Somebody else writes what the transaction has read. */
	CHECK_EQUAL(store_transaction_start(&t), 0);
	CHECK_EQUAL(store_read(t, BASE "/kept", text, sizeof(text)), 1);
	CHECK_EQUAL(store_write(t, BASE "/kept", "3"), 0);
	CHECK_EQUAL(store_write(STORE_NO_TRANSACTION, BASE "/kept", "4"), 0);
	CHECK_EQUAL(store_transaction_end(t, true), -EAGAIN);
	CHECK_EQUAL(store_read(STORE_NO_TRANSACTION, BASE "/kept", text, sizeof(text)), 1);
	CHECK(text[0] == '4');
}

static void caller(void *argument)
{
	unsigned int me = *(const unsigned int *)argument;
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), BASE "/caller-%u", me);
	for (unsigned int i = 0; i < CALLS; i++) {
		uint64_t number = 0;

		if (store_writef(STORE_NO_TRANSACTION, path, "%u", me * CALLS + i) ||
		    store_read_u64(STORE_NO_TRANSACTION, path, &number) || number != me * CALLS + i)
			callers_wrong++;
	}
	callers_done++;
}

/* Several fibers call at once, and each must get its own answers. */
static void several(void)
{
	static unsigned int numbers[CALLERS];
	uint64_t end = clock_now_ns() + 20 * SECOND;

	for (unsigned int i = 0; i < CALLERS; i++) {
		numbers[i] = i;
		if (fiber_start("caller", caller, &numbers[i]))
			CHECK(!"a fiber cannot be started");
	}
	while (callers_done < CALLERS && clock_now_ns() < end)
		fiber_sleep_until(clock_now_ns() + SECOND / 100);
	CHECK_EQUAL(callers_done, CALLERS);
	CHECK_EQUAL(callers_wrong, 0);
}

static void bus(void)
{
	uint8_t mac[6];
	char text[8];

	CHECK_EQUAL(bus_state_read(BASE), XenbusStateUnknown);
	CHECK_EQUAL(bus_state_write(STORE_NO_TRANSACTION, BASE, XenbusStateInitWait), 0);
	CHECK_EQUAL(bus_state_read(BASE), XenbusStateInitWait);
	CHECK_EQUAL(bus_write(STORE_NO_TRANSACTION, BASE, "state", "%d", 77), 0);
	CHECK_EQUAL(bus_state_read(BASE), XenbusStateUnknown);
	CHECK_EQUAL(bus_write(STORE_NO_TRANSACTION, BASE, "mac", "00:16:3e:0A:ff:01"), 0);
	CHECK_EQUAL(bus_read_mac(BASE, "mac", mac), 0);
	CHECK(memcmp(mac, "\x00\x16\x3e\x0a\xff\x01", 6) == 0);
	CHECK_EQUAL(bus_write(STORE_NO_TRANSACTION, BASE, "mac", "00:16:3e:0A:ff:0g"), 0);
	CHECK_EQUAL(bus_read_mac(BASE, "mac", mac), -EINVAL);
	CHECK_EQUAL(bus_read_u64(BASE, "state", 5), 77);
	CHECK_EQUAL(bus_read_u64(BASE, "nothing", 5), 5);
	CHECK_EQUAL(bus_read_string(BASE, "nothing", text, sizeof(text)), -ENOENT);
}

void selftest_store(uint16_t self)
{
	struct mallinfo heap;
	size_t used;
	int gone = store_remove(STORE_NO_TRANSACTION, BASE);

	CHECK(gone == 0 || gone == -ENOENT);
	values();
	heap = mallinfo();
	used = (size_t)heap.uordblks;
	errors();
	directories();
	large_directory();
	permissions(self);
	transactions();
	bus();
	heap = mallinfo();
	CHECK_EQUAL(heap.uordblks, used);
	several();
	CHECK_EQUAL(store_remove(STORE_NO_TRANSACTION, BASE), 0);
}
