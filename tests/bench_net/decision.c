/* SPDX-License-Identifier: ISC */
/*
 * The decision alone, on packets that have been parsed: look-up, state, and translation.
 * What the router does beside it (Ethernet, next hop, vectors to drivers) is in the rows of
 * `established`; rows of their own have the parse too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/flow_follow.h"
#include "net/nat.h"
#include "net/parse.h"
#include "net/parse6.h"
#include "tests/bench_net/world.h"

#define UPLINK 0u
#define CLIENT 1u
#define VECTOR 32u

struct table {
	struct world *world; /* for packets */
	struct flow_table flows;
	struct wheel wheel;
	uint32_t count;
	uint32_t *order;
	uint32_t at;
	uint8_t version;
	bool parse; /* is the parse measured too? */
	struct packet_info infos[WORLD_BATCH];
};

static struct flow_tuple tuple_of(uint32_t index, uint8_t version)
{
	struct flow_tuple tuple = {
		.key = {
			.source = be32_of(0x0a8a000a),
			.destination = be32_of(0x2d000000u + index),
			.source_port = be16_of((uint16_t)(1024 + index % 60000)),
			.destination_port = be16_of(443),
			.protocol = IP_PROTOCOL_TCP,
			.interface = CLIENT,
			.version = version,
		},
	};

	if (version == 6) {
		struct ip6_address source = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 10 } };
		struct ip6_address destination = { { 0x20, 0x01, 0x0d, 0xb9 } };

		memcpy(destination.bytes + 8, &index, sizeof(index));
		flow_tuple_set_source6(&tuple, &source);
		flow_tuple_set_destination6(&tuple, &destination);
	}
	return tuple;
}

/* A flow as a handshake makes it. */
static void open_connection(const struct table *table, struct flow *flow)
{
	struct packet *packet = table->world->batch[0];
	struct packet_info info = { .key = flow->key[FLOW_ORIGINAL], .tcp_window = 65535 };
	enum drop_reason reason;

	info.tcp_flags = TCP_SYN;
	if (!flow_follow(flow, FLOW_ORIGINAL, packet, &info, table->world->now_ns, &reason))
		bench_fail("a SYN is refused: %s", drop_name(reason));
	info.tcp_flags = TCP_SYN | TCP_ACK;
	info.tcp_acknowledgement = 1;
	if (!flow_follow(flow, FLOW_REPLY, packet, &info, table->world->now_ns, &reason))
		bench_fail("an answer is refused: %s", drop_name(reason));
	info.tcp_flags = TCP_ACK;
	info.tcp_sequence = 1;
	if (!flow_follow(flow, FLOW_ORIGINAL, packet, &info, table->world->now_ns, &reason))
		bench_fail("an ACK is refused: %s", drop_name(reason));
}

static void fill(struct table *table)
{
	const struct ip6_address outside = { { 0x20, 0x01, 0x0d, 0xba, [15] = 1 } };

	for (uint32_t i = 0; i < table->count; i++) {
		struct flow_tuple original = tuple_of(i, table->version);
		struct flow_tuple reply = flow_tuple_reverse(&original, UPLINK);
		const struct flow_request request = {
			.original = &original,
			.reply = &reply,
			.owner = CLIENT,
			.state = FLOW_TCP_SYN_SENT,
			.quota = UINT32_MAX,
			.quota6 = UINT32_MAX,
		};
		struct flow *flow;

		if (table->version == 4)
			reply.key.destination = be32_of(0x0a890005);
		else
			flow_tuple_set_destination6(&reply, &outside);
		if (flow_create(&table->flows, &request, table->world->now_ns, &flow))
			bench_fail("flow %u cannot be", i);
		nat_prepare(flow);
		open_connection(table, flow);
	}
}

static void write_packet6(struct packet *packet, const struct flow_tuple *tuple)
{
	struct ethernet_header *ethernet = (struct ethernet_header *)packet->data;
	struct ip6_header *ip = (struct ip6_header *)(ethernet + 1);
	struct tcp_header *tcp = (struct tcp_header *)(ip + 1);

	ethernet->type = be16_of(ETHERTYPE_IP6);
	*ip = (struct ip6_header){
		.version_class_flow = be32_of(6u << 28),
		.payload_length = be16_of(sizeof(*tcp)),
		.next_header = IP_PROTOCOL_TCP,
		.hop_limit = 64,
	};
	memcpy(ip->source, tuple->ip6.source.bytes, sizeof(ip->source));
	memcpy(ip->destination, tuple->ip6.destination.bytes, sizeof(ip->destination));
	*tcp = (struct tcp_header){
		.source_port = tuple->key.source_port,
		.destination_port = tuple->key.destination_port,
		.sequence = be32_of(1),
		.acknowledgement = be32_of(1),
		.data_offset = 5 << 4,
		.flags = TCP_ACK,
		.window = be16_of(65535),
	};
	packet->head_length = sizeof(*ethernet) + sizeof(*ip) + sizeof(*tcp);
	packet->length = packet->head_length;
	packet->flags = 0;
}

static void write_packet(struct table *table, uint32_t slot)
{
	static const struct world_frame frame = { IP_PROTOCOL_TCP, TCP_ACK, 1, 1, 60 };
	uint32_t index = table->order[table->at];
	struct flow_tuple tuple = tuple_of(index, table->version);
	struct world_flow flow = {
		.source = be32_get(tuple.key.source),
		.destination = be32_get(tuple.key.destination),
		.source_port = be16_get(tuple.key.source_port),
		.destination_port = be16_get(tuple.key.destination_port),
		.from = &table->world->client[0],
	};

	table->at = table->at + 1 == table->count ? 0 : table->at + 1;
	if (table->version == 4)
		world_prepare(table->world, slot, &flow, &frame);
	else
		write_packet6(table->world->batch[slot], &tuple);
}

static void parse(struct table *table, uint32_t slot)
{
	enum drop_reason reason;
	struct packet *packet = table->world->batch[slot];
	bool good;

	if (table->version == 4)
		good = parse_ip4(packet, CLIENT, &table->infos[slot], &reason);
	else
		good = parse_ip6(packet, CLIENT, &table->infos[slot], &reason);
	if (!good)
		bench_fail("a packet is refused: %s", drop_name(reason));
}

static void decide(struct table *table, uint32_t slot)
{
	struct packet *packet = table->world->batch[slot];
	struct packet_info *info = &table->infos[slot];
	enum flow_direction direction;
	enum drop_reason reason;
	struct flow *flow = flow_find(&table->flows, &info->tuple, info->hash, &direction);

	if (!flow || !flow_follow(flow, direction, packet, info, table->world->now_ns, &reason))
		bench_fail("a flow is lost");
	nat_rewrite(packet, info, flow, direction);
}

/* The same steps as router_input()'s. */
static void run_vector(struct table *table, uint32_t first, uint32_t count)
{
	struct packet_info *infos = &table->infos[first];

	for (uint32_t i = 0; i < count; i++) {
		if (table->parse)
			parse(table, first + i);
		infos[i].hash = flow_hash(&table->flows, &infos[i].tuple);
		flow_prefetch_bucket(&table->flows, infos[i].hash);
	}
	for (uint32_t i = 0; i < count && count > 1; i++)
		flow_prefetch_entry(&table->flows, infos[i].hash);
	for (uint32_t i = 0; i < count && count > 1 && table->version == 6; i++)
		flow_prefetch_addresses6(&table->flows, infos[i].hash);
	for (uint32_t i = 0; i < count; i++)
		decide(table, first + i);
}

static double run_batch(struct table *table, uint32_t vector)
{
	uint64_t start;

	for (uint32_t i = 0; i < WORLD_BATCH; i++) {
		write_packet(table, i);
		if (!table->parse)
			parse(table, i);
	}
	start = bench_ticks();
	for (uint32_t i = 0; i < WORLD_BATCH; i += vector)
		run_vector(table, i, vector);
	table->world->now_ns += 10000;
	return bench_ns(bench_ticks() - start) / WORLD_BATCH;
}

static void measure(struct table *table, uint32_t vector, bool parse_too)
{
	struct bench_rounds rounds = { .count = 0 };
	static struct bench_batches batches;
	double target = table->version == 4 && table->count == 100000 ? vector == 1 ? 70 : 45 : 0;
	char name[96];

	table->parse = parse_too;
	for (uint32_t r = 0; r < bench_options.rounds; r++) {
		for (uint32_t i = 0; i < bench_options.batches; i++)
			bench_batch(&batches, run_batch(table, vector));
		bench_round(&rounds, &batches);
	}
	snprintf(name, sizeof(name), "IPv%u%s look-up, state, NAT, %u flows, %s", table->version,
		 parse_too ? " parse," : "", table->count,
		 vector == 1 ? "single" : "vectors of 32");
	bench_row("decision", name, "ns/packet", &rounds, target);
}

static void measure_table(uint8_t version, uint32_t count)
{
	struct table *table = bench_memory(sizeof(*table));
	uint32_t six = version == 6 ? count : 0;

	table->world = world_begin(100, 4, "pass\n");
	table->version = version;
	table->count = count;
	table->order = bench_shuffled(count, count);
	wheel_init(&table->wheel, table->world->now_ns);
	flow_table_init(&table->flows, bench_memory(flow_table_bytes(count, six)), count, six,
			&table->wheel, &table->world->random);
	fill(table);
	for (unsigned int parse_too = 0; parse_too < 2; parse_too++) {
		measure(table, 1, parse_too);
		measure(table, VECTOR, parse_too);
	}
	free(table->order);
	world_end(table->world);
}

void bench_decision(void)
{
	for (uint8_t version = 4; version <= 6; version += 2)
		for (uint32_t count = 1000; count <= bench_options.flows_max; count *= 10)
			if (count != 10000)
				measure_table(version, count);
}
