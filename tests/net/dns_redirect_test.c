/* SPDX-License-Identifier: ISC */
/* Name servers that clients know by other addresses than ours. */
#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define SEEN1 IP(10, 139, 1, 1)
#define SEEN2 IP(10, 139, 1, 2)
#define OWN1 IP(192, 0, 2, 53)
#define OWN2 IP(192, 0, 2, 54)

static struct frame frame, answer;
static struct test_net *net;

static struct ip_address four(uint32_t address)
{
	return ip_address_of4(be32_of(address));
}

/* 0: there is none. */
static void use_servers(uint32_t one, uint32_t two)
{
	const struct ip_address seen[] = { four(SEEN1), four(SEEN2) };
	const struct ip_address own[] = { four(one), four(two) };

	ck_assert_int_eq(router_set_dns(&net->router, seen, 2, own, (one != 0) + (two != 0)), 0);
}

static void setup(void)
{
	net = test_net_begin6(RULES_OPEN, 64);
}

static void teardown(void)
{
	test_net_end(net);
}

static void query(uint32_t to, uint16_t from_port, uint16_t port)
{
	struct ends ends = ends_out(1, to);

	frame_udp(&frame, &ends, from_port, port, 40);
}

/* Asks `seen`, expects that `own` is asked, and lets it answer. */
static void asks(uint32_t seen, uint16_t from_port, uint32_t own)
{
	struct ends from = ends_in(own);
	const struct frame *got;

	query(seen, from_port, 53);
	got = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_source(got), OUR_IP);
	ck_assert_uint_eq(frame_destination(got), own);
	ck_assert_uint_eq(frame_destination_port(got), 53);
	frame_udp(&answer, &from, 53, frame_source_port(got), 80);
	got = test_pass(net, &net->uplink, &net->client[1], &answer);
	ck_assert_uint_eq(frame_source(got), seen);
	ck_assert_uint_eq(frame_source_port(got), 53);
	ck_assert_uint_eq(frame_destination_port(got), from_port);
}

START_TEST(each_to_its_own)
{
	use_servers(OWN1, OWN2);
	asks(SEEN1, 5000, OWN1);
	asks(SEEN2, 5001, OWN2);
	asks(OWN1, 5002, OWN1);
	asks(SERVER_IP, 5003, SERVER_IP);
}
END_TEST

START_TEST(one_server_for_two)
{
	use_servers(OWN1, 0);
	asks(SEEN1, 5000, OWN1);
	asks(SEEN2, 5001, OWN1);
	asks(SEEN2, 5000, OWN1); /* from the port that the other was asked from */
	asks(OWN1, 5000, OWN1);
}
END_TEST

/* As in a firewall behind a net VM: they are the same. */
START_TEST(the_same_servers)
{
	use_servers(SEEN1, SEEN2);
	asks(SEEN1, 5000, SEEN1);
	asks(SEEN2, 5000, SEEN2);
	use_servers(SEEN2, 0);
	asks(SEEN1, 5001, SEEN2);
	asks(SEEN2, 5002, SEEN2);
	use_servers(0, 0); /* nor does what was as it should be go on */
	ck_assert_uint_eq(net->router.flows.used, 0);
}
END_TEST

START_TEST(without_a_server_they_are_dropped)
{
	struct ends ends = ends_out(1, SEEN2);

	use_servers(0, 0);
	query(SEEN1, 5000, 53);
	test_drop(net, &net->client[1], &frame, DROP_NO_TRANSLATION);
	frame_tcp(&frame, &ends, 5000, 53, SYN, 1, 0, 0);
	test_drop(net, &net->client[1], &frame, DROP_NO_TRANSLATION);
	ck_assert_ptr_null(test_link_take(&net->client[1]));
	ck_assert_int_eq(router_set_dns(&net->router, NULL, 0, NULL, 0), 0);
	asks(SEEN1, 5000, SEEN1); /* nobody is redirected */
}
END_TEST

START_TEST(tcp_too)
{
	struct ends ends = ends_out(1, SEEN1), from = ends_in(OWN1);
	const struct frame *got;

	use_servers(OWN1, 0);
	frame_tcp(&frame, &ends, 5000, 53, SYN, 100, 0, 0);
	got = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_destination(got), OWN1);
	frame_tcp(&answer, &from, 53, frame_source_port(got), SYN | ACK, 900, 101, 0);
	got = test_pass(net, &net->uplink, &net->client[1], &answer);
	ck_assert_uint_eq(frame_source(got), SEEN1);
}
END_TEST

START_TEST(nothing_else_is_redirected)
{
	struct ends ends = ends_out(1, SEEN1);
	const struct frame *got;

	use_servers(OWN1, 0);
	query(SEEN1, 5000, 54);
	got = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_destination(got), SEEN1);
	frame_echo(&frame, &ends, false, 53, 1, 56);
	got = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_destination(got), SEEN1);
	ends = ends_in(SERVER_IP); /* nor what comes from outside */
	ends.to = SEEN1;
	frame_udp(&answer, &ends, 5000, 53, 10);
	test_drop(net, &net->uplink, &answer, DROP_NO_ROUTE);
}
END_TEST

/* As after a translation of destinations: the address that clients use means nothing. */
START_TEST(rules_see_our_own_server)
{
	use_servers(OWN1, OWN2);
	test_net_set_rules(net, "block\npass out on uplink\n"
				"pass in on clients proto udp to 192.0.2.53 port 53\n");
	asks(SEEN1, 5000, OWN1);
	query(SEEN2, 5001, 53);
	test_drop(net, &net->client[1], &frame, DROP_BLOCKED);
	test_net_set_rules(net, "block\npass out on uplink\n"
				"pass in on clients proto udp to 10.139.1.1 port 53\n");
	query(SEEN1, 5000, 53);
	test_drop(net, &net->client[1], &frame, DROP_BLOCKED);
}
END_TEST

/* 010: the net VM comes back with another server. */
START_TEST(another_server_at_once)
{
	use_servers(OWN1, 0);
	asks(SEEN1, 5000, OWN1);
	asks(SERVER_IP, 6000, SERVER_IP);
	use_servers(OWN2, 0);
	ck_assert_uint_eq(net->router.flows.used, 1);
	asks(SEEN1, 5000, OWN2);
	use_servers(OWN2, 0); /* nothing new, nothing ends */
	ck_assert_uint_eq(net->router.flows.used, 2);
	use_servers(0, 0);
	ck_assert_uint_eq(net->router.flows.used, 1);
	query(SEEN1, 5000, 53);
	test_drop(net, &net->client[1], &frame, DROP_NO_TRANSLATION);
}
END_TEST

START_TEST(each_version_has_its_own)
{
	const struct ip_address seen[] = {
		four(SEEN1),
		ip_address_of6(six("fd00:5::1").bytes),
		ip_address_of6(six("fd00:5::2").bytes),
		four(SEEN2),
	};
	const struct ip_address own[] = { ip_address_of6(six("2001:db8::53").bytes), four(OWN2) };
	struct ends6 ends = ends6_out(1, "fd00:5::2");
	const struct frame *got;

	ck_assert_int_eq(router_set_dns(&net->router, seen, 4, own, 2), 0);
	asks(SEEN1, 5000, OWN2);
	asks(SEEN2, 5001, OWN2);
	frame6_udp(&frame, &ends, 5000, 53, 40);
	got = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert(six_equal(frame6_destination(got), six("2001:db8::53")));
	ends = ends6_in("2001:db8::53", client_ip6(1));
	frame6_udp(&answer, &ends, 53, 5000, 40);
	got = test_pass(net, &net->uplink, &net->client[1], &answer);
	ck_assert(six_equal(frame6_source(got), six("fd00:5::2")));
	ck_assert_int_eq(router_set_dns(&net->router, seen, 4, own + 1, 1), 0);
	ends = ends6_out(1, "fd00:5::1");
	frame6_udp(&frame, &ends, 5000, 53, 40);
	test_drop(net, &net->client[1], &frame, DROP_NO_TRANSLATION);
}
END_TEST

START_TEST(parts_of_a_query)
{
	static struct assembly assembly;
	static struct frame part;

	use_servers(OWN1, 0);
	query(SEEN1, 5000, 53);
	assembly_begin(&assembly);
	for (uint32_t at = 0; at < 48; at += 24) {
		frame_part(&part, &frame, at, 24, 9);
		assembly_add(&assembly, test_pass(net, &net->client[1], &net->uplink, &part));
	}
	ck_assert_ptr_null(assembly_error(&assembly));
	ck_assert_uint_eq(frame_destination(&assembly.whole), OWN1);
}
END_TEST

START_TEST(too_many_change_nothing)
{
	const struct ip_address seen[ROUTER_DNS_MAX + 1] = { four(SEEN1) };

	use_servers(OWN1, 0);
	ck_assert_int_eq(router_set_dns(&net->router, seen, ROUTER_DNS_MAX + 1, NULL, 0), -E2BIG);
	asks(SEEN1, 5000, OWN1);
}
END_TEST

/* A fake address and a redirected server at a time. */
START_TEST(for_a_client_with_a_fake_address)
{
	const struct router_visible visible = { be32_of(CLIENT_IP(1)),
						be32_of(IP(192, 168, 1, 128)),
						be32_of(IP(192, 168, 1, 1)) };
	struct ends ends = { client_mac[1], our_client_mac, IP(192, 168, 1, 128), SEEN1 };
	struct ends from = ends_in(OWN1);
	const struct frame *got;

	router_detach(&net->router, &net->client[1].netdev);
	ck_assert_int_eq(
		router_attach_client_visible(&net->router, &net->client[1].netdev, &visible), 0);
	use_servers(OWN1, 0);
	frame_udp(&frame, &ends, 5000, 53, 40);
	got = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_destination(got), OWN1);
	frame_udp(&answer, &from, 53, frame_source_port(got), 40);
	got = test_pass(net, &net->uplink, &net->client[1], &answer);
	ck_assert_uint_eq(frame_source(got), SEEN1);
	ck_assert_uint_eq(frame_destination(got), IP(192, 168, 1, 128));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, each_to_its_own);
	tcase_add_test(cases, one_server_for_two);
	tcase_add_test(cases, the_same_servers);
	tcase_add_test(cases, without_a_server_they_are_dropped);
	tcase_add_test(cases, tcp_too);
	tcase_add_test(cases, nothing_else_is_redirected);
	tcase_add_test(cases, rules_see_our_own_server);
	tcase_add_test(cases, another_server_at_once);
	tcase_add_test(cases, each_version_has_its_own);
	tcase_add_test(cases, parts_of_a_query);
	tcase_add_test(cases, too_many_change_nothing);
	tcase_add_test(cases, for_a_client_with_a_fake_address);
}

int main(void)
{
	return unit_main("net/dns_redirect", add_cases);
}
