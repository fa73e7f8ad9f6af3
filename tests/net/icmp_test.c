/* SPDX-License-Identifier: ISC */
/* ICMP: our own echo, errors through the translation, and who gets none. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define ROUTER_IP IP(203, 0, 113, 1)

static struct frame frame, answer, error;

/* The quoted packet, from its IPv4 header on, as a frame of its own. */
static void quoted_of(const struct frame *from, struct frame *quoted)
{
	memset(quoted, 0, sizeof(*quoted));
	quoted->length = from->length - 42 + 14;
	memcpy(quoted->bytes + 14, from->bytes + 42, from->length - 42);
}

START_TEST(the_firewall_answers_pings)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, OUR_IP), in_ends = ends_in(SERVER_IP);
	static const uint32_t sizes[] = { 0, 1, 56, 57, 150, 1400, 1472 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct frame *out;

		frame_echo(&frame, &out_ends, false, 9, 3, sizes[i]);
		out = test_pass(net, &net->client[0], &net->client[0], &frame);
		ck_assert_uint_eq(frame_icmp_type(out), 0);
		ck_assert_uint_eq(frame_source(out), OUR_IP);
		ck_assert_uint_eq(frame_destination(out), CLIENT_IP(0));
		ck_assert_mem_eq(out->bytes, client_mac[0], 6);
		ck_assert_uint_eq(out->length, frame.length);
		ck_assert_mem_eq(out->bytes + 38, frame.bytes + 38, 4 + sizes[i]);
		frame_echo(&frame, &in_ends, false, 9, 3, sizes[i]);
		out = test_pass(net, &net->uplink, &net->uplink, &frame);
		ck_assert_uint_eq(frame_icmp_type(out), 0);
		ck_assert_uint_eq(frame_destination(out), SERVER_IP);
		ck_assert_mem_eq(out->bytes, gateway_mac, 6);
		ck_assert_mem_eq(out->bytes + 38, frame.bytes + 38, 4 + sizes[i]);
	}
	ck_assert_uint_eq(net->router.flows.used, 0);
	frame_echo(&frame, &out_ends, false, 9, 3, 40);
	frame.bytes[60] ^= 1;
	test_drop(net, &net->client[0], &frame, DROP_BAD_CHECKSUM);
	test_net_end(net);
}
END_TEST

START_TEST(pings_need_a_rule)
{
	struct test_net *net = test_net_begin("pass in on clients proto icmp to self\n", 64);
	struct ends out_ends = ends_out(0, OUR_IP), in_ends = ends_in(SERVER_IP);

	frame_echo(&frame, &out_ends, false, 9, 3, 8);
	test_pass(net, &net->client[0], &net->client[0], &frame);
	frame_echo(&frame, &in_ends, false, 9, 3, 8);
	test_drop(net, &net->uplink, &frame, DROP_BLOCKED);
	test_net_end(net);
}
END_TEST

START_TEST(the_firewall_offers_nothing_else)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, OUR_IP), in_ends = ends_in(SERVER_IP);
	const struct frame *out;

	frame_tcp(&frame, &out_ends, 4000, 22, SYN, 7, 0, 0);
	test_drop(net, &net->client[0], &frame, DROP_NOT_OURS);
	out = test_link_take(&net->client[0]);
	ck_assert_uint_eq(frame_tcp_flags(out), RST | ACK);
	ck_assert_uint_eq(frame_source(out), OUR_IP);
	frame_udp(&frame, &in_ends, 4000, 53, 4);
	test_drop(net, &net->uplink, &frame, DROP_NOT_OURS);
	out = test_link_take(&net->uplink);
	ck_assert_uint_eq(frame_icmp_type(out), 3);
	ck_assert_uint_eq(frame_icmp_code(out), 3);
	frame_echo(&frame, &in_ends, true, 4, 4, 4);
	test_drop(net, &net->uplink, &frame, DROP_NO_FLOW);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	test_net_end(net);
}
END_TEST

enum shape { SHAPE_UDP, SHAPE_TCP, SHAPE_ECHO, SHAPE_GRE, SHAPES };

static void make_shape(struct frame *to, enum shape shape, const struct ends *ends, uint16_t port)
{
	switch (shape) {
	case SHAPE_UDP:
		frame_udp(to, ends, port, 33434, 40);
		break;
	case SHAPE_TCP:
		frame_tcp(to, ends, port, 80, SYN, 100, 0, 0);
		break;
	case SHAPE_ECHO:
		frame_echo(to, ends, false, port, 1, 40);
		break;
	default:
		frame_ip4(to, ends, 47, 40);
		break;
	}
}

/* A router on the way reports a packet that has been translated; `quote`: bytes of it. */
static void error_comes_back(enum shape shape, uint32_t quote)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends other = ends_out(1, SERVER_IP), mine = ends_out(0, SERVER_IP);
	struct ends in_ends = ends_in(ROUTER_IP);
	const struct frame *out;
	struct frame quoted;

	if (shape != SHAPE_GRE) { /* takes the port, so that ours is changed */
		make_shape(&frame, shape, &other, 5000);
		test_pass(net, &net->client[1], &net->uplink, &frame);
	}
	make_shape(&frame, shape, &mine, 5000);
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	if (shape != SHAPE_GRE)
		ck_assert_uint_ne(frame_source_port(out), 5000);
	if (quote > out->length - 14)
		quote = out->length - 14;
	frame_icmp_error(&error, &in_ends, 11, 0, out, quote);
	out = test_pass(net, &net->uplink, &net->client[0], &error);
	ck_assert_uint_eq(frame_source(out), ROUTER_IP);
	ck_assert_uint_eq(frame_destination(out), CLIENT_IP(0));
	ck_assert_uint_eq(frame_icmp_type(out), 11);
	/* The quote is the client's packet, but for the TTL and the header checksum. */
	quoted_of(out, &quoted);
	ck_assert_uint_eq(naive_sum(quoted.bytes + 14, 20, 0), 0xffff);
	quoted.bytes[22] = frame.bytes[22];
	memcpy(quoted.bytes + 24, frame.bytes + 24, 2);
	ck_assert_mem_eq(quoted.bytes + 14, frame.bytes + 14, quote);
	test_net_end(net);
}

START_TEST(errors_are_translated_inside_out)
{
	static const uint32_t quotes[] = { 28, 29, 35, 40, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++)
		error_comes_back((enum shape)_i, quotes[i]);
}
END_TEST

START_TEST(errors_of_clients_are_translated_too)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends other = ends_out(1, SERVER_IP), mine = ends_out(0, SERVER_IP);
	struct ends in_ends = ends_in(SERVER_IP);
	const struct frame *out;
	struct frame quoted;
	uint16_t port;

	frame_udp(&frame, &other, 5000, 53, 4);
	test_pass(net, &net->client[1], &net->uplink, &frame);
	frame_udp(&frame, &mine, 5000, 53, 4);
	port = frame_source_port(test_pass(net, &net->client[0], &net->uplink, &frame));
	frame_udp(&answer, &in_ends, 53, port, 30);
	out = test_pass(net, &net->uplink, &net->client[0], &answer);
	frame_icmp_error(&error, &mine, 3, 3, out, out->length - 14);
	out = test_pass(net, &net->client[0], &net->uplink, &error);
	ck_assert_uint_eq(frame_source(out), OUR_IP);
	ck_assert_uint_eq(frame_destination(out), SERVER_IP);
	quoted_of(out, &quoted);
	ck_assert_uint_eq(frame_source(&quoted), SERVER_IP);
	ck_assert_uint_eq(frame_destination(&quoted), OUR_IP);
	ck_assert_uint_eq(frame_destination_port(&quoted), port);
	ck_assert_mem_eq(quoted.bytes + 40, answer.bytes + 40, 2); /* UDP's checksum */
	test_net_end(net);
}
END_TEST

START_TEST(errors_need_a_flow)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(ROUTER_IP);
	struct ends ours = { our_uplink_mac, gateway_mac, OUR_IP, SERVER_IP };

	frame_udp(&frame, &ours, 5000, 53, 4);
	frame_icmp_error(&error, &in_ends, 3, 1, &frame, 28);
	test_drop(net, &net->uplink, &error, DROP_NO_FLOW);
	frame_udp(&answer, &out_ends, 5000, 53, 4);
	test_pass(net, &net->client[0], &net->uplink, &answer);
	test_pass(net, &net->uplink, &net->client[0], &error);
	/* Not to another than the one whose packet it quotes. */
	in_ends.to = CLIENT_IP(0);
	frame_icmp_error(&error, &in_ends, 3, 1, &frame, 28);
	test_drop(net, &net->uplink, &error, DROP_NO_FLOW);
	in_ends = ends_in(ROUTER_IP);
	frame_icmp_error(&error, &in_ends, 3, 1, &frame, 27);
	test_drop(net, &net->uplink, &error, DROP_BAD_TRANSPORT);
	put16(frame.bytes + 20, 1); /* quotes a later fragment */
	frame_icmp_error(&error, &in_ends, 3, 1, &frame, 28);
	test_drop(net, &net->uplink, &error, DROP_BAD_TRANSPORT);
	test_net_end(net);
}
END_TEST

START_TEST(redirects_are_not_forwarded)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(GATEWAY_IP);
	const struct frame *out;

	frame_udp(&frame, &out_ends, 5000, 53, 4);
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_icmp_error(&error, &in_ends, 5, 1, out, 28);
	test_drop(net, &net->uplink, &error, DROP_NOT_OURS);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	test_net_end(net);
}
END_TEST

START_TEST(no_error_about_an_error)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(ROUTER_IP);
	const struct frame *out;

	frame_udp(&frame, &out_ends, 5000, 53, 4);
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_icmp_error(&error, &in_ends, 3, 1, out, 28);
	error.bytes[22] = 1;
	frame_finish(&error);
	test_drop(net, &net->uplink, &error, DROP_TTL);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, the_firewall_answers_pings);
	tcase_add_test(cases, pings_need_a_rule);
	tcase_add_test(cases, the_firewall_offers_nothing_else);
	tcase_add_loop_test(cases, errors_are_translated_inside_out, 0, SHAPES);
	tcase_add_test(cases, errors_of_clients_are_translated_too);
	tcase_add_test(cases, errors_need_a_flow);
	tcase_add_test(cases, redirects_are_not_forwarded);
	tcase_add_test(cases, no_error_about_an_error);
}

int main(void)
{
	return unit_main("net/icmp", add_cases);
}
