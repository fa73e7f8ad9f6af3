/* SPDX-License-Identifier: ISC */
/*
 * Timer wheel (hashed, hierarchical): start and stop in constant time, expiry in
 * time proportional to what expires. Ticks are 2^WHEEL_TICK_SHIFT ns (~ 16.8 ms).
 * A timer fires at its deadline or up to two ticks later, never before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/list.h"

#define WHEEL_TICK_SHIFT 24u
#define WHEEL_LEVELS 4u
#define WHEEL_SLOTS 64u

struct wheel_timer {
	struct list link;
	uint64_t deadline_ns;
	void (*expired)(struct wheel_timer *timer, uint64_t now_ns);
};

struct wheel {
	uint64_t tick; /* last tick that was run */
	uint32_t armed;
	uint64_t occupied[WHEEL_LEVELS]; /* bit i: slot i may hold timers */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, uint64_t now_ns);

/* Prepares a timer that is not armed. */
void wheel_timer_init(struct wheel_timer *timer,
		      void (*expired)(struct wheel_timer *timer, uint64_t now_ns));

/* Arms, or arms again, for `deadline_ns`; deadlines beyond ~ 3 days fire early and late
 * timers are the owner's to arm again. */
void wheel_start(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline_ns);

/* Disarms; harmless when not armed. */
void wheel_stop(struct wheel *wheel, struct wheel_timer *timer);

bool wheel_timer_is_armed(const struct wheel_timer *timer);

/* Runs at most `budget` expired timers; returns how many ran. */
uint32_t wheel_run(struct wheel *wheel, uint64_t now_ns, uint32_t budget);

/* A time at or before the next expiry for the idle loop; UINT64_MAX: nothing is armed. */
uint64_t wheel_next_ns(const struct wheel *wheel);
