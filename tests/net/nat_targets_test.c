/* SPDX-License-Identifier: ISC */
/* New destinations, both ends at once, one address for another, prefix for prefix. */
#include "tests/net/test_choose.h"

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

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, redirects_ports);
	tcase_add_test(cases, hairpins);
	tcase_add_test(cases, finds_who_has_a_name);
	tcase_add_test(cases, one_to_one);
	tcase_add_test(cases, prefixes);
	tcase_add_test(cases, versions_do_not_mix);
}

int main(void)
{
	return unit_main("net/nat_targets", add_cases);
}
