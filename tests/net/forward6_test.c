/* SPDX-License-Identifier: ISC */
/* IPv6 through the router: forwarding, what it says about what it cannot, neighbours. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define RULES_NAT "pass\nmatch out on uplink inet6 nat-to (uplink)\n"

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

static void expect_out(const struct frame *out, struct six source)
{
	ck_assert(frame_is6(out));
	ck_assert(six_equal(frame6_source(out), source));
	ck_assert(six_equal(frame6_destination(out), six(SERVER_IP6)));
	ck_assert_uint_eq(frame6_hop_limit(out), 63);
	ck_assert_mem_eq(out->bytes, gateway_mac, 6);
	ck_assert_mem_eq(out->bytes + 6, our_uplink_mac, 6);
	ck_assert_uint_eq(get32(out->bytes + 14), 0x60012345); /* class and label stay */
}

static void expect_back(const struct frame *in, unsigned int client)
{
	ck_assert(six_equal(frame6_source(in), six(SERVER_IP6)));
	ck_assert(six_equal(frame6_destination(in), client_ip6(client)));
	ck_assert_uint_eq(frame6_hop_limit(in), 63);
	ck_assert_mem_eq(in->bytes, client_mac[client], 6);
	ck_assert_mem_eq(in->bytes + 6, our_client_mac, 6);
}

/* UDP, TCP, an echo and another protocol, out and back; `outer`: the source outside. */
static void exchange(struct six outer)
{
	struct ends6 out = ends6_out(1, SERVER_IP6), in = ends6_in(SERVER_IP6, outer);
	const struct frame *passed;

	frame6_udp(&frame, &out, 5000, 53, 300);
	passed = test_pass(net, &net->client[1], &net->uplink, &frame);
	expect_out(passed, outer);
	ck_assert_uint_eq(frame6_source_port(passed), 5000);
	ck_assert_mem_eq(passed->bytes + 62, frame.bytes + 62, 300);
	frame6_udp(&answer, &in, 53, 5000, 200);
	passed = test_pass(net, &net->uplink, &net->client[1], &answer);
	expect_back(passed, 1);
	ck_assert_uint_eq(frame6_destination_port(passed), 5000);

	frame6_tcp(&frame, &out, 6000, 443, SYN, 100, 0, 0);
	expect_out(test_pass(net, &net->client[1], &net->uplink, &frame), outer);
	frame6_tcp(&answer, &in, 443, 6000, SYN | ACK, 900, 101, 0);
	expect_back(test_pass(net, &net->uplink, &net->client[1], &answer), 1);
	frame6_tcp(&frame, &out, 6000, 443, ACK, 101, 901, 1000);
	expect_out(test_pass(net, &net->client[1], &net->uplink, &frame), outer);

	frame6_echo(&frame, &out, false, 77, 1, 56);
	expect_out(test_pass(net, &net->client[1], &net->uplink, &frame), outer);
	frame6_echo(&answer, &in, true, 77, 1, 56);
	passed = test_pass(net, &net->uplink, &net->client[1], &answer);
	expect_back(passed, 1);
	ck_assert_uint_eq(frame6_icmp_type(passed), 129);
	frame6_ip(&frame, &out, 47, 100); /* GRE */
	expect_out(test_pass(net, &net->client[1], &net->uplink, &frame), outer);
	frame6_ip(&answer, &in, 47, 90);
	expect_back(test_pass(net, &net->uplink, &net->client[1], &answer), 1);
}

START_TEST(goes_out_and_comes_back_unchanged)
{
	exchange(client_ip6(1));
	ck_assert_uint_eq(net->router.flows.used6, 4);
}
END_TEST

START_TEST(goes_out_by_our_address_when_a_rule_says_so)
{
	test_net_set_rules(net, RULES_NAT);
	exchange(six(OUR_IP6));
	ck_assert_uint_eq(net->router.flows.used6, 4);
}
END_TEST

START_TEST(stranger_gets_in_by_rule_only)
{
	struct ends6 in = ends6_in(SERVER_IP6, client_ip6(0));

	test_net_set_rules(net, "block\npass in on clients\npass out on uplink\n");
	frame6_udp(&frame, &in, 53, 5000, 10);
	test_drop(net, &net->uplink, &frame, DROP_BLOCKED);
	test_net_set_rules(net, "pass inet6\n");
	expect_back(test_pass(net, &net->uplink, &net->client[0], &frame), 0);
}
END_TEST

START_TEST(clients_reach_one_another_by_rule_only)
{
	struct ends6 ends = ends6_out(0, "fd00:2::12");
	const struct frame *out;

	test_net_set_rules(net, "block\npass in on clients\npass out on uplink\n");
	frame6_udp(&frame, &ends, 1, 2, 10);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	test_net_set_rules(net, RULES_OPEN);
	out = test_pass(net, &net->client[0], &net->client[2], &frame);
	ck_assert(six_equal(frame6_source(out), client_ip6(0)));
	ck_assert_mem_eq(out->bytes, client_mac[2], 6);
}
END_TEST

/* An error to client 0 that quotes the whole frame, from the given address of ours. */
static const struct frame *expect_error(struct test_link *link, struct six from, uint8_t type,
					uint8_t code)
{
	const struct frame *error = test_link_take(link);
	uint32_t quoted = frame.length - 14;

	ck_assert_ptr_nonnull(error);
	ck_assert_uint_eq(error->bytes[20], 58);
	ck_assert(six_equal(frame6_source(error), from));
	ck_assert(six_equal(frame6_destination(error), frame6_source(&frame)));
	ck_assert_uint_eq(frame6_icmp_type(error), type);
	ck_assert_uint_eq(frame6_icmp_code(error), code);
	if (quoted > 1280 - 48)
		quoted = 1280 - 48;
	ck_assert_uint_eq(error->length, 62 + quoted);
	ck_assert_mem_eq(error->bytes + 62, frame.bytes + 14, quoted);
	return error;
}

START_TEST(hop_limit_ends_here)
{
	struct ends6 ends = ends6_out(0, SERVER_IP6);

	for (uint8_t limit = 0; limit < 2; limit++) {
		frame6_udp(&frame, &ends, 5000, 53, 30);
		frame.bytes[21] = limit;
		test_drop(net, &net->client[0], &frame, DROP_TTL);
		expect_error(&net->client[0], six(OUR_IP6), 3, 0);
	}
	ck_assert_uint_eq(net->uplink.sent, 0);
}
END_TEST

START_TEST(too_big_says_how_much_would_fit)
{
	struct ends6 ends = ends6_out(0, SERVER_IP6);
	const struct frame *error;

	net->uplink.netdev.mtu = 1400;
	frame6_udp(&frame, &ends, 5000, 53, 1400 - 48);
	expect_out(test_pass(net, &net->client[0], &net->uplink, &frame), client_ip6(0));
	frame6_udp(&frame, &ends, 5000, 53, 1400 - 47);
	test_drop(net, &net->client[0], &frame, DROP_TOO_BIG);
	error = expect_error(&net->client[0], six(OUR_IP6), 2, 0);
	ck_assert_uint_eq(get32(error->bytes + 58), 1400);
	net->uplink.netdev.mtu = 1500;
}
END_TEST

START_TEST(nowhere_to_go_is_said)
{
	struct ends6 in = ends6_in(SERVER_IP6, six("fd00:2::99"));

	frame6_udp(&frame, &in, 53, 5000, 30);
	test_drop(net, &net->uplink, &frame, DROP_NO_ROUTE);
	expect_error(&net->uplink, six(OUR_IP6), 1, 0);
}
END_TEST

START_TEST(blocked_return_answers)
{
	struct ends6 ends = ends6_out(0, SERVER_IP6);
	const struct frame *out;

	test_net_set_rules(net, "block return\n");
	frame6_udp(&frame, &ends, 5000, 53, 30);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	expect_error(&net->client[0], six(OUR_IP6), 1, 4);
	frame6_tcp(&frame, &ends, 5000, 443, SYN, 100, 0, 0);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	out = test_link_take(&net->client[0]);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->bytes[20], 6);
	ck_assert(six_equal(frame6_source(out), six(SERVER_IP6)));
	ck_assert(out->bytes[54 + 13] & RST);
	ck_assert_uint_eq(get32(out->bytes + 54 + 8), 101);
}
END_TEST

static void expect_echo(struct test_link *link, const struct ends6 *ends)
{
	const struct frame *out;

	frame6_echo(&frame, ends, false, 7, 3, 100);
	test_link_input(link, &frame);
	out = test_link_take(link);
	ck_assert_ptr_nonnull(out);
	ck_assert(six_equal(frame6_source(out), ends->to));
	ck_assert(six_equal(frame6_destination(out), ends->from));
	ck_assert_uint_eq(frame6_icmp_type(out), 129);
	ck_assert_mem_eq(out->bytes + 58, frame.bytes + 58, 104);
}

START_TEST(our_addresses_answer_pings)
{
	struct ends6 ends = ends6_out(0, OUR_IP6);

	expect_echo(&net->client[0], &ends);
	ends.to = six_link_local(our_client_mac);
	expect_echo(&net->client[0], &ends);
	ends.from = six_link_local(client_mac[0]);
	expect_echo(&net->client[0], &ends);
	ends = ends6_in(SERVER_IP6, six(OUR_IP6));
	expect_echo(&net->uplink, &ends);
	ends = (struct ends6){ gateway_mac, our_uplink_mac, six_link_local(gateway_mac),
			       six_link_local(our_uplink_mac) };
	expect_echo(&net->uplink, &ends);
	ck_assert_uint_eq(net->router.flows.used, 0);
}
END_TEST

START_TEST(our_other_ports_are_closed)
{
	struct ends6 ends = ends6_out(0, OUR_IP6);

	frame6_udp(&frame, &ends, 5000, 53, 30);
	test_drop(net, &net->client[0], &frame, DROP_NOT_OURS);
	expect_error(&net->client[0], six(OUR_IP6), 1, 4);
}
END_TEST

START_TEST(nobody_sends_with_anothers_address)
{
	static const char *const sources[] = { "fd00:2::11", OUR_IP6, SERVER_IP6, "fd00:2::99",
					       "::1",	     "::",    "ff02::1" };
	struct ends6 ends = ends6_out(0, SERVER_IP6);

	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		ends.from = six(sources[i]);
		frame6_udp(&frame, &ends, 5000, 53, 30);
		test_drop(net, &net->client[0], &frame, DROP_SPOOFED);
	}
	/* Link-local goes to us and no further. */
	ends.from = six_link_local(client_mac[0]);
	frame6_udp(&frame, &ends, 5000, 53, 30);
	test_drop(net, &net->client[0], &frame, DROP_SPOOFED);
	ends = ends6_in("fd00:2::11", client_ip6(0));
	frame6_udp(&frame, &ends, 5000, 53, 30);
	test_drop(net, &net->uplink, &frame, DROP_SPOOFED);
	ck_assert_uint_eq(net->uplink.sent + net->client[0].sent, 0);
}
END_TEST

START_TEST(martians_go_nowhere)
{
	static const char *const wrong[] = { "::1", "::", "fe80::77", "::ffff:10.0.0.1" };
	struct ends6 ends;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		ends = ends6_out(0, wrong[i]);
		frame6_udp(&frame, &ends, 5000, 53, 30);
		test_drop(net, &net->client[0], &frame, DROP_MARTIAN);
		ends = ends6_in(wrong[i], client_ip6(0));
		frame6_udp(&frame, &ends, 53, 5000, 30);
		test_drop(net, &net->uplink, &frame, DROP_MARTIAN);
	}
	ends = ends6_in(OUR_IP6, client_ip6(0));
	frame6_udp(&frame, &ends, 53, 5000, 30);
	test_drop(net, &net->uplink, &frame, DROP_MARTIAN);
	ends = ends6_out(0, "ff0e::1");
	frame6_udp(&frame, &ends, 5000, 53, 30);
	test_drop(net, &net->client[0], &frame, DROP_MULTICAST);
	ck_assert_uint_eq(net->uplink.sent + net->client[0].sent, 0);
}
END_TEST

/* ---- neighbours ---- */

static struct six group_of(struct six target)
{
	struct six group = six("ff02::1:ff00:0");

	memcpy(group.bytes + 13, target.bytes + 13, 3);
	return group;
}

/* Asks for the target by its group. */
static void solicit(struct test_link *link, const uint8_t *mac, struct six from, struct six target)
{
	struct six group = group_of(target);
	const uint8_t to[6] = {
		0x33, 0x33, 0xff, group.bytes[13], group.bytes[14], group.bytes[15]
	};
	const struct ends6 ends = { mac, to, from, group };

	frame6_neighbour(&frame, &ends, 135, 0, target);
	test_link_input(link, &frame);
}

/* It is told that we are the target. */
static void expect_advertised(struct test_link *link, const uint8_t *mac, struct six to,
			      struct six target)
{
	const struct frame *out = test_link_take(link);

	ck_assert_ptr_nonnull(out);
	ck_assert_mem_eq(out->bytes, mac, 6);
	ck_assert(six_equal(frame6_destination(out), to));
	ck_assert_uint_eq(frame6_icmp_type(out), 136);
	ck_assert_uint_eq(frame6_hop_limit(out), 255);
	ck_assert_mem_eq(out->bytes + 62, &target, 16);
	ck_assert_mem_eq(out->bytes + 80, link->netdev.mac, 6);
	ck_assert(out->bytes[58] & 0x40);
}

START_TEST(client_finds_everybody_with_us)
{
	static const char *const targets[] = { SERVER_IP6, "fd00:2::11", OUR_IP6, "fd00:2::1" };
	struct six link_local = six_link_local(our_client_mac);

	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		solicit(&net->client[0], client_mac[0], client_ip6(0), six(targets[i]));
		expect_advertised(&net->client[0], client_mac[0], client_ip6(0), six(targets[i]));
	}
	solicit(&net->client[0], client_mac[0], six_link_local(client_mac[0]), link_local);
	expect_advertised(&net->client[0], client_mac[0], six_link_local(client_mac[0]),
			  link_local);
	/* Another's name is not for it to speak with. */
	solicit(&net->client[0], client_mac[0], client_ip6(1), six(SERVER_IP6));
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	ck_assert_uint_eq(test_net_drops(net, DROP_BAD_NDP), 1);
}
END_TEST

START_TEST(client_may_have_its_own_addresses)
{
	const struct six nobody = six("::");

	solicit(&net->client[0], client_mac[0], nobody, client_ip6(0));
	solicit(&net->client[0], client_mac[0], nobody, six_link_local(client_mac[0]));
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	/* But not ours. */
	solicit(&net->client[0], client_mac[0], nobody, six_link_local(our_client_mac));
	ck_assert_ptr_nonnull(test_link_take(&net->client[0]));
}
END_TEST

START_TEST(client_is_told_that_we_are_its_router)
{
	const uint8_t all[6] = { 0x33, 0x33, 0, 0, 0, 2 };
	const struct ends6 ends = { client_mac[0], all, six_link_local(client_mac[0]),
				    six("ff02::2") };
	const struct frame *out;

	frame6_router(&frame, &ends, 133);
	test_link_input(&net->client[0], &frame);
	out = test_link_take(&net->client[0]);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(frame6_icmp_type(out), 134);
	ck_assert(six_equal(frame6_source(out), six_link_local(our_client_mac)));
	ck_assert(six_equal(frame6_destination(out), ends.from));
	ck_assert_uint_eq(get16(out->bytes + 60), 1800); /* its lifetime */
}
END_TEST

START_TEST(client_is_no_router)
{
	const uint8_t all[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	const struct ends6 ends = { client_mac[0], all, six_link_local(client_mac[0]),
				    six("ff02::1") };

	frame6_router(&frame, &ends, 134);
	test_drop(net, &net->client[0], &frame, DROP_BAD_NDP);
	ck_assert_uint_eq(net->uplink.sent + net->client[1].sent, 0);
}
END_TEST

START_TEST(uplink_is_told_of_ours_alone)
{
	const struct six from = six("fd00:1::1"), probe = six("::");

	solicit(&net->uplink, gateway_mac, from, six(OUR_IP6));
	expect_advertised(&net->uplink, gateway_mac, from, six(OUR_IP6));
	solicit(&net->uplink, gateway_mac, from, six_link_local(our_uplink_mac));
	expect_advertised(&net->uplink, gateway_mac, from, six_link_local(our_uplink_mac));
	solicit(&net->uplink, gateway_mac, from, six("fd00:1::7"));
	solicit(&net->uplink, gateway_mac, from, client_ip6(0));
	ck_assert_ptr_null(test_link_take(&net->uplink));
	solicit(&net->uplink, gateway_mac, probe, six(OUR_IP6)); /* it is taken */
	ck_assert_ptr_nonnull(test_link_take(&net->uplink));
}
END_TEST

START_TEST(uplink_is_told_of_what_rules_translate_to)
{
	const struct six from = six("fd00:1::1");

	test_net_set_rules(net, "pass\npass out on uplink inet6 from fd00:2::10 nat-to fd00:1::7\n"
				"pass out on uplink inet6 from fd00:2::11 nat-to 2001:db8::7\n"
				"pass on uplink inet6 from fd00:2::12 binat-to fd00:1::9\n"
				"pass in on uplink inet6 to fd00:1::a rdr-to fd00:2::10\n"
				"pass in on clients inet6 to fd00:1::b rdr-to fd00:2::10\n");
	solicit(&net->uplink, gateway_mac, from, six("fd00:1::7"));
	expect_advertised(&net->uplink, gateway_mac, from, six("fd00:1::7"));
	solicit(&net->uplink, gateway_mac, from, six("fd00:1::9"));
	expect_advertised(&net->uplink, gateway_mac, from, six("fd00:1::9"));
	solicit(&net->uplink, gateway_mac, from, six("fd00:1::a"));
	expect_advertised(&net->uplink, gateway_mac, from, six("fd00:1::a"));
	solicit(&net->uplink, gateway_mac, from, six("fd00:1::8"));
	solicit(&net->uplink, gateway_mac, from, six("fd00:1::b"));   /* for clients alone */
	solicit(&net->uplink, gateway_mac, from, six("2001:db8::7")); /* not of this link */
	ck_assert_ptr_null(test_link_take(&net->uplink));
	test_net_set_rules(net, RULES_OPEN);
	solicit(&net->uplink, gateway_mac, from, six("fd00:1::7"));
	ck_assert_ptr_null(test_link_take(&net->uplink));
}
END_TEST

START_TEST(neighbours_are_asked_for_and_waited_for)
{
	struct ends6 ends = ends6_out(0, "fd00:1::77");
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };
	const struct frame *out;

	for (uint16_t i = 0; i < 3; i++) {
		frame6_udp(&frame, &ends, 5000, 53, 30 + i);
		test_link_input(&net->client[0], &frame);
	}
	out = test_link_take(&net->uplink);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(frame6_icmp_type(out), 135);
	ck_assert(six_equal(frame6_source(out), six(OUR_IP6)));
	ck_assert(six_equal(frame6_destination(out), group_of(ends.to)));
	ck_assert_ptr_null(test_link_take(&net->uplink));
	ends = (struct ends6){ mac, our_uplink_mac, ends.to, six(OUR_IP6) };
	frame6_neighbour(&answer, &ends, 136, 0x60, ends.from);
	test_link_input(&net->uplink, &answer);
	for (uint32_t i = 0; i < 3; i++) {
		out = test_link_take(&net->uplink);
		ck_assert_ptr_nonnull(out);
		ck_assert_mem_eq(out->bytes, mac, 6);
		ck_assert_uint_eq(out->length, 62 + 30 + i);
	}
}
END_TEST

START_TEST(unasked_advertisements_change_nothing)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };
	struct ends6 ends = { mac, our_uplink_mac, six("fd00:1::77"), six(OUR_IP6) };
	const struct frame *out;

	frame6_neighbour(&answer, &ends, 136, 0x60, ends.from);
	test_link_input(&net->uplink, &answer);
	ends = ends6_out(0, "fd00:1::77");
	frame6_udp(&frame, &ends, 5000, 53, 30);
	test_link_input(&net->client[0], &frame);
	out = test_link_take(&net->uplink);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(frame6_icmp_type(out), 135); /* asked for, not believed */
	/* A client says that it is the gateway. */
	ends = (struct ends6){ client_mac[1], our_client_mac, six_link_local(gateway_mac),
			       six_link_local(our_client_mac) };
	frame6_neighbour(&answer, &ends, 136, 0x60, ends.from);
	test_link_input(&net->client[1], &answer);
	ends = ends6_out(0, SERVER_IP6);
	frame6_udp(&frame, &ends, 5000, 53, 30);
	expect_out(test_pass(net, &net->client[0], &net->uplink, &frame), client_ip6(0));
}
END_TEST

/* ---- extension headers, errors, offloads ---- */

START_TEST(extension_headers_pass_with_the_packet)
{
	static const uint8_t types[] = { 0, 60, 43 };
	struct ends6 ends = ends6_out(0, SERVER_IP6);

	for (unsigned int nat = 0; nat < 2; nat++) {
		struct six outer = nat ? six(OUR_IP6) : client_ip6(0);

		test_net_set_rules(net, nat ? RULES_NAT : RULES_OPEN);
		for (unsigned int i = 0; i < 2; i++) {
			const struct frame *out;

			frame6_udp(&frame, &ends, (uint16_t)(5000 + i), 53, 30);
			frame6_extend(&frame, types[i], 16);
			out = test_pass(net, &net->client[0], &net->uplink, &frame);
			expect_out(out, outer);
			ck_assert_uint_eq(frame6_source_port(out), 5000 + i);
			ck_assert_mem_eq(out->bytes + 54, frame.bytes + 54, 16 + 6);
		}
	}
	/* The flow is the same with and without. */
	frame6_udp(&frame, &ends, 5000, 53, 30);
	expect_out(test_pass(net, &net->client[0], &net->uplink, &frame), six(OUR_IP6));
	ck_assert_uint_eq(net->router.flows.used, 2);
	/* RFC 5095 */
	frame6_extend(&frame, 43, 24);
	frame.bytes[56] = 0;
	frame.bytes[57] = 1;
	test_link_input(&net->client[0], &frame);
	ck_assert_ptr_null(test_link_take(&net->uplink));
}
END_TEST

/* An error about what we sent comes back to who sent it, turned inside out. */
START_TEST(errors_come_back_inside_out)
{
	struct ends6 out = ends6_out(2, SERVER_IP6), router = ends6_in("2001:db8:5::1", six("::"));
	struct frame sent;
	const struct frame *back;

	for (unsigned int nat = 0; nat < 2; nat++) {
		test_net_set_rules(net, nat ? RULES_NAT : RULES_OPEN);
		frame6_udp(&frame, &out, 5000, 53, 30);
		sent = *test_pass(net, &net->client[2], &net->uplink, &frame);
		router.to = frame6_source(&sent);
		frame6_error(&answer, &router, 2, 0, 1300, &sent, sent.length - 14);
		back = test_pass(net, &net->uplink, &net->client[2], &answer);
		ck_assert(six_equal(frame6_source(back), six("2001:db8:5::1")));
		ck_assert(six_equal(frame6_destination(back), client_ip6(2)));
		ck_assert_uint_eq(frame6_icmp_type(back), 2);
		ck_assert_uint_eq(get32(back->bytes + 58), 1300);
		/* What it quotes is what the client sent, but for the hop. */
		frame.bytes[21]--;
		ck_assert_mem_eq(back->bytes + 62, frame.bytes + 14, frame.length - 14);
		/* The same about a port that nobody has. */
		put16(sent.bytes + 54, 5001);
		frame6_error(&answer, &router, 1, 4, 0, &sent, sent.length - 14);
		test_drop(net, &net->uplink, &answer, DROP_NO_FLOW);
	}
}
END_TEST

/* And one from a client about what came to it. */
START_TEST(errors_go_out_inside_out)
{
	struct ends6 out = ends6_out(2, SERVER_IP6), in = ends6_in(SERVER_IP6, six(OUR_IP6));
	struct frame received;
	const struct frame *error;

	test_net_set_rules(net, RULES_NAT);
	frame6_udp(&frame, &out, 5000, 53, 30);
	test_pass(net, &net->client[2], &net->uplink, &frame);
	frame6_udp(&answer, &in, 53, 5000, 70);
	received = *test_pass(net, &net->uplink, &net->client[2], &answer);
	frame6_error(&frame, &out, 1, 4, 0, &received, received.length - 14);
	error = test_pass(net, &net->client[2], &net->uplink, &frame);
	expect_out(error, six(OUR_IP6));
	answer.bytes[21]--;
	ck_assert_mem_eq(error->bytes + 62, answer.bytes + 14, answer.length - 14);
}
END_TEST

static void make_large(struct frame *large, const struct ends6 *ends)
{
	frame6_tcp(large, ends, 6000, 443, ACK | PSH, 101, 901, 20000);
	large->gso_type = PACKET_GSO_TCPV6;
	large->gso_size = 1428;
	frame6_make_blank(large);
}

static void open_connection(const struct ends6 *out, const struct ends6 *in)
{
	frame6_tcp(&frame, out, 6000, 443, SYN, 100, 0, 0);
	test_pass(net, &net->client[1], &net->uplink, &frame);
	frame6_tcp(&answer, in, 443, 6000, SYN | ACK, 900, 101, 0);
	test_pass(net, &net->uplink, &net->client[1], &answer);
}

START_TEST(large_packets_pass_whole_or_in_segments)
{
	struct ends6 out = ends6_out(1, SERVER_IP6), in = ends6_in(SERVER_IP6, six(OUR_IP6));
	const struct frame *passed;
	uint32_t done = 0, count = 0;

	test_net_set_rules(net, RULES_NAT);
	open_connection(&out, &in);
	make_large(&frame, &out);
	passed = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(passed->gso_type, PACKET_GSO_TCPV6);
	ck_assert_mem_eq(passed->bytes + 74, frame.bytes + 74, 20000);
	net->uplink.netdev.features = NETDEV_TX_SG; /* the link checks every checksum */
	test_link_input(&net->client[1], &frame);
	while ((passed = test_link_take(&net->uplink)) != NULL) {
		ck_assert_uint_eq(get32(passed->bytes + 58), 101 + done);
		ck_assert_uint_eq(passed->flags & PACKET_CSUM_BLANK, 0);
		ck_assert_mem_eq(passed->bytes + 74, frame.bytes + 74 + done, passed->length - 74);
		expect_out(passed, six(OUR_IP6));
		done += passed->length - 74;
		count++;
	}
	ck_assert_uint_eq(done, 20000);
	ck_assert_uint_eq(count, 15);
}
END_TEST

START_TEST(blank_checksums_are_filled_where_the_link_cannot)
{
	struct ends6 out = ends6_out(1, SERVER_IP6);
	const struct frame *passed;

	frame6_udp(&frame, &out, 5000, 53, 600);
	frame6_make_blank(&frame);
	passed = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert(passed->flags & PACKET_CSUM_BLANK);
	net->uplink.netdev.features = NETDEV_TX_CSUM_IPV4 | NETDEV_TX_SG;
	passed = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert(!(passed->flags & PACKET_CSUM_BLANK));
	expect_out(passed, client_ip6(1));
	frame6_extend(&frame, 60, 8);
	passed = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert(!(passed->flags & PACKET_CSUM_BLANK));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, goes_out_and_comes_back_unchanged);
	tcase_add_test(cases, goes_out_by_our_address_when_a_rule_says_so);
	tcase_add_test(cases, stranger_gets_in_by_rule_only);
	tcase_add_test(cases, clients_reach_one_another_by_rule_only);
	tcase_add_test(cases, hop_limit_ends_here);
	tcase_add_test(cases, too_big_says_how_much_would_fit);
	tcase_add_test(cases, nowhere_to_go_is_said);
	tcase_add_test(cases, blocked_return_answers);
	tcase_add_test(cases, our_addresses_answer_pings);
	tcase_add_test(cases, our_other_ports_are_closed);
	tcase_add_test(cases, nobody_sends_with_anothers_address);
	tcase_add_test(cases, martians_go_nowhere);
	tcase_add_test(cases, client_finds_everybody_with_us);
	tcase_add_test(cases, client_may_have_its_own_addresses);
	tcase_add_test(cases, client_is_told_that_we_are_its_router);
	tcase_add_test(cases, client_is_no_router);
	tcase_add_test(cases, uplink_is_told_of_ours_alone);
	tcase_add_test(cases, uplink_is_told_of_what_rules_translate_to);
	tcase_add_test(cases, neighbours_are_asked_for_and_waited_for);
	tcase_add_test(cases, unasked_advertisements_change_nothing);
	tcase_add_test(cases, extension_headers_pass_with_the_packet);
	tcase_add_test(cases, errors_come_back_inside_out);
	tcase_add_test(cases, errors_go_out_inside_out);
	tcase_add_test(cases, large_packets_pass_whole_or_in_segments);
	tcase_add_test(cases, blank_checksums_are_filled_where_the_link_cannot);
}

int main(void)
{
	return unit_main("net/forward6", add_cases);
}
