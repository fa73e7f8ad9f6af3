/* SPDX-License-Identifier: ISC */
/* Which external port a flow is given: what RFC 4787, 5382 and 5508 demand, by name. */
#include "tests/net/test_choose.h"

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
	struct flow_tuple client = tuple_of(4, UDP, 1, 4000, 200, 1);
	struct flow_tuple answer = tuple_of(4, UDP, 200, 1, OUTSIDE, 4000);

	begin(20, 20);
	ck_assert_int_eq(nat_reserve(&nat, &external), 0);
	ck_assert_int_eq(nat_reserve(&nat, &external), -EADDRINUSE);
	ck_assert_uint_ne(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 1, 4000, 200, 1), 4000);
	ck_assert_uint_ne(go(4, UDP, NAT_SYMMETRIC, 1, 4000, 201, 1), 4000);
	/* A reply that nobody chose gives nothing back. */
	nat_cancel(&nat, &client, &answer);
	ck_assert_int_eq(nat_reserve(&nat, &external), -EADDRINUSE);
	nat_unreserve(&nat, &external);
	ck_assert_uint_eq(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 2, 4000, 200, 1), 4000);
	nat_unreserve(&nat, &external); /* not ours any more */
	ck_assert_uint_ne(go(4, UDP, NAT_ENDPOINT_INDEPENDENT, 3, 4000, 200, 1), 4000);
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
}

int main(void)
{
	return unit_main("net/nat_choose", add_cases);
}
