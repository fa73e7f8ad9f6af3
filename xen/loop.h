/* SPDX-License-Identifier: ISC */
/*
 * The run-to-completion loop of a vCPU: events, poll sources, fibers, timers,
 * idle. Sources that asked for work are polled round robin with a budget, so
 * none of them can hold the CPU.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"

#define LOOP_BUDGET 64u /* ring slots or packets a source may take in one poll */

struct loop_source {
	struct list link;
	/*
	 * Does at most `budget` units of work. True: there is more, poll again in
	 * the next round. False: idle until loop_schedule() is called again.
	 */
	bool (*poll)(struct loop_source *source, uint32_t budget);
};

/* Something the loop runs once a round, and asks for a deadline before it idles. */
struct loop_timer {
	struct list link;
	void (*run)(struct loop_timer *timer, uint64_t now_ns);
	uint64_t (*next_ns)(struct loop_timer *timer); /* UINT64_MAX: none */
};

void loop_init(void);

/* Binds the timer's event, which ends the idle wait at a deadline. As evtchn_bind_virq(). */
must_check int loop_bind_timer(void);

void loop_source_init(struct loop_source *source,
		      bool (*poll)(struct loop_source *source, uint32_t budget));

/* Asks for a poll in the next round; cheap and idempotent. From handlers too. */
void loop_schedule(struct loop_source *source);

/* Takes the source out; it will not be polled any more. Also from within its own poll. */
void loop_unschedule(struct loop_source *source);

void loop_add_timer(struct loop_timer *timer);

/* The time at the start of this round, nanoseconds since boot. */
uint64_t loop_now_ns(void);

/* Runs until loop_stop(); idles with SCHEDOP_block when there is nothing to do. */
void loop_run(void);
void loop_stop(void);

/* One round without idling; true if anything was done. For tests. */
bool loop_round(void);

struct loop_stats {
	uint64_t rounds;
	uint64_t idles;
	uint64_t polls;
};

const struct loop_stats *loop_stats_get(void);
