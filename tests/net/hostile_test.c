/* SPDX-License-Identifier: ISC */
/* What clients and the uplink may try against the router, each against a rule or a share. */
#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct frame frame;

/* An ICMP message of any type, behind an echo's header. */
static void frame_icmp(const struct ends *ends, uint8_t type, uint8_t code)
{
	frame_echo(&frame, ends, false, 0, 0, 8);
	frame.bytes[34] = type;
	frame.bytes[35] = code;
	frame_finish(&frame);
}

/* An echo with identifier 0 has the ports of a message that has none. */
START_TEST(an_echo_opens_no_way_for_other_messages)
{
	struct test_net *net =
		test_net_begin("block\n"
			       "pass in on clients inet proto icmp icmp-type echoreq\n"
			       "pass out\n",
			       64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);

	frame_icmp(&out_ends, 5, 1);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	frame_echo(&frame, &out_ends, false, 0, 1, 8);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_icmp(&out_ends, 5, 1);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	frame_icmp(&out_ends, 13, 0);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	frame_icmp(&out_ends, 0, 0);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	frame_icmp(&in_ends, 5, 1);
	test_drop(net, &net->uplink, &frame, DROP_NO_FLOW);
	frame_echo(&frame, &in_ends, false, 0, 1, 8);
	test_drop(net, &net->uplink, &frame, DROP_NO_FLOW);
	frame_echo(&frame, &in_ends, true, 0, 1, 8);
	test_pass(net, &net->uplink, &net->client[0], &frame);
	test_net_end(net);
}
END_TEST

/* Sends the frame as a driver would bring it whose peer cuts off two little pieces at the end. */
static void send_in_pieces(struct test_net *net, struct test_link *from, const struct frame *sent)
{
	struct packet *packet = packet_alloc_page(&net->packets, IOPAGE_UPLINK_READ);
	struct packet_vector vector = { .count = 0 };
	uint32_t head = sent->length - 16;

	ck_assert_ptr_nonnull(packet);
	memcpy(packet_append(packet, head), sent->bytes, head);
	for (uint32_t i = 0; i < 2; i++) {
		struct iopage *page = iopage_alloc(&net->pages, IOPAGE_UPLINK_READ);

		ck_assert_ptr_nonnull(page);
		memcpy(page->data, sent->bytes + head + 8 * i, 8);
		ck_assert_int_eq(packet_add_frag(packet, page, 0, 8), 0);
	}
	packet->in = &from->netdev;
	packet_vector_add(&vector, packet);
	from->netdev.input(&from->netdev, &vector);
}

/* Later fragments of as many datagrams, that come before any first one. */
static void flood_fragments(struct test_net *net, uint32_t count)
{
	struct ends ends = ends_out(0, SERVER_IP);

	for (uint32_t i = 0; i < count; i++) {
		frame_ip4(&frame, &ends, 17, 200);
		put16(frame.bytes + 18, (uint16_t)i);
		put16(frame.bytes + 20, 100);
		frame_finish(&frame);
		send_in_pieces(net, &net->client[0], &frame);
	}
}

/* Packets to as many neighbours of the uplink that do not exist. */
static void flood_neighbours(struct test_net *net, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct ends ends = ends_out(0, IP(10, 137, 0, 100) + i);

		frame_udp(&frame, &ends, 9, 9, 200);
		send_in_pieces(net, &net->client[0], &frame);
	}
}

START_TEST(packets_that_wait_are_charged_with_all_their_pieces)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 1024);
	uint32_t before = net->pages.free_count[IOPAGE_UPLINK_READ];
	struct ends ends = ends_out(1, SERVER_IP);

	flood_fragments(net, 80);
	ck_assert_uint_gt(before - net->pages.free_count[IOPAGE_UPLINK_READ], 0);
	ck_assert_uint_le(before - net->pages.free_count[IOPAGE_UPLINK_READ],
			  net->router.fragments.config.owner_held_packets);
	ck_assert_uint_le(net->router.fragments.config.held_packets, TEST_PACKETS / 8);
	ck_assert(fragments_check(&net->router.fragments));
	before = net->pages.free_count[IOPAGE_UPLINK_READ];
	flood_neighbours(net, 80);
	ck_assert_uint_gt(before - net->pages.free_count[IOPAGE_UPLINK_READ], 0);
	ck_assert_uint_le(before - net->pages.free_count[IOPAGE_UPLINK_READ], ARP_QUEUE_TOTAL);
	test_link_skip(&net->uplink);
	frame_udp(&frame, &ends, 9, 9, 200);
	test_pass(net, &net->client[1], &net->uplink, &frame);
	test_net_end(net);
}
END_TEST

/* First fragments of new datagrams from a client; returns how many datagrams it has. */
static uint32_t fragments_of_client(struct test_net *net, unsigned int client, uint32_t count,
				    uint16_t id)
{
	struct ends ends = ends_out(client, SERVER_IP);
	const struct router_interface *in;

	for (uint32_t i = 0; i < count; i++) {
		frame_udp(&frame, &ends, 9, 9, 56);
		put16(frame.bytes + 18, (uint16_t)(id + i));
		put16(frame.bytes + 20, 0x2000);
		frame_finish(&frame);
		test_link_input(&net->client[client], &frame);
	}
	in = net->client[client].netdev.stack;
	return net->router.fragments.owners[in->index].entries;
}

START_TEST(a_share_of_fragments_that_shrinks_is_given_back)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 1024);
	uint32_t share;

	router_detach(&net->router, &net->client[1].netdev);
	router_detach(&net->router, &net->client[2].netdev);
	share = net->router.fragments.config.owner_entries;
	ck_assert_uint_eq(fragments_of_client(net, 0, share + 5, 1), share);
	for (unsigned int i = 1; i < TEST_CLIENTS; i++)
		ck_assert_int_eq(router_attach_client4(&net->router, &net->client[i].netdev,
						       be32_of(CLIENT_IP(i))),
				 0);
	ck_assert_uint_lt(net->router.fragments.config.owner_entries, share);
	share = net->router.fragments.config.owner_entries;
	ck_assert_uint_eq(fragments_of_client(net, 0, share, 1000), share);
	ck_assert(fragments_check(&net->router.fragments));
	test_net_end(net);
}
END_TEST

/* Whoever makes a name's addresses change all the time costs no more than a look a second. */
START_TEST(flows_are_judged_again_once_a_second)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct fragment_entry *entry;
	struct ends ends = ends_out(0, SERVER_IP);
	uint32_t passed = 0;

	router_rejudge_soon(&net->router);
	ck_assert_uint_le(router_next_ns(&net->router), net->now_ns);
	test_net_advance(net, TEST_SECOND / 100);
	/* A datagram's parts pass while names change between each of them. */
	for (uint32_t i = 0; i < 10; i++) {
		router_rejudge_soon(&net->router);
		ck_assert_uint_gt(router_next_ns(&net->router), net->now_ns);
		test_net_advance(net, TEST_SECOND / 100);
		frame_udp(&frame, &ends, 9, 9, 56);
		put16(frame.bytes + 18, 7);
		put16(frame.bytes + 20, (uint16_t)(0x2000 | 8 * i));
		frame_finish(&frame);
		test_link_input(&net->client[0], &frame);
		passed += test_link_take(&net->uplink) != NULL;
	}
	ck_assert_uint_eq(passed, 10);
	ck_assert(net->router.rejudge_wanted);
	test_net_advance(net, TEST_SECOND);
	ck_assert(!net->router.rejudge_wanted);
	entry = &net->router.fragments.entries[0];
	ck_assert_uint_eq(entry->state, FRAGMENT_DEAD);
	test_net_end(net);
}
END_TEST

START_TEST(the_uplink_gets_no_address_of_a_client)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct router_uplink4 ip4 = net->router.ip4;
	struct ends ends = ends_out(1, CLIENT_IP(0));

	ip4.address = be32_of(CLIENT_IP(0));
	ck_assert_int_eq(router_set_uplink4(&net->router, &ip4), -EINVAL);
	frame_udp(&frame, &ends, 9, 9, 4);
	test_pass(net, &net->client[1], &net->client[0], &frame);
	test_net_end(net);
}
END_TEST

START_TEST(rfc2644_nothing_goes_to_all_of_the_uplinks_network)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends ends = ends_out(0, IP(10, 137, 0, 255));

	frame_udp(&frame, &ends, 9, 9, 4);
	test_drop(net, &net->client[0], &frame, DROP_MULTICAST);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	test_net_end(net);
}
END_TEST

START_TEST(errors_from_outside_are_from_no_client)
{
	static struct frame error;
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(CLIENT_IP(1));
	const struct frame *out;

	frame_udp(&frame, &out_ends, 9, 9, 4);
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_icmp_error(&error, &in_ends, 3, 1, out, 28);
	test_drop(net, &net->uplink, &error, DROP_SPOOFED);
	in_ends = ends_in(GATEWAY_IP);
	frame_icmp_error(&error, &in_ends, 3, 1, out, 28);
	test_pass(net, &net->uplink, &net->client[0], &error);
	test_net_end(net);
}
END_TEST

/* While the uplink has no address yet. */
START_TEST(no_answer_comes_from_nowhere)
{
	struct test_net *net = test_net_begin("block return\n", 64);
	const struct router_uplink4 none = { 0 };
	struct ends ends = ends_out(0, SERVER_IP);

	frame_udp(&frame, &ends, 9, 9, 4);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	ck_assert_ptr_nonnull(test_link_take(&net->client[0]));
	ck_assert_int_eq(router_set_uplink4(&net->router, &none), 0);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	test_net_set_rules(net, "block return-icmp\n");
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	test_net_end(net);
}
END_TEST

/* UDP from client 0's link-local address to ours. */
static void frame_link_local(const struct test_net *net)
{
	static const uint8_t peer[16] = { 0xfe, 0x80, [15] = 9 };
	const struct router_interface *in = net->client[0].netdev.stack;
	uint8_t *ip = frame.bytes + 14;

	memset(&frame, 0, sizeof(frame));
	frame.length = 14 + 40 + 12;
	memcpy(frame.bytes, our_client_mac, 6);
	memcpy(frame.bytes + 6, client_mac[0], 6);
	put16(frame.bytes + 12, 0x86dd);
	ip[0] = 0x60;
	ip[5] = 12;
	ip[6] = 17;
	ip[7] = 64;
	memcpy(ip + 8, peer, 16);
	memcpy(ip + 24, &in->link_local, 16);
	put16(ip + 40, 9);
	put16(ip + 42, 7);
	put16(ip + 44, 12);
	put16(ip + 46, (uint16_t)~naive_sum(ip + 40, 12, naive_sum(ip + 8, 32, 0) + 17 + 12));
}

START_TEST(what_is_link_local_stays_there)
{
	struct test_net *net = test_net_begin("match in inet6 proto udp to any port 7 "
					      "rdr-to 2001:db8:1::7\npass\n",
					      64);
	const struct router_uplink6 ip6 = {
		.address = { { 0x20, 1, 0x0d, 0xb8, [15] = 5 } },
		.prefix = 64,
		.gateway = { { 0xfe, 0x80, [15] = 1 } },
	};

	net->uplink.netdev.up = false; /* it announces nothing */
	ck_assert_int_eq(router_set_uplink6(&net->router, &ip6), 0);
	net->uplink.netdev.up = true;
	frame_link_local(net);
	test_drop(net, &net->client[0], &frame, DROP_MARTIAN);
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_net_end(net);
}
END_TEST

/* A rule that translates hides an address, whatever another one says of state. */
START_TEST(what_is_translated_keeps_state)
{
	struct test_net *net = test_net_begin("match out on clients inet nat-to 10.9.9.9\n"
					      "pass no state\n",
					      64);
	struct ends ends = ends_out(0, CLIENT_IP(1));
	const struct frame *out;

	frame_udp(&frame, &ends, 9, 9, 4);
	out = test_pass(net, &net->client[0], &net->client[1], &frame);
	ck_assert_uint_eq(frame_source(out), IP(10, 9, 9, 9));
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_net_end(net);
}
END_TEST

/* One client asks for neighbours that do not exist as fast as it can, another for one that does. */
START_TEST(a_scan_pushes_out_no_question_of_others)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 4096);
	struct ends ends = ends_out(1, IP(10, 137, 0, 99)), back = ends_in(IP(10, 137, 0, 99));

	for (uint32_t round = 0; round < 20; round++)
		for (uint32_t host = 100; host < 250; host++) {
			struct ends scan = ends_out(0, IP(10, 137, 0, host));

			frame_udp(&frame, &scan, (uint16_t)(round + 1), 9, 4);
			test_link_input(&net->client[0], &frame);
			if (round == 10 && host == 100) {
				frame_udp(&frame, &ends, 9, 9, 4);
				test_link_input(&net->client[1], &frame);
			}
		}
	ck_assert_uint_gt(test_net_drops(net, DROP_RATE_LIMIT), 1000);
	test_link_skip(&net->uplink);
	frame_arp(&frame, back.from_mac, our_uplink_mac, 2, IP(10, 137, 0, 99), OUR_IP);
	test_link_input(&net->uplink, &frame);
	ck_assert_ptr_nonnull(test_link_take(&net->uplink));
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, an_echo_opens_no_way_for_other_messages);
	tcase_add_test(cases, packets_that_wait_are_charged_with_all_their_pieces);
	tcase_add_test(cases, a_share_of_fragments_that_shrinks_is_given_back);
	tcase_add_test(cases, flows_are_judged_again_once_a_second);
	tcase_add_test(cases, the_uplink_gets_no_address_of_a_client);
	tcase_add_test(cases, rfc2644_nothing_goes_to_all_of_the_uplinks_network);
	tcase_add_test(cases, errors_from_outside_are_from_no_client);
	tcase_add_test(cases, no_answer_comes_from_nowhere);
	tcase_add_test(cases, what_is_link_local_stays_there);
	tcase_add_test(cases, what_is_translated_keeps_state);
	tcase_add_test(cases, a_scan_pushes_out_no_question_of_others);
}

int main(void)
{
	return unit_main("net/hostile", add_cases);
}
