/* SPDX-License-Identifier: ISC */
/*
 * Packets of flows that exist, from router_input() to transmit(): Ethernet, parse,
 * look-up, state, translation, next hop. Every packet is of another flow, in random
 * order. Vectors come from a client and from the uplink in turn.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/wire.h"
#include "tests/bench_net/world.h"

#define TURNS_IN_WINDOW 40u

struct stream {
	struct world *world;
	uint32_t *order; /* of the flows of one client */
	uint32_t per_client;
	uint32_t at[WORLD_CLIENTS]; /* places in the order: every flow has its turn */
	uint32_t turns[WORLD_CLIENTS];
	uint32_t vectors;
	bool translated;
	struct world_frame frame;
	uint32_t payload;		      /* of a frame */
	struct world_link *from[WORLD_BATCH]; /* of the vector that begins here */
};

static uint32_t next_flow(struct stream *stream, uint32_t client)
{
	uint32_t *at = &stream->at[client];
	uint32_t number = stream->order[*at];

	if (++*at == stream->per_client) {
		*at = 0;
		stream->turns[client]++;
	}
	return number * WORLD_CLIENTS + client;
}

/* Every turn sends the next bytes, as TCP does, and begins again before the window ends. */
static uint32_t sequence_of(const struct stream *stream, uint32_t client)
{
	return 1 + stream->turns[client] % TURNS_IN_WINDOW * stream->payload;
}

static void prepare_vector(struct stream *stream, uint32_t first, uint32_t count)
{
	bool down = stream->translated && stream->vectors & 1;
	uint32_t client = stream->vectors++ / 2 % WORLD_CLIENTS;

	for (uint32_t i = first; i < first + count; i++) {
		uint32_t index = next_flow(stream, down ? (client + i) % WORLD_CLIENTS : client);
		enum world_traffic traffic = !stream->translated ? WORLD_ACROSS
					     : down		 ? WORLD_DOWN
								 : WORLD_UP;
		struct world_flow flow = world_flow(stream->world, traffic, index);

		stream->frame.sequence = sequence_of(stream, index % WORLD_CLIENTS);
		world_prepare(stream->world, i, &flow, &stream->frame);
		stream->from[i] = flow.from;
	}
}

/* What a batch costs, nanoseconds a packet. */
static double run_batch(struct stream *stream, uint32_t vector)
{
	uint64_t start, end;

	for (uint32_t i = 0; i < WORLD_BATCH; i += vector)
		prepare_vector(stream, i, vector);
	start = bench_ticks();
	for (uint32_t i = 0; i < WORLD_BATCH; i += vector)
		world_input(stream->world, stream->from[i], i, vector);
	end = bench_ticks();
	world_check(stream->world, WORLD_BATCH);
	return bench_ns(end - start) / WORLD_BATCH;
}

/* Returns the median. */
static double measure(struct stream *stream, uint32_t vector, const char *name, double target)
{
	struct bench_rounds rounds = { .count = 0 };
	static struct bench_batches batches;

	for (uint32_t i = 0; i < 2 * bench_options.batches; i++)
		run_batch(stream, vector);
	for (uint32_t r = 0; r < bench_options.rounds; r++) {
		for (uint32_t i = 0; i < bench_options.batches; i++)
			bench_batch(&batches, run_batch(stream, vector));
		bench_round(&rounds, &batches);
	}
	bench_row("established", name, "ns/packet", &rounds, target);
	return bench_median(rounds.values, rounds.count);
}

static const char *count_text(uint32_t count)
{
	static char text[24];

	if (count >= 1000000)
		snprintf(text, sizeof(text), "%u,000,000", count / 1000000);
	else if (count >= 1000)
		snprintf(text, sizeof(text), "%u,000", count / 1000);
	else
		snprintf(text, sizeof(text), "%u", count);
	return text;
}

struct medians {
	double single, vectors;
};

static struct medians measure_both(struct stream *stream, const char *what, double single,
				   double vectors)
{
	struct medians medians;
	char name[96];

	snprintf(name, sizeof(name), "%s, %s flows, %u B, single", what,
		 count_text(stream->world->flows), stream->frame.bytes);
	medians.single = measure(stream, 1, name, single);
	snprintf(name, sizeof(name), "%s, %s flows, %u B, vectors of 32", what,
		 count_text(stream->world->flows), stream->frame.bytes);
	medians.vectors = measure(stream, 32, name, vectors);
	return medians;
}

static void set_bytes(struct stream *stream, uint32_t bytes)
{
	stream->frame.bytes = bytes;
	stream->payload = bytes - world_least_bytes(stream->world, stream->frame.protocol);
}

static struct medians measure_flows(uint8_t version, uint32_t flows, bool translated,
				    uint8_t protocol, bool sizes)
{
	struct stream stream = {
		.world = world_begin(flows, version, "pass\n"),
		.order = bench_shuffled(flows / WORLD_CLIENTS, 0x5eed + flows),
		.per_client = flows / WORLD_CLIENTS,
		.translated = translated,
		.frame = { .protocol = protocol, .tcp_flags = TCP_ACK, .acknowledgement = 1 },
	};
	struct medians medians;
	bool targets = translated && flows == 100000 && version == 4;
	char what[32];

	snprintf(what, sizeof(what), "%s%s %s", version == 4 ? "" : "IPv6 ",
		 protocol == IP_PROTOCOL_TCP ? "TCP" : "UDP",
		 translated ? "with NAT" : "without NAT");
	set_bytes(&stream, version == 4 ? 60 : 80);
	world_establish(stream.world, translated, protocol);
	medians = measure_both(&stream, what, targets ? 70 : 0, targets ? 45 : 0);
	if (sizes) {
		set_bytes(&stream, 1514);
		measure_both(&stream, what, 0, 0);
	}
	free(stream.order);
	world_end(stream.world);
	return medians;
}

/* What the bench itself costs: the driver's input hands the vector back at once. */
static void hand_back(struct netdev *netdev, struct packet_vector *vector)
{
	netdev->ops->transmit(netdev, vector);
}

static void measure_empty(void)
{
	struct stream stream = {
		.world = world_begin(1000, 4, "pass\n"),
		.order = bench_shuffled(1000 / WORLD_CLIENTS, 1),
		.per_client = 1000 / WORLD_CLIENTS,
		.translated = true,
		.frame = { IP_PROTOCOL_TCP, TCP_ACK, 1, 1, 60 },
	};

	stream.world->uplink.netdev.input = hand_back;
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++)
		stream.world->client[i].netdev.input = hand_back;
	measure(&stream, 1, "(the bench alone, single)", 0);
	measure(&stream, 32, "(the bench alone, vectors of 32)", 0);
	free(stream.order);
	world_end(stream.world);
}

static void measure_ratio(const struct medians *few, const struct medians *many)
{
	bench_row_exact("established", "1,000,000 flows / 1,000 flows, single", "x",
			many->single / few->single, 2);
	bench_row_exact("established", "1,000,000 flows / 1,000 flows, vectors of 32", "x",
			many->vectors / few->vectors, 2);
}

void bench_established(void)
{
	const uint32_t most = bench_options.flows_max;
	struct medians few = { 0, 0 };

	measure_empty();
	for (uint32_t flows = 100; flows <= most; flows *= 10) {
		struct medians medians =
			measure_flows(4, flows, true, IP_PROTOCOL_TCP, flows == 100000);

		if (flows == 1000)
			few = medians;
		if (flows == 1000000)
			measure_ratio(&few, &medians);
	}
	for (uint32_t flows = 1000; flows <= most; flows *= 10)
		if (flows != 10000)
			measure_flows(6, flows, true, IP_PROTOCOL_TCP, false);
	if (most < 100000)
		return;
	measure_flows(4, 100000, true, IP_PROTOCOL_UDP, false);
	measure_flows(4, 100000, false, IP_PROTOCOL_TCP, false);
	measure_flows(6, 100000, false, IP_PROTOCOL_TCP, false);
}
