/* SPDX-License-Identifier: ISC */
/*
 * Cooperative fibers for the control plane. A fiber runs until it waits; the
 * loop runs ready fibers between rounds of the data path. Each has its own stack
 * with an unmapped guard page below.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"

#define FIBER_FOREVER UINT64_MAX

struct fiber;

/* What fibers wait for. A signal wakes all waiters; with none it is remembered once. */
struct fiber_event {
	struct list waiters;
	bool signalled;
};

/* Starts `entry(argument)` on a stack of 16 KiB. The fiber is freed when entry
 * returns. `name` (a short word, copied) is for messages. 0 or -ENOMEM. */
must_check int fiber_start(const char *name, void (*entry)(void *argument), void *argument);

/* Lets others run and comes back in the next round. Only in a fiber. */
void fiber_yield(void);

/* Sleeps until clock_now_ns() >= deadline. Only in a fiber. */
void fiber_sleep_until(uint64_t deadline_ns);

void fiber_event_init(struct fiber_event *event);

/* Wakes those who wait. May be called from anywhere, also from event handlers. */
void fiber_event_signal(struct fiber_event *event);

/* Waits for a signal and consumes it. 0, or -ETIMEDOUT at the deadline. Only in a fiber. */
must_check int fiber_event_wait(struct fiber_event *event, uint64_t deadline_ns);

/* True inside a fiber, false in the loop itself. */
bool fiber_is_current(void);

/* For the loop: runs every fiber that was ready when called, once. True if any ran. */
bool fiber_run_ready(uint64_t now_ns);

/* For the loop: when the next sleeper wakes; UINT64_MAX: nobody sleeps. 0: one is ready. */
uint64_t fiber_next_ns(void);

uint32_t fiber_count(void);
