/* SPDX-License-Identifier: ISC */
/* Translation as rules say it, through the whole router: ports, hairpins, one to one, prefixes. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define SERVER2_IP (SERVER_IP + 1)
#define OTHER_IP IP(10, 137, 0, 77) /* on the uplink, another than ours */
#define CLOSED "block\npass in on clients\npass out on uplink\n"

static struct frame frame, answer;
static struct test_net *net;

static void setup(void)
{
	net = test_net_begin6(CLOSED, 64);
}

static void teardown(void)
{
	ck_assert(nat_mappings_are_valid(&net->router.nat.mappings));
	test_net_end(net);
}

static const struct frame *udp_out(unsigned int client, uint32_t to, uint16_t from, uint16_t port)
{
	struct ends ends = ends_out(client, to);

	frame_udp(&frame, &ends, from, port, 20);
	return test_pass(net, &net->client[client], &net->uplink, &frame);
}

/* From the outside to the address `to`; the frame in `answer`. */
static void make_in(uint32_t from, uint32_t to, uint16_t source, uint16_t port)
{
	struct ends ends = ends_in(from);

	ends.to = to;
	frame_udp(&answer, &ends, source, port, 20);
}

static void expect(const struct frame *out, uint32_t from, uint16_t source, uint32_t to,
		   uint16_t port)
{
	ck_assert_uint_eq(frame_source(out), from);
	ck_assert_uint_eq(frame_source_port(out), source);
	ck_assert_uint_eq(frame_destination(out), to);
	ck_assert_uint_eq(frame_destination_port(out), port);
}

START_TEST(ports_stay_where_they_can)
{
	uint16_t port;

	expect(udp_out(0, SERVER_IP, 5000, 53), OUR_IP, 5000, SERVER_IP, 53);
	port = frame_source_port(udp_out(1, SERVER_IP, 5000, 53));
	ck_assert_uint_ne(port, 5000);
	ck_assert_uint_eq(port % 2, 0);
	ck_assert_uint_ge(port, 1024);
	make_in(SERVER_IP, OUR_IP, 53, 5000);
	expect(test_pass(net, &net->uplink, &net->client[0], &answer), SERVER_IP, 53, CLIENT_IP(0),
	       5000);
	make_in(SERVER_IP, OUR_IP, 53, port);
	expect(test_pass(net, &net->uplink, &net->client[1], &answer), SERVER_IP, 53, CLIENT_IP(1),
	       5000);
}
END_TEST

/* Two destinations, one outer port; and who was not asked does not get in by it. */
START_TEST(a_sender_has_one_outer_port)
{
	uint16_t port;

	udp_out(0, SERVER_IP, 5000, 53);
	port = frame_source_port(udp_out(1, SERVER_IP, 5000, 53));
	ck_assert_uint_eq(frame_source_port(udp_out(1, SERVER2_IP, 5000, 53)), port);
	ck_assert_uint_eq(frame_source_port(udp_out(1, SERVER2_IP, 5000, 99)), port);
	make_in(SERVER2_IP, OUR_IP, 7, port);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
}
END_TEST

START_TEST(symmetric_has_one_for_each_destination)
{
	uint16_t first;

	test_net_set_rules(net, CLOSED "pass out on uplink nat-to (uplink) symmetric\n");
	udp_out(0, SERVER_IP, 5000, 53);
	first = frame_source_port(udp_out(1, SERVER_IP, 5000, 53));
	ck_assert_uint_ne(first, 5000);
	/* Nobody has it towards the other server, so two may share it. */
	ck_assert_uint_eq(frame_source_port(udp_out(1, SERVER2_IP, 5000, 53)), 5000);
}
END_TEST

START_TEST(static_port_stays_or_nothing_goes)
{
	struct ends ends = ends_out(1, SERVER_IP);

	test_net_set_rules(net, CLOSED "pass out on uplink nat-to (uplink) static-port\n");
	expect(udp_out(0, SERVER_IP, 500, 500), OUR_IP, 500, SERVER_IP, 500);
	frame_udp(&frame, &ends, 500, 500, 20);
	test_drop(net, &net->client[1], &frame, DROP_NAT_PORTS);
	expect(udp_out(1, SERVER2_IP, 500, 500), OUR_IP, 500, SERVER2_IP, 500);
}
END_TEST

START_TEST(ports_from_a_range)
{
	struct ends ends = ends_out(0, SERVER_IP);

	test_net_set_rules(net, CLOSED "pass out on uplink nat-to (uplink) port 7000:7003\n");
	for (uint16_t i = 0; i < 4; i++) {
		uint16_t port = frame_source_port(udp_out(0, SERVER_IP, 100 + i, 53));

		ck_assert_uint_ge(port, 7000);
		ck_assert_uint_le(port, 7003);
	}
	frame_udp(&frame, &ends, 200, 53, 20);
	test_drop(net, &net->client[0], &frame, DROP_NAT_PORTS);
}
END_TEST

START_TEST(another_address_of_ours)
{
	const struct frame *out;

	test_net_set_rules(net, CLOSED "pass out on uplink inet nat-to 10.137.0.77\n");
	expect(udp_out(0, SERVER_IP, 5000, 53), OTHER_IP, 5000, SERVER_IP, 53);
	make_in(SERVER_IP, OTHER_IP, 53, 5000);
	expect(test_pass(net, &net->uplink, &net->client[0], &answer), SERVER_IP, 53, CLIENT_IP(0),
	       5000);
	/* Who asks for it is told that it is here. */
	frame_arp(&frame, gateway_mac, (const uint8_t *)"\377\377\377\377\377\377", 1, GATEWAY_IP,
		  OTHER_IP);
	test_link_input(&net->uplink, &frame);
	out = test_link_take(&net->uplink);
	ck_assert_ptr_nonnull(out);
	ck_assert(frame_is_arp(out));
	ck_assert_uint_eq(get32(out->bytes + 28), OTHER_IP);
	ck_assert_mem_eq(out->bytes + 22, our_uplink_mac, 6);
	put32(frame.bytes + 38, OTHER_IP + 1);
	test_link_input(&net->uplink, &frame);
	ck_assert_ptr_null(test_link_take(&net->uplink));
}
END_TEST

/* A network with the gateway in it is not ours, and never a client's address. */
START_TEST(others_addresses_are_not_claimed)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	static const char *const rules[] = {
		CLOSED "pass out on uplink inet from 10.200.0.0/24 nat-to 10.137.0.0/24 bitmask\n",
		CLOSED "pass out on uplink inet from 10.200.0.0/24 nat-to 10.137.0.1\n",
	};

	for (unsigned int i = 0; i < 2; i++) {
		test_net_set_rules(net, rules[i]);
		for (uint32_t host = 0; host < 255; host++) {
			if (host == 5)
				continue;
			frame_arp(&frame, gateway_mac, all, 1, IP(10, 137, 0, 250),
				  IP(10, 137, 0, host));
			test_link_input(&net->uplink, &frame);
		}
		ck_assert_ptr_null(test_link_take(&net->uplink));
	}
	test_net_set_rules(net, CLOSED
			   "pass out on uplink inet from 10.200.0.0/28 nat-to 10.137.0.64/28 "
			   "bitmask\n");
	for (uint32_t host = 0; host < 255; host++) {
		frame_arp(&frame, gateway_mac, all, 1, IP(10, 137, 0, 250), IP(10, 137, 0, host));
		test_link_input(&net->uplink, &frame);
		if (host == 5 || host / 16 == 4)
			ck_assert_ptr_nonnull(test_link_take(&net->uplink));
		ck_assert_ptr_null(test_link_take(&net->uplink));
	}
}
END_TEST

/* ---- redirections ---- */

START_TEST(redirects_address_and_port)
{
	test_net_set_rules(net, CLOSED
			   "pass in on uplink proto udp to self port 8080 rdr-to 10.138.0.11 "
			   "port 80\npass out on clients\n");
	make_in(SERVER_IP, OUR_IP, 999, 8080);
	expect(test_pass(net, &net->uplink, &net->client[1], &answer), SERVER_IP, 999, CLIENT_IP(1),
	       80);
	expect(udp_out(1, SERVER_IP, 80, 999), OUR_IP, 8080, SERVER_IP, 999);
	make_in(SERVER_IP, OUR_IP, 999, 8081);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
}
END_TEST

START_TEST(redirects_a_range_port_for_port)
{
	test_net_set_rules(net, CLOSED
			   "pass in on uplink proto udp to self port 8003:8010 rdr-to 10.138.0.11 "
			   "port 100:107\npass out on clients\n");
	for (uint16_t i = 0; i < 8; i++) {
		make_in(SERVER_IP, OUR_IP, 999, (uint16_t)(8003 + i));
		expect(test_pass(net, &net->uplink, &net->client[1], &answer), SERVER_IP, 999,
		       CLIENT_IP(1), (uint16_t)(100 + i));
	}
}
END_TEST

/* A client that asks for another by our outside address is answered by way of us. */
START_TEST(hairpin_by_rule)
{
	struct ends ends = ends_out(0, OUR_IP), back = ends_out(1, OUR_IP);
	const struct frame *out;

	test_net_set_rules(net, CLOSED "pass in proto udp to self port 8080 rdr-to 10.138.0.11 "
				       "port 80\npass out on clients\n");
	frame_udp(&frame, &ends, 5000, 8080, 20);
	out = test_pass(net, &net->client[0], &net->client[1], &frame);
	expect(out, OUR_IP, 5000, CLIENT_IP(1), 80);
	frame_udp(&frame, &back, 80, 5000, 20);
	out = test_pass(net, &net->client[1], &net->client[0], &frame);
	expect(out, OUR_IP, 8080, CLIENT_IP(0), 5000);
}
END_TEST

/* The same where the other has but its outer port, and the rules let them. */
START_TEST(hairpin_by_what_a_client_is_known_as)
{
	struct ends ends = ends_out(0, OUR_IP), back = ends_out(1, OUR_IP);
	uint32_t outer = OUR_IP;
	const struct frame *out;

	if (_i) {
		outer = ends.to = back.to = OTHER_IP;
		test_net_set_rules(net, CLOSED "pass out on { uplink, clients } inet proto udp "
					       "nat-to 10.137.0.77\nblock out on clients\n");
	}
	udp_out(1, SERVER_IP, 6000, 53);
	frame_udp(&frame, &ends, 5000, 6000, 20);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	test_net_set_rules(net, _i ? "pass in\npass out on { uplink, clients } inet proto udp "
				     "nat-to 10.137.0.77\n"
				   : RULES_OPEN);
	udp_out(1, SERVER_IP, 6000, 53);
	frame_udp(&frame, &ends, 5000, 6000, 20);
	out = test_pass(net, &net->client[0], &net->client[1], &frame);
	expect(out, outer, 5000, CLIENT_IP(1), 6000);
	frame_udp(&frame, &back, 6000, 5000, 20);
	out = test_pass(net, &net->client[1], &net->client[0], &frame);
	expect(out, outer, 6000, CLIENT_IP(0), 5000);
}
END_TEST

/* ---- one to one ---- */

START_TEST(binat_both_ways)
{
	test_net_set_rules(net, "block\npass on uplink inet from 10.138.0.11 to any binat-to "
				"10.137.0.77\npass in on clients\npass out on clients\n");
	expect(udp_out(1, SERVER_IP, 5000, 53), OTHER_IP, 5000, SERVER_IP, 53);
	make_in(SERVER2_IP, OTHER_IP, 99, 7777);
	expect(test_pass(net, &net->uplink, &net->client[1], &answer), SERVER2_IP, 99, CLIENT_IP(1),
	       7777);
	expect(udp_out(1, SERVER2_IP, 7777, 99), OTHER_IP, 7777, SERVER2_IP, 99);
	make_in(SERVER2_IP, OUR_IP, 99, 7777);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
}
END_TEST

START_TEST(bitmask_keeps_the_host)
{
	test_net_set_rules(net, "pass\n"
				"pass out on uplink inet from 10.138.0.0/20 nat-to 10.144.16.0/20 "
				"bitmask\n"
				"pass in on uplink inet to 10.144.16.0/20 rdr-to 10.138.0.0/20 "
				"bitmask\n");
	expect(udp_out(2, SERVER_IP, 5000, 53), IP(10, 144, 16, 12), 5000, SERVER_IP, 53);
	make_in(SERVER2_IP, IP(10, 144, 16, 11), 99, 7777);
	expect(test_pass(net, &net->uplink, &net->client[1], &answer), SERVER2_IP, 99, CLIENT_IP(1),
	       7777);
}
END_TEST

/* RFC 6296: the prefix is another, and the checksum the same. */
START_TEST(prefix_for_prefix_both_ways)
{
	struct ends6 ends = ends6_out(1, SERVER_IP6);
	const struct frame *out;
	struct six outer;

	test_net_set_rules(net, "pass\npass on uplink inet6 from fd00:2::/48 to any binat-to "
				"2001:db8:1::5/48 nptv6\n");
	frame6_udp(&frame, &ends, 5000, 53, 20);
	out = test_pass(net, &net->client[1], &net->uplink, &frame);
	outer = frame6_source(out);
	ck_assert_mem_eq(outer.bytes, six("2001:db8:1::").bytes, 6);
	ck_assert_mem_eq(outer.bytes + 8, ends.from.bytes + 8, 8);
	ck_assert_uint_eq(frame6_source_port(out), 5000);
	ck_assert_uint_eq(get16(out->bytes + 60), get16(frame.bytes + 60));
	/* fd00:2:0 sums to fd02, 2001:db8:1 to 2dba: the difference is cf48. */
	ck_assert_uint_eq(get16(outer.bytes + 6), 0xcf48);
	ends = ends6_in(SERVER_IP6, outer);
	frame6_udp(&answer, &ends, 53, 5000, 30);
	out = test_pass(net, &net->uplink, &net->client[1], &answer);
	ck_assert(six_equal(frame6_destination(out), client_ip6(1)));
	/* And what begins outside. */
	frame6_udp(&answer, &ends, 77, 6000, 30);
	out = test_pass(net, &net->uplink, &net->client[1], &answer);
	ck_assert(six_equal(frame6_destination(out), client_ip6(1)));
	ck_assert_uint_eq(frame6_destination_port(out), 6000);
	ck_assert_uint_eq(get16(out->bytes + 60), get16(answer.bytes + 60));
}
END_TEST

START_TEST(what_has_no_image_does_not_pass)
{
	struct ends6 ends = ends6_in(SERVER_IP6, six("2001:db8:1:ffff::11"));

	test_net_set_rules(net, "pass\npass on uplink inet6 from fd00:2::/48 to any binat-to "
				"2001:db8:1::/48 nptv6\n");
	frame6_udp(&answer, &ends, 77, 6000, 30);
	test_drop(net, &net->uplink, &answer, DROP_MARTIAN);
}
END_TEST

/* ---- errors ---- */

static const char *const error_rules[] = {
	CLOSED,
	CLOSED "pass out on uplink inet nat-to 10.137.0.77 symmetric\n",
	CLOSED "pass out on uplink inet from 10.138.0.11 to any nat-to 10.137.0.77 static-port\n",
};

/* From a router on the way, about what a client sent; and from a client. */
START_TEST(errors_find_the_sender_inside_out)
{
	struct ends router = ends_in(IP(198, 51, 100, 1)), out = ends_out(1, SERVER_IP);
	struct frame sent;
	const struct frame *error;
	uint32_t outer;

	test_net_set_rules(net, error_rules[_i]);
	sent = *udp_out(1, SERVER_IP, 5000, 53);
	outer = frame_source(&sent);
	ck_assert_uint_eq(outer, _i ? OTHER_IP : OUR_IP);
	router.to = outer;
	frame_icmp_error(&answer, &router, 3, 4, &sent, 28);
	error = test_pass(net, &net->uplink, &net->client[1], &answer);
	ck_assert_uint_eq(frame_destination(error), CLIENT_IP(1));
	ck_assert_uint_eq(frame_source(error), router.from);
	ck_assert_uint_eq(get32(error->bytes + 42 + 12), CLIENT_IP(1));
	ck_assert_uint_eq(get16(error->bytes + 42 + 20), 5000);
	make_in(SERVER_IP, outer, 53, frame_source_port(&sent));
	sent = *test_pass(net, &net->uplink, &net->client[1], &answer);
	frame_icmp_error(&frame, &out, 3, 3, &sent, 28);
	error = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_source(error), outer);
	ck_assert_uint_eq(get32(error->bytes + 42 + 16), outer);
	ck_assert_uint_eq(get16(error->bytes + 42 + 22), frame_destination_port(&answer));
}
END_TEST

/* About what was redirected: the client's own name stays inside. */
START_TEST(errors_about_redirected_packets)
{
	struct ends out = ends_out(1, SERVER_IP);
	struct frame received;
	const struct frame *error;

	test_net_set_rules(net, CLOSED
			   "pass in on uplink proto udp to self port 8080 rdr-to 10.138.0.11 "
			   "port 80\npass out on clients\n");
	make_in(SERVER_IP, OUR_IP, 999, 8080);
	received = *test_pass(net, &net->uplink, &net->client[1], &answer);
	frame_icmp_error(&frame, &out, 3, 3, &received, 28);
	error = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_source(error), OUR_IP);
	ck_assert_uint_eq(get32(error->bytes + 42 + 16), OUR_IP);
	ck_assert_uint_eq(get16(error->bytes + 42 + 22), 8080);
}
END_TEST

/* ---- who may ---- */

START_TEST(clients_are_apart_unless_a_rule_says_so)
{
	struct ends ends = ends_out(0, CLIENT_IP(1)), back = ends_out(1, CLIENT_IP(0));

	frame_udp(&frame, &ends, 5000, 53, 20);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	test_net_set_rules(net, CLOSED "pass out on clients from 10.138.0.10 to 10.138.0.11\n");
	expect(test_pass(net, &net->client[0], &net->client[1], &frame), CLIENT_IP(0), 5000,
	       CLIENT_IP(1), 53);
	frame_udp(&frame, &back, 53, 5000, 20);
	expect(test_pass(net, &net->client[1], &net->client[0], &frame), CLIENT_IP(1), 53,
	       CLIENT_IP(0), 5000);
	frame_udp(&frame, &back, 54, 5000, 20);
	test_drop(net, &net->client[1], &frame, DROP_BLOCKED);
}
END_TEST

/* One client's many ports cost it its own flows, and no mapping stays behind. */
START_TEST(mappings_are_shared_out)
{
	struct ends ends = ends_out(0, SERVER_IP);

	for (uint32_t i = 0; i < 3000; i++) {
		frame_udp(&frame, &ends, (uint16_t)(1024 + i), 53, 20);
		test_link_input(&net->client[0], &frame);
	}
	ck_assert_uint_le(net->router.flows.used, 64 * 7 / 8 / 4);
	ck_assert_uint_eq(net->router.nat.mappings.used, net->router.flows.used);
	test_link_skip(&net->uplink);
	udp_out(1, SERVER_IP, 5000, 53);
	router_flush_flows(&net->router);
	ck_assert_uint_eq(net->router.nat.mappings.used, 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, ports_stay_where_they_can);
	tcase_add_test(cases, a_sender_has_one_outer_port);
	tcase_add_test(cases, symmetric_has_one_for_each_destination);
	tcase_add_test(cases, static_port_stays_or_nothing_goes);
	tcase_add_test(cases, ports_from_a_range);
	tcase_add_test(cases, another_address_of_ours);
	tcase_add_test(cases, others_addresses_are_not_claimed);
	tcase_add_test(cases, redirects_address_and_port);
	tcase_add_test(cases, redirects_a_range_port_for_port);
	tcase_add_test(cases, hairpin_by_rule);
	tcase_add_loop_test(cases, hairpin_by_what_a_client_is_known_as, 0, 2);
	tcase_add_test(cases, binat_both_ways);
	tcase_add_test(cases, bitmask_keeps_the_host);
	tcase_add_test(cases, prefix_for_prefix_both_ways);
	tcase_add_test(cases, what_has_no_image_does_not_pass);
	tcase_add_loop_test(cases, errors_find_the_sender_inside_out, 0, 3);
	tcase_add_test(cases, errors_about_redirected_packets);
	tcase_add_test(cases, clients_are_apart_unless_a_rule_says_so);
	tcase_add_test(cases, mappings_are_shared_out);
}

int main(void)
{
	return unit_main("net/router_nat", add_cases);
}
