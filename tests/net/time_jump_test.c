/* SPDX-License-Identifier: ISC */
/* The host sleeps for eight hours: for the router this time has not passed. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define NIGHT (8 * 3600 * TEST_SECOND)

static struct frame frame, answer;
static struct test_net *net;
static uint16_t tcp_port, udp_port, echo_id;

static void handshake(void)
{
	struct ends out = ends_out(0, SERVER_IP), in = ends_in(SERVER_IP);

	frame_tcp(&frame, &out, 6000, 443, SYN, 100, 0, 0);
	tcp_port = frame_source_port(test_pass(net, &net->client[0], &net->uplink, &frame));
	frame_tcp(&answer, &in, 443, tcp_port, SYN | ACK, 900, 101, 0);
	test_pass(net, &net->uplink, &net->client[0], &answer);
	frame_tcp(&frame, &out, 6000, 443, ACK, 101, 901, 0);
	test_pass(net, &net->client[0], &net->uplink, &frame);
}

static void setup(void)
{
	struct ends out = ends_out(1, SERVER_IP);

	net = test_net_begin(RULES_OPEN, 64);
	handshake();
	frame_udp(&frame, &out, 5000, 53, 10);
	udp_port = frame_source_port(test_pass(net, &net->client[1], &net->uplink, &frame));
	frame_echo(&frame, &out, false, 7, 1, 8);
	echo_id = frame_source_port(test_pass(net, &net->client[1], &net->uplink, &frame));
	test_net_advance(net, 2 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 3);
}

static void teardown(void)
{
	test_net_end(net);
}

/* As a loop does it that finds itself so much later. */
static void wake(uint64_t slept_ns)
{
	uint64_t late_ns;

	net->now_ns += slept_ns;
	late_ns = router_late_ns(&net->router, net->now_ns);
	ck_assert_uint_le(late_ns, slept_ns);
	ck_assert_uint_gt(late_ns, slept_ns - 60 * TEST_SECOND);
	router_time_jumped(&net->router, late_ns);
	router_set_now(&net->router, net->now_ns);
	for (unsigned int i = 0; i < 100; i++)
		router_run_timers(&net->router);
}

static void expect_alive(void)
{
	struct ends out = ends_out(0, SERVER_IP), in = ends_in(SERVER_IP);
	const struct frame *got;

	frame_tcp(&answer, &in, 443, tcp_port, ACK, 901, 101, 100);
	got = test_pass(net, &net->uplink, &net->client[0], &answer);
	ck_assert_uint_eq(frame_destination_port(got), 6000);
	frame_tcp(&frame, &out, 6000, 443, ACK, 101, 1001, 10);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_udp(&answer, &in, 53, udp_port, 10);
	test_pass(net, &net->uplink, &net->client[1], &answer);
	frame_echo(&answer, &in, true, echo_id, 1, 8);
	test_pass(net, &net->uplink, &net->client[1], &answer);
}

START_TEST(flows_are_kept)
{
	wake(NIGHT);
	ck_assert_uint_eq(net->router.flows.used, 3);
	ck_assert_uint_eq(net->router.flows.expired, 0);
	expect_alive();
}
END_TEST

START_TEST(night_after_night)
{
	for (unsigned int i = 0; i < 5; i++) {
		wake(NIGHT);
		test_link_skip(
			&net->uplink); /* the gateway may have been asked whether it is there */
		frame_arp(&answer, gateway_mac, our_uplink_mac, 2, GATEWAY_IP, OUR_IP);
		test_link_input(&net->uplink, &answer);
		expect_alive();
		test_net_advance(net, 3 * TEST_SECOND);
	}
}
END_TEST

/* The same without: this is what the call is for. */
START_TEST(time_that_has_passed_ends_them)
{
	test_net_advance(net, NIGHT);
	ck_assert_uint_eq(test_net_drops(net, DROP_NO_MEMORY), 0);
	ck_assert_uint_le(net->router.flows.used, 1); /* an established connection may live on */
}
END_TEST

/* Afterwards time goes on as ever: idle flows end when their own time is over. */
START_TEST(they_end_later_all_the_same)
{
	wake(NIGHT);
	test_net_advance(net, 300 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_net_advance(net, 30 * 3600 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 0);
}
END_TEST

START_TEST(parts_of_datagrams_and_neighbours_are_kept)
{
	struct ends out = ends_out(2, SERVER_IP);
	static struct frame whole;

	test_link_skip(&net->uplink);
	frame_udp(&whole, &out, 5000, 80, 2000);
	frame_part(&frame, &whole, 1000, 1008, 5);
	test_link_input(&net->client[2], &frame); /* waits for its first */
	wake(NIGHT);
	ck_assert_uint_eq(test_net_drops(net, DROP_FRAGMENT_TIMEOUT), 0);
	frame_part(&frame, &whole, 0, 1000, 5);
	test_link_input(&net->client[2], &frame);
	for (unsigned int i = 0; i < 2; i++) /* both, to whom we know without asking */
		ck_assert_mem_eq(test_link_take(&net->uplink)->bytes, gateway_mac, 6);
	ck_assert_ptr_null(test_link_take(&net->uplink));
}
END_TEST

START_TEST(a_loop_in_time_is_not_late)
{
	uint64_t now = net->now_ns;

	ck_assert_uint_eq(router_late_ns(&net->router, now), 0);
	ck_assert_uint_eq(router_late_ns(&net->router, router_next_ns(&net->router)), 0);
	ck_assert_uint_eq(router_late_ns(&net->router, router_next_ns(&net->router) + 7), 7);
	wake(NIGHT);
	ck_assert_uint_ge(router_next_ns(&net->router), net->now_ns);
	ck_assert_uint_eq(router_late_ns(&net->router, net->now_ns), 0);
	/* What was due when it ran last and is not done yet does not make it late. */
	net->now_ns = router_next_ns(&net->router) + TEST_SECOND;
	router_set_now(&net->router, net->now_ns);
	ck_assert_uint_eq(router_late_ns(&net->router, net->now_ns), 0);
	ck_assert_uint_eq(router_late_ns(&net->router, net->now_ns + 5), 5);
}
END_TEST

/* Nothing is armed: there is nothing to be late for. */
START_TEST(an_idle_router_is_never_late)
{
	router_flush_flows(&net->router);
	test_net_advance(net, 600 * TEST_SECOND);
	ck_assert_uint_eq(router_next_ns(&net->router), UINT64_MAX);
	ck_assert_uint_eq(router_late_ns(&net->router, net->now_ns + NIGHT), 0);
}
END_TEST

/* Told of more than has passed, the router stands still until that is made good. */
START_TEST(too_much_does_no_harm)
{
	router_time_jumped(&net->router, NIGHT);
	router_set_now(&net->router, net->now_ns + 100 * TEST_SECOND);
	router_run_timers(&net->router);
	expect_alive();
	ck_assert_uint_eq(net->router.flows.used, 3);
	net->now_ns += NIGHT + 100 * TEST_SECOND;
	router_set_now(&net->router, net->now_ns);
	expect_alive();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, flows_are_kept);
	tcase_add_test(cases, night_after_night);
	tcase_add_test(cases, time_that_has_passed_ends_them);
	tcase_add_test(cases, they_end_later_all_the_same);
	tcase_add_test(cases, parts_of_datagrams_and_neighbours_are_kept);
	tcase_add_test(cases, a_loop_in_time_is_not_late);
	tcase_add_test(cases, an_idle_router_is_never_late);
	tcase_add_test(cases, too_much_does_no_harm);
}

int main(void)
{
	return unit_main("net/time_jump", add_cases);
}
