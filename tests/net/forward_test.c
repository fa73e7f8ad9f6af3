/* SPDX-License-Identifier: ISC */
/* Packets from clients to the uplink and back: translation, checksums, offloads, limits. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct frame frame, answer;

static void expect_translated(const struct frame *out, uint8_t protocol)
{
	ck_assert_uint_eq(frame_source(out), OUR_IP);
	ck_assert_uint_eq(frame_destination(out), SERVER_IP);
	ck_assert_uint_eq(frame_protocol(out), protocol);
	ck_assert_uint_eq(frame_ttl(out), 63);
	ck_assert_mem_eq(out->bytes, gateway_mac, 6);
	ck_assert_mem_eq(out->bytes + 6, our_uplink_mac, 6);
}

static void expect_back(const struct frame *in, unsigned int client)
{
	ck_assert_uint_eq(frame_source(in), SERVER_IP);
	ck_assert_uint_eq(frame_destination(in), CLIENT_IP(client));
	ck_assert_uint_eq(frame_ttl(in), 63);
	ck_assert_mem_eq(in->bytes, client_mac[client], 6);
	ck_assert_mem_eq(in->bytes + 6, our_client_mac, 6);
}

START_TEST(ping_goes_out_and_comes_back)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);
	const struct frame *out;

	for (uint16_t i = 1; i <= 3; i++) {
		frame_echo(&frame, &out_ends, false, 77, i, 56);
		out = test_pass(net, &net->client[0], &net->uplink, &frame);
		expect_translated(out, 1);
		ck_assert_uint_eq(frame_source_port(out), 77);
		frame_echo(&answer, &in_ends, true, frame_source_port(out), i, 56);
		out = test_pass(net, &net->uplink, &net->client[0], &answer);
		expect_back(out, 0);
		ck_assert_uint_eq(frame_icmp_type(out), 0);
		ck_assert_uint_eq(frame_source_port(out), 77);
		ck_assert_mem_eq(out->bytes + 42, frame.bytes + 42, 56);
	}
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_net_end(net);
}
END_TEST

/* `blank`: as a Linux guest sends it; `large`: as a GSO packet of several pages. */
static void tcp_exchange(bool blank, bool large)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(1, SERVER_IP), in_ends = ends_in(SERVER_IP);
	uint32_t payload = large ? 20000 : 1000;
	const struct frame *out;
	uint16_t port;

	frame_tcp(&frame, &out_ends, 40000, 443, SYN, 100, 0, 0);
	out = test_pass(net, &net->client[1], &net->uplink, &frame);
	expect_translated(out, 6);
	port = frame_source_port(out);
	ck_assert_uint_eq(port, 40000);
	frame_tcp(&answer, &in_ends, 443, port, SYN | ACK, 900, 101, 0);
	expect_back(test_pass(net, &net->uplink, &net->client[1], &answer), 1);
	for (uint32_t i = 0; i < 4; i++) {
		frame_tcp(&frame, &out_ends, 40000, 443, ACK | PSH, 101 + i * payload,
			  901 + i * payload, payload);
		frame_tcp(&answer, &in_ends, 443, port, ACK, 901 + i * payload,
			  101 + (i + 1) * payload, payload);
		if (large) {
			frame.gso_type = answer.gso_type = PACKET_GSO_TCPV4;
			frame.gso_size = answer.gso_size = 1448;
		}
		if (blank || large) {
			frame_make_blank(&frame);
			frame_make_blank(&answer);
		}
		out = test_pass(net, &net->client[1], &net->uplink, &frame);
		expect_translated(out, 6);
		ck_assert_uint_eq(out->gso_size, frame.gso_size);
		ck_assert_uint_eq(out->flags, frame.flags);
		ck_assert_uint_eq(out->length, frame.length);
		ck_assert_mem_eq(out->bytes + 54, frame.bytes + 54, payload);
		out = test_pass(net, &net->uplink, &net->client[1], &answer);
		expect_back(out, 1);
		ck_assert_uint_eq(out->gso_size, answer.gso_size);
		ck_assert_uint_eq(out->flags, answer.flags);
		ck_assert_mem_eq(out->bytes + 54, answer.bytes + 54, payload);
	}
	test_net_end(net);
}

START_TEST(tcp_with_full_checksums)
{
	tcp_exchange(false, false);
}
END_TEST

START_TEST(tcp_with_blank_checksums)
{
	tcp_exchange(true, false);
}
END_TEST

START_TEST(large_tcp_packets_stay_whole)
{
	tcp_exchange(true, true);
}
END_TEST

START_TEST(udp_checksum_zero_stays_zero)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);
	const struct frame *out;

	frame_udp(&frame, &out_ends, 5000, 53, 40);
	put16(frame.bytes + 40, 0);
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert_uint_eq(get16(out->bytes + 40), 0);
	frame_udp(&answer, &in_ends, 53, frame_source_port(out), 40);
	put16(answer.bytes + 40, 0);
	out = test_pass(net, &net->uplink, &net->client[0], &answer);
	ck_assert_uint_eq(get16(out->bytes + 40), 0);
	test_net_end(net);
}
END_TEST

/* All payloads of two bytes give every checksum, also those that become 0 or 0xffff. */
START_TEST(udp_checksum_never_becomes_zero)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP);
	uint32_t edges = 0;

	for (uint32_t word = 0; word < 0x10000; word++) {
		const struct frame *out;

		frame_udp(&frame, &out_ends, 5000, 53, 2);
		put16(frame.bytes + 42, (uint16_t)word);
		frame_finish(&frame);
		out = test_pass(net, &net->client[0], &net->uplink, &frame);
		ck_assert_uint_ne(get16(out->bytes + 40), 0);
		edges += get16(out->bytes + 40) == 0xffff;
	}
	ck_assert_uint_ge(edges, 1);
	ck_assert_str_eq(net->uplink.error, ""); /* every checksum was verified */
	test_net_end(net);
}
END_TEST

START_TEST(random_traffic_has_right_checksums)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 256);
	uint64_t state = unit_seed();

	for (unsigned int i = 0; i < 3000; i++) {
		uint32_t server = SERVER_IP + (uint32_t)(unit_random(&state) % 5);
		unsigned int client = unit_random(&state) % TEST_CLIENTS;
		struct ends out_ends = ends_out(client, server), in_ends = ends_in(server);
		uint16_t port = (uint16_t)(1000 + unit_random(&state) % 4);
		uint32_t bytes = unit_random(&state) % 1400;
		bool blank = unit_random(&state) % 2;
		const struct frame *out;

		frame_udp(&frame, &out_ends, port, 53, bytes);
		if (blank)
			frame_make_blank(&frame);
		out = test_pass(net, &net->client[client], &net->uplink, &frame);
		frame_udp(&answer, &in_ends, 53, frame_source_port(out), bytes);
		if (blank)
			frame_make_blank(&answer);
		out = test_pass(net, &net->uplink, &net->client[client], &answer);
		ck_assert_uint_eq(frame_destination_port(out), port);
		ck_assert_uint_eq(frame_destination(out), CLIENT_IP(client));
	}
	test_net_end(net);
}
END_TEST

START_TEST(other_protocols_are_translated_by_address)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);
	struct ends other_ends = ends_out(1, SERVER_IP);

	frame_ip4(&frame, &out_ends, 47, 100);
	expect_translated(test_pass(net, &net->client[0], &net->uplink, &frame), 47);
	frame_ip4(&answer, &in_ends, 47, 80);
	expect_back(test_pass(net, &net->uplink, &net->client[0], &answer), 0);
	/* There is nothing to tell a second client's packets by. */
	frame_ip4(&frame, &other_ends, 47, 100);
	test_drop(net, &net->client[1], &frame, DROP_NAT_PORTS);
	test_net_end(net);
}
END_TEST

START_TEST(equal_ports_are_told_apart)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	uint16_t ports[TEST_CLIENTS];

	for (unsigned int i = 0; i < TEST_CLIENTS; i++) {
		struct ends out_ends = ends_out(i, SERVER_IP);

		frame_udp(&frame, &out_ends, 5000, 53, 10 + i);
		ports[i] = frame_source_port(test_pass(net, &net->client[i], &net->uplink, &frame));
		ck_assert_uint_ge(ports[i], 1024);
	}
	ck_assert_uint_eq(ports[0], 5000);
	ck_assert(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2]);
	for (unsigned int i = 0; i < TEST_CLIENTS; i++) {
		struct ends in_ends = ends_in(SERVER_IP);
		const struct frame *in;

		frame_udp(&answer, &in_ends, 53, ports[i], 20);
		in = test_pass(net, &net->uplink, &net->client[i], &answer);
		expect_back(in, i);
		ck_assert_uint_eq(frame_destination_port(in), 5000);
	}
	test_net_end(net);
}
END_TEST

START_TEST(only_the_one_who_was_asked_may_answer)
{
	struct test_net *net = test_net_begin("pass out\npass in on clients\n", 64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP + 1);

	frame_udp(&frame, &out_ends, 5000, 53, 10);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_udp(&answer, &in_ends, 53, 5000, 10);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	test_net_end(net);
}
END_TEST

START_TEST(clients_reach_each_other_without_translation)
{
	struct test_net *net = test_net_begin("pass from 10.138.0.10 to any\n", 64);
	struct ends out_ends = ends_out(0, CLIENT_IP(1)), back_ends = ends_out(1, CLIENT_IP(0));
	const struct frame *out;

	frame_udp(&frame, &out_ends, 5000, 53, 10);
	out = test_pass(net, &net->client[0], &net->client[1], &frame);
	ck_assert_uint_eq(frame_source(out), CLIENT_IP(0));
	ck_assert_mem_eq(out->bytes, client_mac[1], 6);
	/* The answer belongs to the flow; a question of its own would be blocked. */
	frame_udp(&answer, &back_ends, 53, 5000, 10);
	out = test_pass(net, &net->client[1], &net->client[0], &answer);
	ck_assert_uint_eq(frame_ttl(out), 63);
	frame_udp(&answer, &back_ends, 54, 5000, 10);
	test_drop(net, &net->client[1], &answer, DROP_BLOCKED);
	ck_assert_uint_eq(net->uplink.sent, 0);
	test_net_end(net);
}
END_TEST

START_TEST(a_rule_without_state_leaves_none)
{
	struct test_net *net = test_net_begin("pass from 10.138.0.10 no state\n", 64);
	struct ends out_ends = ends_out(0, CLIENT_IP(1)), back_ends = ends_out(1, CLIENT_IP(0));
	struct ends server_ends = ends_out(0, SERVER_IP);

	frame_udp(&frame, &out_ends, 5000, 53, 10);
	test_pass(net, &net->client[0], &net->client[1], &frame);
	ck_assert_uint_eq(net->router.flows.used, 0);
	frame_udp(&answer, &back_ends, 53, 5000, 10);
	test_drop(net, &net->client[1], &answer, DROP_BLOCKED);
	/* Translation cannot do without. */
	frame_udp(&frame, &server_ends, 5000, 53, 10);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_net_end(net);
}
END_TEST

START_TEST(the_uplink_reaches_a_client_only_by_rule)
{
	struct test_net *net = test_net_begin("pass in on uplink proto tcp to any port 22\n"
					      "pass out on clients proto tcp to any port 22\n",
					      64);
	struct ends in_ends = { gateway_mac, our_uplink_mac, SERVER_IP, CLIENT_IP(2) };
	struct ends back_ends = ends_out(2, SERVER_IP);
	const struct frame *out;

	frame_tcp(&frame, &in_ends, 999, 22, SYN, 1, 0, 0);
	out = test_pass(net, &net->uplink, &net->client[2], &frame);
	ck_assert_uint_eq(frame_destination(out), CLIENT_IP(2));
	frame_tcp(&answer, &back_ends, 22, 999, SYN | ACK, 50, 2, 0);
	out = test_pass(net, &net->client[2], &net->uplink, &answer);
	ck_assert_uint_eq(frame_source(out), CLIENT_IP(2)); /* as it was asked */
	frame_tcp(&frame, &in_ends, 999, 23, SYN, 1, 0, 0);
	test_drop(net, &net->uplink, &frame, DROP_BLOCKED);
	test_net_end(net);
}
END_TEST

START_TEST(on_link_hosts_are_asked_for_themselves)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	static const uint8_t host_mac[6] = { 2, 2, 2, 2, 2, 9 };
	uint32_t host = IP(10, 137, 0, 9);
	struct ends out_ends = ends_out(0, host);
	const struct frame *out;

	frame_udp(&frame, &out_ends, 5000, 53, 10);
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert(frame_is_arp(out));
	ck_assert_uint_eq(get32(out->bytes + 38), host);
	frame_arp(&answer, host_mac, our_uplink_mac, 2, host, OUR_IP);
	out = test_pass(net, &net->uplink, &net->uplink, &answer);
	ck_assert_mem_eq(out->bytes, host_mac, 6);
	ck_assert_uint_eq(frame_destination(out), host);
	test_net_end(net);
}
END_TEST

START_TEST(a_vector_is_sent_as_one_vector)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	static struct frame many[PACKET_VECTOR_MAX];
	struct ends out_ends = ends_out(0, SERVER_IP), other_ends = ends_out(0, CLIENT_IP(1));

	for (uint32_t i = 0; i < PACKET_VECTOR_MAX; i++)
		frame_udp(&many[i], i % 2 ? &out_ends : &other_ends, (uint16_t)(5000 + i / 8), 53,
			  i);
	test_link_input_vector(&net->client[0], many, PACKET_VECTOR_MAX);
	ck_assert_uint_eq(net->uplink.sent, PACKET_VECTOR_MAX / 2);
	ck_assert_uint_eq(net->uplink.transmits, 1);
	ck_assert_uint_eq(net->client[1].transmits, 1);
	for (uint32_t i = 1; i < PACKET_VECTOR_MAX; i += 2)
		ck_assert_uint_eq(test_link_take(&net->uplink)->length, 42 + i);
	test_net_end(net);
}
END_TEST

START_TEST(ethernet_padding_is_cut_off)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out_ends = ends_out(0, SERVER_IP);
	const struct frame *out;

	frame_udp(&frame, &out_ends, 5000, 53, 2);
	memset(frame.bytes + frame.length, 0xee, 16);
	frame.length += 16;
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert_uint_eq(out->length, 44);
	test_net_end(net);
}
END_TEST

static void stats_collect(void *context, const char *text)
{
	strcat(context, text);
	strcat(context, "\n");
}

START_TEST(statistics_tell_what_happened)
{
	struct test_net *net = test_net_begin("block in proto udp\npass proto icmp\n", 64);
	struct ends out_ends = ends_out(0, SERVER_IP);
	char text[4096] = "";

	frame_echo(&frame, &out_ends, false, 7, 1, 8);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_udp(&frame, &out_ends, 5000, 53, 2);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	router_print_stats(&net->router, stats_collect, text);
	ck_assert_ptr_nonnull(strstr(text, "flows: 1 of 64, "));
	ck_assert_ptr_nonnull(strstr(text, "flows icmp: 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "interface client0.0: 10.138.0.10 up, 1 flows"));
	ck_assert_ptr_nonnull(strstr(text, "arp: 1 entries, 0 packets wait\n"));
	ck_assert_ptr_nonnull(strstr(text, "rule line 1 : 1 hits\n"));
	ck_assert_ptr_nonnull(strstr(text, "rule line 2 : 2 hits\n"));
	ck_assert_ptr_nonnull(strstr(text, "drop blocked: 1\n"));
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, ping_goes_out_and_comes_back);
	tcase_add_test(cases, tcp_with_full_checksums);
	tcase_add_test(cases, tcp_with_blank_checksums);
	tcase_add_test(cases, large_tcp_packets_stay_whole);
	tcase_add_test(cases, udp_checksum_zero_stays_zero);
	tcase_add_test(cases, udp_checksum_never_becomes_zero);
	tcase_add_test(cases, random_traffic_has_right_checksums);
	tcase_add_test(cases, other_protocols_are_translated_by_address);
	tcase_add_test(cases, equal_ports_are_told_apart);
	tcase_add_test(cases, only_the_one_who_was_asked_may_answer);
	tcase_add_test(cases, clients_reach_each_other_without_translation);
	tcase_add_test(cases, a_rule_without_state_leaves_none);
	tcase_add_test(cases, the_uplink_reaches_a_client_only_by_rule);
	tcase_add_test(cases, on_link_hosts_are_asked_for_themselves);
	tcase_add_test(cases, a_vector_is_sent_as_one_vector);
	tcase_add_test(cases, ethernet_padding_is_cut_off);
	tcase_add_test(cases, statistics_tell_what_happened);
}

int main(void)
{
	return unit_main("net/forward", add_cases);
}
