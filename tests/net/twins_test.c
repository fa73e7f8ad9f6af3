/* SPDX-License-Identifier: ISC */
/*
 * Two interfaces with one address and one MAC: a guest's emulated and paravirtual device, or
 * a guest that starts again while its old device still goes away. Here client 1 and client 2
 * both are 10.138.0.11.
 */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define TWIN_IP CLIENT_IP(1)
#define RULES_INBOUND "pass\npass in on uplink proto udp to self port 53 rdr-to 10.138.0.11\n"

static struct frame frame, answer;
static struct test_net *net;

static void attach_twin(unsigned int i)
{
	ck_assert_int_eq(
		router_attach_client4(&net->router, &net->client[i].netdev, be32_of(TWIN_IP)), 0);
}

static void detach(unsigned int i)
{
	router_detach(&net->router, &net->client[i].netdev);
}

/* Neither is there yet. */
static void setup(void)
{
	net = test_net_begin6(RULES_OPEN, 64);
	detach(1);
	detach(2);
	memcpy(net->client[2].netdev.peer_mac, client_mac[1], 6);
}

static void teardown(void)
{
	test_net_end(net);
}

/* Client 0 says something to the address, from a port of its own each time. */
static void expect_reached(unsigned int i)
{
	static uint16_t port = 4000;
	struct ends ends = ends_out(0, TWIN_IP);

	frame_udp(&frame, &ends, port++, 53, 10);
	test_pass(net, &net->client[0], &net->client[i], &frame);
}

/* The guest sends over its interface i; the outer port. */
static uint16_t say(unsigned int i, uint16_t from_port)
{
	struct ends ends = { client_mac[1], our_client_mac, TWIN_IP, SERVER_IP };

	frame_udp(&frame, &ends, from_port, 53, 10);
	return frame_source_port(test_pass(net, &net->client[i], &net->uplink, &frame));
}

/* The server answers, and interface i gets it; -1: nobody does. */
static void answers(uint16_t port, int i)
{
	struct ends ends = ends_in(SERVER_IP);

	frame_udp(&answer, &ends, 53, port, 10);
	if (i < 0) {
		test_drop(net, &net->uplink, &answer, DROP_NOT_OURS);
		test_link_skip(&net->uplink); /* which is said */
	} else {
		test_pass(net, &net->uplink, &net->client[i], &answer);
	}
}

START_TEST(the_later_one_wins_and_the_other_takes_over)
{
	attach_twin(1);
	expect_reached(1);
	attach_twin(2);
	expect_reached(2);
	detach(2);
	expect_reached(1);
	attach_twin(2);
	expect_reached(2);
	detach(1);
	expect_reached(2);
}
END_TEST

/* A device that its guest leaves unconnected gets nothing while there is another. */
START_TEST(one_that_is_not_connected_loses)
{
	attach_twin(1);
	net->client[2].netdev.up = false;
	attach_twin(2);
	expect_reached(1);
	net->client[2].netdev.up = true;
	router_link_changed(&net->router, &net->client[2].netdev);
	expect_reached(2);
	net->client[2].netdev.up = false;
	router_link_changed(&net->router, &net->client[2].netdev);
	expect_reached(1);
	detach(1);
	net->client[2].netdev.up = true;
	expect_reached(2);
}
END_TEST

START_TEST(answers_find_the_interface_that_asked)
{
	uint16_t one, two;

	attach_twin(1);
	attach_twin(2);
	one = say(1, 5000);
	two = say(2, 5000);
	ck_assert_uint_ne(one, two);
	answers(one, 1);
	answers(two, 2);
}
END_TEST

/* A restart: nobody may go on with the conversations of the one before. */
START_TEST(flows_end_when_the_address_gets_another_interface)
{
	uint16_t port;

	attach_twin(1);
	port = say(1, 5000);
	ck_assert_uint_eq(net->router.flows.used, 1);
	attach_twin(2);
	ck_assert_uint_eq(net->router.flows.used, 0);
	answers(port, -1);
	/* The old one goes; the new one's stay. */
	port = say(2, 5001);
	detach(1);
	answers(port, 2);
	ck_assert_uint_eq(net->router.flows.used, 1);
}
END_TEST

/* The stub domain's device goes when the guest's own driver is there. */
START_TEST(flows_stay_when_only_a_twin_goes)
{
	uint16_t after;

	attach_twin(1);
	say(1, 5000);
	attach_twin(2);
	after = say(2, 5000);
	detach(1);
	answers(after, 2);
	/* And the other way round: the later one goes first. */
	attach_twin(1);
	after = say(1, 5002);
	detach(2);
	answers(after, 1);
}
END_TEST

START_TEST(other_clients_flows_stay)
{
	struct ends ends = ends_out(0, SERVER_IP);
	const struct frame *out;
	uint16_t port;

	frame_udp(&frame, &ends, 6000, 53, 10);
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	port = frame_source_port(out);
	attach_twin(1);
	attach_twin(2);
	answers(port, 0);
}
END_TEST

/* What began outside, or at another client, towards the old interface ends as well. */
START_TEST(flows_towards_the_old_one_end)
{
	struct ends ends = ends_in(SERVER_IP);

	test_net_set_rules(net, RULES_INBOUND);
	attach_twin(1);
	frame_udp(&answer, &ends, 4000, 53, 10);
	test_pass(net, &net->uplink, &net->client[1], &answer);
	expect_reached(1);
	attach_twin(2);
	test_pass(net, &net->uplink, &net->client[2], &answer);
	expect_reached(2);
}
END_TEST

/* One of two addresses is enough, and a network that has it inside is not. */
START_TEST(whose_flows_end)
{
	const struct router_address both[] = {
		{ ip_address_of4(be32_of(IP(10, 138, 0, 77))), 32 },
		{ ip_address_of6(six("fd00:2::11").bytes), 128 },
	};
	const struct router_address network[] = {
		{ ip_address_of4(be32_of(IP(10, 138, 0, 0))), 24 },
	};
	const struct router_address six_alone[] = {
		{ ip_address_of6(six("fd00:2::11").bytes), 128 },
	};
	struct ends ends = { client_mac[1], our_client_mac, IP(10, 138, 0, 77), SERVER_IP };

	ck_assert_int_eq(router_attach_client(&net->router, &net->client[1].netdev, both, 2), 0);
	frame_udp(&frame, &ends, 5000, 53, 10);
	test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_int_eq(router_attach_client(&net->router, &net->client[2].netdev, network, 1), 0);
	ck_assert_uint_eq(net->router.flows.used, 1);
	detach(2);
	ck_assert_int_eq(router_attach_client(&net->router, &net->client[2].netdev, six_alone, 1),
			 0);
	ck_assert_uint_eq(net->router.flows.used, 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, the_later_one_wins_and_the_other_takes_over);
	tcase_add_test(cases, one_that_is_not_connected_loses);
	tcase_add_test(cases, answers_find_the_interface_that_asked);
	tcase_add_test(cases, flows_end_when_the_address_gets_another_interface);
	tcase_add_test(cases, flows_stay_when_only_a_twin_goes);
	tcase_add_test(cases, other_clients_flows_stay);
	tcase_add_test(cases, flows_towards_the_old_one_end);
	tcase_add_test(cases, whose_flows_end);
}

int main(void)
{
	return unit_main("net/twins", add_cases);
}
