/* SPDX-License-Identifier: ISC */
/*
 * A flow table and a struct nat in a box, and flows through it. State of its own for each
 * program that includes it.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/nat_choose.h"
#include "tests/host/unit.h"
#include "tests/net/test_nat.h"

#define CLIENT 1u /* interfaces */
#define CLIENT_B 2u
#define UPLINK 9u

static struct nat nat;
static struct flow_table table;
static struct wheel wheel;
static struct random numbers;
static void *flow_memory, *nat_memory;

static inline void begin(uint32_t flows, uint32_t mappings)
{
	uint8_t seed[RANDOM_SEED_BYTES] = { 0 };
	uint64_t given = unit_seed();

	memcpy(seed, &given, sizeof(given));
	random_init(&numbers, seed);
	wheel_init(&wheel, 0);
	flow_memory = malloc(flow_table_bytes(flows, flows));
	flow_table_init(&table, flow_memory, flows, flows, &wheel, &numbers);
	nat_memory = malloc(nat_memory_bytes(mappings));
	nat_init(&nat, nat_memory, mappings, &table, &numbers);
}

static inline void drop_flow(struct flow *flow)
{
	nat_flow_removed(&nat, flow);
	flow_remove(flow);
}

/* Nothing is held when no flow is left. */
static inline void end(void)
{
	for (uint32_t i = 0; i < table.total; i++)
		if (table.flows[i].state != FLOW_FREE)
			drop_flow(&table.flows[i]);
	ck_assert(nat_mappings_are_valid(&nat.mappings));
	ck_assert_uint_eq(nat.mappings.used, 0);
	ck_assert_uint_eq(nat.mappings.owned[CLIENT], 0);
	free(flow_memory);
	free(nat_memory);
}

/* Host `n` of net 10 in IPv4, of fd00:: in IPv6; 200 and up are outside. */
static inline struct ip_address host(uint8_t version, uint32_t n)
{
	uint8_t six[16] = { n >= 200 ? 0x20 : 0xfd, 1 };

	if (version == 4)
		return ip_address_of4(be32_of(IP(n >= 200 ? 192 : 10, 0, 2, 0) + n));
	put16(six + 14, (uint16_t)n);
	return ip_address_of6(six);
}

#define OUTSIDE 250u /* our external address */

static inline struct flow_tuple tuple_of(uint8_t version, uint8_t protocol, uint32_t from,
					 uint16_t from_port, uint32_t to, uint16_t to_port)
{
	struct spec spec = { .version = version, .protocol = protocol };

	memcpy(spec.source, host(version, from).bytes, 16);
	memcpy(spec.destination, host(version, to).bytes, 16);
	spec.source_port = from_port;
	spec.destination_port = to_port;
	return spec_tuple(&spec, (uint8_t)(from < 100 ? CLIENT : CLIENT_B));
}

static inline struct nat_request request_of(const struct flow_tuple *original, enum nat_mode mode)
{
	return (struct nat_request){ .original = original,
				     .out_interface = UPLINK,
				     .mode = mode,
				     .source = host(original->key.version, OUTSIDE) };
}

/* 0, or the error; the flow must be found from either side, and the answer turned round. */
static inline int make(const struct nat_request *request, struct flow_tuple *reply,
		       struct flow **made)
{
	enum flow_direction direction = FLOW_ORIGINAL;
	struct flow *flow;
	int error = nat_choose(&nat, request, reply);

	if (error)
		return error;
	ck_assert_uint_eq(reply->key.interface, request->out_interface);
	flow = test_flow_create(&table, request->original, reply);
	ck_assert_ptr_nonnull(flow);
	ck_assert_ptr_eq(flow_find(&table, reply, flow_hash(&table, reply), &direction), flow);
	ck_assert_int_eq(direction, FLOW_REPLY);
	if (made)
		*made = flow;
	return 0;
}

/* The external port of a new flow, which must get one. */
static inline uint16_t port_of(const struct nat_request *request)
{
	struct flow_tuple reply;
	struct nat_endpoint external;
	struct ip_address wanted = request->source;

	ck_assert_int_eq(make(request, &reply, NULL), 0);
	external = nat_destination_of(&reply);
	ck_assert_mem_eq(external.address.bytes, wanted.bytes, 16);
	return be16_get(external.port);
}

static inline uint16_t go(uint8_t version, uint8_t protocol, enum nat_mode mode, uint32_t from,
			  uint16_t from_port, uint32_t to, uint16_t to_port)
{
	struct flow_tuple original = tuple_of(version, protocol, from, from_port, to, to_port);
	struct nat_request request = request_of(&original, mode);

	return port_of(&request);
}

static inline uint8_t icmp_of(uint8_t version)
{
	return version == 4 ? 1 : ICMP6;
}
