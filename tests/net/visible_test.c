/* SPDX-License-Identifier: ISC */
/*
 * A client with a fake address: client 2 sees itself as 192.168.1.128 behind 192.168.1.1.
 * Every frame that comes out of a link has right checksums, or test_net_end() fails.
 */
#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define SEEN_IP IP(192, 168, 1, 128)
#define SEEN_GATEWAY IP(192, 168, 1, 1)
#define REAL_IP CLIENT_IP(2)
#define RULES_REAL                                                     \
	"pass\n"                                                       \
	"block return-icmp ( filter-prohib, admin-unr ) in on clients" \
	" proto { tcp udp } from 10.138.0.12 to any port 81\n"         \
	"block return in on clients proto tcp from 10.138.0.12 to any port 82\n"

static struct frame frame, answer, about;
static struct test_net *net;

static int attach_seen(unsigned int client, uint32_t seen, uint32_t gateway)
{
	const struct router_visible visible = { be32_of(CLIENT_IP(client)), be32_of(seen),
						be32_of(gateway) };

	router_detach(&net->router, &net->client[client].netdev);
	return router_attach_client_visible(&net->router, &net->client[client].netdev, &visible);
}

static void setup(void)
{
	net = test_net_begin(RULES_OPEN, 64);
	ck_assert_int_eq(attach_seen(2, SEEN_IP, SEEN_GATEWAY), 0);
}

static void teardown(void)
{
	test_net_end(net);
}

static struct ends seen_to(uint32_t to)
{
	return (struct ends){ client_mac[2], our_client_mac, SEEN_IP, to };
}

static const struct frame *out(void)
{
	const struct frame *passed = test_pass(net, &net->client[2], &net->uplink, &frame);

	ck_assert_uint_eq(frame_source(passed), OUR_IP);
	ck_assert_uint_eq(frame_destination(passed), SERVER_IP);
	return passed;
}

static const struct frame *back(void)
{
	const struct frame *passed = test_pass(net, &net->uplink, &net->client[2], &answer);

	ck_assert_uint_eq(frame_source(passed), SERVER_IP);
	ck_assert_uint_eq(frame_destination(passed), SEEN_IP);
	ck_assert_mem_eq(passed->bytes, client_mac[2], 6);
	return passed;
}

START_TEST(every_protocol_out_and_back)
{
	struct ends to = seen_to(SERVER_IP), from = ends_in(SERVER_IP);
	uint16_t port;

	frame_udp(&frame, &to, 5000, 123, 100);
	port = frame_source_port(out());
	frame_udp(&answer, &from, 123, port, 90);
	ck_assert_uint_eq(frame_destination_port(back()), 5000);
	frame.bytes[40] = frame.bytes[41] = 0; /* a UDP checksum that is not there stays away */
	ck_assert_uint_eq(get16(out()->bytes + 40), 0);

	frame_tcp(&frame, &to, 6000, 443, SYN, 100, 0, 0);
	port = frame_source_port(out());
	frame_tcp(&answer, &from, 443, port, SYN | ACK, 900, 101, 0);
	ck_assert_uint_eq(frame_destination_port(back()), 6000);
	frame_tcp(&frame, &to, 6000, 443, ACK, 101, 901, 1000);
	frame_make_blank(&frame);
	out();
	frame_tcp(&answer, &from, 443, port, ACK, 901, 1101, 1000);
	frame_make_blank(&answer);
	back();

	frame_echo(&frame, &to, false, 77, 1, 56);
	out();
	frame_echo(&answer, &from, true, 77, 1, 56);
	ck_assert_uint_eq(frame_source_port(back()), 77);

	frame_ip4(&frame, &to, 47, 100);
	out();
	frame_ip4(&answer, &from, 47, 90);
	back();
}
END_TEST

/* `features` of the client's link: with none the segments are made here. */
static void large_packets(uint32_t features)
{
	struct ends to = seen_to(SERVER_IP), from = ends_in(SERVER_IP);
	const struct frame *got;
	uint32_t count = 0;
	uint16_t port;

	net->client[2].netdev.features = features;
	frame_tcp(&frame, &to, 6000, 443, SYN, 100, 0, 0);
	port = frame_source_port(out());
	frame_tcp(&answer, &from, 443, port, SYN | ACK, 900, 101, 0);
	back();
	frame_tcp(&frame, &to, 6000, 443, ACK | PSH, 101, 901, 20000);
	frame.gso_type = PACKET_GSO_TCPV4;
	frame.gso_size = 1448;
	frame_make_blank(&frame);
	out();
	frame_tcp(&answer, &from, 443, port, ACK | PSH, 901, 20101, 20000);
	answer.gso_type = PACKET_GSO_TCPV4;
	answer.gso_size = 1448;
	frame_make_blank(&answer);
	test_link_input(&net->uplink, &answer);
	while ((got = test_link_take(&net->client[2])) != NULL) {
		ck_assert_uint_eq(frame_destination(got), SEEN_IP);
		ck_assert_uint_eq(frame_source(got), SERVER_IP);
		count++;
	}
	ck_assert_uint_eq(count, features ? 1 : 14);
}

START_TEST(large_packets_whole)
{
	large_packets(TEST_ALL_FEATURES);
}
END_TEST

START_TEST(large_packets_cut_here)
{
	large_packets(0);
}
END_TEST

START_TEST(nobody_else_may_send)
{
	struct ends ends = seen_to(SERVER_IP);

	ends.from = REAL_IP;
	frame_udp(&frame, &ends, 5000, 53, 10);
	test_drop(net, &net->client[2], &frame, DROP_SPOOFED);
	ends.from = SEEN_GATEWAY;
	frame_udp(&frame, &ends, 5000, 53, 10);
	test_drop(net, &net->client[2], &frame, DROP_SPOOFED);
	ends = (struct ends){ client_mac[1], our_client_mac, SEEN_IP, SERVER_IP };
	frame_udp(&frame, &ends, 5000, 53, 10);
	test_drop(net, &net->client[1], &frame, DROP_SPOOFED);
}
END_TEST

START_TEST(to_itself)
{
	struct ends ends = seen_to(SEEN_IP);

	frame_udp(&frame, &ends, 5000, 53, 10);
	test_drop(net, &net->client[2], &frame, DROP_MARTIAN);
	ends = seen_to(REAL_IP);
	frame_udp(&frame, &ends, 5000, 53, 10);
	test_drop(net, &net->client[2], &frame, DROP_MARTIAN);
}
END_TEST

static void ask(uint32_t sender, uint32_t target, bool answered)
{
	const struct frame *got;

	frame_arp(&frame, client_mac[2], our_client_mac, 1, sender, target);
	test_link_input(&net->client[2], &frame);
	got = test_link_take(&net->client[2]);
	ck_assert_int_eq(got != NULL, answered);
	if (!got)
		return;
	ck_assert(frame_is_arp(got));
	ck_assert_mem_eq(got->bytes + 22, our_client_mac, 6);
	ck_assert_uint_eq(get32(got->bytes + 28), target);
	ck_assert_uint_eq(get32(got->bytes + 38), sender);
}

START_TEST(arp_knows_the_fake_address_alone)
{
	ask(SEEN_IP, SEEN_GATEWAY, true);
	ask(SEEN_IP, SERVER_IP, true);
	ask(SEEN_IP, REAL_IP, true);
	ask(SEEN_IP, SEEN_IP, false);
	ask(0, SEEN_IP, false); /* is it taken? */
	ck_assert_uint_eq(test_net_drops(net, DROP_BAD_ARP), 0);
	ask(REAL_IP, SEEN_GATEWAY, false);
	ask(SEEN_IP + 1, SEEN_GATEWAY, false);
	ck_assert_uint_eq(test_net_drops(net, DROP_BAD_ARP), 2);
}
END_TEST

START_TEST(the_gateway_answers_pings)
{
	struct ends ends = seen_to(SEEN_GATEWAY);
	const struct frame *got;

	frame_echo(&frame, &ends, false, 9, 1, 56);
	got = test_pass(net, &net->client[2], &net->client[2], &frame);
	ck_assert_uint_eq(frame_icmp_type(got), 0);
	ck_assert_uint_eq(frame_source(got), SEEN_GATEWAY);
	ck_assert_uint_eq(frame_destination(got), SEEN_IP);
	ends = (struct ends){ client_mac[1], our_client_mac, CLIENT_IP(1), OUR_IP };
	frame_echo(&frame, &ends, false, 9, 1, 56);
	got = test_pass(net, &net->client[1], &net->client[1], &frame);
	ck_assert_uint_eq(frame_source(got), OUR_IP);
}
END_TEST

/* An error of our own to client 2 about `frame`, as it sees the world. */
static void expect_error(uint8_t type, uint8_t code)
{
	const struct frame *got = test_pass(net, &net->client[2], &net->client[2], &frame);

	ck_assert_uint_eq(frame_protocol(got), 1);
	ck_assert_uint_eq(frame_icmp_type(got), type);
	ck_assert_uint_eq(frame_icmp_code(got), code);
	ck_assert_uint_eq(frame_source(got), SEEN_GATEWAY);
	ck_assert_uint_eq(frame_destination(got), SEEN_IP);
	/* What it quotes is what the client sent, byte for byte. */
	ck_assert_uint_ge(got->length, 42 + 28);
	ck_assert_mem_eq(got->bytes + 42, frame.bytes + 14, 28);
}

/* 202: the rules are for the real address. */
START_TEST(rules_know_the_real_address)
{
	struct ends ends = seen_to(SERVER_IP);
	const struct frame *got;

	test_net_set_rules(net, RULES_REAL);
	frame_udp(&frame, &ends, 5000, 80, 40);
	out();
	frame_udp(&frame, &ends, 5000, 81, 40);
	expect_error(3, 13);
	frame_tcp(&frame, &ends, 5000, 81, SYN, 1, 0, 0);
	expect_error(3, 13);
	frame_tcp(&frame, &ends, 5000, 82, SYN, 1, 0, 0);
	got = test_pass(net, &net->client[2], &net->client[2], &frame);
	ck_assert_uint_eq(frame_tcp_flags(got), RST | ACK);
	ck_assert_uint_eq(frame_source(got), SERVER_IP);
	ck_assert_uint_eq(frame_destination(got), SEEN_IP);
}
END_TEST

START_TEST(errors_of_ours_quote_what_was_sent)
{
	struct ends ends = seen_to(SERVER_IP);

	frame_udp(&frame, &ends, 5000, 80, 40);
	frame.bytes[22] = 1;
	frame_finish(&frame);
	expect_error(11, 0);
	frame_echo(&frame, &ends, false, 7, 1, 56);
	frame.bytes[22] = 1;
	frame_finish(&frame);
	expect_error(11, 0);
	ends = seen_to(SEEN_GATEWAY); /* the gateway is in the quote too */
	frame_udp(&frame, &ends, 5000, 80, 40);
	expect_error(3, 3);
}
END_TEST

START_TEST(errors_of_others_come_back)
{
	struct ends ends = seen_to(SERVER_IP), router = ends_in(IP(203, 0, 113, 1));
	const struct frame *got;

	frame_udp(&frame, &ends, 5000, 80, 40);
	frame_icmp_error(&answer, &router, 11, 0, out(), 60);
	got = test_pass(net, &net->uplink, &net->client[2], &answer);
	ck_assert_uint_eq(frame_source(got), IP(203, 0, 113, 1));
	ck_assert_uint_eq(frame_destination(got), SEEN_IP);
	ck_assert_uint_eq(get32(got->bytes + 54), SEEN_IP);
	ck_assert_uint_eq(get32(got->bytes + 58), SERVER_IP);
	ck_assert_uint_eq(naive_sum(got->bytes + 42, 20, 0), 0xffff);
	ck_assert_mem_eq(got->bytes + 62, frame.bytes + 34, 8); /* ports, length and checksum */
}
END_TEST

/* A closed port of the client: its error quotes the answer as the client got it. */
START_TEST(errors_of_the_client_go_out)
{
	struct ends ends = seen_to(SERVER_IP), from = ends_in(SERVER_IP);
	const struct frame *got;

	frame_udp(&frame, &ends, 5000, 80, 40);
	frame_udp(&answer, &from, 80, frame_source_port(out()), 30);
	about = *back();
	frame_icmp_error(&frame, &ends, 3, 3, &about, 50);
	got = out();
	ck_assert_uint_eq(get32(got->bytes + 54), SERVER_IP);
	ck_assert_uint_eq(get32(got->bytes + 58), OUR_IP);
	ck_assert_uint_eq(naive_sum(got->bytes + 42, 20, 0), 0xffff);
	ck_assert_mem_eq(got->bytes + 62, answer.bytes + 34, 8);
}
END_TEST

START_TEST(parts_of_datagrams)
{
	struct ends to = seen_to(SERVER_IP), from = ends_in(SERVER_IP);
	static struct assembly assembly;
	static struct frame part;
	const struct frame *got;
	uint16_t port = 0;

	frame_udp(&frame, &to, 5000, 80, 2992);
	assembly_begin(&assembly);
	for (uint32_t at = 2000; at < 3001; at -= 1000) { /* the first comes last */
		frame_part(&part, &frame, at, 1000, 5);
		test_link_input(&net->client[2], &part);
	}
	while ((got = test_link_take(&net->uplink)) != NULL) {
		ck_assert_uint_eq(frame_source(got), OUR_IP);
		if (frame_part_offset(got) == 0)
			port = frame_source_port(got);
		assembly_add(&assembly, got);
	}
	ck_assert_ptr_null(assembly_error(&assembly));
	frame_udp(&answer, &from, 80, port, 1992);
	assembly_begin(&assembly);
	for (uint32_t at = 0; at < 2000; at += 1000) {
		frame_part(&part, &answer, at, 1000, 6);
		assembly_add(&assembly, test_pass(net, &net->uplink, &net->client[2], &part));
	}
	ck_assert_ptr_null(assembly_error(&assembly));
	ck_assert_uint_eq(frame_destination(&assembly.whole), SEEN_IP);
}
END_TEST

/* What the client's link cannot take whole is cut, and every part is for the fake address. */
START_TEST(what_is_cut_here)
{
	struct ends to = seen_to(SERVER_IP), from = ends_in(SERVER_IP);
	static struct assembly assembly;
	const struct frame *got;

	net->client[2].netdev.mtu = 1000;
	frame_udp(&frame, &to, 5000, 80, 40);
	frame_udp(&answer, &from, 80, frame_source_port(out()), 1400);
	answer.bytes[20] = answer.bytes[21] = 0; /* may be cut */
	frame_finish(&answer);
	test_link_input(&net->uplink, &answer);
	assembly_begin(&assembly);
	while ((got = test_link_take(&net->client[2])) != NULL)
		assembly_add(&assembly, got);
	ck_assert_ptr_null(assembly_error(&assembly));
	ck_assert_uint_eq(frame_destination(&assembly.whole), SEEN_IP);
	ck_assert_uint_eq(assembly.whole.length, answer.length);
}
END_TEST

START_TEST(two_clients_may_believe_the_same)
{
	struct ends one = { client_mac[1], our_client_mac, SEEN_IP, SERVER_IP };
	struct ends two = seen_to(SERVER_IP), from = ends_in(SERVER_IP);
	const struct frame *got;
	uint16_t ports[2];

	ck_assert_int_eq(attach_seen(1, SEEN_IP, SEEN_GATEWAY), 0);
	frame_udp(&frame, &one, 5000, 80, 40);
	ports[0] = frame_source_port(test_pass(net, &net->client[1], &net->uplink, &frame));
	frame_udp(&frame, &two, 5000, 80, 40);
	ports[1] = frame_source_port(out());
	ck_assert_uint_ne(ports[0], ports[1]);
	for (unsigned int i = 0; i < 2; i++) {
		frame_udp(&answer, &from, 80, ports[i], 40);
		got = test_pass(net, &net->uplink, &net->client[1 + i], &answer);
		ck_assert_uint_eq(frame_destination(got), SEEN_IP);
		ck_assert_uint_eq(frame_destination_port(got), 5000);
	}
}
END_TEST

START_TEST(other_clients_know_the_real_address)
{
	struct ends there = ends_out(0, REAL_IP), here = seen_to(CLIENT_IP(0));
	const struct frame *got;

	frame_udp(&frame, &there, 5000, 53, 10);
	got = test_pass(net, &net->client[0], &net->client[2], &frame);
	ck_assert_uint_eq(frame_source(got), CLIENT_IP(0));
	ck_assert_uint_eq(frame_destination(got), SEEN_IP);
	frame_udp(&frame, &here, 53, 5000, 10);
	got = test_pass(net, &net->client[2], &net->client[0], &frame);
	ck_assert_uint_eq(frame_source(got), REAL_IP);
	there.to = SEEN_IP; /* which for everybody else is somewhere outside */
	frame_udp(&frame, &there, 5000, 53, 10);
	test_pass(net, &net->client[0], &net->uplink, &frame);
}
END_TEST

/* By the name that it has outside. */
START_TEST(hairpin)
{
	struct ends to = seen_to(SERVER_IP), pin = ends_out(0, OUR_IP);
	const struct frame *got;

	frame_udp(&frame, &to, 5000, 80, 40);
	frame_udp(&answer, &pin, 7000, frame_source_port(out()), 40);
	got = test_pass(net, &net->client[0], &net->client[2], &answer);
	ck_assert_uint_eq(frame_destination(got), SEEN_IP);
	ck_assert_uint_eq(frame_destination_port(got), 5000);
	/* It comes from our address, which to this client is its gateway's. */
	ck_assert_uint_eq(frame_source(got), SEEN_GATEWAY);
	to = seen_to(SEEN_GATEWAY);
	frame_udp(&frame, &to, 5000, frame_source_port(got), 40);
	got = test_pass(net, &net->client[2], &net->client[0], &frame);
	ck_assert_uint_eq(frame_source(got), OUR_IP);
}
END_TEST

START_TEST(no_ip6)
{
	struct ends6 ends = ends6_out(2, SERVER_IP6);

	frame6_udp(&frame, &ends, 5000, 53, 10);
	test_drop(net, &net->client[2], &frame, DROP_BAD_ETHERTYPE);
	ends.from = six_link_local(client_mac[2]);
	ends.to = six_link_local(our_client_mac);
	frame6_neighbour(&frame, &ends, 135, 0, ends.to);
	test_drop(net, &net->client[2], &frame, DROP_BAD_ETHERTYPE);
	frame6_router(&frame, &ends, 133);
	test_drop(net, &net->client[2], &frame, DROP_BAD_ETHERTYPE);
	ck_assert_ptr_null(test_link_take(&net->client[2]));
}
END_TEST

/* 201: without a gateway of its own it knows us by our address. */
START_TEST(without_a_gateway)
{
	struct ends ends = seen_to(OUR_IP);
	const struct frame *got;

	ck_assert_int_eq(attach_seen(2, SEEN_IP, 0), 0);
	frame_echo(&frame, &ends, false, 9, 1, 56);
	got = test_pass(net, &net->client[2], &net->client[2], &frame);
	ck_assert_uint_eq(frame_source(got), OUR_IP);
	ck_assert_uint_eq(frame_destination(got), SEEN_IP);
	ends = seen_to(SERVER_IP);
	frame_udp(&frame, &ends, 5000, 53, 10);
	out();
}
END_TEST

/* 204: our own address is one that somebody else made up; a client may have the same. */
START_TEST(our_own_address_is_fake)
{
	const struct router_uplink4 ip4 = { be32_of(SEEN_IP), 32, be32_of(SEEN_GATEWAY), 0 };
	struct ends one = ends_out(0, SERVER_IP), two = seen_to(SERVER_IP);
	struct ends from = { gateway_mac, our_uplink_mac, SERVER_IP, SEEN_IP };
	const struct frame *got;

	router_set_gateway_mac(&net->router, gateway_mac);
	ck_assert_int_eq(router_set_uplink4(&net->router, &ip4), 0);
	test_link_skip(&net->uplink);
	frame_udp(&frame, &one, 5000, 80, 40);
	test_link_input(&net->client[0], &frame);
	got = test_link_take(&net->uplink); /* it asks for its new gateway, and does not wait */
	ck_assert(frame_is_arp(got));
	got = test_link_take(&net->uplink);
	ck_assert_uint_eq(frame_source(got), SEEN_IP);
	frame_udp(&answer, &from, 80, frame_source_port(got), 40);
	got = test_pass(net, &net->uplink, &net->client[0], &answer);
	ck_assert_uint_eq(frame_destination(got), CLIENT_IP(0));
	frame_udp(&frame, &two, 5001, 80, 40);
	got = test_pass(net, &net->client[2], &net->uplink, &frame);
	ck_assert_uint_eq(frame_source(got), SEEN_IP);
	frame_udp(&answer, &from, 80, frame_source_port(got), 40);
	back();
}
END_TEST

/* Somebody whose MAC nobody told, and who has said nothing. */
START_TEST(a_client_that_must_be_asked_for)
{
	struct ends there = ends_out(0, REAL_IP);
	const struct frame *got;

	memset(net->client[2].netdev.peer_mac, 0, 6);
	ck_assert_int_eq(attach_seen(2, SEEN_IP, SEEN_GATEWAY), 0);
	frame_udp(&frame, &there, 5000, 53, 10);
	got = test_pass(net, &net->client[0], &net->client[2], &frame);
	ck_assert(frame_is_arp(got));
	ck_assert_uint_eq(get32(got->bytes + 28), SEEN_GATEWAY);
	ck_assert_uint_eq(get32(got->bytes + 38), SEEN_IP);
	frame_arp(&answer, client_mac[2], our_client_mac, 2, SEEN_IP, SEEN_GATEWAY);
	got = test_pass(net, &net->client[2], &net->client[2], &answer);
	ck_assert_uint_eq(frame_destination(got), SEEN_IP);
	ck_assert_mem_eq(got->bytes, client_mac[2], 6);
}
END_TEST

START_TEST(while_we_have_no_address)
{
	const struct router_uplink4 none = { .address = { 0 } };
	struct ends ends = seen_to(SEEN_GATEWAY);

	ck_assert_int_eq(router_set_uplink4(&net->router, &none), 0);
	frame_echo(&frame, &ends, false, 9, 1, 56);
	test_drop(net, &net->client[2], &frame, DROP_NO_ROUTE);
	ck_assert_ptr_null(test_link_take(&net->client[2]));
}
END_TEST

START_TEST(what_is_refused)
{
	ck_assert_int_eq(attach_seen(2, 0, SEEN_GATEWAY), -EINVAL);
	ck_assert_int_eq(attach_seen(2, IP(127, 0, 0, 1), SEEN_GATEWAY), -EINVAL);
	ck_assert_int_eq(attach_seen(2, SEEN_IP, SEEN_IP), -EINVAL);
	ck_assert_int_eq(attach_seen(2, SEEN_IP, IP(224, 0, 0, 1)), -EINVAL);
	ck_assert_uint_eq(net->router.clients, 2);
	/* An ordinary client in its place has nothing of it. */
	ck_assert_int_eq(attach_seen(2, SEEN_IP, SEEN_GATEWAY), 0);
	router_detach(&net->router, &net->client[2].netdev);
	ck_assert_int_eq(test_net_attach_client(net, 2, false), 0);
	frame_udp(&frame, &(struct ends){ client_mac[2], our_client_mac, REAL_IP, SERVER_IP }, 5000,
		  80, 40);
	out();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, every_protocol_out_and_back);
	tcase_add_test(cases, large_packets_whole);
	tcase_add_test(cases, large_packets_cut_here);
	tcase_add_test(cases, nobody_else_may_send);
	tcase_add_test(cases, to_itself);
	tcase_add_test(cases, arp_knows_the_fake_address_alone);
	tcase_add_test(cases, the_gateway_answers_pings);
	tcase_add_test(cases, rules_know_the_real_address);
	tcase_add_test(cases, errors_of_ours_quote_what_was_sent);
	tcase_add_test(cases, errors_of_others_come_back);
	tcase_add_test(cases, errors_of_the_client_go_out);
	tcase_add_test(cases, parts_of_datagrams);
	tcase_add_test(cases, what_is_cut_here);
	tcase_add_test(cases, two_clients_may_believe_the_same);
	tcase_add_test(cases, other_clients_know_the_real_address);
	tcase_add_test(cases, hairpin);
	tcase_add_test(cases, no_ip6);
	tcase_add_test(cases, without_a_gateway);
	tcase_add_test(cases, our_own_address_is_fake);
	tcase_add_test(cases, a_client_that_must_be_asked_for);
	tcase_add_test(cases, while_we_have_no_address);
	tcase_add_test(cases, what_is_refused);
}

int main(void)
{
	return unit_main("net/visible", add_cases);
}
