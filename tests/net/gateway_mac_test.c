/* SPDX-License-Identifier: ISC */
/* A gateway whose MAC is assumed: nothing waits, and what it says itself counts more. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct frame frame, answer;
static struct test_net *net;
static const uint8_t assumed[6] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };

static void setup(void)
{
	net = test_net_begin6(RULES_OPEN, 64);
	router_detach(&net->router, &net->uplink.netdev); /* forgets who was there */
	router_set_gateway_mac(&net->router, assumed);
	ck_assert_int_eq(router_attach_uplink(&net->router, &net->uplink.netdev), 0);
	test_net_advance(net, 5 * TEST_SECOND);
	test_link_skip(&net->uplink);
}

static void teardown(void)
{
	test_net_end(net);
}

static void send4(void)
{
	struct ends ends = ends_out(0, SERVER_IP);

	frame_udp(&frame, &ends, 5000, 53, 10);
	test_link_input(&net->client[0], &frame);
}

static void send6(void)
{
	struct ends6 ends = ends6_out(0, SERVER_IP6);

	frame6_udp(&frame, &ends, 5000, 53, 10);
	test_link_input(&net->client[0], &frame);
}

static bool is_solicitation(const struct frame *got)
{
	return frame_is6(got) && frame6_icmp_type(got) == 135;
}

/* The frames sent since: `packets` to `mac`; returns how many questions there were. */
static uint32_t expect_sent(uint32_t packets, const uint8_t *mac)
{
	const struct frame *got;
	uint32_t questions = 0, count = 0;

	while ((got = test_link_take(&net->uplink)) != NULL) {
		if (frame_is_arp(got) || is_solicitation(got)) {
			questions++;
			continue;
		}
		ck_assert_mem_eq(got->bytes, mac, 6);
		count++;
	}
	ck_assert_uint_eq(count, packets);
	return questions;
}

START_TEST(the_first_packet_does_not_wait)
{
	send4();
	ck_assert_uint_eq(expect_sent(1, assumed), 1);
	send4();
	send4();
	ck_assert_uint_eq(expect_sent(2, assumed), 0);
	send6();
	ck_assert_uint_eq(expect_sent(1, assumed), 1);
	ck_assert_uint_eq(arp_waiting(&net->router.arp) + ndp_waiting(&net->router.ndp), 0);
}
END_TEST

/* A gateway that never answers: packets pass for ever, and questions are few. */
START_TEST(nobody_answers)
{
	uint32_t questions = 0;

	for (uint32_t i = 0; i < 300; i++) {
		send4();
		test_net_advance(net, TEST_SECOND);
		questions += expect_sent(1, assumed);
	}
	ck_assert_uint_ge(questions, 10);
	ck_assert_uint_le(questions, 80);
	ck_assert_uint_eq(test_net_drops(net, DROP_NO_NEIGHBOUR), 0);
}
END_TEST

/* A BSD net VM has a MAC of its own. */
START_TEST(an_answer_counts_more)
{
	send4();
	expect_sent(1, assumed);
	frame_arp(&answer, gateway_mac, our_uplink_mac, 2, GATEWAY_IP, OUR_IP);
	test_link_input(&net->uplink, &answer);
	send4();
	ck_assert_uint_eq(expect_sent(1, gateway_mac), 0);
	/* It goes away: the assumed one again. */
	for (uint32_t i = 0; i < 80; i++) {
		send4();
		test_net_advance(net, TEST_SECOND);
		test_link_skip(&net->uplink);
	}
	send4();
	expect_sent(1, assumed);
}
END_TEST

START_TEST(an_advertisement_counts_more)
{
	struct ends6 ends = { gateway_mac, our_uplink_mac, six_link_local(gateway_mac),
			      six_link_local(our_uplink_mac) };

	send6();
	expect_sent(1, assumed);
	frame6_neighbour(&answer, &ends, 136, 0x60, ends.from);
	test_link_input(&net->uplink, &answer);
	send6();
	ck_assert_uint_eq(expect_sent(1, gateway_mac), 0);
}
END_TEST

/* What nobody asked for changes nothing, nor does the answer of somebody else. */
START_TEST(others_are_not_believed)
{
	frame_arp(&answer, gateway_mac, our_uplink_mac, 2, GATEWAY_IP, OUR_IP);
	test_link_input(&net->uplink, &answer); /* before any question */
	send4();
	expect_sent(1, assumed);
	frame_arp(&answer, client_mac[0], our_uplink_mac, 2, GATEWAY_IP + 7, OUR_IP);
	test_link_input(&net->uplink, &answer);
	send4();
	expect_sent(1, assumed);
}
END_TEST

/* Only the gateway's is assumed: neighbours are asked for. */
START_TEST(neighbours_are_asked_for)
{
	struct ends ends = ends_out(0, IP(10, 137, 0, 77));

	frame_udp(&frame, &ends, 5000, 53, 10);
	test_link_input(&net->client[0], &frame);
	ck_assert_uint_eq(expect_sent(0, assumed), 1);
	ck_assert_uint_eq(arp_waiting(&net->router.arp), 1);
}
END_TEST

START_TEST(none_is_assumed_any_more)
{
	router_set_gateway_mac(&net->router, NULL);
	send4();
	ck_assert_uint_eq(expect_sent(0, assumed), 1);
	frame_arp(&answer, gateway_mac, our_uplink_mac, 2, GATEWAY_IP, OUR_IP);
	test_link_input(&net->uplink, &answer);
	expect_sent(1, gateway_mac);
}
END_TEST

/* Without a gateway nothing but the link is reached. */
START_TEST(no_gateway)
{
	const struct router_uplink4 ip4 = { be32_of(OUR_IP), 32, { 0 }, 0 };
	struct ends ends = ends_out(0, OUR_IP);

	ck_assert_int_eq(router_set_uplink4(&net->router, &ip4), 0);
	test_link_skip(&net->uplink);
	send4();
	ck_assert_uint_eq(expect_sent(0, assumed), 0);
	ck_assert_uint_eq(test_net_drops(net, DROP_NO_ROUTE), 1);
	/* But clients have somebody to talk to: the firewall without a net VM. */
	router_detach(&net->router, &net->uplink.netdev);
	frame_echo(&frame, &ends, false, 1, 1, 8);
	test_pass(net, &net->client[0], &net->client[0], &frame);
	ck_assert_int_eq(router_attach_uplink(&net->router, &net->uplink.netdev), 0);
}
END_TEST

/* Clients find us at every address but their own, and nobody asks for them. */
START_TEST(clients_are_answered_for_everybody)
{
	static const uint32_t targets[] = { OUR_IP, GATEWAY_IP, SERVER_IP, CLIENT_IP(1) };
	const struct frame *got;
	struct ends6 ends;

	for (unsigned int i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		frame_arp(&frame, client_mac[0], our_client_mac, 1, CLIENT_IP(0), targets[i]);
		got = test_pass(net, &net->client[0], &net->client[0], &frame);
		ck_assert(frame_is_arp(got));
		ck_assert_mem_eq(got->bytes + 22, our_client_mac, 6);
	}
	ends = ends6_out(0, SERVER_IP6);
	frame6_neighbour(&frame, &ends, 135, 0, six(SERVER_IP6));
	got = test_pass(net, &net->client[0], &net->client[0], &frame);
	ck_assert_uint_eq(frame6_icmp_type(got), 136);
	ck_assert_mem_eq(got->bytes + 6, our_client_mac, 6);
	/* A client that has said nothing yet is sent to at once. */
	frame_udp(&frame,
		  &(struct ends){ client_mac[0], our_client_mac, CLIENT_IP(0), CLIENT_IP(2) }, 5000,
		  53, 10);
	got = test_pass(net, &net->client[0], &net->client[2], &frame);
	ck_assert_mem_eq(got->bytes, client_mac[2], 6);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, the_first_packet_does_not_wait);
	tcase_add_test(cases, nobody_answers);
	tcase_add_test(cases, an_answer_counts_more);
	tcase_add_test(cases, an_advertisement_counts_more);
	tcase_add_test(cases, others_are_not_believed);
	tcase_add_test(cases, neighbours_are_asked_for);
	tcase_add_test(cases, none_is_assumed_any_more);
	tcase_add_test(cases, no_gateway);
	tcase_add_test(cases, clients_are_answered_for_everybody);
}

int main(void)
{
	return unit_main("net/gateway_mac", add_cases);
}
