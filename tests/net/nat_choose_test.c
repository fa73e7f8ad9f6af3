/* SPDX-License-Identifier: ISC */
/*
 * Which translation a flow is given (RFC 4787, 5382, 5508), against a plain model: who
 * has which external port, and does every answer find its flow.
 */
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

static void begin(uint32_t flows, uint32_t mappings)
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

static void drop_flow(struct flow *flow)
{
	nat_flow_removed(&nat, flow);
	flow_remove(flow);
}

/* Nothing is held when no flow is left. */
static void end(void)
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
static struct ip_address host(uint8_t version, uint32_t n)
{
	uint8_t six[16] = { n >= 200 ? 0x20 : 0xfd, 1 };

	if (version == 4)
		return ip_address_of4(be32_of(IP(n >= 200 ? 192 : 10, 0, 2, 0) + n));
	put16(six + 14, (uint16_t)n);
	return ip_address_of6(six);
}

#define OUTSIDE 250u /* our external address */

static struct flow_tuple tuple_of(uint8_t version, uint8_t protocol, uint32_t from,
				  uint16_t from_port, uint32_t to, uint16_t to_port)
{
	struct spec spec = { .version = version, .protocol = protocol };

	memcpy(spec.source, host(version, from).bytes, 16);
	memcpy(spec.destination, host(version, to).bytes, 16);
	spec.source_port = from_port;
	spec.destination_port = to_port;
	return spec_tuple(&spec, (uint8_t)(from < 100 ? CLIENT : CLIENT_B));
}

static struct nat_request request_of(const struct flow_tuple *original, enum nat_mode mode)
{
	return (struct nat_request){ .original = original,
				     .out_interface = UPLINK,
				     .mode = mode,
				     .source = host(original->key.version, OUTSIDE) };
}

/* 0, or the error; the flow must be found from either side, and the answer turned round. */
static int make(const struct nat_request *request, struct flow_tuple *reply, struct flow **made)
{
	enum flow_direction direction = FLOW_ORIGINAL;
	struct flow *flow = NULL;
	int error = nat_choose(&nat, request, reply);

	if (error)
		return error;
	ck_assert_uint_eq(reply->key.interface, request->out_interface);
	ck_assert_int_eq(
		flow_create(&table, request->original, reply, UINT32_MAX, FLOW_OTHER, 0, &flow), 0);
	ck_assert_ptr_eq(flow_find(&table, reply, flow_hash(&table, reply), &direction), flow);
	ck_assert_int_eq(direction, FLOW_REPLY);
	if (made)
		*made = flow;
	return 0;
}

/* The external port of a new flow, which must get one. */
static uint16_t port_of(const struct nat_request *request)
{
	struct flow_tuple reply;
	struct nat_endpoint external;
	struct ip_address wanted = request->source;

	ck_assert_int_eq(make(request, &reply, NULL), 0);
	external = nat_destination_of(&reply);
	ck_assert_mem_eq(external.address.bytes, wanted.bytes, 16);
	return be16_get(external.port);
}

static uint16_t go(uint8_t version, uint8_t protocol, enum nat_mode mode, uint32_t from,
		   uint16_t from_port, uint32_t to, uint16_t to_port)
{
	struct flow_tuple original = tuple_of(version, protocol, from, from_port, to, to_port);
	struct nat_request request = request_of(&original, mode);

	return port_of(&request);
}

static uint8_t icmp_of(uint8_t version)
{
	return version == 4 ? 1 : ICMP6;
}

/* RFC 4787 REQ-1, RFC 5382 REQ-1, RFC 5508 REQ-1, REQ-3 of the first */
START_TEST(one_end_point_has_one_name)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		const uint8_t protocols[] = { TCP, UDP, icmp_of(version) };

		begin(2000, 2000);
		for (uint32_t p = 0; p < 3; p++) {
			uint16_t first, second;

			first = go(version, protocols[p], NAT_ENDPOINT_INDEPENDENT, 1, 4000, 200,
				   1);
			second = go(version, protocols[p], NAT_ENDPOINT_INDEPENDENT, 2, 4000, 200,
				    1);
			ck_assert_uint_eq(first, 4000);
			ck_assert_uint_ne(second, first);
			for (uint32_t i = 0; i < 100; i++) {
				uint32_t to = 201 + i % 10;
				uint16_t port = (uint16_t)(i + 7);

				ck_assert_uint_eq(go(version, protocols[p],
						     NAT_ENDPOINT_INDEPENDENT, 1, 4000, to, port),
						  first);
				ck_assert_uint_eq(go(version, protocols[p],
						     NAT_ENDPOINT_INDEPENDENT, 2, 4000, to, port),
						  second);
			}
		}
		ck_assert_uint_eq(nat.mappings.used, 6);
		ck_assert(nat_mappings_are_valid(&nat.mappings));
		end();
	}
}
END_TEST

/* It is forgotten with the last flow, not before. */
START_TEST(mappings_live_as_long_as_flows)
{
	struct flow_tuple a = tuple_of(4, UDP, 1, 4000, 200, 1);
	struct flow_tuple b = tuple_of(4, UDP, 1, 4000, 201, 1), reply;
	struct nat_request request_a = request_of(&a, NAT_ENDPOINT_INDEPENDENT);
	struct nat_request request_b = request_of(&b, NAT_ENDPOINT_INDEPENDENT);
	struct flow *flow_a, *flow_b;

	begin(20, 20);
	ck_assert_int_eq(make(&request_a, &reply, &flow_a), 0);
	ck_assert_int_eq(make(&request_b, &reply, &flow_b), 0);
	drop_flow(flow_a);
	ck_assert_uint_eq(nat.mappings.used, 1);
	ck_assert_uint_ne(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 2, 4000, 202, 1), 4000);
	drop_flow(flow_b);
	ck_assert_uint_eq(nat.mappings.used, 1);
	ck_assert_uint_eq(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 3, 4000, 202, 1), 4000);
	end();
}
END_TEST

/* RFC 4787 REQ-3a, REQ-4: another port has the same half, and for UDP the same parity. */
START_TEST(other_ports_are_of_the_same_kind)
{
	begin(4000, 4000);
	for (uint32_t i = 0; i < 100; i++) {
		uint16_t high = go(4, UDP, NAT_ENDPOINT_INDEPENDENT, i, 5001, 200, 1);
		uint16_t low = go(4, UDP, NAT_ENDPOINT_INDEPENDENT, i, 500, 200, 1);
		uint16_t tcp = go(4, TCP, NAT_ENDPOINT_INDEPENDENT, i, 22, 200, 1);

		ck_assert_uint_ge(high, 1024);
		ck_assert_uint_eq(high % 2, 1);
		ck_assert_uint_lt(low, 1024);
		ck_assert_uint_eq(low % 2, 0);
		ck_assert_uint_gt(low, 0);
		ck_assert_uint_lt(tcp, 1024);
		ck_assert_uint_gt(tcp, 0);
	}
	end();
}
END_TEST

/* When the low ports are gone, high ones do. */
START_TEST(low_ports_run_out)
{
	uint32_t high = 0;

	begin(2000, 2000);
	for (uint32_t i = 0; i < 1200; i++) {
		struct flow_tuple original = tuple_of(4, TCP, 1, 123, 200, 1);
		struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);

		original.key.source = be32_of(IP(10, 9, 0, 0) + i);
		high += port_of(&request) >= 1024;
	}
	ck_assert_uint_ge(high, 1200 - 1023);
	end();
}
END_TEST

/* Random ports are spread and not in order. */
START_TEST(other_ports_are_random)
{
	uint32_t rising = 0, buckets[8] = { 0 };
	uint16_t last = 0;

	begin(3000, 3000);
	for (uint32_t i = 0; i < 2000; i++) {
		struct flow_tuple original = tuple_of(4, TCP, 1, 5000, 200, 1);
		struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);
		uint16_t port;

		original.key.source = be32_of(IP(10, 9, 0, 0) + i);
		port = port_of(&request);
		rising += port > last;
		last = port;
		buckets[port / 8192]++;
	}
	ck_assert_uint_gt(rising, 800);
	ck_assert_uint_lt(rising, 1200);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_uint_gt(buckets[i], 120);
	end();
}
END_TEST

/* Port 0 wants no answer and cannot be had; an echo's identifier 0 can. */
START_TEST(zero_is_no_port)
{
	begin(20, 20);
	ck_assert_uint_ge(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 1, 0, 200, 1), 1024);
	ck_assert_uint_ge(go(4, UDP, NAT_SYMMETRIC, 2, 0, 200, 1), 1024);
	ck_assert_uint_eq(go(4, 1, NAT_ENDPOINT_INDEPENDENT, 1, 0, 200, 0), 0);
	end();
}
END_TEST

/* A symmetric port is free for whoever goes elsewhere, but never another's own. */
START_TEST(symmetric_ports_are_shared)
{
	begin(200, 200);
	ck_assert_uint_eq(go(6, TCP, NAT_SYMMETRIC, 1, 4000, 200, 1), 4000);
	ck_assert_uint_eq(go(6, TCP, NAT_SYMMETRIC, 2, 4000, 201, 1), 4000);
	ck_assert_uint_ne(go(6, TCP, NAT_SYMMETRIC, 3, 4000, 200, 1), 4000);
	ck_assert_uint_ne(go(6, TCP, NAT_ENDPOINT_INDEPENDENT, 4, 4000, 202, 1), 4000);
	ck_assert_uint_eq(go(6, TCP, NAT_ENDPOINT_INDEPENDENT, 5, 5000, 202, 1), 5000);
	ck_assert_uint_ne(go(6, TCP, NAT_SYMMETRIC, 6, 5000, 203, 1), 5000);
	ck_assert(nat_mappings_are_valid(&nat.mappings));
	end();
}
END_TEST

START_TEST(static_ports_stay_or_fail)
{
	struct flow_tuple original = tuple_of(4, UDP, 2, 500, 200, 500), reply;
	struct nat_request request = request_of(&original, NAT_STATIC_PORT);

	begin(20, 20);
	ck_assert_uint_eq(go(4, UDP, NAT_STATIC_PORT, 1, 500, 200, 500), 500);
	ck_assert_uint_eq(go(4, UDP, NAT_STATIC_PORT, 1, 500, 201, 500), 500);
	ck_assert_int_eq(make(&request, &reply, NULL), -EADDRINUSE);
	original = tuple_of(4, UDP, 2, 500, 202, 500);
	ck_assert_int_eq(make(&request, &reply, NULL), 0);
	ck_assert_uint_eq(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 3, 600, 200, 500), 600);
	original = tuple_of(4, UDP, 2, 600, 202, 500);
	ck_assert_int_eq(make(&request, &reply, NULL), -EADDRINUSE);
	end();
}
END_TEST

/* GRE and its like have no ports: one client for each destination. */
START_TEST(protocols_without_ports)
{
	struct flow_tuple original = tuple_of(4, GRE, 2, 0, 200, 0), reply;
	struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);

	begin(20, 20);
	ck_assert_uint_eq(go(4, GRE, NAT_ENDPOINT_INDEPENDENT, 1, 0, 200, 0), 0);
	ck_assert_uint_eq(go(4, ESP, NAT_ENDPOINT_INDEPENDENT, 2, 0, 200, 0), 0);
	ck_assert_int_eq(make(&request, &reply, NULL), -EADDRINUSE);
	original = tuple_of(4, GRE, 2, 0, 201, 0);
	ck_assert_int_eq(make(&request, &reply, NULL), 0);
	end();
}
END_TEST

/* All of a given range is used, nothing else is, and then it is over. */
START_TEST(ranges_are_used_up)
{
	for (uint32_t mode = NAT_ENDPOINT_INDEPENDENT; mode <= NAT_SYMMETRIC; mode++) {
		uint8_t given[16] = { 0 };

		begin(64, 64);
		for (uint32_t i = 0; i < 20; i++) {
			struct flow_tuple original = tuple_of(4, UDP, i, 4000, 200, 1), reply;
			struct nat_request request = request_of(&original, mode);

			request.source_port_low = 2001;
			request.source_port_high = 2016;
			if (i < 16) {
				uint16_t port = port_of(&request);

				ck_assert_uint_ge(port, 2001);
				ck_assert_uint_le(port, 2016);
				ck_assert_uint_eq(given[port - 2001]++, 0);
			} else {
				ck_assert_int_eq(make(&request, &reply, NULL), -EADDRINUSE);
			}
		}
		end();
	}
}
END_TEST

/* One port, said twice, once, or the wrong way round. */
START_TEST(ranges_of_one)
{
	const uint16_t high[] = { 2002, 2001, 0 };

	begin(20, 20);
	for (uint16_t i = 0; i < 3; i++) {
		struct flow_tuple original = tuple_of(4, UDP, 1, 4000, 200, i);
		struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);

		request.source_port_low = 2002;
		request.source_port_high = high[i];
		ck_assert_uint_eq(port_of(&request), 2002);
	}
	end();
}
END_TEST

/* An end point that a rule sends out from other ports has a name in each range. */
START_TEST(a_name_for_each_range)
{
	struct flow_tuple original = tuple_of(4, UDP, 1, 4000, 200, 1);
	struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);
	uint16_t port;

	begin(20, 20);
	ck_assert_uint_eq(port_of(&request), 4000);
	original = tuple_of(4, UDP, 1, 4000, 201, 1);
	request.source_port_low = 9000;
	request.source_port_high = 9099;
	port = port_of(&request);
	ck_assert_uint_eq(port / 100, 90);
	original = tuple_of(4, UDP, 1, 4000, 202, 1);
	ck_assert_uint_eq(port_of(&request), port);
	ck_assert_uint_eq(nat.mappings.used, 2);
	end();
}
END_TEST

START_TEST(full_tables_and_quotas)
{
	struct flow_tuple original = tuple_of(6, UDP, 9, 4000, 200, 1), reply;
	struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);

	begin(20, 3);
	for (uint32_t i = 0; i < 3; i++)
		go(6, UDP, NAT_ENDPOINT_INDEPENDENT, i, 4000, 200, 1);
	ck_assert_int_eq(make(&request, &reply, NULL), -ENOSPC);
	request.quota = 3;
	ck_assert_int_eq(make(&request, &reply, NULL), -EDQUOT);
	original = tuple_of(6, UDP, 2, 4000, 201, 1); /* an old name is no new one */
	ck_assert_int_eq(make(&request, &reply, NULL), 0);
	end();
}
END_TEST

START_TEST(what_is_cancelled_is_free)
{
	struct flow_tuple original = tuple_of(4, UDP, 1, 4000, 200, 1), reply;
	struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);

	begin(20, 20);
	ck_assert_int_eq(nat_choose(&nat, &request, &reply), 0);
	ck_assert_uint_eq(nat.mappings.used, 1);
	nat_cancel(&nat, &original, &reply);
	ck_assert_uint_eq(nat.mappings.used, 0);
	request.mode = NAT_NONE;
	ck_assert_int_eq(nat_choose(&nat, &request, &reply), 0);
	ck_assert(flow_key_equal(&reply.key, &(struct flow_key){ .source = original.key.destination,
								 .destination = original.key.source,
								 .source_port = be16_of(1),
								 .destination_port = be16_of(4000),
								 .protocol = UDP,
								 .interface = UPLINK,
								 .version = 4 }));
	nat_cancel(&nat, &original, &reply);
	end();
}
END_TEST

START_TEST(our_own_ports_are_not_given)
{
	struct flow_tuple ours = tuple_of(4, UDP, 1, 1, OUTSIDE, 4000);
	struct nat_endpoint external = nat_destination_of(&ours);

	begin(20, 20);
	ck_assert_int_eq(nat_reserve(&nat, &external), 0);
	ck_assert_int_eq(nat_reserve(&nat, &external), -EADDRINUSE);
	ck_assert_uint_ne(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 1, 4000, 200, 1), 4000);
	ck_assert_uint_ne(go(4, UDP, NAT_SYMMETRIC, 1, 4000, 201, 1), 4000);
	nat_unreserve(&nat, &external);
	ck_assert_uint_eq(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 2, 4000, 200, 1), 4000);
	nat_unreserve(&nat, &external); /* not ours any more */
	ck_assert_uint_ne(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 3, 4000, 200, 1), 4000);
	end();
}
END_TEST

/* Port n of a range in goes to port n of the other, and round again where that is shorter. */
START_TEST(redirects_ports)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		const uint16_t cases[][5] = {
			/* base, low, high, comes to, goes to */
			{ 0, 0, 0, 80, 80 },
			{ 80, 8080, 8080, 80, 8080 },
			{ 80, 8080, 0, 81, 8080 },
			{ 2000, 3000, 3009, 2000, 3000 },
			{ 2000, 3000, 3009, 2007, 3007 },
			{ 2000, 3000, 3009, 2013, 3003 },
			{ 1, 1, 65535, 65535, 65535 },
		};

		begin(20, 20);
		for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct flow_tuple original = tuple_of(version, TCP, 200, (uint16_t)(i + 1),
							      OUTSIDE, cases[i][3]);
			struct nat_request request = { .original = &original,
						       .out_interface = CLIENT,
						       .destination = host(version, 1) };
			struct flow_tuple reply;
			struct nat_endpoint inside, remote;

			request.destination_port_base = cases[i][0];
			request.destination_port_low = cases[i][1];
			request.destination_port_high = cases[i][2];
			ck_assert_int_eq(make(&request, &reply, NULL), 0);
			inside = nat_source_of(&reply);
			remote = nat_destination_of(&reply);
			ck_assert_uint_eq(be16_get(inside.port), cases[i][4]);
			ck_assert_mem_eq(inside.address.bytes, request.destination.bytes, 16);
			ck_assert_uint_eq(be16_get(remote.port), i + 1);
			ck_assert_mem_eq(remote.address.bytes, host(version, 200).bytes, 16);
		}
		ck_assert_uint_eq(nat.mappings.used, 0);
		end();
	}
}
END_TEST

/*
 * RFC 4787 REQ-9: a client reaches another one by our external address and comes from
 * there under the name that it has everywhere.
 */
START_TEST(hairpins)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct flow_tuple original = tuple_of(version, TCP, 1, 4000, OUTSIDE, 80), reply;
		struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);
		struct nat_endpoint from, to;

		begin(20, 20);
		go(version, TCP, NAT_ENDPOINT_INDEPENDENT, 2, 4000, 200, 1); /* has port 4000 */
		request.out_interface = CLIENT_B;
		request.destination = host(version, 150);
		request.destination_port_low = 8080;
		ck_assert_int_eq(make(&request, &reply, NULL), 0);
		from = nat_destination_of(&reply);
		to = nat_source_of(&reply);
		ck_assert_mem_eq(from.address.bytes, host(version, OUTSIDE).bytes, 16);
		ck_assert_uint_ne(be16_get(from.port), 4000);
		ck_assert_mem_eq(to.address.bytes, host(version, 150).bytes, 16);
		ck_assert_uint_eq(be16_get(to.port), 8080);
		ck_assert_uint_eq(go(version, TCP, NAT_ENDPOINT_INDEPENDENT, 1, 4000, 200, 1),
				  be16_get(from.port));
		end();
	}
}
END_TEST

/* Whom another client means by an external name. */
START_TEST(finds_who_has_a_name)
{
	struct flow_tuple name = tuple_of(4, UDP, 1, 1, OUTSIDE, 4000);
	struct nat_endpoint external = nat_destination_of(&name), internal;
	uint8_t interface = 0;

	begin(20, 20);
	ck_assert(!nat_find_internal(&nat, &external, &internal, &interface));
	go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 150, 4000, 200, 1);
	ck_assert(nat_find_internal(&nat, &external, &internal, &interface));
	ck_assert_mem_eq(internal.address.bytes, host(4, 150).bytes, 16);
	ck_assert_uint_eq(be16_get(internal.port), 4000);
	ck_assert_uint_eq(interface, CLIENT_B);
	go(4, TCP, NAT_SYMMETRIC, 150, 4000, 200, 1);
	external.protocol = TCP;
	ck_assert(!nat_find_internal(&nat, &external, &internal, &interface));
	end();
}
END_TEST

/* One address for another, both ways, as binat-to has it. */
START_TEST(one_to_one)
{
	struct flow_tuple in = tuple_of(4, TCP, 200, 5000, 251, 22), reply;
	struct nat_request out_request, in_request = { .original = &in,
						       .out_interface = CLIENT,
						       .destination = host(4, 1) };
	struct flow_tuple out = tuple_of(4, TCP, 1, 4000, 200, 80);

	begin(20, 20);
	in.key.interface = UPLINK;
	out_request = request_of(&out, NAT_STATIC_PORT);
	out_request.source = host(4, 251);
	ck_assert_uint_eq(port_of(&out_request), 4000);
	ck_assert_int_eq(make(&in_request, &reply, NULL), 0);
	ck_assert_uint_eq(be16_get(reply.key.source_port), 22);
	/* A connection and the same one begun from the other end are one flow. */
	out = tuple_of(4, TCP, 1, 22, 200, 5000);
	ck_assert_int_eq(make(&out_request, &reply, NULL), -EADDRINUSE);
	end();
}
END_TEST

START_TEST(prefixes)
{
	struct ip6_address internal = { { 0xfd, 1 } }, external = { { 0x20, 1, 0x0d, 0xb8 } };
	struct flow_tuple original = tuple_of(6, TCP, 1, 4000, 200, 80), reply;
	struct nat_request request = request_of(&original, NAT_PREFIX);
	struct nptv6 nptv6;
	struct ip6_address expected;
	struct flow *flow;

	begin(20, 20);
	ck_assert_int_eq(nptv6_init(&nptv6, &internal, 48, &external, 48), 0);
	ck_assert_int_eq(make(&request, &reply, NULL), -EINVAL); /* no prefix */
	request.prefix = &nptv6;
	ck_assert(nptv6_outward(&nptv6, &original.ip6.source, &expected));
	ck_assert_int_eq(make(&request, &reply, &flow), 0);
	ck_assert_mem_eq(&reply.ip6.destination, &expected, 16);
	ck_assert_uint_eq(be16_get(reply.key.destination_port), 4000);
	nat_prepare(flow);
	ck_assert_uint_eq(flow->transport_delta, 0);
	ck_assert_uint_eq(flow->address_delta, 0);
	original.ip6.source.bytes[6] = 0xff;
	original.ip6.source.bytes[7] = 0xff;
	ck_assert_int_eq(make(&request, &reply, NULL), -EINVAL);
	original = tuple_of(4, TCP, 1, 4000, 200, 80);
	ck_assert_int_eq(make(&request, &reply, NULL), -EINVAL);
	end();
}
END_TEST

START_TEST(versions_do_not_mix)
{
	struct flow_tuple original = tuple_of(4, TCP, 1, 4000, 200, 80), reply;
	struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);

	begin(20, 20);
	request.source = host(6, OUTSIDE);
	ck_assert_int_eq(make(&request, &reply, NULL), -EINVAL);
	request = request_of(&original, NAT_NONE);
	request.destination = host(6, 1);
	ck_assert_int_eq(make(&request, &reply, NULL), -EINVAL);
	ck_assert_uint_eq(nat.mappings.used, 0);
	end();
}
END_TEST

/* ---- Random flows ---- */

#define FLOWS 400u

struct live {
	struct flow *flow;
	struct nat_endpoint internal, external;
	enum nat_mode mode;
	uint8_t interface;
};

static struct live live[FLOWS];
static uint32_t live_count;

static bool same_endpoint(const struct nat_endpoint *a, const struct nat_endpoint *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What must hold between two flows that live at once. */
static void check_pair(const struct live *a, const struct live *b)
{
	struct flow_tuple reply_a = flow_tuple_of(a->flow, FLOW_REPLY);
	struct flow_tuple reply_b = flow_tuple_of(b->flow, FLOW_REPLY);
	bool one_inside = same_endpoint(&a->internal, &b->internal) && a->interface == b->interface;
	bool one_outside = same_endpoint(&a->external, &b->external);

	if (flow_tuple_equal(&reply_a, &reply_b))
		ck_abort_msg("two flows have one reply");
	if (a->mode != NAT_ENDPOINT_INDEPENDENT)
		return;
	if (one_outside && !one_inside)
		ck_abort_msg("two end points have one name");
	if (b->mode == a->mode && one_inside && !one_outside)
		ck_abort_msg("one end point has two names");
}

static void check_all(void)
{
	if (!nat_mappings_are_valid(&nat.mappings) || !flow_table_is_valid(&table))
		ck_abort_msg("a table is broken");
	for (uint32_t i = 0; i < live_count; i++)
		for (uint32_t j = 0; j < live_count; j++)
			if (i != j)
				check_pair(&live[i], &live[j]);
}

static void random_flow(uint64_t *state)
{
	static const enum nat_mode modes[] = { NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT,
					       NAT_SYMMETRIC, NAT_STATIC_PORT };
	uint8_t version = unit_random(state) % 2 ? 4 : 6;
	uint8_t protocol = (uint8_t[]){ TCP, UDP, icmp_of(version) }[unit_random(state) % 3];
	uint16_t to_port =
		(uint16_t)(protocol == icmp_of(version) ? 0 : unit_random(state) % 3 + 1);
	struct flow_tuple original =
		tuple_of(version, protocol, (uint32_t)(unit_random(state) % 4 * 50),
			 (uint16_t)(unit_random(state) % 12 * 100 + 10),
			 200 + (uint32_t)(unit_random(state) % 3), to_port);
	struct live *next = &live[live_count];
	struct nat_request request;
	enum flow_direction direction;
	struct flow_tuple reply;
	int error;

	next->mode = modes[unit_random(state) % 4];
	request = request_of(&original, next->mode);
	if (flow_find(&table, &original, flow_hash(&table, &original), &direction))
		return; /* a packet of a flow that is there */
	error = make(&request, &reply, &next->flow);
	if (error) { /* only a port that must stay can be lacking here */
		ck_assert_int_eq(error, -EADDRINUSE);
		ck_assert_int_eq(next->mode, NAT_STATIC_PORT);
		return;
	}
	next->internal = nat_source_of(&original);
	next->external = nat_destination_of(&reply);
	next->interface = original.key.interface;
	live_count++;
}

START_TEST(translations_are_one_to_one)
{
	uint64_t state = unit_seed() | 1;

	begin(FLOWS, FLOWS);
	live_count = 0;
	for (uint32_t round = 0; round < 20000; round++) {
		/* Now rather filling up, now rather emptying. */
		bool fill = unit_random(&state) % 10 < (round / 1000 % 2 ? 3u : 7u);

		if (fill && live_count < FLOWS) {
			random_flow(&state);
		} else if (!fill && live_count) {
			uint32_t i = (uint32_t)(unit_random(&state) % live_count);

			drop_flow(live[i].flow);
			live[i] = live[--live_count];
		}
		if (round % 200 == 0)
			check_all();
	}
	check_all();
	end();
}
END_TEST

/* All ports of one address owned: bounded refusals, nothing twice, and all comes back. */
START_TEST(a_whole_address_is_used_up)
{
	static uint8_t given[65536];
	uint32_t made = 0;

	memset(given, 0, sizeof(given));
	begin(70000, 70000);
	for (uint32_t i = 0; i < 70000; i++) {
		struct flow_tuple original = tuple_of(4, TCP, 1, 4000, 200, 80), reply;
		struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);
		struct flow *flow;

		original.key.source = be32_of(IP(10, 9, 0, 0) + i);
		if (nat_choose(&nat, &request, &reply))
			continue;
		if (given[be16_get(reply.key.destination_port)]++)
			ck_abort_msg("a port was given twice");
		if (flow_create(&table, &original, &reply, UINT32_MAX, FLOW_OTHER, 0, &flow))
			ck_abort_msg("no flow");
		made++;
	}
	ck_assert_uint_gt(made, 63000);
	ck_assert_uint_le(made, 64512);
	ck_assert(nat_mappings_are_valid(&nat.mappings));
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, one_end_point_has_one_name);
	tcase_add_test(cases, mappings_live_as_long_as_flows);
	tcase_add_test(cases, other_ports_are_of_the_same_kind);
	tcase_add_test(cases, low_ports_run_out);
	tcase_add_test(cases, other_ports_are_random);
	tcase_add_test(cases, zero_is_no_port);
	tcase_add_test(cases, symmetric_ports_are_shared);
	tcase_add_test(cases, static_ports_stay_or_fail);
	tcase_add_test(cases, protocols_without_ports);
	tcase_add_test(cases, ranges_are_used_up);
	tcase_add_test(cases, ranges_of_one);
	tcase_add_test(cases, a_name_for_each_range);
	tcase_add_test(cases, full_tables_and_quotas);
	tcase_add_test(cases, what_is_cancelled_is_free);
	tcase_add_test(cases, our_own_ports_are_not_given);
	tcase_add_test(cases, redirects_ports);
	tcase_add_test(cases, hairpins);
	tcase_add_test(cases, finds_who_has_a_name);
	tcase_add_test(cases, one_to_one);
	tcase_add_test(cases, prefixes);
	tcase_add_test(cases, versions_do_not_mix);
	tcase_add_test(cases, translations_are_one_to_one);
	tcase_add_test(cases, a_whole_address_is_used_up);
}

int main(void)
{
	return unit_main("net/nat_choose", add_cases);
}
