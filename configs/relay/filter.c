/* SPDX-License-Identifier: ISC */
#include "configs/relay/filter.h"

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "configs/rules_file.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "xen/entropy.h"
#include "xen/loop.h"

/* Of the memory that the packets have left, in percent. */
#define FLOW_SHARE 20u
#define FLOWS_LEAST 1024u
#define FLOWS_MOST 65536u

static struct {
	bool given; /* a rule file, good or bad */
	struct random random;
	struct bridge_filter bridge;
	struct loop_timer timer;
} filter;

static void timer_run(struct loop_timer *timer, uint64_t now_ns)
{
	(void)timer;
	bridge_filter_set_now(&filter.bridge, now_ns);
	bridge_filter_run_timers(&filter.bridge);
}

static uint64_t timer_next(struct loop_timer *timer)
{
	(void)timer;
	return bridge_filter_next_ns(&filter.bridge);
}

static uint32_t flows_that_fit(void)
{
	size_t bytes = bridge_filter_memory_bytes(FLOWS_MOST) / FLOWS_MOST + 1;
	size_t flows = memory_free_pages() * PAGE_BYTES / 100 * FLOW_SHARE / bytes;

	return flows < FLOWS_LEAST  ? FLOWS_LEAST
	       : flows > FLOWS_MOST ? FLOWS_MOST
				    : (uint32_t)flows;
}

static void bridge_start(struct ruleset *rules, const struct own *own)
{
	uint32_t flows = flows_that_fit();
	struct bridge_filter_config config = {
		.rules = rules,
		.flows = flows,
		.memory = memory_alloc_pages(bridge_filter_memory_bytes(flows) / PAGE_BYTES + 1),
		.random = &filter.random,
		.own = *own,
		.now_ns = clock_now_ns(),
	};

	if (!config.memory)
		panic("not enough memory for %u flows", flows);
	bridge_filter_init(&filter.bridge, &config);
}

/*
 * What the rules of the file are, or NULL. Nobody here asks for the addresses of names: a
 * `block` of one would block nothing.
 */
static struct ruleset *rules_read(const void *module, size_t bytes)
{
	struct ruleset *rules = bytes ? rules_file_read(module, bytes) : NULL;

	if (!ruleset_names_count(rules))
		return rules;
	log_line(LOG_ERROR, "rules",
		 "the relay cannot resolve %s, nor any host name: write addresses",
		 ruleset_name(rules, 0));
	ruleset_free(rules);
	return NULL;
}

void relay_filter_start(const void *module, size_t bytes, const struct own *own)
{
	uint8_t seed[RANDOM_SEED_BYTES];

	if (!module)
		return;
	filter.given = true;
	entropy_gather(seed);
	random_init(&filter.random, seed);
	bridge_start(rules_read(module, bytes), own);
	filter.timer.run = timer_run;
	filter.timer.next_ns = timer_next;
	loop_add_timer(&filter.timer);
}

void relay_filter_run(enum bridge_side side, struct netdev *in, const struct netdev *out,
		      struct packet_vector *vector)
{
	if (filter.given)
		bridge_filter_run(&filter.bridge, side, in, out, vector);
}

bool relay_filter_more(struct packet_vector *vector)
{
	return filter.given && bridge_filter_more(&filter.bridge, vector);
}

void relay_filter_end_gone(void)
{
	if (filter.given)
		bridge_filter_forget_fragments(&filter.bridge);
}

void relay_filter_flush(void)
{
	if (filter.given)
		bridge_filter_flush(&filter.bridge);
}

const char *relay_filter_text(void)
{
	if (!filter.given)
		return "no rules, every frame passes";
	return filter.bridge.rules ? "rules loaded" : "CLOSED: nothing passes without good rules";
}

void relay_filter_print_stats(void (*line)(void *context, const char *text), void *context)
{
	if (filter.given)
		bridge_filter_print_stats(&filter.bridge, line, context);
}
