/* SPDX-License-Identifier: ISC */
/* Frames that lie about themselves. Each is dropped for the reason that names the lie. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct frame frame;

static void expect(struct test_net *net, enum drop_reason reason)
{
	test_drop(net, &net->client[0], &frame, reason);
	ck_assert_uint_eq(net->router.flows.used, 0);
}

static void good_udp(void)
{
	struct ends ends = ends_out(0, SERVER_IP);

	frame_udp(&frame, &ends, 5000, 53, 20);
}

static void good_tcp(void)
{
	struct ends ends = ends_out(0, SERVER_IP);

	frame_tcp(&frame, &ends, 5000, 80, SYN, 1, 0, 8);
}

/* Changes a 16-bit field and makes the IPv4 checksum right again. */
static void change(unsigned int offset, uint16_t value)
{
	put16(frame.bytes + offset, value);
	put16(frame.bytes + 24, 0);
	put16(frame.bytes + 24, (uint16_t)~naive_sum(frame.bytes + 14, 20, 0));
}

START_TEST(short_frames)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);

	for (uint32_t length = 1; length < 62; length++) {
		good_udp();
		frame.length = length;
		expect(net, DROP_SHORT);
	}
	good_udp();
	change(16, 49);
	frame.length = 62;
	expect(net, DROP_SHORT); /* says one more than there is */
	test_net_end(net);
}
END_TEST

START_TEST(short_transport_headers)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);

	for (uint16_t bytes = 20; bytes < 28; bytes++) {
		good_udp();
		change(16, bytes);
		expect(net, DROP_BAD_TRANSPORT);
	}
	for (uint16_t bytes = 20; bytes < 40; bytes++) {
		good_tcp();
		change(16, bytes);
		expect(net, DROP_BAD_TRANSPORT);
	}
	for (uint16_t bytes = 20; bytes < 28; bytes++) {
		struct ends ends = ends_out(0, SERVER_IP);

		frame_echo(&frame, &ends, false, 1, 1, 0);
		change(16, bytes);
		expect(net, DROP_BAD_TRANSPORT);
	}
	test_net_end(net);
}
END_TEST

START_TEST(bad_ip_headers)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);

	good_udp();
	change(14, 0x4400);
	expect(net, DROP_BAD_IP_HEADER);
	good_udp();
	change(14, 0x6500);
	expect(net, DROP_BAD_IP_HEADER);
	good_udp();
	change(16, 19);
	expect(net, DROP_BAD_IP_HEADER);
	good_udp();
	change(14, 0x4600);
	expect(net, DROP_IP_OPTIONS);
	good_udp();
	frame.bytes[22]--;
	expect(net, DROP_BAD_CHECKSUM);
	test_net_end(net);
}
END_TEST

START_TEST(bad_udp)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);

	good_udp();
	put16(frame.bytes + 38, 7);
	expect(net, DROP_BAD_TRANSPORT);
	good_udp();
	put16(frame.bytes + 38, 29);
	expect(net, DROP_BAD_TRANSPORT);
	good_udp();
	put16(frame.bytes + 36, 0);
	expect(net, DROP_BAD_TRANSPORT);
	test_net_end(net);
}
END_TEST

START_TEST(bad_tcp)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);
	static const uint8_t flags[] = {
		0,	   SYN | FIN, SYN | RST, FIN, RST | FIN | ACK, SYN | FIN | RST | ACK,
		FIN | PSH, 0xc0
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		good_tcp();
		frame.bytes[47] = flags[i];
		expect(net, DROP_BAD_TRANSPORT);
	}
	for (unsigned int words = 0; words < 16; words++) {
		if (words >= 5 && words <= 7) /* there are 8 bytes behind the header */
			continue;
		good_tcp();
		frame.bytes[46] = (uint8_t)(words << 4);
		expect(net, DROP_BAD_TRANSPORT);
	}
	good_tcp();
	put16(frame.bytes + 34, 0);
	expect(net, DROP_BAD_TRANSPORT);
	good_tcp();
	put16(frame.bytes + 36, 0);
	expect(net, DROP_BAD_TRANSPORT);
	test_net_end(net);
}
END_TEST

START_TEST(options_of_tcp_may_be_nonsense)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);
	static const uint8_t nonsense[][8] = {
		{ 3, 0 },
		{ 3, 1 },
		{ 3, 9 },
		{ 2, 255 },
		{ 1, 1, 1, 1, 1, 1, 1, 3 },
		{ 1, 1, 1, 1, 1, 1, 3, 3 },
		{ 3, 3, 255 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		good_tcp();
		put16(frame.bytes + 34, (uint16_t)(5000 + i));
		frame.bytes[46] = 7 << 4;
		memcpy(frame.bytes + 54, nonsense[i], 8);
		frame_finish(&frame);
		if (i >= 2)
			router_flush_flows(&net->router);
		test_pass(net, &net->client[0], &net->uplink, &frame);
	}
	test_net_end(net);
}
END_TEST

START_TEST(offloads_must_fit_the_packet)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);
	struct ends ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);
	const struct frame *out;

	frame_echo(&frame, &ends, false, 1, 1, 8);
	frame.flags = PACKET_CSUM_BLANK;
	expect(net, DROP_BAD_OFFLOAD);
	frame_ip4(&frame, &ends, 47, 8);
	frame.flags = PACKET_CSUM_BLANK;
	expect(net, DROP_BAD_OFFLOAD);
	good_udp();
	frame.gso_type = PACKET_GSO_TCPV4;
	frame.gso_size = 8;
	expect(net, DROP_BAD_GSO);
	good_tcp(); /* a SYN cannot be cut */
	frame.gso_type = PACKET_GSO_TCPV4;
	frame.gso_size = 4;
	expect(net, DROP_BAD_GSO);
	good_tcp();
	frame.bytes[47] = ACK;
	frame_finish(&frame);
	frame.gso_type = PACKET_GSO_TCPV4;
	expect(net, DROP_BAD_GSO); /* size 0 */
	frame.gso_type = PACKET_GSO_TCPV6;
	frame.gso_size = 4;
	expect(net, DROP_BAD_GSO);

	/* One segment is no segmentation; a full checksum becomes a blank one. */
	good_tcp();
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_tcp(&frame, &in_ends, 80, 5000, SYN | ACK, 9, 10, 0);
	test_pass(net, &net->uplink, &net->client[0], &frame);
	frame_tcp(&frame, &ends, 5000, 80, ACK, 10, 10, 8);
	frame.gso_type = PACKET_GSO_TCPV4;
	frame.gso_size = 8;
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert_uint_eq(out->gso_type, PACKET_GSO_NONE);
	ck_assert(out->flags & PACKET_CSUM_BLANK);
	frame.gso_size = 7;
	out = test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert_uint_eq(out->gso_type, PACKET_GSO_TCPV4);
	ck_assert(out->flags & PACKET_CSUM_BLANK);
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, short_frames);
	tcase_add_test(cases, short_transport_headers);
	tcase_add_test(cases, bad_ip_headers);
	tcase_add_test(cases, bad_udp);
	tcase_add_test(cases, bad_tcp);
	tcase_add_test(cases, options_of_tcp_may_be_nonsense);
	tcase_add_test(cases, offloads_must_fit_the_packet);
}

int main(void)
{
	return unit_main("net/parse", add_cases);
}
