/* SPDX-License-Identifier: ISC */
/* IPv6 over the bridge's filter: flows, errors, refusals; and that IPv4's are others. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_bridge.h"

#define FLOWS 64u
#define OUTWARDS BRIDGE_CLIENTS, BRIDGE_CLIENT6, BRIDGE_SERVER6
#define INWARDS BRIDGE_UPLINK, BRIDGE_SERVER6, BRIDGE_CLIENT6
#define ONE_WAY "pass in on clients\npass out on uplink\n"

static struct box_frame frame;

START_TEST(a_rule_lets_a_connection_pass_both_ways)
{
	test_bridge_begin("pass in on clients inet6 proto tcp to any port 80\npass out on uplink\n",
			  FLOWS);
	bridge_tcp(&frame, OUTWARDS, 5000, 80, SYN);
	test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	ck_assert_uint_eq(test_bridge.filter.flows.used6, 1);
	bridge_tcp(&frame, INWARDS, 80, 5000, SYN | ACK);
	test_bridge_crosses(BRIDGE_UPLINK, &frame);
	bridge_tcp(&frame, OUTWARDS, 5000, 80, ACK);
	test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	bridge_tcp(&frame, OUTWARDS, 5000, 81, SYN);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	bridge_tcp(&frame, INWARDS, 5001, 80, SYN);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BLOCKED);
	bridge_tcp(&frame, BRIDGE_CLIENTS, BRIDGE_CLIENT4, BRIDGE_SERVER4, 5000, 80, SYN);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	test_bridge_end();
}
END_TEST

/* All of the address counts, not the part of it that a key holds. */
START_TEST(answers_come_from_who_was_asked)
{
	test_bridge_begin(ONE_WAY, FLOWS);
	bridge_udp(&frame, OUTWARDS, 5000, 53, 20);
	test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	bridge_udp(&frame, BRIDGE_UPLINK, "2001:db8:1::80", BRIDGE_CLIENT6, 53, 5000, 20);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BLOCKED);
	bridge_udp(&frame, BRIDGE_UPLINK, BRIDGE_SERVER6, "fd00:1::10", 53, 5000, 20);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BLOCKED);
	bridge_udp(&frame, INWARDS, 53, 5000, 20);
	test_bridge_crosses(BRIDGE_UPLINK, &frame);
	test_bridge_end();
}
END_TEST

START_TEST(pings_pass_by_state)
{
	test_bridge_begin("pass in on clients proto icmp6 icmp6-type echoreq\npass out on uplink\n",
			  FLOWS);
	bridge_echo(&frame, INWARDS, true, 7);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BLOCKED);
	bridge_echo(&frame, OUTWARDS, false, 7);
	test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	bridge_echo(&frame, INWARDS, true, 7);
	test_bridge_crosses(BRIDGE_UPLINK, &frame);
	bridge_echo(&frame, INWARDS, true, 8);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BLOCKED);
	bridge_echo(&frame, INWARDS, false, 7);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BLOCKED);
	test_bridge_end();
}
END_TEST

/* Of both versions: unreachable, too big (in IPv4 a code of it), time exceeded, and a bad field. */
START_TEST(errors_pass_to_who_sent_what_they_quote)
{
	static const struct {
		const char *client, *other_client, *server, *hop;
		uint8_t types[4], codes[4];
	} rows[] = {
		{ BRIDGE_CLIENT4,
		  "10.138.0.10",
		  BRIDGE_SERVER4,
		  "10.0.0.1",
		  { 3, 3, 11, 12 },
		  { 3, 4, 0, 0 } },
		{ BRIDGE_CLIENT6,
		  "fd00:1::10",
		  BRIDGE_SERVER6,
		  "fd00::1",
		  { 1, 2, 3, 4 },
		  { 4, 0, 0, 1 } },
	};
	static struct box_frame asked, unasked;

	test_bridge_begin(ONE_WAY, FLOWS);
	for (unsigned int v = 0; v < ARRAY_SIZE(rows); v++) {
		bridge_udp(&unasked, BRIDGE_CLIENTS, rows[v].client, rows[v].server, 5001, 53, 20);
		bridge_udp(&asked, BRIDGE_CLIENTS, rows[v].client, rows[v].server, 5000, 53, 20);
		test_bridge_crosses(BRIDGE_CLIENTS, &asked);
		for (unsigned int i = 0; i < ARRAY_SIZE(rows[v].types); i++) {
			bridge_error(&frame, BRIDGE_UPLINK, rows[v].hop, rows[v].client,
				     rows[v].types[i], rows[v].codes[i], &asked);
			test_bridge_crosses(BRIDGE_UPLINK, &frame);
			/* Not from the side where the packet came from. */
			test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_NO_FLOW);
			bridge_error(&frame, BRIDGE_UPLINK, rows[v].hop, rows[v].other_client,
				     rows[v].types[i], rows[v].codes[i], &asked);
			test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_NO_FLOW);
			bridge_error(&frame, BRIDGE_UPLINK, rows[v].hop, rows[v].client,
				     rows[v].types[i], rows[v].codes[i], &unasked);
			test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_NO_FLOW);
		}
		frame.length -= 44; /* no whole header is left of what it quotes */
		bridge_finish(&frame);
		test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BAD_TRANSPORT);
	}
	test_bridge_end();
}
END_TEST

/* What box6_take() finds is checked; its addresses are those of the refused packet. */
static const struct box_frame *answer_to_client(void)
{
	const struct box_frame *answer = box6_take();

	ck_assert_ptr_nonnull(answer);
	ck_assert_ptr_eq(answer->link, &box.link[0]);
	ck_assert_mem_eq(answer->bytes, box_peer_mac, 6);
	ck_assert_mem_eq(answer->bytes + 22, frame.bytes + 38, 16);
	ck_assert_mem_eq(answer->bytes + 38, frame.bytes + 22, 16);
	ck_assert_ptr_null(box6_take());
	return answer;
}

START_TEST(refusals_speak_for_the_destination)
{
	const struct box_frame *answer;

	test_bridge_begin("block return\nblock return-icmp6(admin-unr) proto udp to any port 54\n",
			  FLOWS);
	bridge_tcp(&frame, OUTWARDS, 5000, 80, SYN);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	answer = answer_to_client();
	ck_assert_uint_eq(answer->bytes[20], 6);
	ck_assert_uint_eq(answer->bytes[BOX_START + 13], RST | ACK);
	ck_assert_uint_eq(get32(answer->bytes + BOX_START + 8), 101);
	bridge_udp(&frame, OUTWARDS, 5000, 53, 20);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	answer = answer_to_client();
	ck_assert_uint_eq(answer->bytes[BOX_START], 1);
	ck_assert_uint_eq(answer->bytes[BOX_START + 1], 4);
	bridge_udp(&frame, OUTWARDS, 5000, 54, 20);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	answer = answer_to_client();
	ck_assert_uint_eq(answer->bytes[BOX_START], 1);
	ck_assert_uint_eq(answer->bytes[BOX_START + 1], 1);
	bridge_udp(&frame, BRIDGE_CLIENTS, BRIDGE_CLIENT6, "ff02::1", 5000, 53, 20);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	ck_assert_ptr_null(box6_take());
	test_bridge_end();
}
END_TEST

START_TEST(ip6_and_one_side_cannot_take_the_whole_table)
{
	test_bridge_begin("pass\n", FLOWS);
	for (uint16_t i = 0; i < FLOWS; i++) {
		bridge_udp(&frame, OUTWARDS, 5000, (uint16_t)(53 + i), 20);
		test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	}
	ck_assert_uint_eq(test_bridge.filter.flows.used, FLOWS / 4);
	bridge_udp(&frame, INWARDS, 5000, 1, 20);
	test_bridge_crosses(BRIDGE_UPLINK, &frame);
	ck_assert_uint_eq(flow_owned(&test_bridge.filter.flows, BRIDGE_UPLINK), 1);
	test_bridge_end();
}
END_TEST

START_TEST(large_and_blank_packets_cross_as_they_are)
{
	test_bridge_begin(ONE_WAY, FLOWS);
	test_bridge.flags = PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
	bridge_tcp(&frame, OUTWARDS, 5000, 80, SYN);
	test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	bridge_tcp(&frame, INWARDS, 80, 5000, SYN | ACK);
	test_bridge_crosses(BRIDGE_UPLINK, &frame);
	bridge_tcp(&frame, OUTWARDS, 5000, 80, ACK);
	box6_add(&frame, 1900);
	bridge_finish(&frame);
	test_bridge.gso_type = PACKET_GSO_TCPV6;
	test_bridge.gso_size = 500;
	test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	test_bridge.gso_type = PACKET_GSO_TCPV4;
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BAD_GSO);
	test_bridge_end();
}
END_TEST

/* Each for its own reason, and in whichever direction. */
START_TEST(what_cannot_be_judged_is_dropped)
{
	uint8_t *header;

	test_bridge_begin("pass no state\n", FLOWS);
	bridge_udp(&frame, OUTWARDS, 5000, 53, 20);
	frame.bytes[14] = 0x50;
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BAD_IP_HEADER);
	bridge_udp(&frame, OUTWARDS, 5000, 53, 20);
	frame.bytes[20] = 1; /* ICMP of IPv4 */
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_IP6_UNKNOWN);
	bridge_ip(&frame, OUTWARDS, 43);
	header = box6_add(&frame, 8);
	header[0] = 59;
	header[3] = 1; /* one more place to go */
	bridge_finish(&frame);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_IP6_ROUTING);
	test_bridge_end();
	test_bridge_begin(NULL, FLOWS);
	bridge_udp(&frame, OUTWARDS, 5000, 53, 20);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_NO_RULES);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_NO_RULES);
	test_bridge_end();
}
END_TEST

/* A question of DHCPv6 goes to everybody; its answer is none to it, and needs its rule. */
START_TEST(the_rules_decide_about_dhcp)
{
	test_bridge_begin("pass in on clients proto udp from any port 546 to ff02::1:2 port 547\n"
			  "pass in on uplink proto udp from fe80::/10 port 547 to any port 546\n"
			  "pass out proto udp\n",
			  FLOWS);
	bridge_udp(&frame, BRIDGE_CLIENTS, "fe80::10", "ff02::1:2", 546, 547, 60);
	test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	bridge_udp(&frame, BRIDGE_UPLINK, "fe80::1", "fe80::10", 547, 546, 60);
	test_bridge_crosses(BRIDGE_UPLINK, &frame);
	bridge_udp(&frame, BRIDGE_UPLINK, BRIDGE_SERVER6, "fe80::10", 547, 546, 60);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BLOCKED);
	bridge_udp(&frame, BRIDGE_CLIENTS, "fe80::10", "ff02::1:3", 546, 547, 60);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	test_bridge_end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_rule_lets_a_connection_pass_both_ways);
	tcase_add_test(cases, answers_come_from_who_was_asked);
	tcase_add_test(cases, pings_pass_by_state);
	tcase_add_test(cases, errors_pass_to_who_sent_what_they_quote);
	tcase_add_test(cases, refusals_speak_for_the_destination);
	tcase_add_test(cases, ip6_and_one_side_cannot_take_the_whole_table);
	tcase_add_test(cases, large_and_blank_packets_cross_as_they_are);
	tcase_add_test(cases, what_cannot_be_judged_is_dropped);
	tcase_add_test(cases, the_rules_decide_about_dhcp);
}

int main(void)
{
	return unit_main("net/bridge6", add_cases);
}
