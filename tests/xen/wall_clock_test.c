/* SPDX-License-Identifier: ISC */
/* Xen's wall clock: whole readings only, also while another CPU writes. */
#include "arch/x86/wall_clock.h"

#include <pthread.h>

#include "tests/host/unit.h"

#define READINGS 200000u

static struct shared_info shared;

START_TEST(a_reading)
{
	uint64_t base = 7;

	shared.wc_version = 2;
	shared.wc_sec = 1795274155;
	shared.wc_nsec = 123456789;
	ck_assert(wall_clock_read(&shared, &base));
	ck_assert_uint_eq(base, 1795274155123456789ull);
	shared.wc_sec_hi = 1; /* after 2106 */
	shared.wc_sec = 5;
	ck_assert(wall_clock_read(&shared, &base));
	ck_assert_uint_eq(base, ((1ull << 32) + 5) * 1000000000ull + 123456789);
}
END_TEST

START_TEST(no_readings)
{
	uint64_t base = 7;

	shared.wc_version = 3; /* for ever being written */
	ck_assert(!wall_clock_read(&shared, &base));
	shared.wc_version = 4;
	shared.wc_nsec = 1000000000;
	ck_assert(!wall_clock_read(&shared, &base));
	shared.wc_nsec = 0;
	shared.wc_sec_hi = 4;
	ck_assert(!wall_clock_read(&shared, &base));
	ck_assert_uint_eq(base, 7);
}
END_TEST

static void pause_some(void)
{
	for (uint32_t k = 0; k < 50; k++)
		__asm__ volatile("pause");
}

/* Slowly enough for readers to come in between, also between the two halves. */
static void *writer(void *stop)
{
	for (uint32_t i = 0; !__atomic_load_n((bool *)stop, __ATOMIC_RELAXED); i++) {
		uint32_t version = shared.wc_version;

		write_once(shared.wc_version, version + 1);
		memory_barrier();
		write_once(shared.wc_sec, i % 1000000);
		pause_some();
		write_once(shared.wc_nsec, i % 1000000);
		write_barrier();
		write_once(shared.wc_version, version + 2);
		pause_some();
	}
	return NULL;
}

START_TEST(no_torn_readings)
{
	bool stop = false;
	uint32_t whole = 0;
	pthread_t thread;

	shared.wc_version = 2;
	shared.wc_sec_hi = 0;
	shared.wc_sec = shared.wc_nsec = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, writer, &stop), 0);
	for (uint32_t i = 0; i < READINGS; i++) {
		uint64_t base;

		if (!wall_clock_read(&shared, &base))
			continue;
		ck_assert_uint_eq(base / 1000000000ull, base % 1000000000ull);
		whole++;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(whole, 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_reading);
	tcase_add_test(cases, no_readings);
	tcase_add_test(cases, no_torn_readings);
}

int main(void)
{
	return unit_main("xen/wall_clock", add_cases);
}
