/* SPDX-License-Identifier: ISC */
/* Peers without features: every combination, both ways, with the bytes compared. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct frame frame, answer;

static const uint32_t feature_sets[] = {
	0,
	NETDEV_TX_CSUM_IPV4,
	NETDEV_TX_SG,
	NETDEV_TX_SG | NETDEV_TX_CSUM_IPV4,
	NETDEV_TX_GSO_TCPV4 | NETDEV_TX_CSUM_IPV4,
	NETDEV_TX_GSO_TCPV4 | NETDEV_TX_SG,
	NETDEV_TX_GSO_TCPV4 | NETDEV_TX_SG | NETDEV_TX_CSUM_IPV4,
};

static bool can_gso(uint32_t features)
{
	return (features & TEST_ALL_FEATURES) == TEST_ALL_FEATURES;
}

/* A connection whose flow exists, so that a large packet may follow. */
static void open_flow(struct test_net *net)
{
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);

	frame_tcp(&frame, &out_ends, 4000, 80, SYN, 100, 0, 0);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_tcp(&answer, &in_ends, 80, 4000, SYN | ACK, 900, 101, 0);
	test_pass(net, &net->uplink, &net->client[0], &answer);
}

/* Collects what was made of `sent` and compares the stream of bytes. */
static void expect_segments(struct test_link *to, const struct frame *sent)
{
	uint32_t done = 0, payload = sent->length - 54;
	const struct frame *out;
	uint16_t id = get16(sent->bytes + 18);

	for (uint16_t i = 0; (out = test_link_take(to)); i++) {
		uint32_t bytes = out->length - 54;
		bool last = done + bytes == payload;

		ck_assert_uint_eq(out->gso_type, PACKET_GSO_NONE);
		ck_assert_uint_eq(out->flags & PACKET_CSUM_BLANK, 0);
		ck_assert_uint_le(bytes, sent->gso_size);
		ck_assert_uint_eq(frame_tcp_sequence(out), frame_tcp_sequence(sent) + done);
		ck_assert_uint_eq(get16(out->bytes + 18), (uint16_t)(id + i));
		ck_assert_uint_eq(frame_tcp_flags(out) & (FIN | PSH), last ? FIN | PSH : 0);
		ck_assert_uint_eq(frame_tcp_flags(out) & 0x80, i ? 0 : 0x80);
		ck_assert_mem_eq(out->bytes + 54, sent->bytes + 54 + done, bytes);
		done += bytes;
	}
	ck_assert_uint_eq(done, payload);
}

static void large(struct frame *to, const struct ends *ends, uint16_t from_port, uint16_t to_port,
		  uint32_t sequence, uint32_t ack, uint32_t payload)
{
	frame_tcp(to, ends, from_port, to_port, ACK | PSH | FIN | 0x80, sequence, ack, payload);
	frame_make_blank(to);
	to->gso_type = PACKET_GSO_TCPV4;
	to->gso_size = 1448;
}

START_TEST(large_packets_are_cut_for_the_uplink)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);
	static const uint32_t sizes[] = { 1449, 2896, 4000, 14480, 64000 };
	struct ends ends = ends_out(0, SERVER_IP);

	open_flow(net);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		net->uplink.netdev.features = feature_sets[_i];
		large(&frame, &ends, 4000, 80, 101, 901, sizes[i]);
		test_link_input(&net->client[0], &frame);
		if (!can_gso(feature_sets[_i])) {
			expect_segments(&net->uplink, &frame);
			continue;
		}
		ck_assert_uint_eq(test_link_take(&net->uplink)->length, frame.length);
		ck_assert_ptr_null(test_link_take(&net->uplink));
	}
	test_net_end(net);
}
END_TEST

START_TEST(large_packets_are_cut_for_a_client)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);
	static const uint32_t sizes[] = { 1449, 2897, 4001, 64000 };
	struct ends ends = ends_in(SERVER_IP);

	open_flow(net);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		net->client[0].netdev.features = feature_sets[_i];
		large(&answer, &ends, 80, 4000, 901, 101, sizes[i]);
		test_link_input(&net->uplink, &answer);
		if (!can_gso(feature_sets[_i])) {
			expect_segments(&net->client[0], &answer);
			continue;
		}
		ck_assert_uint_eq(test_link_take(&net->client[0])->length, answer.length);
		ck_assert_ptr_null(test_link_take(&net->client[0]));
	}
	test_net_end(net);
}
END_TEST

START_TEST(blank_checksums_are_filled)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);
	bool filled = !(feature_sets[_i] & NETDEV_TX_CSUM_IPV4);

	net->uplink.netdev.features = net->client[0].netdev.features = feature_sets[_i];
	for (uint32_t bytes = 0; bytes < 1473; bytes += bytes < 200 ? 1 : 53) {
		const struct frame *out;

		frame_udp(&frame, &out_ends, 4000, 53, bytes);
		frame_make_blank(&frame);
		out = test_pass(net, &net->client[0], &net->uplink, &frame);
		ck_assert_uint_eq(out->flags & PACKET_CSUM_BLANK, filled ? 0 : PACKET_CSUM_BLANK);
		ck_assert_uint_ne(get16(out->bytes + 40), 0);
		ck_assert_mem_eq(out->bytes + 42, frame.bytes + 42, bytes);
		frame_udp(&answer, &in_ends, 53, 4000, bytes);
		frame_make_blank(&answer);
		net->uplink.uplink_head = 192 - bytes % 3;
		out = test_pass(net, &net->uplink, &net->client[0], &answer);
		ck_assert_uint_eq(out->flags & PACKET_CSUM_BLANK, filled ? 0 : PACKET_CSUM_BLANK);
		ck_assert_mem_eq(out->bytes + 42, answer.bytes + 42, bytes);
	}
	/* A checksum is true only of bytes that the uplink cannot change any more. */
	ck_assert_int_eq(net->client[0].shared == 0, filled);
	test_net_end(net);
}
END_TEST

/* Jumbo frames: more than a page, whole or not at all. */
START_TEST(packets_of_several_pages_need_scatter_gather)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);

	net->uplink.netdev.mtu = net->client[0].netdev.mtu = 9000;
	frame_udp(&frame, &out_ends, 4000, 53, 8000);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_udp(&answer, &in_ends, 53, 4000, 8000);
	test_pass(net, &net->uplink, &net->client[0], &answer);
	net->uplink.netdev.features = net->client[0].netdev.features = 0;
	test_drop(net, &net->client[0], &frame, DROP_NO_OFFLOAD);
	test_drop(net, &net->uplink, &answer, DROP_NO_OFFLOAD);
	/* What fits a page is laid together. */
	frame_udp(&answer, &in_ends, 53, 4000, 3900);
	test_pass(net, &net->uplink, &net->client[0], &answer);
	test_net_end(net);
}
END_TEST

START_TEST(tiny_segments_are_refused)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 8);
	struct ends ends = ends_out(0, SERVER_IP);

	open_flow(net);
	net->uplink.netdev.features = 0;
	large(&frame, &ends, 4000, 80, 101, 901, 6000);
	frame.gso_size = 1;
	test_drop(net, &net->client[0], &frame, DROP_NO_OFFLOAD);
	ck_assert_ptr_null(test_link_take(&net->uplink));
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	const int sets = ARRAY_SIZE(feature_sets);

	tcase_add_loop_test(cases, large_packets_are_cut_for_the_uplink, 0, sets);
	tcase_add_loop_test(cases, large_packets_are_cut_for_a_client, 0, sets);
	tcase_add_loop_test(cases, blank_checksums_are_filled, 0, sets);
	tcase_add_test(cases, packets_of_several_pages_need_scatter_gather);
	tcase_add_test(cases, tiny_segments_are_refused);
}

int main(void)
{
	return unit_main("net/offload", add_cases);
}
