/* SPDX-License-Identifier: ISC */
/*
 * IPv6 packets, header by header: what is read, and which lie is dropped under which
 * name.
 */
#include "lib/checksum.h"
#include "tests/host/unit.h"
#include "tests/net/test_ip6.h"

static void expect(enum drop_reason expected)
{
	ck_assert(!parse());
	ck_assert_str_eq(drop_name(reason), drop_name(expected));
}

static void expect_lengths(uint32_t transport, uint32_t header)
{
	ck_assert_uint_eq(packet.l3_offset, 14);
	ck_assert_uint_eq(packet.l4_offset, transport);
	ck_assert_uint_eq(packet.length, 14 + info.ip_length);
	ck_assert_uint_eq(info.transport_length, packet.length - transport);
	ck_assert_uint_eq(info.header_length, transport - 14 + header);
	ck_assert_uint_eq(info.payload_length, info.transport_length - header);
}

START_TEST(plain_packets)
{
	begin();
	add_tcp(5);
	ck_assert(parse());
	expect_lengths(START, 20);
	ck_assert_uint_eq(info.key.interface, INTERFACE);
	ck_assert_uint_eq(info.key.protocol, IP_PROTOCOL_TCP);
	ck_assert_uint_eq(be16_get(info.key.source_port), 9);
	ck_assert_uint_eq(be16_get(info.key.destination_port), 80);
	ck_assert_uint_eq(info.tcp_sequence, 5);
	ck_assert_uint_eq(info.tcp_acknowledgement, 6);
	ck_assert_uint_eq(info.tcp_window, 77);
	ck_assert_uint_eq(info.tcp_flags, TCP_ACK);
	ck_assert_uint_eq(info.ttl, 64);
	ck_assert_uint_eq(info.traffic_class, 0xab);
	ck_assert_uint_eq(info.flow_label, 0x12345);
	ck_assert_uint_eq(info.ip6.source.bytes[15], 1);
	ck_assert_uint_eq(info.ip6.destination.bytes[15], 2);
	begin();
	add_udp(3);
	ck_assert(parse());
	expect_lengths(START, 8);
	ck_assert_uint_eq(be16_get(info.key.destination_port), 53);
	begin();
	add_icmp(ICMP6_ECHO_REQUEST, 3);
	ck_assert(parse());
	ck_assert_uint_eq(info.kind, PACKET_ORDINARY);
	ck_assert_uint_eq(be16_get(info.key.source_port), 42);
	begin();
	add_icmp(ICMP6_ECHO_REPLY, 3);
	ck_assert(parse());
	ck_assert_uint_eq(be16_get(info.key.destination_port), 42);
	ck_assert_uint_eq(be16_get(info.key.source_port), 0);
	begin();
	add(132, 12);
	ck_assert(parse());
	expect_lengths(START, 0);
	begin();
	length += 4;
	ck_assert(parse());
	ck_assert_uint_eq(info.key.protocol, IP6_NO_NEXT_HEADER);
}
END_TEST

START_TEST(padding_is_cut_and_lengths_are_checked)
{
	begin();
	add_udp(1);
	put16(18, length - START);
	length += 9;
	ck_assert(parse_head(length, 0, 0, 0));
	expect_lengths(START, 8);
	put16(18, length - START + 1);
	ck_assert(!parse_head(length, 0, 0, 0));
	ck_assert_uint_eq(reason, DROP_SHORT);
	bytes[14] = 0x45;
	expect(DROP_BAD_IP_HEADER);
	begin();
	add_udp(0);
	bytes[START + 5] = 7;
	expect(DROP_BAD_TRANSPORT);
	bytes[START + 5] = 9;
	expect(DROP_BAD_TRANSPORT);
	begin();
	add_tcp(4);
	for (uint8_t words = 0; words < 16; words++) {
		bytes[START + 12] = (uint8_t)(words << 4);
		if (words == 5 || words == 6)
			ck_assert(parse());
		else
			expect(DROP_BAD_TRANSPORT);
	}
}
END_TEST

/* Every subset of the headers in the order of RFC 8200, before every transport. */
START_TEST(every_combination_in_order)
{
	static const uint8_t order[] = { IP6_HOP_BY_HOP,     IP6_DESTINATION_OPTIONS,
					 IP6_ROUTING,	     IP6_FRAGMENT,
					 IP6_AUTHENTICATION, IP6_DESTINATION_OPTIONS };

	for (unsigned int i = 0; i < 4u << ARRAY_SIZE(order); i++) {
		uint32_t before;

		begin();
		for (unsigned int j = 0; j < ARRAY_SIZE(order); j++) {
			if (i >> j & 1)
				add_extension(order[j], j % 2 ? 16 : 24);
			if (i >> j & 1 && order[j] == IP6_FRAGMENT)
				length -= 8; /* it has but one size */
		}
		before = length;
		if (i >> ARRAY_SIZE(order) == 0)
			add_tcp(0);
		else if (i >> ARRAY_SIZE(order) == 1)
			add_udp(2);
		else if (i >> ARRAY_SIZE(order) == 2)
			add_icmp(ICMP6_ECHO_REQUEST, 2);
		else
			add(132, 2);
		ck_assert_msg(parse(), "%x: %s", i, drop_name(reason));
		ck_assert_uint_eq(packet.l4_offset, before);
		ck_assert_uint_eq(info.fragment.header != 0, i >> 3 & 1);
		ck_assert_uint_eq(info.authenticated, i >> 4 & 1);
		for (uint32_t cut = START; cut < before; cut++) {
			length = cut;
			put16(18, cut - START);
			ck_assert(!parse_head(cut, 0, 0, 0));
		}
	}
}
END_TEST

START_TEST(headers_out_of_place)
{
	static const uint8_t wrong[][3] = {
		{ IP6_DESTINATION_OPTIONS, IP6_HOP_BY_HOP, IP6_DESTINATION_OPTIONS },
		{ IP6_HOP_BY_HOP, IP6_HOP_BY_HOP, IP6_DESTINATION_OPTIONS },
		{ IP6_FRAGMENT, IP6_HOP_BY_HOP, IP6_DESTINATION_OPTIONS },
		{ IP6_FRAGMENT, IP6_FRAGMENT, IP6_DESTINATION_OPTIONS },
		{ IP6_FRAGMENT, IP6_ROUTING, IP6_DESTINATION_OPTIONS },
		{ IP6_ROUTING, IP6_ROUTING, IP6_DESTINATION_OPTIONS },
		{ IP6_AUTHENTICATION, IP6_AUTHENTICATION, IP6_DESTINATION_OPTIONS },
		{ IP6_AUTHENTICATION, IP6_FRAGMENT, IP6_DESTINATION_OPTIONS },
		{ IP6_DESTINATION_OPTIONS, IP6_DESTINATION_OPTIONS, IP6_DESTINATION_OPTIONS },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		begin();
		for (unsigned int j = 0; j < 3; j++)
			add_extension(wrong[i][j], wrong[i][j] == IP6_FRAGMENT ? 8 : 16);
		add_tcp(0);
		expect(DROP_IP6_EXTENSION);
	}
}
END_TEST

START_TEST(routing_options_and_jumbo)
{
	uint8_t *header;

	begin();
	header = add_extension(IP6_ROUTING, 24);
	add_udp(0);
	ck_assert(parse());
	header[2] = IP6_ROUTING_SOURCE_ROUTE;
	expect(DROP_IP6_ROUTING);
	header[2] = 4;
	header[3] = 1;
	expect(DROP_IP6_ROUTING);

	begin();
	header = add_extension(IP6_HOP_BY_HOP, 8);
	add_udp(0);
	header[2] = IP6_OPTION_ROUTER_ALERT;
	header[3] = 2;
	ck_assert(parse());
	ck_assert(info.router_alert);
	header[2] = IP6_OPTION_JUMBO;
	header[3] = 4;
	expect(DROP_IP6_JUMBO);
	header[2] = 0x1e;
	ck_assert(parse()); /* unknown, may be skipped */
	header[2] = 0x5e;
	expect(DROP_IP_OPTIONS);
	header[2] = 1;
	header[3] = 5;
	expect(DROP_IP6_EXTENSION);
	header[3] = 3;
	header[7] = 1; /* an option without a length */
	expect(DROP_IP6_EXTENSION);

	begin();
	add_extension(IP6_HOP_BY_HOP, 8)[2] = 1;
	put16(18, 0);
	ck_assert(!parse_head(length, 0, 0, 0));
	ck_assert_uint_eq(reason, DROP_IP6_JUMBO);

	begin();
	add_extension(IP6_DESTINATION_OPTIONS, 8)[2] = 0xde; /* the host's to refuse */
	add_udp(0);
	ck_assert(parse());
	begin();
	add_extension(IP6_AUTHENTICATION, 12);
	add_udp(0);
	expect(DROP_IP6_EXTENSION);
}
END_TEST

START_TEST(long_chains_and_unknown_headers)
{
	static const uint8_t unknown[] = { 1, 2, IP6_MOBILITY, IP6_HIP, IP6_SHIM6, 200, 253, 255 };

	begin();
	add_extension(IP6_DESTINATION_OPTIONS, PARSE6_CHAIN_BYTES);
	add_udp(0);
	ck_assert(parse());
	begin();
	add_extension(IP6_DESTINATION_OPTIONS, PARSE6_CHAIN_BYTES);
	add_extension(IP6_ROUTING, 8);
	add_udp(0);
	expect(DROP_IP6_CHAIN);
	begin();
	add_extension(IP6_DESTINATION_OPTIONS, 64);
	add_udp(0);
	put16(18, length - START);
	for (uint32_t head = 0; head < length; head++) {
		ck_assert(!parse_head(head, 0, 0, 0));
		if (head >= START && head < START + 64)
			ck_assert_uint_eq(reason, DROP_IP6_CHAIN);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
		begin();
		add(unknown[i], 16);
		expect(DROP_IP6_UNKNOWN);
	}
}
END_TEST

START_TEST(fragment_headers)
{
	begin();
	add_fragment(0, true);
	add_udp(0);
	bytes[length - 3] = 100; /* the datagram's length, not this fragment's */
	ck_assert(parse());
	ck_assert(parse6_is_first_fragment(&info.fragment));
	ck_assert_uint_eq(info.fragment.header, START);
	ck_assert_uint_eq(info.fragment.id, 0xbeef);
	ck_assert_uint_eq(be16_get(info.key.destination_port), 53);
	begin();
	add_fragment(0, false);
	add_udp(0);
	ck_assert(parse()); /* atomic: as if the header were not there */
	ck_assert(!parse6_is_first_fragment(&info.fragment));
	ck_assert(!parse6_is_later_fragment(&info.fragment));
	bytes[length - 3] = 100;
	expect(DROP_BAD_TRANSPORT);
	begin();
	add_fragment(1480, false);
	add(IP6_HOP_BY_HOP, 3); /* payload, whatever the first one's chain says */
	ck_assert(parse());
	ck_assert(parse6_is_later_fragment(&info.fragment));
	ck_assert_uint_eq(info.fragment.offset, 1480);
	ck_assert_uint_eq(info.transport_length, 3);
	ck_assert_uint_eq(info.key.source_port.raw, 0);

	for (uint32_t cut = 0; cut < 24; cut += 8) { /* options, then TCP: cut everywhere */
		begin();
		add_fragment(0, true);
		add_extension(IP6_DESTINATION_OPTIONS, 8);
		add_tcp(0);
		length = START + 8 + cut;
		expect(DROP_FRAGMENT_TINY);
	}
	begin();
	add_fragment(0, true);
	add_extension(IP6_DESTINATION_OPTIONS, 8);
	bytes[next_at] = 132;
	expect(DROP_FRAGMENT_TINY);
	begin();
	add_fragment(0, true);
	add_icmp(ICMP6_NEIGHBOUR_SOLICITATION, 16);
	bytes[21] = 255;
	expect(DROP_BAD_NDP);
}
END_TEST

START_TEST(neighbour_discovery)
{
	for (uint8_t type = ICMP6_ROUTER_SOLICITATION; type <= ICMP6_REDIRECT; type++) {
		begin();
		add_icmp(type, 16);
		expect(DROP_BAD_NDP);
		bytes[21] = 255;
		ck_assert(parse());
		ck_assert_uint_eq(info.kind, PACKET_ICMP_OTHER);
		bytes[START + 1] = 1;
		expect(DROP_BAD_NDP);
	}
}
END_TEST

START_TEST(offloads_take_one_form)
{
	uint16_t sum;

	begin();
	add_tcp(1000);
	put16(18, length - START);
	ck_assert(parse_head(length, 0, PACKET_GSO_TCPV6, 500));
	ck_assert_uint_eq(packet.gso_type, PACKET_GSO_TCPV6);
	ck_assert(packet.flags & PACKET_CSUM_BLANK);
	sum = checksum_fold(checksum_pseudo_ip6(bytes + 22, bytes + 38, IP_PROTOCOL_TCP, 1020)).raw;
	ck_assert_mem_eq(bytes + START + 16, &sum, 2);
	ck_assert(parse_head(length, 0, PACKET_GSO_TCPV6, 1000));
	ck_assert_uint_eq(packet.gso_type, PACKET_GSO_NONE);
	ck_assert(packet.flags & PACKET_CSUM_BLANK);
	ck_assert(!parse_head(length, 0, PACKET_GSO_TCPV4, 500));
	ck_assert_uint_eq(reason, DROP_BAD_GSO);
	ck_assert(!parse_head(length, 0, PACKET_GSO_TCPV6, 0));
	bytes[START + 13] = TCP_SYN;
	ck_assert(!parse_head(length, 0, PACKET_GSO_TCPV6, 500));
	ck_assert_uint_eq(reason, DROP_BAD_GSO);
	begin();
	add(132, 20);
	put16(18, length - START);
	ck_assert(!parse_head(length, PACKET_CSUM_BLANK, 0, 0));
	ck_assert_uint_eq(reason, DROP_BAD_OFFLOAD);
	begin();
	add_extension(IP6_AUTHENTICATION, 16);
	add_udp(8);
	put16(18, length - START);
	ck_assert(!parse_head(length, PACKET_CSUM_BLANK, 0, 0));
	ck_assert_uint_eq(reason, DROP_BAD_OFFLOAD);
	begin();
	add_fragment(0, true);
	add_udp(8);
	put16(18, length - START);
	ck_assert(!parse_head(length, PACKET_CSUM_BLANK, 0, 0));
	ck_assert_uint_eq(reason, DROP_BAD_OFFLOAD);
}
END_TEST

/* Also of a protocol without ports there must be eight bytes. */
START_TEST(quotes)
{
	uint8_t protocol = _i ? 47 : IP_PROTOCOL_UDP;
	struct quoted_packet quoted;
	uint32_t whole;

	begin();
	add_quote(false);
	whole = length;
	bytes[whole - 16] = protocol;
	for (length = START + 8; length <= whole; length++) {
		uint8_t *data;

		ck_assert(parse());
		ck_assert_uint_eq(info.kind, PACKET_ICMP_ERROR);
		data = malloc(length);
		memcpy(data, bytes, length);
		packet.data = data;
		ck_assert_uint_eq(parse6_quoted(&packet, &info, &quoted), length == whole);
		free(data);
	}
	ck_assert_uint_eq(quoted.ip_offset, START + 8);
	ck_assert_uint_eq(quoted.transport_offset, whole - 8);
	ck_assert_uint_eq(quoted.answer.key.protocol, protocol);
	ck_assert_uint_eq(quoted.answer.key.interface, INTERFACE);
	ck_assert_uint_eq(be16_get(quoted.answer.key.source_port), _i ? 0 : 53);
	ck_assert_uint_eq(be16_get(quoted.answer.key.destination_port), _i ? 0 : 9);
	ck_assert_uint_eq(quoted.answer.ip6.source.bytes[15], 2);
	ck_assert_uint_eq(quoted.answer.ip6.destination.bytes[15], 3);
	begin();
	add_quote(true);
	ck_assert(parse());
	packet.data = bytes;
	ck_assert(!parse6_quoted(&packet, &info, &quoted));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, plain_packets);
	tcase_add_test(cases, padding_is_cut_and_lengths_are_checked);
	tcase_add_test(cases, every_combination_in_order);
	tcase_add_test(cases, headers_out_of_place);
	tcase_add_test(cases, routing_options_and_jumbo);
	tcase_add_test(cases, long_chains_and_unknown_headers);
	tcase_add_test(cases, fragment_headers);
	tcase_add_test(cases, neighbour_discovery);
	tcase_add_test(cases, offloads_take_one_form);
	tcase_add_loop_test(cases, quotes, 0, 2);
}

int main(void)
{
	return unit_main("parse6", add_cases);
}
