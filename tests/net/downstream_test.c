/* SPDX-License-Identifier: ISC */
/* Addresses that belong behind us: never from the uplink, never out to it. */
#include <errno.h>
#include <string.h>

#include "net/address_set.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define OFFLINE_IP IP(10, 138, 0, 99)
#define OFFLINE_IP6 "fd00:2::99"
#define RULES_INBOUND "pass\npass in on uplink proto udp to self port 53 rdr-to 10.138.0.10\n"

static struct frame frame, answer;
static struct test_net *net;

static void setup(void)
{
	net = test_net_begin6(RULES_OPEN, 64);
}

static void teardown(void)
{
	test_net_end(net);
}

static struct ip_address four(uint32_t address)
{
	return ip_address_of4(be32_of(address));
}

static void set_downstream(uint32_t address)
{
	const struct ip_address set[] = {
		four(CLIENT_IP(0)),
		four(address),
		four(address),
		ip_address_of6(six(OFFLINE_IP6).bytes),
	};

	ck_assert_int_eq(router_set_downstream(&net->router, set, 4), 0);
}

static void udp_out(unsigned int client, uint32_t to)
{
	struct ends ends = ends_out(client, to);

	frame_udp(&frame, &ends, 5000, 53, 100);
}

static void udp_in(uint32_t from)
{
	struct ends ends = ends_in(from);

	frame_udp(&answer, &ends, 53, 5000, 100);
}

START_TEST(without_a_set_nothing_is_refused)
{
	udp_out(0, OFFLINE_IP);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert_int_eq(router_set_downstream(&net->router, NULL, 0), 0);
	test_pass(net, &net->client[0], &net->uplink, &frame);
}
END_TEST

START_TEST(nothing_leaves_to_a_client_that_is_not_here)
{
	struct ends6 ends6 = ends6_out(0, OFFLINE_IP6);

	const struct ip_address offline = four(OFFLINE_IP), other = four(OFFLINE_IP + 1);
	const struct ip_address here = four(CLIENT_IP(1));

	set_downstream(OFFLINE_IP);
	ck_assert(router_is_behind(&net->router, &offline) &&
		  router_is_behind(&net->router, &here));
	ck_assert(!router_is_behind(&net->router, &other));
	udp_out(0, OFFLINE_IP);
	test_drop(net, &net->client[0], &frame, DROP_DOWNSTREAM);
	frame6_udp(&frame, &ends6, 5000, 53, 100);
	test_drop(net, &net->client[0], &frame, DROP_DOWNSTREAM);
	ck_assert_ptr_null(test_link_take(&net->client[0])); /* and nothing is said */
	udp_out(0, OFFLINE_IP + 1);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	udp_out(0, CLIENT_IP(1)); /* who is here is not reached by the uplink */
	test_pass(net, &net->client[0], &net->client[1], &frame);
}
END_TEST

START_TEST(nothing_comes_from_the_uplink_in_its_name)
{
	struct ends6 ends6 = ends6_in(OFFLINE_IP6, six(OUR_IP6));

	set_downstream(OFFLINE_IP);
	udp_in(OFFLINE_IP);
	test_drop(net, &net->uplink, &answer, DROP_DOWNSTREAM);
	frame6_udp(&answer, &ends6, 53, 5000, 100);
	test_drop(net, &net->uplink, &answer, DROP_DOWNSTREAM);
	udp_in(CLIENT_IP(0));
	test_drop(net, &net->uplink, &answer, DROP_SPOOFED);
}
END_TEST

/* An error about a flow that goes on may not come from there either. */
START_TEST(errors_in_its_name)
{
	struct ends ends = ends_in(OFFLINE_IP);
	const struct frame *out;

	set_downstream(OFFLINE_IP);
	udp_out(0, SERVER_IP);
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_icmp_error(&answer, &ends, 3, 1, out, 28);
	test_drop(net, &net->uplink, &answer, DROP_DOWNSTREAM);
	ends.from = OFFLINE_IP + 1;
	frame_icmp_error(&answer, &ends, 3, 1, out, 28);
	test_pass(net, &net->uplink, &net->client[0], &answer);
}
END_TEST

START_TEST(flows_end_when_the_set_comes)
{
	struct ends ends = ends_in(SERVER_IP + 1);
	uint16_t port;

	udp_out(0, SERVER_IP);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	udp_out(1, SERVER_IP + 1);
	port = frame_source_port(test_pass(net, &net->client[1], &net->uplink, &frame));
	set_downstream(SERVER_IP);
	ck_assert_uint_eq(net->router.flows.used, 1);
	udp_out(0, SERVER_IP);
	test_drop(net, &net->client[0], &frame, DROP_DOWNSTREAM);
	udp_in(SERVER_IP);
	test_drop(net, &net->uplink, &answer, DROP_DOWNSTREAM);
	frame_udp(&answer, &ends, 53, port, 100);
	test_pass(net, &net->uplink, &net->client[1], &answer);
}
END_TEST

/* What began outside ends too. */
START_TEST(inbound_flows_end)
{
	struct ends ends = ends_in(SERVER_IP);

	test_net_set_rules(net, RULES_INBOUND);
	frame_udp(&answer, &ends, 4000, 53, 10);
	test_pass(net, &net->uplink, &net->client[0], &answer);
	ck_assert_uint_eq(net->router.flows.used, 1);
	set_downstream(SERVER_IP);
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_drop(net, &net->uplink, &answer, DROP_DOWNSTREAM);
}
END_TEST

/* Its neighbours go on to talk to it, and none of that is heard outside. */
START_TEST(a_client_that_goes_does_not_leak)
{
	set_downstream(CLIENT_IP(1));
	udp_out(0, CLIENT_IP(1));
	test_pass(net, &net->client[0], &net->client[1], &frame);
	router_detach(&net->router, &net->client[1].netdev);
	test_drop(net, &net->client[0], &frame, DROP_DOWNSTREAM);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	ck_assert_int_eq(test_net_attach_client(net, 1, false), 0);
	test_pass(net, &net->client[0], &net->client[1], &frame);
}
END_TEST

START_TEST(parts_of_datagrams)
{
	static struct frame part;

	udp_out(0, OFFLINE_IP);
	frame_part(&part, &frame, 0, 64, 77);
	test_pass(net, &net->client[0], &net->uplink, &part);
	set_downstream(OFFLINE_IP);
	frame_part(&part, &frame, 64, 44, 77);
	test_link_input(&net->client[0], &part); /* waits for a first one */
	ck_assert_ptr_null(test_link_take(&net->uplink));
	frame_part(&part, &frame, 0, 64, 77);
	test_link_input(&net->client[0], &part);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	ck_assert_uint_ge(test_net_drops(net, DROP_DOWNSTREAM), 1);
}
END_TEST

/* As dom0 writes it whenever a qube starts. */
START_TEST(parts_go_on_when_nothing_is_new)
{
	static struct frame part;

	set_downstream(OFFLINE_IP);
	udp_out(0, SERVER_IP);
	frame_part(&part, &frame, 0, 64, 77);
	test_pass(net, &net->client[0], &net->uplink, &part);
	set_downstream(OFFLINE_IP);
	frame_part(&part, &frame, 64, 44, 77);
	test_pass(net, &net->client[0], &net->uplink, &part);
}
END_TEST

START_TEST(our_own_datagrams)
{
	const struct ip_address to = four(OFFLINE_IP);

	router_send_udp(&net->router, &to, 5000, 53, "x", 1);
	router_flush_flows(&net->router);
	router_run_timers(&net->router);
	ck_assert_ptr_nonnull(test_link_take(&net->uplink));
	set_downstream(OFFLINE_IP);
	router_send_udp(&net->router, &to, 5000, 53, "x", 1);
	router_run_timers(&net->router);
	ck_assert_ptr_null(test_link_take(&net->uplink));
}
END_TEST

START_TEST(too_many_change_nothing)
{
	static struct ip_address many[ROUTER_DOWNSTREAM_MAX + 1];

	for (uint32_t i = 0; i <= ROUTER_DOWNSTREAM_MAX; i++)
		many[i] = four(IP(10, 200, 0, 0) + i);
	set_downstream(OFFLINE_IP);
	ck_assert_int_eq(router_set_downstream(&net->router, many, ROUTER_DOWNSTREAM_MAX + 1),
			 -E2BIG);
	udp_out(0, OFFLINE_IP);
	test_drop(net, &net->client[0], &frame, DROP_DOWNSTREAM);
	ck_assert_int_eq(router_set_downstream(&net->router, many, ROUTER_DOWNSTREAM_MAX), 0);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	udp_out(0, IP(10, 200, 3, 255));
	test_drop(net, &net->client[0], &frame, DROP_DOWNSTREAM);
}
END_TEST

/* The set against a plain list, for sets of every size up to a few and all neighbours. */
START_TEST(a_set_is_what_was_put_in)
{
	static struct address_set set;
	struct ip_address list[40], asked;

	for (uint32_t count = 0; count < 40; count++) {
		for (uint32_t i = 0; i < count; i++) {
			uint32_t value = (i * 7919u + count) % 64u;

			list[i] = four(0xfffffff0u - value * 0x01000001u);
			if (i % 3 == 0) {
				list[i] = (struct ip_address){ .version = 6 };
				list[i].bytes[value % 16] = (uint8_t)(value + 1);
			}
		}
		ck_assert_int_eq(address_set_fill(&set, list, count), 0);
		for (uint32_t value = 0; value < 130; value++) {
			bool is_six = value & 1, expected = false;

			asked = four(0xfffffff0u - value / 2 * 0x01000001u);
			if (is_six) {
				asked = (struct ip_address){ .version = 6 };
				asked.bytes[value / 2 % 16] = (uint8_t)(value / 2 + 1);
			}
			for (uint32_t i = 0; i < count; i++)
				expected |= ip_address_equal(&list[i], &asked);
			ck_assert_int_eq(address_set_has(&set, &asked), expected);
		}
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, without_a_set_nothing_is_refused);
	tcase_add_test(cases, nothing_leaves_to_a_client_that_is_not_here);
	tcase_add_test(cases, nothing_comes_from_the_uplink_in_its_name);
	tcase_add_test(cases, errors_in_its_name);
	tcase_add_test(cases, flows_end_when_the_set_comes);
	tcase_add_test(cases, inbound_flows_end);
	tcase_add_test(cases, a_client_that_goes_does_not_leak);
	tcase_add_test(cases, parts_of_datagrams);
	tcase_add_test(cases, parts_go_on_when_nothing_is_new);
	tcase_add_test(cases, our_own_datagrams);
	tcase_add_test(cases, too_many_change_nothing);
	tcase_add_test(cases, a_set_is_what_was_put_in);
}

int main(void)
{
	return unit_main("net/downstream", add_cases);
}
