/* SPDX-License-Identifier: ISC */
/* What is not let through: rules, spoofing, limits, time-outs, interfaces that go. */
#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct frame frame, answer;

static void udp_from(unsigned int client, uint32_t to, uint16_t from_port, uint16_t to_port)
{
	struct ends ends = ends_out(client, to);

	frame_udp(&frame, &ends, from_port, to_port, 20);
}

static void syn_from(unsigned int client, uint32_t to, uint16_t from_port, uint16_t to_port)
{
	struct ends ends = ends_out(client, to);

	frame_tcp(&frame, &ends, from_port, to_port, SYN, 1000, 0, 0);
}

START_TEST(without_rules_nothing_passes)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	udp_from(0, SERVER_IP, 5000, 53);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	test_net_set_rules(net, NULL);
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_drop(net, &net->client[0], &frame, DROP_NO_RULES);
	udp_from(0, CLIENT_IP(1), 5000, 53);
	test_drop(net, &net->client[0], &frame, DROP_NO_RULES);
	udp_from(0, OUR_IP, 5000, 53);
	test_drop(net, &net->client[0], &frame, DROP_NO_RULES);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	ck_assert_uint_eq(net->client[0].sent, 0);
	test_net_end(net);
}
END_TEST

START_TEST(both_directions_must_pass)
{
	struct test_net *net =
		test_net_begin("pass in on clients\npass out on uplink proto udp to port 53\n", 64);

	udp_from(0, SERVER_IP, 5000, 53);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	udp_from(0, SERVER_IP, 5000, 54);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	test_net_set_rules(net, "pass out\n");
	udp_from(0, SERVER_IP, 5001, 53);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	test_net_end(net);
}
END_TEST

START_TEST(block_return_resets_tcp)
{
	struct test_net *net = test_net_begin("block return\n", 64);
	struct ends ends = ends_out(0, SERVER_IP);
	const struct frame *reset;

	syn_from(0, SERVER_IP, 4000, 80);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	reset = test_link_take(&net->client[0]);
	ck_assert_ptr_nonnull(reset);
	ck_assert_uint_eq(frame_tcp_flags(reset), RST | ACK);
	ck_assert_uint_eq(frame_tcp_sequence(reset), 0);
	ck_assert_uint_eq(frame_tcp_acknowledgement(reset), 1001);
	ck_assert_uint_eq(frame_source(reset), SERVER_IP);
	ck_assert_uint_eq(frame_source_port(reset), 80);
	ck_assert_uint_eq(frame_destination(reset), CLIENT_IP(0));
	ck_assert_uint_eq(frame_destination_port(reset), 4000);
	ck_assert_mem_eq(reset->bytes, client_mac[0], 6);

	frame_tcp(&frame, &ends, 4000, 80, ACK, 500, 777, 10);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	reset = test_link_take(&net->client[0]);
	ck_assert_ptr_nonnull(reset);
	ck_assert_uint_eq(frame_tcp_flags(reset), RST);
	ck_assert_uint_eq(frame_tcp_sequence(reset), 777);

	frame_tcp(&frame, &ends, 4000, 80, RST, 500, 0, 0);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	test_net_end(net);
}
END_TEST

START_TEST(block_return_says_port_unreachable)
{
	struct test_net *net = test_net_begin("block return\n", 64);
	struct ends ends = ends_out(0, SERVER_IP);
	const struct frame *error;

	udp_from(0, SERVER_IP, 4000, 53);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	error = test_link_take(&net->client[0]);
	ck_assert_ptr_nonnull(error);
	ck_assert_uint_eq(frame_icmp_type(error), 3);
	ck_assert_uint_eq(frame_icmp_code(error), 3);
	ck_assert_uint_eq(frame_source(error), OUR_IP);
	ck_assert_mem_eq(error->bytes + 42, frame.bytes + 14, frame.length - 14);
	frame_echo(&frame, &ends, false, 1, 1, 10);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	error = test_link_take(&net->client[0]);
	ck_assert_uint_eq(frame_icmp_code(error), 13);
	test_net_end(net);
}
END_TEST

START_TEST(block_drop_says_nothing)
{
	struct test_net *net = test_net_begin("block drop\n", 64);

	syn_from(0, SERVER_IP, 4000, 80);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	udp_from(0, SERVER_IP, 4000, 80);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	ck_assert_uint_eq(net->client[0].sent, 0);
	ck_assert_uint_eq(net->uplink.sent, 0);
	test_net_end(net);
}
END_TEST

START_TEST(answers_are_rationed)
{
	struct test_net *net = test_net_begin("block return\n", 64);
	uint32_t first;

	for (unsigned int i = 0; i < 300; i++) {
		udp_from(0, SERVER_IP, 4000, 53);
		test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	}
	first = net->client[0].sent;
	ck_assert_uint_ge(first, 10);
	ck_assert_uint_le(first, 100);
	ck_assert_uint_eq(net->router.answers_suppressed, 300 - first);
	/* Another client still gets its own. */
	udp_from(1, SERVER_IP, 4000, 53);
	test_drop(net, &net->client[1], &frame, DROP_BLOCKED);
	ck_assert_uint_eq(net->client[1].sent, 1);
	test_net_advance(net, TEST_SECOND);
	udp_from(0, SERVER_IP, 4000, 53);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	ck_assert_uint_eq(net->client[0].sent, first + 1);
	test_net_end(net);
}
END_TEST

START_TEST(clients_cannot_use_other_addresses)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends ends = ends_out(0, SERVER_IP);

	ends.from = CLIENT_IP(1);
	frame_udp(&frame, &ends, 1, 2, 3);
	test_drop(net, &net->client[0], &frame, DROP_SPOOFED);
	ends.from = OUR_IP;
	frame_udp(&frame, &ends, 1, 2, 3);
	test_drop(net, &net->client[0], &frame, DROP_SPOOFED);
	ends = ends_out(0, SERVER_IP);
	ends.from_mac = client_mac[1];
	frame_udp(&frame, &ends, 1, 2, 3);
	test_drop(net, &net->client[0], &frame, DROP_BAD_MAC);
	ends = ends_out(0, SERVER_IP);
	ends.to_mac = client_mac[1];
	frame_udp(&frame, &ends, 1, 2, 3);
	test_drop(net, &net->client[0], &frame, DROP_BAD_MAC);
	test_net_end(net);
}
END_TEST

START_TEST(the_uplink_cannot_speak_for_clients)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends ends = { gateway_mac, our_uplink_mac, CLIENT_IP(1), CLIENT_IP(0) };

	frame_udp(&frame, &ends, 1, 2, 3);
	test_drop(net, &net->uplink, &frame, DROP_SPOOFED);
	ends.from = OUR_IP;
	frame_udp(&frame, &ends, 1, 2, 3);
	test_drop(net, &net->uplink, &frame, DROP_MARTIAN);
	ends.from = IP(127, 0, 0, 1);
	frame_udp(&frame, &ends, 1, 2, 3);
	test_drop(net, &net->uplink, &frame, DROP_MARTIAN);
	test_net_end(net);
}
END_TEST

/* A flow belongs to the interfaces it was made on. */
START_TEST(a_flow_cannot_be_used_from_the_wrong_side)
{
	struct test_net *net = test_net_begin("pass on clients\npass out\n", 64);
	struct ends back = { gateway_mac, our_uplink_mac, CLIENT_IP(1), CLIENT_IP(0) };

	udp_from(0, CLIENT_IP(1), 5000, 53);
	test_pass(net, &net->client[0], &net->client[1], &frame);
	frame_udp(&answer, &back, 53, 5000, 5);
	test_drop(net, &net->uplink, &answer, DROP_SPOOFED);
	test_net_end(net);
}
END_TEST

START_TEST(martian_destinations)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	static const uint32_t martians[] = { IP(0, 1, 2, 3), IP(127, 0, 0, 1), IP(169, 254, 1, 1),
					     IP(240, 0, 0, 1) };

	for (size_t i = 0; i < ARRAY_SIZE(martians); i++) {
		udp_from(0, martians[i], 1, 2);
		test_drop(net, &net->client[0], &frame, DROP_MARTIAN);
	}
	udp_from(0, CLIENT_IP(0), 1, 2);
	test_drop(net, &net->client[0], &frame, DROP_MARTIAN);
	udp_from(0, IP(224, 0, 0, 251), 5353, 5353);
	test_drop(net, &net->client[0], &frame, DROP_MULTICAST);
	udp_from(0, IP(255, 255, 255, 255), 68, 67);
	test_drop(net, &net->client[0], &frame, DROP_MULTICAST);
	memset(frame.bytes, 0xff, 6);
	test_drop(net, &net->client[0], &frame, DROP_MULTICAST);
	put16(frame.bytes + 12, 0x86dd);
	test_drop(net, &net->client[0], &frame, DROP_BAD_IP_HEADER);
	put16(frame.bytes + 12, 0x8847);
	test_drop(net, &net->client[0], &frame, DROP_BAD_ETHERTYPE);
	ck_assert_uint_eq(net->client[0].sent, 0);
	test_net_end(net);
}
END_TEST

START_TEST(ttl_of_one_ends_here)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	const struct frame *error;

	udp_from(0, SERVER_IP, 4000, 33434);
	frame.bytes[22] = 1;
	frame_finish(&frame);
	test_drop(net, &net->client[0], &frame, DROP_TTL);
	error = test_link_take(&net->client[0]);
	ck_assert_ptr_nonnull(error);
	ck_assert_uint_eq(frame_icmp_type(error), 11);
	ck_assert_uint_eq(frame_source(error), OUR_IP);
	ck_assert_uint_eq(frame_destination(error), CLIENT_IP(0));
	ck_assert_mem_eq(error->bytes + 42, frame.bytes + 14, 28);
	ck_assert_uint_eq(net->router.flows.used, 0);
	/* The same within a flow. */
	udp_from(0, SERVER_IP, 4000, 33434);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame.bytes[22] = 1;
	frame_finish(&frame);
	test_drop(net, &net->client[0], &frame, DROP_TTL);
	ck_assert_ptr_nonnull(test_link_take(&net->client[0]));
	test_net_end(net);
}
END_TEST

START_TEST(too_big_for_the_next_link)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);
	const struct frame *error, *part;

	net->uplink.netdev.mtu = 1400;
	frame_udp(&frame, &ends, 4000, 53, 1400 - 28);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_udp(&frame, &ends, 4000, 53, 1400 - 27);
	test_drop(net, &net->client[0], &frame, DROP_TOO_BIG);
	error = test_link_take(&net->client[0]);
	ck_assert_ptr_nonnull(error);
	ck_assert_uint_eq(frame_icmp_type(error), 3);
	ck_assert_uint_eq(frame_icmp_code(error), 4);
	ck_assert_uint_eq(get16(error->bytes + 40), 1400);
	ck_assert_uint_le(error->length, 14 + 576);
	/* Without DF it is cut. */
	put16(frame.bytes + 20, 0);
	frame_finish(&frame);
	test_link_input(&net->client[0], &frame);
	part = test_link_take(&net->uplink);
	ck_assert_ptr_nonnull(part);
	ck_assert_ptr_null(frame_header_error(part));
	ck_assert_uint_eq(part->length, 14 + 20 + 1376);
	ck_assert_uint_eq(get16(part->bytes + 20), 0x2000);
	part = test_link_take(&net->uplink);
	ck_assert_ptr_nonnull(part);
	ck_assert_ptr_null(frame_header_error(part));
	ck_assert_uint_eq(get16(part->bytes + 16), 20 + 8 + 1400 - 27 - 1376);
	ck_assert_uint_eq(get16(part->bytes + 20), 1376 / 8);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	/* A large packet is as big as its segments. */
	syn_from(0, SERVER_IP, 4000, 80);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_tcp(&frame, &in_ends, 80, 4000, SYN | ACK, 0, 1001, 0);
	test_pass(net, &net->uplink, &net->client[0], &frame);
	frame_tcp(&frame, &ends, 4000, 80, ACK, 1001, 1, 8000);
	frame_make_blank(&frame);
	frame.gso_type = PACKET_GSO_TCPV4;
	frame.gso_size = 1360;
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame.gso_size = 1361;
	test_drop(net, &net->client[0], &frame, DROP_TOO_BIG);
	test_net_end(net);
}
END_TEST

START_TEST(one_client_cannot_use_up_the_table)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	const uint32_t quota = (64 - 64 / ROUTER_INBOUND_SHARE) / (TEST_CLIENTS + 1);

	for (uint16_t i = 0; i < quota; i++) {
		udp_from(0, SERVER_IP, (uint16_t)(2000 + i), 53);
		test_pass(net, &net->client[0], &net->uplink, &frame);
	}
	for (uint16_t i = 0; i < quota; i++) {
		udp_from(1, SERVER_IP, (uint16_t)(2000 + i), 53);
		test_pass(net, &net->client[1], &net->uplink, &frame);
	}
	/* More take the places of its own, never of another's. */
	for (uint16_t i = 0; i < 50; i++) {
		udp_from(0, SERVER_IP, (uint16_t)(3000 + i), 53);
		test_pass(net, &net->client[0], &net->uplink, &frame);
	}
	ck_assert_uint_eq(net->router.flows.used, 2 * quota);
	ck_assert_uint_eq(net->router.flows.evicted, 50);
	for (uint16_t i = 0; i < quota; i++) {
		udp_from(1, SERVER_IP, (uint16_t)(2000 + i), 53);
		test_pass(net, &net->client[1], &net->uplink, &frame);
	}
	ck_assert_uint_eq(net->router.flows.created, 2 * quota + 50 + 1); /* one before all */
	test_net_end(net);
}
END_TEST

START_TEST(shares_shrink_when_clients_come)
{
	const uint32_t out = 64 - 64 / ROUTER_INBOUND_SHARE;
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends in_ends = { gateway_mac, our_uplink_mac, SERVER_IP, CLIENT_IP(2) };

	router_detach(&net->router, &net->client[1].netdev);
	router_detach(&net->router, &net->client[2].netdev);
	for (uint16_t i = 0; i < 64; i++) {
		udp_from(0, SERVER_IP, (uint16_t)(2000 + i), 53);
		test_pass(net, &net->client[0], &net->uplink, &frame);
	}
	ck_assert_uint_eq(flow_owned(&net->router.flows, 1), out / 2);
	for (unsigned int c = 1; c < TEST_CLIENTS; c++) {
		ck_assert_int_eq(router_attach_client4(&net->router, &net->client[c].netdev,
						       be32_of(CLIENT_IP(c))),
				 0);
		ck_assert_uint_eq(flow_owned(&net->router.flows, 1), out / (c + 2));
		for (uint16_t i = 0; i < 64; i++) {
			udp_from(c, SERVER_IP, (uint16_t)(2000 + i), 53);
			test_pass(net, &net->client[c], &net->uplink, &frame);
		}
	}
	ck_assert_uint_eq(net->router.flows.used, TEST_CLIENTS * (out / (TEST_CLIENTS + 1)));
	/* What begins outside has a share of its own. */
	frame_udp(&frame, &in_ends, 7, 7, 7);
	test_pass(net, &net->uplink, &net->client[2], &frame);
	router_detach(&net->router, &net->client[2].netdev);
	ck_assert_uint_eq(net->router.flows.used, 2 * (out / (TEST_CLIENTS + 1)));
	test_net_end(net);
}
END_TEST

START_TEST(flows_time_out)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends back_ends = ends_out(1, CLIENT_IP(0));

	udp_from(0, CLIENT_IP(1), 5000, 53);
	for (unsigned int i = 0; i < 5; i++) { /* kept alive by packets */
		test_pass(net, &net->client[0], &net->client[1], &frame);
		test_net_advance(net, 119 * TEST_SECOND);
		ck_assert_uint_eq(net->router.flows.used, 1);
	}
	test_net_advance(net, 2 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 0);
	ck_assert_uint_eq(net->router.flows.expired, 1);
	/* An answer gives more time. */
	test_pass(net, &net->client[0], &net->client[1], &frame);
	frame_udp(&answer, &back_ends, 53, 5000, 5);
	test_pass(net, &net->client[1], &net->client[0], &answer);
	test_net_advance(net, 299 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_net_advance(net, 2 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_net_end(net);
}
END_TEST

START_TEST(tcp_begins_with_a_syn)
{
	struct test_net *net = test_net_begin("pass\npass proto tcp flags any\n", 64);
	struct ends ends = ends_out(0, SERVER_IP);

	frame_tcp(&frame, &ends, 4000, 80, ACK, 1, 1, 10);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	frame_tcp(&frame, &ends, 4000, 80, SYN | ACK, 1, 1, 0);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	frame_echo(&frame, &ends, true, 4, 4, 4);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	test_net_end(net);
}
END_TEST

START_TEST(a_detached_client_leaves_nothing)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 128);
	struct ends in_ends = ends_in(SERVER_IP);

	for (uint16_t i = 0; i < 10; i++) {
		udp_from(0, SERVER_IP, (uint16_t)(2000 + i), 53);
		test_pass(net, &net->client[0], &net->uplink, &frame);
		udp_from(1, CLIENT_IP(0), (uint16_t)(2000 + i), 53);
		test_pass(net, &net->client[1], &net->client[0], &frame);
		udp_from(1, SERVER_IP, (uint16_t)(2000 + i), 53);
		test_pass(net, &net->client[1], &net->uplink, &frame);
	}
	ck_assert_uint_eq(net->router.flows.used, 30);
	router_detach(&net->router, &net->client[0].netdev);
	ck_assert_ptr_null(net->client[0].netdev.input);
	ck_assert_uint_eq(net->router.flows.used, 10);
	ck_assert(flow_table_is_valid(&net->router.flows));
	udp_from(1, CLIENT_IP(0), 2000, 53); /* nobody is there: to the gateway, as any other */
	test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_int_eq(
		router_attach_client4(&net->router, &net->client[0].netdev, be32_of(CLIENT_IP(0))),
		0);
	/* The new one inherits no answers. */
	test_net_set_rules(net, "pass out\n");
	frame_udp(&answer, &in_ends, 53, 2000, 5);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	test_net_end(net);
}
END_TEST

START_TEST(a_thousand_clients_come_and_go)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	for (unsigned int i = 0; i < 1000; i++) {
		unsigned int c = i % TEST_CLIENTS;

		udp_from(c, SERVER_IP, (uint16_t)(1024 + i), 53);
		test_pass(net, &net->client[c], &net->uplink, &frame);
		router_detach(&net->router, &net->client[c].netdev);
		ck_assert_int_eq(router_attach_client4(&net->router, &net->client[c].netdev,
						       be32_of(CLIENT_IP(c))),
				 0);
	}
	ck_assert_uint_le(net->router.interfaces_used, TEST_CLIENTS + 1);
	test_net_end(net);
}
END_TEST

START_TEST(the_uplink_may_go_and_come_back)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	const struct frame *error;
	struct frame known;

	udp_from(0, SERVER_IP, 5000, 53);
	known = frame;
	test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert_int_eq(router_attach_uplink(&net->router, &net->client[0].netdev), -EBUSY);
	router_detach(&net->router, &net->uplink.netdev);
	/* A flow waits for it, without a word; who is new is told. */
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_drop(net, &net->client[0], &known, DROP_LINK_DOWN);
	udp_from(0, SERVER_IP, 5001, 53);
	test_drop(net, &net->client[0], &frame, DROP_NO_ROUTE);
	error = test_link_take(&net->client[0]);
	ck_assert_uint_eq(frame_icmp_type(error), 3);
	ck_assert_uint_eq(frame_icmp_code(error), 0);
	ck_assert_int_eq(router_attach_uplink(&net->router, &net->uplink.netdev), 0);
	ck_assert(frame_is_arp(test_link_take(&net->uplink)));
	test_link_input(&net->client[0], &known);
	ck_assert_uint_eq(net->router.flows.used, 1);
	ck_assert(frame_is_arp(test_link_take(&net->uplink)));
	frame_arp(&answer, gateway_mac, our_uplink_mac, 2, GATEWAY_IP, OUR_IP);
	ck_assert_uint_eq(frame_protocol(test_pass(net, &net->uplink, &net->uplink, &answer)), 17);
	net->uplink.netdev.up = false;
	router_link_changed(&net->router, &net->uplink.netdev);
	test_drop(net, &net->client[0], &frame, DROP_LINK_DOWN);
	test_net_end(net);
}
END_TEST

START_TEST(of_two_with_one_address_the_later_gets_it)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	router_detach(&net->router, &net->client[2].netdev);
	ck_assert_int_eq(
		router_attach_client4(&net->router, &net->client[2].netdev, be32_of(CLIENT_IP(0))),
		0);
	udp_from(1, CLIENT_IP(0), 5000, 53);
	test_pass(net, &net->client[1], &net->client[2], &frame);
	router_detach(&net->router, &net->client[2].netdev);
	udp_from(1, CLIENT_IP(0), 5000, 53);
	test_pass(net, &net->client[1], &net->client[0], &frame);
	test_net_end(net);
}
END_TEST

START_TEST(wrong_configurations_are_refused)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct router_config config = { .ip4 = { be32_of(OUR_IP), 33, be32_of(GATEWAY_IP), 0 },
					.flows = 1 };
	static struct router router;

	ck_assert_int_eq(router_init(&router, &config), -EINVAL);
	config.ip4.prefix = 32;
	config.flows = 0;
	ck_assert_int_eq(router_init(&router, &config), -EINVAL);
	config.flows = 1;
	config.ip4.gateway = be32_of(IP(127, 0, 0, 1));
	ck_assert_int_eq(router_init(&router, &config), -EINVAL);
	config.ip4.gateway = config.ip4.address;
	ck_assert_int_eq(router_init(&router, &config), -EINVAL);
	ck_assert_int_eq(router_attach_client4(&net->router, &net->uplink.netdev, be32_of(OUR_IP)),
			 -EINVAL);
	ck_assert_int_eq(
		router_attach_client4(&net->router, &net->uplink.netdev, be32_of(IP(224, 0, 0, 1))),
		-EINVAL);
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, without_rules_nothing_passes);
	tcase_add_test(cases, both_directions_must_pass);
	tcase_add_test(cases, block_return_resets_tcp);
	tcase_add_test(cases, block_return_says_port_unreachable);
	tcase_add_test(cases, block_drop_says_nothing);
	tcase_add_test(cases, answers_are_rationed);
	tcase_add_test(cases, clients_cannot_use_other_addresses);
	tcase_add_test(cases, the_uplink_cannot_speak_for_clients);
	tcase_add_test(cases, a_flow_cannot_be_used_from_the_wrong_side);
	tcase_add_test(cases, martian_destinations);
	tcase_add_test(cases, ttl_of_one_ends_here);
	tcase_add_test(cases, too_big_for_the_next_link);
	tcase_add_test(cases, one_client_cannot_use_up_the_table);
	tcase_add_test(cases, shares_shrink_when_clients_come);
	tcase_add_test(cases, flows_time_out);
	tcase_add_test(cases, tcp_begins_with_a_syn);
	tcase_add_test(cases, a_detached_client_leaves_nothing);
	tcase_add_test(cases, a_thousand_clients_come_and_go);
	tcase_add_test(cases, the_uplink_may_go_and_come_back);
	tcase_add_test(cases, of_two_with_one_address_the_later_gets_it);
	tcase_add_test(cases, wrong_configurations_are_refused);
}

int main(void)
{
	return unit_main("net/limits", add_cases);
}
