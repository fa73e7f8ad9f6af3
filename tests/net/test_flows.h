/* SPDX-License-Identifier: ISC */
/* A flow table in a box: its memory, its wheel, its time. */
#pragma once

#include <stdlib.h>

#include "net/flow.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

struct table_world {
	struct flow_table table;
	struct wheel wheel;
	struct random random;
	void *memory;
	uint64_t now_ns;
};

/* `flows6`: of them for IPv6. */
static inline void world_begin(struct table_world *world, uint32_t flows, uint32_t flows6)
{
	const uint8_t seed[RANDOM_SEED_BYTES] = { 7 };

	world->now_ns = 1000 * TEST_SECOND;
	random_init(&world->random, seed);
	wheel_init(&world->wheel, world->now_ns);
	world->memory = malloc(flow_table_bytes(flows, flows6) + 8);
	/* Memory may lie anywhere; the entries are aligned all the same. */
	flow_table_init(&world->table, (uint8_t *)world->memory + 8, flows, flows6, &world->wheel,
			&world->random);
	ck_assert_uint_eq((uintptr_t)world->table.flows % 64, 0);
}

static inline void world_end(struct table_world *world)
{
	flow_purge_all(&world->table);
	ck_assert(flow_table_is_valid(&world->table));
	ck_assert_uint_eq(world->wheel.armed, 0);
	free(world->memory);
}

static inline void world_advance(struct table_world *world, uint64_t ns)
{
	uint64_t until = world->now_ns + ns;

	while (world->now_ns < until) {
		world->now_ns +=
			until - world->now_ns < 50000000 ? until - world->now_ns : 50000000;
		wheel_run(&world->wheel, world->now_ns, 16);
	}
}

/* A tuple of IPv4 or IPv6 that differs for every number. */
static inline struct flow_tuple tuple_number(uint32_t i, uint8_t version, uint8_t protocol,
					     uint8_t interface)
{
	struct flow_tuple tuple = { .key = { .source_port = be16_of((uint16_t)(1024 + i % 60000)),
					     .destination_port = be16_of(80),
					     .protocol = protocol,
					     .interface = interface,
					     .version = version } };
	struct ip6_address address = { .bytes = { 0x20, 0x01, 0x0d, 0xb8, 0, interface } };

	if (version == 4) {
		tuple.key.source = be32_of(IP(10, 0, 0, 1) + i / 60000);
		tuple.key.destination = be32_of(SERVER_IP);
		return tuple;
	}
	memcpy(address.bytes + 8, &i, sizeof(i));
	flow_tuple_set_source6(&tuple, &address);
	address.bytes[4] = 0x77;
	flow_tuple_set_destination6(&tuple, &address);
	return tuple;
}
