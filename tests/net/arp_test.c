/* SPDX-License-Identifier: ISC */
/* ARP on the uplink and on the clients' links. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t stranger_mac[6] = { 2, 0, 0, 0, 0, 0x66 };
static struct frame frame, arp;

static void udp_from(unsigned int client, uint32_t to)
{
	struct ends ends = ends_out(client, to);

	frame_udp(&frame, &ends, 5000, 53, 20);
}

static void expect_request(const struct frame *out, const uint8_t *to_mac, uint32_t target)
{
	ck_assert_ptr_nonnull(out);
	ck_assert(frame_is_arp(out));
	ck_assert_mem_eq(out->bytes, to_mac, 6);
	ck_assert_uint_eq(get16(out->bytes + 20), 1);
	ck_assert_mem_eq(out->bytes + 22, our_uplink_mac, 6);
	ck_assert_uint_eq(get32(out->bytes + 28), OUR_IP);
	ck_assert_uint_eq(get32(out->bytes + 38), target);
}

static void expect_reply(const struct frame *out, const uint8_t *to_mac, uint32_t to,
			 const uint8_t *mac, uint32_t address)
{
	ck_assert_ptr_nonnull(out);
	ck_assert(frame_is_arp(out));
	ck_assert_mem_eq(out->bytes, to_mac, 6);
	ck_assert_uint_eq(get16(out->bytes + 20), 2);
	ck_assert_mem_eq(out->bytes + 22, mac, 6);
	ck_assert_uint_eq(get32(out->bytes + 28), address);
	ck_assert_mem_eq(out->bytes + 32, to_mac, 6);
	ck_assert_uint_eq(get32(out->bytes + 38), to);
}

START_TEST(a_new_uplink_is_announced)
{
	struct test_net *net = test_net_begin_cold(RULES_OPEN, 16);

	expect_request(test_link_take(&net->uplink), everybody, OUR_IP);
	test_net_advance(net, 10 * TEST_SECOND);
	expect_request(test_link_take(&net->uplink), everybody, OUR_IP);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	test_net_end(net);
}
END_TEST

START_TEST(packets_wait_for_the_gateway)
{
	struct test_net *net = test_net_begin_cold(RULES_OPEN, 64);

	test_link_skip(&net->uplink);
	udp_from(0, SERVER_IP);
	test_link_input(&net->client[0], &frame);
	expect_request(test_link_take(&net->uplink), everybody, GATEWAY_IP);
	test_link_input(&net->client[0], &frame);
	test_link_input(&net->client[0], &frame);
	ck_assert_ptr_null(test_link_take(&net->uplink)); /* one question is enough */
	ck_assert_uint_eq(arp_waiting(&net->router.arp), 3);
	frame_arp(&arp, gateway_mac, our_uplink_mac, 2, GATEWAY_IP, OUR_IP);
	test_link_input(&net->uplink, &arp);
	for (unsigned int i = 0; i < 3; i++) {
		const struct frame *out = test_link_take(&net->uplink);

		ck_assert_ptr_nonnull(out);
		ck_assert_mem_eq(out->bytes, gateway_mac, 6);
		ck_assert_uint_eq(frame_source(out), OUR_IP);
	}
	ck_assert_uint_eq(arp_waiting(&net->router.arp), 0);
	test_net_end(net);
}
END_TEST

START_TEST(a_silent_gateway_is_asked_ever_less_often)
{
	struct test_net *net = test_net_begin_cold(RULES_OPEN, 64);
	uint64_t start;
	uint32_t asked = 0;

	test_net_advance(net, 5 * TEST_SECOND);
	test_link_skip(&net->uplink);
	udp_from(0, SERVER_IP);
	test_link_input(&net->client[0], &frame);
	start = net->now_ns;
	while (net->now_ns < start + 30 * TEST_SECOND) {
		test_net_advance(net, TEST_SECOND / 10);
		while (test_link_take(&net->uplink))
			asked++;
	}
	ck_assert_uint_eq(asked, 5);
	ck_assert_uint_eq(test_net_drops(net, DROP_NO_NEIGHBOUR), 1);
	ck_assert_uint_eq(arp_count(&net->router.arp), 0);
	/* Asked again when there is a reason. */
	test_link_input(&net->client[0], &frame);
	expect_request(test_link_take(&net->uplink), everybody, GATEWAY_IP);
	test_net_end(net);
}
END_TEST

START_TEST(the_queue_is_bounded)
{
	struct test_net *net = test_net_begin_cold(RULES_OPEN, 64);

	udp_from(0, SERVER_IP);
	for (unsigned int i = 0; i < 100; i++)
		test_link_input(&net->client[0], &frame);
	ck_assert_uint_eq(arp_waiting(&net->router.arp), ARP_QUEUE_ENTRY);
	ck_assert_uint_eq(test_net_drops(net, DROP_QUOTA), 100 - ARP_QUEUE_ENTRY);
	test_net_end(net);
}
END_TEST

/* A client asks for every host of the link: entries and queues stay bounded, and the way
 * to the gateway stays open. */
START_TEST(a_scan_does_not_push_out_the_gateway)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 2048);
	uint32_t waiting = 0;

	for (unsigned int host = 10; host < 250; host++) {
		udp_from(0, IP(10, 137, 0, host));
		test_link_input(&net->client[0], &frame);
		if (arp_waiting(&net->router.arp) > waiting)
			waiting = arp_waiting(&net->router.arp);
	}
	ck_assert_uint_eq(arp_count(&net->router.arp), ARP_ENTRIES);
	ck_assert_uint_eq(waiting, ARP_QUEUE_TOTAL);
	test_link_skip(&net->uplink);
	udp_from(1, SERVER_IP);
	ck_assert_mem_eq(test_pass(net, &net->client[1], &net->uplink, &frame)->bytes, gateway_mac,
			 6);
	test_net_end(net);
}
END_TEST

/* The same when every host is there and answers. */
START_TEST(a_crowded_link_does_not_push_out_the_gateway)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 2048);

	for (unsigned int host = 10; host < 250; host++) {
		udp_from(0, IP(10, 137, 0, host));
		test_link_input(&net->client[0], &frame);
		frame_arp(&arp, stranger_mac, our_uplink_mac, 2, IP(10, 137, 0, host), OUR_IP);
		test_link_input(&net->uplink, &arp);
	}
	ck_assert_uint_eq(arp_count(&net->router.arp), ARP_ENTRIES);
	test_link_skip(&net->uplink);
	udp_from(1, SERVER_IP);
	ck_assert_mem_eq(test_pass(net, &net->client[1], &net->uplink, &frame)->bytes, gateway_mac,
			 6);
	test_net_end(net);
}
END_TEST

START_TEST(an_entry_in_use_is_confirmed_by_unicast)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	udp_from(0, SERVER_IP);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	test_net_advance(net, 57 * TEST_SECOND + TEST_SECOND / 2); /* 60 since it was learnt */
	expect_request(test_link_take(&net->uplink), gateway_mac, GATEWAY_IP);
	/* Used all the same, until there is no hope. */
	ck_assert_uint_eq(frame_protocol(test_pass(net, &net->client[0], &net->uplink, &frame)),
			  17);
	frame_arp(&arp, gateway_mac, our_uplink_mac, 2, GATEWAY_IP, OUR_IP);
	test_link_input(&net->uplink, &arp);
	test_net_advance(net, 10 * TEST_SECOND);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	ck_assert_uint_eq(arp_count(&net->router.arp), 1);
	/* Unused: forgotten without a question. */
	test_net_advance(net, 60 * TEST_SECOND);
	ck_assert_uint_eq(arp_count(&net->router.arp), 0);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	test_net_end(net);
}
END_TEST

START_TEST(a_gateway_that_is_gone_is_forgotten)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	udp_from(0, SERVER_IP);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	test_net_advance(net, 70 * TEST_SECOND);
	ck_assert_uint_eq(arp_count(&net->router.arp), 0);
	test_net_end(net);
}
END_TEST

START_TEST(replies_nobody_asked_for_change_nothing)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	frame_arp(&arp, stranger_mac, our_uplink_mac, 2, IP(10, 137, 0, 9), OUR_IP);
	test_link_input(&net->uplink, &arp);
	ck_assert_uint_eq(arp_count(&net->router.arp), 1);
	/* A neighbour that we know may move. */
	frame_arp(&arp, stranger_mac, our_uplink_mac, 1, GATEWAY_IP, GATEWAY_IP);
	test_link_input(&net->uplink, &arp);
	udp_from(0, SERVER_IP);
	ck_assert_mem_eq(test_pass(net, &net->client[0], &net->uplink, &frame)->bytes, stranger_mac,
			 6);
	test_net_end(net);
}
END_TEST

START_TEST(our_uplink_address_is_answered_for)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	frame_arp(&arp, gateway_mac, everybody, 1, GATEWAY_IP, OUR_IP);
	expect_reply(test_pass(net, &net->uplink, &net->uplink, &arp), gateway_mac, GATEWAY_IP,
		     our_uplink_mac, OUR_IP);
	/* Also to somebody who wants to know whether it is free. */
	frame_arp(&arp, stranger_mac, everybody, 1, 0, OUR_IP);
	expect_reply(test_pass(net, &net->uplink, &net->uplink, &arp), stranger_mac, 0,
		     our_uplink_mac, OUR_IP);
	frame_arp(&arp, gateway_mac, everybody, 1, GATEWAY_IP, IP(10, 137, 0, 6));
	test_link_input(&net->uplink, &arp);
	frame_arp(&arp, gateway_mac, everybody, 1, GATEWAY_IP, CLIENT_IP(0));
	test_link_input(&net->uplink, &arp);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	frame_arp(&arp, stranger_mac, everybody, 1, OUR_IP, OUR_IP);
	test_drop(net, &net->uplink, &arp, DROP_BAD_ARP);
	test_net_end(net);
}
END_TEST

START_TEST(clients_find_everybody_behind_us)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	const uint32_t targets[] = { GATEWAY_IP, OUR_IP, SERVER_IP, CLIENT_IP(1) };

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		frame_arp(&arp, client_mac[0], everybody, 1, CLIENT_IP(0), targets[i]);
		expect_reply(test_pass(net, &net->client[0], &net->client[0], &arp), client_mac[0],
			     CLIENT_IP(0), our_client_mac, targets[i]);
	}
	/* Its own address is its own: asked for, announced, or probed. */
	frame_arp(&arp, client_mac[0], everybody, 1, CLIENT_IP(0), CLIENT_IP(0));
	test_link_input(&net->client[0], &arp);
	frame_arp(&arp, client_mac[0], everybody, 1, 0, CLIENT_IP(0));
	test_link_input(&net->client[0], &arp);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	ck_assert_uint_eq(test_net_drops(net, DROP_BAD_ARP), 0); /* all of it is proper */
	test_net_end(net);
}
END_TEST

START_TEST(spoofed_arp_is_dropped)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	frame_arp(&arp, client_mac[0], everybody, 1, CLIENT_IP(1), GATEWAY_IP);
	test_drop(net, &net->client[0], &arp, DROP_BAD_ARP);
	frame_arp(&arp, client_mac[1], everybody, 1, CLIENT_IP(0), GATEWAY_IP);
	test_drop(net, &net->client[0], &arp, DROP_BAD_MAC);
	frame_arp(&arp, client_mac[0], everybody, 1, CLIENT_IP(0), GATEWAY_IP);
	memcpy(arp.bytes + 22, client_mac[1], 6); /* inner and outer MAC differ */
	test_drop(net, &net->client[0], &arp, DROP_BAD_ARP);
	ck_assert_uint_eq(net->client[0].sent, 0);
	test_net_end(net);
}
END_TEST

START_TEST(malformed_arp_is_dropped)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	static const struct {
		unsigned int offset;
		uint8_t value;
	} damages[] = { { 15, 2 }, { 16, 9 }, { 18, 5 }, { 19, 16 }, { 21, 3 }, { 21, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		frame_arp(&arp, client_mac[0], everybody, 1, CLIENT_IP(0), GATEWAY_IP);
		arp.bytes[damages[i].offset] = damages[i].value;
		test_drop(net, &net->client[0], &arp, DROP_BAD_ARP);
	}
	frame_arp(&arp, client_mac[0], everybody, 1, CLIENT_IP(0), GATEWAY_IP);
	arp.length--;
	test_drop(net, &net->client[0], &arp, DROP_BAD_ARP);
	test_net_end(net);
}
END_TEST

START_TEST(a_client_of_unknown_mac_is_learnt)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct netdev *netdev = &net->client[2].netdev;
	const struct frame *out;

	router_detach(&net->router, netdev);
	memset(netdev->peer_mac, 0, 6);
	ck_assert_int_eq(router_attach_client4(&net->router, netdev, be32_of(CLIENT_IP(2))), 0);
	udp_from(0, CLIENT_IP(2));
	out = test_pass(net, &net->client[0], &net->client[2], &frame);
	ck_assert(frame_is_arp(out));
	ck_assert_uint_eq(get32(out->bytes + 38), CLIENT_IP(2));
	frame_arp(&arp, client_mac[2], our_client_mac, 2, CLIENT_IP(2), OUR_IP);
	out = test_pass(net, &net->client[2], &net->client[2], &arp);
	ck_assert_mem_eq(out->bytes, client_mac[2], 6);
	ck_assert_uint_eq(frame_destination(out), CLIENT_IP(2));
	ck_assert_uint_eq(frame_protocol(test_pass(net, &net->client[0], &net->client[2], &frame)),
			  17);
	test_net_end(net);
}
END_TEST

START_TEST(what_waits_goes_with_its_interface)
{
	struct test_net *net = test_net_begin_cold(RULES_OPEN, 64);

	for (unsigned int c = 0; c < 2; c++) {
		udp_from(c, SERVER_IP);
		for (unsigned int i = 0; i < 4; i++)
			test_link_input(&net->client[c], &frame);
	}
	ck_assert_uint_eq(arp_waiting(&net->router.arp), 8);
	router_detach(&net->router, &net->client[0].netdev);
	ck_assert_uint_eq(arp_waiting(&net->router.arp), 4);
	ck_assert_uint_eq(test_net_drops(net, DROP_DETACHED), 4);
	router_detach(&net->router, &net->uplink.netdev);
	ck_assert_uint_eq(arp_waiting(&net->router.arp), 0);
	ck_assert_uint_eq(arp_count(&net->router.arp), 0);
	ck_assert_uint_eq(net->packets.free_count, TEST_PACKETS);
	router_flush_flows(&net->router);
	ck_assert_uint_eq(router_next_ns(&net->router), UINT64_MAX);
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_new_uplink_is_announced);
	tcase_add_test(cases, packets_wait_for_the_gateway);
	tcase_add_test(cases, a_silent_gateway_is_asked_ever_less_often);
	tcase_add_test(cases, the_queue_is_bounded);
	tcase_add_test(cases, a_scan_does_not_push_out_the_gateway);
	tcase_add_test(cases, a_crowded_link_does_not_push_out_the_gateway);
	tcase_add_test(cases, an_entry_in_use_is_confirmed_by_unicast);
	tcase_add_test(cases, a_gateway_that_is_gone_is_forgotten);
	tcase_add_test(cases, replies_nobody_asked_for_change_nothing);
	tcase_add_test(cases, our_uplink_address_is_answered_for);
	tcase_add_test(cases, clients_find_everybody_behind_us);
	tcase_add_test(cases, spoofed_arp_is_dropped);
	tcase_add_test(cases, malformed_arp_is_dropped);
	tcase_add_test(cases, a_client_of_unknown_mac_is_learnt);
	tcase_add_test(cases, what_waits_goes_with_its_interface);
}

int main(void)
{
	return unit_main("net/arp", add_cases);
}
