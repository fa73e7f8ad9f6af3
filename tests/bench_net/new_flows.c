/* SPDX-License-Identifier: ISC */
/*
 * First packets of flows: rules for both ways, a port, a place in the table. Then the
 * end of all those flows, and how long the rules take to load.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/wire.h"
#include "tests/bench_net/world.h"

#define FLOWS 40960u /* a round; a whole number of batches */
#define TEXT_BYTES (2u << 20)

struct text {
	char *bytes;
	size_t length;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text->length += (size_t)vsnprintf(text->bytes + text->length, TEXT_BYTES - text->length,
					  format, arguments);
	va_end(arguments);
	if (text->length >= TEXT_BYTES)
		bench_fail("too many rules");
}

/*
 * Rules as an administrator has them: networks and ports, some blocked and most passed,
 * and at the end what holds for all others.
 */
static struct text make_rules(uint32_t count)
{
	struct text text = { .bytes = malloc(TEXT_BYTES) };

	if (!text.bytes)
		bench_fail("no memory for rules");
	for (uint32_t i = 0; i + 1 < count; i++) {
		uint32_t net = i * 40503u; /* spreads them over the servers' networks */

		if (i % 4 == 0)
			put(&text, "block quick proto udp from any to 45.%u.%u.0/24 port %u\n",
			    net >> 8 & 255, net & 255, 1000 + i % 50);
		else
			put(&text, "pass quick proto tcp from any to 45.%u.%u.0/24 port %u\n",
			    net >> 8 & 255, net & 255, i % 2 ? 443 : 80 + i % 50);
	}
	put(&text, "pass\n");
	return text;
}

/* Flows of one client a vector, each of another server. */
static double run_batch(struct world *world, uint32_t first, uint32_t vector, uint8_t protocol)
{
	const struct world_frame frame = { protocol, TCP_SYN, 0, 0, 60 };
	uint64_t start, end;

	for (uint32_t i = 0; i < WORLD_BATCH; i++) {
		uint32_t number = first / WORLD_CLIENTS + i;
		struct world_flow flow =
			world_flow(world, WORLD_UP,
				   number * WORLD_CLIENTS + first / WORLD_BATCH % WORLD_CLIENTS);

		world_prepare(world, i, &flow, &frame);
	}
	start = bench_ticks();
	for (uint32_t i = 0; i < WORLD_BATCH; i += vector) {
		struct world_link *from = &world->client[first / WORLD_BATCH % WORLD_CLIENTS];

		world_input(world, from, i, vector);
	}
	end = bench_ticks();
	world_check(world, WORLD_BATCH);
	return bench_ns(end - start) / WORLD_BATCH;
}

static void measure(struct world *world, uint32_t rules, uint32_t vector, uint8_t protocol,
		    struct bench_rounds *rounds)
{
	struct bench_rounds ends = { .count = 0 };
	static struct bench_batches batches;
	char name[96];

	rounds->count = 0;
	for (uint32_t r = 0; r < bench_options.rounds; r++) {
		uint64_t start;
		uint32_t used;

		for (uint32_t first = 0; first < FLOWS; first += WORLD_BATCH)
			bench_batch(&batches, run_batch(world, first, vector, protocol));
		bench_round(rounds, &batches);
		used = world->router.flows.used;
		start = bench_ticks();
		router_flush_flows(&world->router);
		ends.values[ends.count++] = bench_ns(bench_ticks() - start) / used;
	}
	snprintf(name, sizeof(name), "new %s flow, %u rules, %s",
		 protocol == IP_PROTOCOL_TCP ? "TCP" : "UDP", rules,
		 vector == 1 ? "single" : "vectors of 32");
	bench_row("new-flows", name, "ns/packet", rounds, 0);
	if (rules == 10 && vector == 1 && protocol == IP_PROTOCOL_TCP)
		bench_row("new-flows", "a flow ends, all at once", "ns/flow", &ends, 0);
}

static void measure_load(const struct text *text, uint32_t rules)
{
	struct bench_rounds rounds = { .count = 0 };
	char name[64];

	for (uint32_t r = 0; r < 3; r++) {
		uint64_t start = bench_ticks();
		struct ruleset *set;
		struct rules_error error;

		if (ruleset_parse(text->bytes, text->length, &set, &error))
			bench_fail("rules, line %u: %s", error.line, error.message);
		rounds.values[rounds.count++] = bench_ns(bench_ticks() - start) / 1e6;
		ruleset_free(set);
	}
	snprintf(name, sizeof(name), "%u rules are parsed and compiled", rules);
	bench_row("new-flows", name, "ms", &rounds, 0);
}

void bench_new_flows(void)
{
	static const uint32_t counts[] = { 10, 1000, 10000 };
	/* No flow has to go for another: of a share only a part may be half-open. */
	struct world *world = world_begin(FLOWS * FLOW_HALF_OPEN_SHARE, 4, "pass\n");
	double least_of_10 = 0;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct text text = make_rules(counts[i]);
		struct bench_rounds rounds;

		world_set_rules(world, text.bytes);
		measure(world, counts[i], 1, IP_PROTOCOL_TCP, &rounds);
		if (counts[i] == 10)
			least_of_10 = rounds.values[0];
		else
			bench_row_exact("new-flows",
					counts[i] == 1000 ? "1,000 rules / 10 rules, least rounds"
							  : "10,000 rules / 10 rules, least rounds",
					"x", rounds.values[0] / least_of_10,
					counts[i] == 1000 ? 2 : 0);
		measure(world, counts[i], 32, IP_PROTOCOL_TCP, &rounds);
		measure(world, counts[i], 32, IP_PROTOCOL_UDP, &rounds);
		measure_load(&text, counts[i]);
		free(text.bytes);
	}
	world_end(world);
}
