/* SPDX-License-Identifier: ISC */
/* The bridge's filter between two links: what crosses, unchanged, and what does not. */
#include <stdlib.h>
#include <string.h>

#include "net/bridge_filter.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define FLOWS 64u
#define PEER_IP IP(10, 137, 0, 77)

/* Two links of a net, joined by a filter in the place of the router. */
static struct {
	struct test_net *net;
	struct test_link *side[BRIDGE_SIDES];
	struct bridge_filter filter;
	struct ruleset *rules;
	void *memory;
} bridge;

static struct frame frame;

static void input(struct netdev *netdev, struct packet_vector *vector)
{
	enum bridge_side side =
		netdev == &bridge.side[BRIDGE_UPLINK]->netdev ? BRIDGE_UPLINK : BRIDGE_CLIENTS;
	struct netdev *out = &bridge.side[!side]->netdev;

	bridge_filter_run(&bridge.filter, side, netdev, out, vector);
	do {
		if (vector->count)
			out->ops->transmit(out, vector);
	} while (bridge_filter_more(&bridge.filter, vector));
}

static struct packet *own_packet_make(void *context, struct netdev *netdev, size_t bytes)
{
	struct packet *packet = packet_alloc_page(&bridge.net->packets, IOPAGE_UPLINK_READ);

	ck_assert_ptr_null(context);
	ck_assert_ptr_nonnull(netdev);
	ck_assert_ptr_nonnull(packet);
	memset(packet_append(packet, bytes), 0, bytes);
	return packet;
}

static void own_packet_send(void *context, struct netdev *netdev, struct packet *packet)
{
	struct packet_vector vector = { .count = 1, .packets = { packet } };

	ck_assert_ptr_null(context);
	netdev->ops->transmit(netdev, &vector);
}

static void begin(const char *text)
{
	struct rules_error error;
	struct bridge_filter_config config = { .flows = FLOWS,
					       .own = { own_packet_make, own_packet_send, NULL } };

	bridge.net = test_net_begin_cold(NULL, 8);
	bridge.side[BRIDGE_UPLINK] = &bridge.net->uplink;
	bridge.side[BRIDGE_CLIENTS] = &bridge.net->client[0];
	bridge.rules = NULL;
	if (text && ruleset_parse(text, strlen(text), &bridge.rules, &error))
		ck_abort_msg("rules, line %u: %s", error.line, error.message);
	bridge.memory = malloc(bridge_filter_memory_bytes(FLOWS));
	config.rules = bridge.rules;
	config.memory = bridge.memory;
	config.random = &bridge.net->random;
	config.now_ns = bridge.net->now_ns;
	bridge_filter_init(&bridge.filter, &config);
	for (unsigned int i = 0; i < BRIDGE_SIDES; i++) {
		test_link_skip(bridge.side[i]);
		bridge.side[i]->netdev.input = input;
		bridge.side[i]->sends_for_others = true;
	}
}

static void end(void)
{
	ck_assert(flow_table_is_valid(&bridge.filter.flows));
	bridge_filter_flush(&bridge.filter);
	ck_assert_uint_eq(bridge.filter.flows.used, 0);
	ck_assert_uint_eq(bridge.filter.wheel.armed, 0);
	test_net_end(bridge.net);
	ruleset_free(bridge.rules);
	free(bridge.memory);
}

static void advance(uint64_t ns)
{
	uint64_t until = bridge.net->now_ns + ns;

	while (bridge.net->now_ns < until) {
		bridge.net->now_ns += 1ull << WHEEL_TICK_SHIFT;
		bridge_filter_set_now(&bridge.filter, bridge.net->now_ns);
		bridge_filter_run_timers(&bridge.filter);
	}
}

static struct ends outwards(void)
{
	return (struct ends){ client_mac[0], gateway_mac, CLIENT_IP(0), PEER_IP };
}

static struct ends inwards(void)
{
	return (struct ends){ gateway_mac, client_mac[0], PEER_IP, CLIENT_IP(0) };
}

/* The frame crosses from the side, and not one bit of it has changed. */
static void crosses(enum bridge_side from)
{
	const struct frame *out =
		test_pass(bridge.net, bridge.side[from], bridge.side[!from], &frame);

	ck_assert_uint_eq(out->length, frame.length);
	ck_assert_uint_eq(out->flags, frame.flags);
	ck_assert_uint_eq(out->gso_type, frame.gso_type);
	ck_assert_uint_eq(out->gso_size, frame.gso_size);
	ck_assert_mem_eq(out->bytes, frame.bytes, frame.length);
	ck_assert_ptr_null(test_link_take(bridge.side[from]));
}

static void stops(enum bridge_side from, enum drop_reason reason)
{
	test_drop(bridge.net, bridge.side[from], &frame, reason);
	ck_assert_ptr_null(test_link_take(bridge.side[!from]));
}

static void udp(struct ends ends, uint16_t from, uint16_t to)
{
	frame_udp(&frame, &ends, from, to, 20);
}

static void tcp(struct ends ends, uint16_t from, uint16_t to, uint8_t flags)
{
	frame_tcp(&frame, &ends, from, to, flags, flags & SYN ? 100 : 101, flags & ACK ? 101 : 0,
		  0);
}

START_TEST(a_rule_lets_a_connection_pass_both_ways)
{
	begin("pass in on clients proto tcp to any port 80\npass out on uplink\n");
	tcp(outwards(), 5000, 80, SYN);
	crosses(BRIDGE_CLIENTS);
	ck_assert_uint_eq(bridge.filter.flows.used, 1);
	tcp(inwards(), 80, 5000, SYN | ACK);
	crosses(BRIDGE_UPLINK);
	tcp(outwards(), 5000, 80, ACK);
	crosses(BRIDGE_CLIENTS);
	tcp(inwards(), 80, 5000, ACK | PSH);
	crosses(BRIDGE_UPLINK);
	ck_assert_uint_eq(bridge.filter.flows.used, 1);
	tcp(outwards(), 5000, 81, SYN);
	stops(BRIDGE_CLIENTS, DROP_BLOCKED);
	tcp(inwards(), 5000, 80, SYN);
	stops(BRIDGE_UPLINK, DROP_BLOCKED);
	ck_assert_uint_eq(ruleset_rule_hits(bridge.rules, 0), 1);
	end();
}
END_TEST

START_TEST(both_sides_have_to_agree)
{
	begin("pass in on clients\n");
	udp(outwards(), 5000, 53);
	stops(BRIDGE_CLIENTS, DROP_BLOCKED);
	end();
	begin("pass out on uplink\n");
	udp(outwards(), 5000, 53);
	stops(BRIDGE_CLIENTS, DROP_BLOCKED);
	end();
	begin("pass in on uplink0\npass out on client0.0\n");
	udp(inwards(), 5000, 53);
	crosses(BRIDGE_UPLINK);
	udp(outwards(), 53, 5000);
	crosses(BRIDGE_CLIENTS);
	end();
}
END_TEST

START_TEST(replies_need_what_they_reply_to)
{
	begin("pass in on clients\npass out on uplink\n");
	udp(inwards(), 53, 5000);
	stops(BRIDGE_UPLINK, DROP_BLOCKED);
	udp(outwards(), 5000, 53);
	crosses(BRIDGE_CLIENTS);
	udp(inwards(), 53, 5000);
	crosses(BRIDGE_UPLINK);
	udp(inwards(), 54, 5000);
	stops(BRIDGE_UPLINK, DROP_BLOCKED);
	/* Forged on the other side: a packet that begins a flow, not one of this flow. */
	udp((struct ends){ client_mac[0], gateway_mac, PEER_IP, CLIENT_IP(0) }, 53, 5000);
	crosses(BRIDGE_CLIENTS);
	ck_assert_uint_eq(bridge.filter.flows.used, 2);
	advance(301 * TEST_SECOND);
	ck_assert_uint_eq(bridge.filter.flows.used, 0);
	udp(inwards(), 53, 5000);
	stops(BRIDGE_UPLINK, DROP_BLOCKED);
	end();
}
END_TEST

START_TEST(what_rules_log_is_kept)
{
	struct packet_log_record records[4];
	struct packet_log log;

	packet_log_init(&log, records, sizeof(records), 10, 10, 0);
	begin("pass\nblock in log on uplink0 proto udp to port 53 label \"names\"\n");
	bridge.filter.records = &log;
	udp(inwards(), 5000, 54);
	crosses(BRIDGE_UPLINK);
	ck_assert_uint_eq(log.written, 0);
	udp(inwards(), 5000, 53);
	stops(BRIDGE_UPLINK, DROP_BLOCKED);
	ck_assert_uint_eq(log.written, 1);
	ck_assert_uint_eq(records[0].line, 2);
	ck_assert_uint_eq(records[0].direction, RULES_IN);
	ck_assert_uint_eq(records[0].reason, DROP_BLOCKED);
	ck_assert_uint_eq(records[0].now_ns, bridge.filter.now_ns);
	ck_assert_str_eq(records[0].interface, "uplink0");
	ck_assert_str_eq(records[0].label, "names");
	ck_assert_uint_eq(records[0].length, frame.length);
	ck_assert_mem_eq(records[0].bytes, frame.bytes, records[0].captured);
	end();
}
END_TEST

START_TEST(a_connection_has_to_be_seen_from_its_beginning)
{
	begin("pass\n");
	tcp(outwards(), 6000, 80, ACK);
	stops(BRIDGE_CLIENTS, DROP_BLOCKED);
	end();
	begin("pass proto tcp flags any\n");
	tcp(outwards(), 6000, 80, ACK);
	stops(BRIDGE_CLIENTS, DROP_NO_FLOW);
	end();
}
END_TEST

START_TEST(without_state_each_packet_is_judged)
{
	begin("pass no state\n");
	tcp(outwards(), 6000, 80, ACK);
	crosses(BRIDGE_CLIENTS);
	tcp(inwards(), 80, 6000, ACK);
	crosses(BRIDGE_UPLINK);
	ck_assert_uint_eq(bridge.filter.flows.used, 0);
	end();
}
END_TEST

START_TEST(pings_and_errors_pass_by_state)
{
	static struct frame asked;
	struct ends out_ends = outwards(), in_ends = inwards();

	begin("pass in on clients proto { icmp udp }\npass out on uplink\n");
	frame_echo(&frame, &out_ends, false, 7, 1, 40);
	crosses(BRIDGE_CLIENTS);
	frame_echo(&frame, &in_ends, true, 7, 1, 40);
	crosses(BRIDGE_UPLINK);
	frame_echo(&frame, &in_ends, true, 8, 1, 40);
	stops(BRIDGE_UPLINK, DROP_BLOCKED);
	frame_echo(&frame, &in_ends, false, 9, 1, 40);
	stops(BRIDGE_UPLINK, DROP_BLOCKED);

	udp(outwards(), 5000, 53);
	crosses(BRIDGE_CLIENTS);
	asked = frame;
	in_ends.from = GATEWAY_IP;
	frame_icmp_error(&frame, &in_ends, 3, 3, &asked, 28);
	crosses(BRIDGE_UPLINK);
	in_ends.to = IP(10, 137, 0, 78); /* not he who sent what is quoted */
	frame_icmp_error(&frame, &in_ends, 3, 3, &asked, 28);
	stops(BRIDGE_UPLINK, DROP_NO_FLOW);
	udp(outwards(), 5001, 53);
	asked = frame;
	in_ends = inwards();
	frame_icmp_error(&frame, &in_ends, 3, 3, &asked, 28);
	stops(BRIDGE_UPLINK, DROP_NO_FLOW);
	end();
}
END_TEST

START_TEST(arp_passes_and_nothing_else_that_is_not_ip)
{
	static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };
	static const uint16_t types[] = { 0x8100, 0x88a8, 0x8863, 0x0026, 0x0805 };

	begin("pass\n");
	frame_arp(&frame, client_mac[0], everybody, 1, CLIENT_IP(0), PEER_IP);
	crosses(BRIDGE_CLIENTS);
	frame_arp(&frame, gateway_mac, client_mac[0], 2, PEER_IP, CLIENT_IP(0));
	crosses(BRIDGE_UPLINK);
	frame.gso_type = PACKET_GSO_TCPV4;
	stops(BRIDGE_UPLINK, DROP_BAD_OFFLOAD);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		udp(outwards(), 5000, 53);
		put16(frame.bytes + 12, types[i]);
		stops(BRIDGE_CLIENTS, DROP_BAD_ETHERTYPE);
		stops(BRIDGE_UPLINK, DROP_BAD_ETHERTYPE);
	}
	udp(outwards(), 5000, 53);
	frame.bytes[6] |= 1;
	stops(BRIDGE_CLIENTS, DROP_BAD_MAC);
	frame.length = 13;
	stops(BRIDGE_CLIENTS, DROP_SHORT);
	end();
}
END_TEST

START_TEST(without_rules_nothing_passes)
{
	begin(NULL);
	udp(outwards(), 5000, 53);
	stops(BRIDGE_CLIENTS, DROP_NO_RULES);
	stops(BRIDGE_UPLINK, DROP_NO_RULES);
	frame_arp(&frame, client_mac[0], gateway_mac, 1, CLIENT_IP(0), PEER_IP);
	stops(BRIDGE_CLIENTS, DROP_NO_RULES);
	put16(frame.bytes + 12, 0x86dd);
	stops(BRIDGE_CLIENTS, DROP_NO_RULES);
	end();
}
END_TEST

/* A broadcast of DHCP, from an address that nobody has. */
START_TEST(the_rules_decide_about_broadcasts)
{
	struct ends ends = { client_mac[0], (const uint8_t[]){ 255, 255, 255, 255, 255, 255 },
			     IP(0, 0, 0, 0), IP(255, 255, 255, 255) };

	begin("pass proto udp from any port 68 to any port 67\n");
	frame_udp(&frame, &ends, 68, 67, 240);
	crosses(BRIDGE_CLIENTS);
	frame_udp(&frame, &ends, 67, 67, 240);
	stops(BRIDGE_CLIENTS, DROP_BLOCKED);
	end();
}
END_TEST

START_TEST(large_and_blank_packets_cross_as_they_are)
{
	struct ends out_ends = outwards(), in_ends = inwards();

	begin("pass in on clients\npass out on uplink\n");
	tcp(outwards(), 5000, 80, SYN);
	frame_make_blank(&frame);
	crosses(BRIDGE_CLIENTS);
	tcp(inwards(), 80, 5000, SYN | ACK);
	crosses(BRIDGE_UPLINK);
	frame_tcp(&frame, &out_ends, 5000, 80, ACK | PSH, 101, 101, 60000);
	frame_make_blank(&frame);
	frame.flags |= PACKET_CSUM_VALID;
	frame.gso_type = PACKET_GSO_TCPV4;
	frame.gso_size = 1448;
	crosses(BRIDGE_CLIENTS);
	frame_tcp(&frame, &in_ends, 80, 5000, ACK | PSH, 101, 60101, 30000);
	frame_make_blank(&frame);
	frame.flags |= PACKET_CSUM_VALID;
	frame.gso_type = PACKET_GSO_TCPV4;
	frame.gso_size = 536;
	crosses(BRIDGE_UPLINK);
	end();
}
END_TEST

START_TEST(refusals_speak_for_the_destination)
{
	const struct frame *answer;

	begin("block return\n");
	tcp(outwards(), 5000, 80, SYN);
	stops(BRIDGE_CLIENTS, DROP_BLOCKED);
	answer = test_link_take(bridge.side[BRIDGE_CLIENTS]);
	ck_assert_ptr_nonnull(answer);
	ck_assert_uint_eq(frame_source(answer), PEER_IP);
	ck_assert_uint_eq(frame_tcp_flags(answer), RST | ACK);
	ck_assert_uint_eq(frame_tcp_acknowledgement(answer), 101);
	ck_assert_mem_eq(answer->bytes, client_mac[0], 6);
	udp(inwards(), 5000, 53);
	stops(BRIDGE_UPLINK, DROP_BLOCKED);
	answer = test_link_take(bridge.side[BRIDGE_UPLINK]);
	ck_assert_ptr_nonnull(answer);
	ck_assert_uint_eq(frame_source(answer), CLIENT_IP(0));
	ck_assert_uint_eq(frame_destination(answer), PEER_IP);
	ck_assert_uint_eq(frame_icmp_type(answer), 3);
	ck_assert_uint_eq(frame_icmp_code(answer), 3);
	test_link_skip(bridge.side[BRIDGE_UPLINK]);
	for (unsigned int i = 0; i < 1000; i++)
		test_link_input(bridge.side[BRIDGE_UPLINK], &frame);
	ck_assert_uint_lt(bridge.side[BRIDGE_UPLINK]->sent, 100);
	ck_assert_uint_gt(bridge.filter.answers_suppressed, 900);
	end();
}
END_TEST

START_TEST(one_side_cannot_take_the_whole_table)
{
	begin("pass\n");
	udp(inwards(), 6000, 53);
	crosses(BRIDGE_UPLINK);
	for (uint16_t i = 0; i < FLOWS; i++) {
		udp(outwards(), (uint16_t)(5000 + i), 53);
		crosses(BRIDGE_CLIENTS);
	}
	ck_assert_uint_eq(bridge.filter.flows.used, FLOWS / 2 + 1);
	ck_assert_uint_eq(flow_owned(&bridge.filter.flows, BRIDGE_UPLINK), 1);
	end();
}
END_TEST

START_TEST(limits_and_time_outs_of_rules_hold)
{
	begin("set timeout udp.first 7\npass in on uplink keep state (max 2)\n"
	      "pass in on clients keep state (max-src-states 1, udp.first 20)\npass out\n");
	udp(inwards(), 6000, 1);
	crosses(BRIDGE_UPLINK);
	udp(inwards(), 6000, 2);
	crosses(BRIDGE_UPLINK);
	udp(inwards(), 6000, 3);
	stops(BRIDGE_UPLINK, DROP_STATE_LIMIT);
	udp(outwards(), 5000, 53);
	crosses(BRIDGE_CLIENTS);
	udp(outwards(), 5001, 53);
	stops(BRIDGE_CLIENTS, DROP_SOURCE_LIMIT);
	udp((struct ends){ client_mac[0], gateway_mac, CLIENT_IP(1), PEER_IP }, 5000, 53);
	crosses(BRIDGE_CLIENTS);
	advance(10 * TEST_SECOND);
	ck_assert_uint_eq(bridge.filter.flows.used, 2);
	advance(15 * TEST_SECOND);
	ck_assert_uint_eq(bridge.filter.flows.used, 0);
	end();
	begin("set limit states 4\npass\n");
	for (uint16_t i = 0; i < 10; i++) {
		udp(outwards(), 5000, (uint16_t)(53 + i));
		crosses(BRIDGE_CLIENTS);
	}
	ck_assert_uint_eq(bridge.filter.flows.used, 2);
	end();
}
END_TEST

/* What rules want that would change a packet cannot be: it is not passed without that. */
START_TEST(what_would_be_changed_is_dropped)
{
	begin("pass\nmatch out on uplink proto udp to any port 53 nat-to 192.0.2.1\n"
	      "match in on uplink proto udp to any port 80 rdr-to 10.0.0.1\n"
	      "match in on clients proto { tcp udp } to any port 80 scrub (max-mss 1000)\n");
	udp(outwards(), 5000, 53);
	stops(BRIDGE_CLIENTS, DROP_NO_TRANSLATION);
	udp(inwards(), 5000, 80);
	stops(BRIDGE_UPLINK, DROP_NO_TRANSLATION);
	udp(inwards(), 5000, 81);
	crosses(BRIDGE_UPLINK);
	tcp(outwards(), 5000, 80, SYN);
	stops(BRIDGE_CLIENTS, DROP_NO_TRANSLATION);
	tcp(outwards(), 5000, 81, SYN);
	crosses(BRIDGE_CLIENTS);
	udp(outwards(), 5000, 80); /* has no segments */
	crosses(BRIDGE_CLIENTS);
	end();
}
END_TEST

START_TEST(order_stays_where_some_are_dropped)
{
	static struct frame frames[8];

	begin("pass\nblock proto udp to any port { 101 104 105 }\n");
	for (uint16_t i = 0; i < ARRAY_SIZE(frames); i++) {
		udp(outwards(), 5000, (uint16_t)(100 + i));
		frames[i] = frame;
	}
	test_link_input_vector(bridge.side[BRIDGE_CLIENTS], frames, ARRAY_SIZE(frames));
	for (uint16_t i = 0; i < ARRAY_SIZE(frames); i++) {
		if (i != 1 && i != 4 && i != 5)
			ck_assert_uint_eq(
				frame_destination_port(test_link_take(bridge.side[BRIDGE_UPLINK])),
				100 + i);
	}
	ck_assert_ptr_null(test_link_take(bridge.side[BRIDGE_UPLINK]));
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_rule_lets_a_connection_pass_both_ways);
	tcase_add_test(cases, both_sides_have_to_agree);
	tcase_add_test(cases, replies_need_what_they_reply_to);
	tcase_add_test(cases, what_rules_log_is_kept);
	tcase_add_test(cases, a_connection_has_to_be_seen_from_its_beginning);
	tcase_add_test(cases, without_state_each_packet_is_judged);
	tcase_add_test(cases, pings_and_errors_pass_by_state);
	tcase_add_test(cases, arp_passes_and_nothing_else_that_is_not_ip);
	tcase_add_test(cases, without_rules_nothing_passes);
	tcase_add_test(cases, the_rules_decide_about_broadcasts);
	tcase_add_test(cases, large_and_blank_packets_cross_as_they_are);
	tcase_add_test(cases, refusals_speak_for_the_destination);
	tcase_add_test(cases, one_side_cannot_take_the_whole_table);
	tcase_add_test(cases, limits_and_time_outs_of_rules_hold);
	tcase_add_test(cases, what_would_be_changed_is_dropped);
	tcase_add_test(cases, order_stays_where_some_are_dropped);
}

int main(void)
{
	return unit_main("net/bridge", add_cases);
}
