/* SPDX-License-Identifier: ISC */
#include "lib/wheel.h"

#include "lib/compiler.h"
#include "tests/host/unit.h"

#define TIMERS 300u
#define TICK (1ull << WHEEL_TICK_SHIFT)

struct test_timer {
	struct wheel_timer timer;
	uint64_t fired_ns;
};

static struct wheel wheel;
static struct test_timer timers[TIMERS];

static void expired(struct wheel_timer *timer, uint64_t now_ns)
{
	container_of(timer, struct test_timer, timer)->fired_ns = now_ns;
}

/* Random deadlines over all levels: nobody fires early, nobody later than two ticks. */
START_TEST(fires_in_time)
{
	uint64_t state = unit_seed() | 1;
	uint64_t now = unit_random(&state) >> 20;

	wheel_init(&wheel, now);
	for (uint32_t i = 0; i < TIMERS; i++) {
		wheel_timer_init(&timers[i].timer, expired);
		timers[i].fired_ns = 0;
		wheel_start(&wheel, &timers[i].timer,
			    now + unit_random(&state) % (TICK << (i % 22)));
	}
	while (wheel.armed) {
		uint64_t next = wheel_next_ns(&wheel);

		ck_assert_uint_ne(next, UINT64_MAX);
		if (next > now)
			now = next;
		now += unit_random(&state) % TICK;
		while (wheel_run(&wheel, now, 7) == 7)
			;
		for (uint32_t i = 0; i < TIMERS; i++) {
			uint64_t deadline = timers[i].timer.deadline_ns;

			if (timers[i].fired_ns)
				ck_assert_uint_ge(timers[i].fired_ns, deadline);
			else
				ck_assert_uint_gt(deadline + 2 * TICK, now);
		}
	}
}
END_TEST

START_TEST(a_long_gap_is_jumped)
{
	uint64_t deadline = 70ull * 3600 * 1000000000;

	wheel_init(&wheel, 0);
	wheel_timer_init(&timers[0].timer, expired);
	timers[0].fired_ns = 0;
	wheel_start(&wheel, &timers[0].timer, deadline);
	ck_assert_uint_eq(wheel_run(&wheel, deadline - TICK, 10), 0);
	ck_assert_uint_eq(wheel_run(&wheel, deadline + TICK, 10), 1);
	ck_assert_uint_eq(wheel_next_ns(&wheel), UINT64_MAX);
}
END_TEST

START_TEST(stop_and_start_again)
{
	wheel_init(&wheel, 0);
	wheel_timer_init(&timers[0].timer, expired);
	timers[0].fired_ns = 0;
	wheel_start(&wheel, &timers[0].timer, 10 * TICK);
	wheel_start(&wheel, &timers[0].timer, 1000 * TICK);
	ck_assert_uint_eq(wheel.armed, 1);
	ck_assert_uint_eq(wheel_run(&wheel, 500 * TICK, 10), 0);
	wheel_stop(&wheel, &timers[0].timer);
	ck_assert(!wheel_timer_is_armed(&timers[0].timer));
	ck_assert_uint_eq(wheel_run(&wheel, 5000 * TICK, 10), 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, fires_in_time, 0, 20);
	tcase_add_test(cases, a_long_gap_is_jumped);
	tcase_add_test(cases, stop_and_start_again);
}

int main(void)
{
	return unit_main("lib/wheel", add_cases);
}
