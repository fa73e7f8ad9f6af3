/* SPDX-License-Identifier: ISC */
/* What clients and the uplink may try against the router, each against a rule or a share. */
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

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, an_echo_opens_no_way_for_other_messages);
	tcase_add_test(cases, packets_that_wait_are_charged_with_all_their_pieces);
	tcase_add_test(cases, a_share_of_fragments_that_shrinks_is_given_back);
	tcase_add_test(cases, flows_are_judged_again_once_a_second);
}

int main(void)
{
	return unit_main("net/hostile", add_cases);
}
