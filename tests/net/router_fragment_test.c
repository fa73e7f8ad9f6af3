/* SPDX-License-Identifier: ISC */
/*
 * Datagrams in parts through the router, in both versions: they pass as their whole would,
 * translated, and the far end can make nothing else of them; and packets that are cut here.
 */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define RULES_NAT "pass\nmatch out on uplink inet6 nat-to (uplink)\n"
#define PARTS 5u
#define STEP 1000u /* bytes of a part */
#define WHOLE (PARTS * STEP - 8 - 300)

static struct frame whole, part;
static struct assembly assembly;
static struct test_net *net;
static uint32_t id_sent; /* of what goes in */

static void setup(void)
{
	net = test_net_begin6(RULES_NAT, 64);
	net->router.fragment_id = 0x54321;
	id_sent = 0x77;
}

static void teardown(void)
{
	ck_assert(fragments_check(&net->router.fragments));
	test_net_end(net);
}

/* A UDP datagram from a client to the server, or from there to our outside. */
static void make_out(unsigned int version, unsigned int client, uint16_t port, uint32_t payload)
{
	struct ends ends = ends_out(client, SERVER_IP);
	struct ends6 ends6 = ends6_out(client, SERVER_IP6);

	if (version == 6) {
		frame6_udp(&whole, &ends6, port, 53, payload);
		return;
	}
	frame_udp(&whole, &ends, port, 53, payload);
	put16(whole.bytes + 20, 0);
	frame_finish(&whole);
}

static void make_in(unsigned int version, uint16_t port, uint32_t payload)
{
	struct ends ends = ends_in(SERVER_IP);
	struct ends6 ends6 = ends6_in(SERVER_IP6, six(OUR_IP6));

	if (version == 6) {
		frame6_udp(&whole, &ends6, 53, port, payload);
		return;
	}
	frame_udp(&whole, &ends, 53, port, payload);
	put16(whole.bytes + 20, 0);
	frame_finish(&whole);
}

static uint32_t headers(void)
{
	return frame_is6(&whole) ? 54 : 34;
}

/* Part i of `whole`. */
static void send_part(struct test_link *from, uint32_t i)
{
	uint32_t left = whole.length - headers() - i * STEP;

	frame_part(&part, &whole, i * STEP, left < STEP ? left : STEP, id_sent);
	test_link_input(from, &part);
}

/* Puts together what came out; all parts must be of one datagram. Returns how many. */
static uint32_t collect(struct test_link *to)
{
	const struct frame *out;
	uint32_t count = 0, id = 0;

	assembly_begin(&assembly);
	while ((out = test_link_take(to)) != NULL) {
		id = count ? id : frame_part_id(out);
		ck_assert_uint_eq(frame_part_id(out), id);
		ck_assert_uint_eq(out->bytes[frame_is6(out) ? 21 : 22], 63);
		ck_assert_mem_eq(out->bytes + 6, to->netdev.mac, 6);
		if (count)
			ck_assert_mem_eq(out->bytes + (frame_is6(out) ? 22 : 26),
					 assembly.whole.bytes + (frame_is6(out) ? 22 : 26),
					 frame_is6(out) ? 32 : 8);
		else
			assembly_begin(&assembly);
		assembly_add(&assembly, out);
		count++;
	}
	return count;
}

/* The assembly is the datagram that went in, but for its ports' outer half and checksum. */
static void expect_whole(void)
{
	ck_assert_ptr_null(assembly_error(&assembly));
	ck_assert_uint_eq(assembly.whole.length, whole.length);
	ck_assert_mem_eq(assembly.whole.bytes + headers() + 8, whole.bytes + headers() + 8,
			 whole.length - headers() - 8);
}

static void expect_from_us(uint16_t port)
{
	if (frame_is6(&assembly.whole)) {
		ck_assert(six_equal(frame6_source(&assembly.whole), six(OUR_IP6)));
		ck_assert_uint_eq(frame6_source_port(&assembly.whole), port);
	} else {
		ck_assert_uint_eq(frame_source(&assembly.whole), OUR_IP);
		ck_assert_uint_eq(frame_source_port(&assembly.whole), port);
	}
}

static void expect_to_client(unsigned int client)
{
	if (frame_is6(&assembly.whole))
		ck_assert(six_equal(frame6_destination(&assembly.whole), client_ip6(client)));
	else
		ck_assert_uint_eq(frame_destination(&assembly.whole), CLIENT_IP(client));
}

static unsigned int version_of_case(int i)
{
	return i & 1 ? 6 : 4;
}

START_TEST(parts_in_order_pass_translated)
{
	uint32_t id;

	make_out(version_of_case(_i), 0, 5000, WHOLE);
	for (uint32_t i = 0; i < PARTS; i++) {
		send_part(&net->client[0], i);
		ck_assert_uint_eq(net->uplink.sent, i + 1); /* at once */
	}
	id = frame_part_id(net->uplink.kept[0]);
	ck_assert_uint_eq(id, _i & 1 ? 0x54321 : 0x4321);
	ck_assert_uint_eq(collect(&net->uplink), PARTS);
	expect_whole();
	expect_from_us(5000);
	ck_assert_uint_eq(net->router.flows.used, 1);
	/* The next datagram has another name, though its sender calls it the same. */
	make_out(version_of_case(_i), 1, 5000, WHOLE);
	for (uint32_t i = 0; i < PARTS; i++)
		send_part(&net->client[1], i);
	ck_assert_uint_ne(frame_part_id(net->uplink.kept[PARTS]), id);
	ck_assert_uint_eq(collect(&net->uplink), PARTS);
	expect_whole();
}
END_TEST

START_TEST(parts_keep_their_name_without_translation)
{
	test_net_set_rules(net, "pass\n");
	make_out(6, 0, 5000, WHOLE);
	for (uint32_t i = 0; i < PARTS; i++)
		send_part(&net->client[0], i);
	ck_assert_uint_eq(frame_part_id(net->uplink.kept[0]), id_sent);
	ck_assert_uint_eq(collect(&net->uplink), PARTS);
	expect_whole();
}
END_TEST

START_TEST(parts_before_the_first_wait_for_it)
{
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	for (uint32_t i = PARTS; i-- > 1;)
		send_part(&net->client[0], i);
	ck_assert_uint_eq(net->uplink.sent, 0);
	ck_assert_uint_eq(net->router.fragments.held_packets, PARTS - 1);
	send_part(&net->client[0], 0);
	ck_assert_uint_eq(net->router.fragments.held_packets, 0);
	ck_assert_uint_eq(frame_part_offset(net->uplink.kept[0]), 0);
	ck_assert_uint_eq(collect(&net->uplink), PARTS);
	expect_whole();
	expect_from_us(5000);
}
END_TEST

START_TEST(any_order_will_do)
{
	uint64_t state = unit_seed() | 1;

	for (uint32_t round = 0; round < 200; round++) {
		unsigned int version = round & 1 ? 6 : 4;
		uint32_t order[PARTS] = { 0, 1, 2, 3, 4 };

		make_out(version, 0, (uint16_t)(5000 + round % 8), WHOLE - round);
		for (uint32_t i = PARTS - 1; i; i--) {
			uint32_t j = unit_random(&state) % (i + 1), swapped = order[i];

			order[i] = order[j];
			order[j] = swapped;
		}
		for (uint32_t i = 0; i < PARTS; i++) {
			send_part(&net->client[0], order[i]);
			/* Said twice; behind the whole it would begin another (RFC 4963). */
			if (unit_random(&state) % 4 == 0 && i < PARTS - 1)
				send_part(&net->client[0], order[i]);
		}
		ck_assert_uint_eq(collect(&net->uplink), PARTS);
		expect_whole();
		id_sent++; /* of the same name it would be a repetition */
	}
}
END_TEST

START_TEST(replies_come_back_in_parts)
{
	make_out(version_of_case(_i), 2, 5000, 10);
	test_pass(net, &net->client[2], &net->uplink, &whole);
	make_in(version_of_case(_i), 5000, WHOLE);
	send_part(&net->uplink, 1);
	ck_assert_uint_eq(net->client[2].sent, 0);
	for (uint32_t i = 0; i < PARTS; i++)
		if (i != 1)
			send_part(&net->uplink, i);
	ck_assert_uint_eq(frame_part_id(net->client[2].kept[0]), id_sent);
	ck_assert_uint_eq(collect(&net->client[2]), PARTS);
	expect_whole();
	expect_to_client(2);
}
END_TEST

START_TEST(strangers_parts_stay_out)
{
	test_net_set_rules(net, "block\npass in on clients\npass out on uplink\n");
	make_in(version_of_case(_i), 5000, WHOLE);
	for (uint32_t i = 0; i < PARTS; i++)
		send_part(&net->uplink, i);
	for (unsigned int i = 0; i < TEST_CLIENTS; i++)
		ck_assert_uint_eq(net->client[i].sent, 0);
	ck_assert_uint_eq(test_net_drops(net, DROP_BLOCKED) + test_net_drops(net, DROP_FRAGMENT),
			  PARTS);
}
END_TEST

START_TEST(nothing_of_what_is_blocked_passes)
{
	test_net_set_rules(net, "pass\nblock proto udp to port 53\n");
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	send_part(&net->client[0], 2); /* held */
	for (uint32_t i = 0; i < PARTS; i++)
		if (i != 2)
			send_part(&net->client[0], i);
	ck_assert_uint_eq(net->uplink.sent, 0);
	ck_assert_uint_eq(net->router.fragments.held_packets, 0);
}
END_TEST

/* Nobody is to make two different datagrams of what passes. */
START_TEST(overlaps_end_the_datagram)
{
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	send_part(&net->client[0], 0);
	send_part(&net->client[0], 1);
	ck_assert_uint_eq(net->uplink.sent, 2);
	frame_part(&part, &whole, STEP + 8, STEP, id_sent);
	test_drop(net, &net->client[0], &part, DROP_FRAGMENT_OVERLAP);
	for (uint32_t i = 2; i < PARTS; i++)
		send_part(&net->client[0], i);
	ck_assert_uint_eq(net->uplink.sent, 2);
	/* Teardrop: the second lies inside the first. */
	make_out(version_of_case(_i), 1, 5000, WHOLE);
	send_part(&net->client[1], 0);
	frame_part(&part, &whole, 24, 8, id_sent);
	test_drop(net, &net->client[1], &part, DROP_FRAGMENT_OVERLAP);
	ck_assert_uint_eq(net->uplink.sent, 3);
}
END_TEST

START_TEST(first_part_must_hold_the_transport_header)
{
	struct ends ends = ends_out(0, SERVER_IP);
	struct ends6 ends6 = ends6_out(0, SERVER_IP6);

	if (_i & 1) {
		frame6_tcp(&whole, &ends6, 5000, 443, SYN, 1, 0, 100);
	} else {
		frame_tcp(&whole, &ends, 5000, 443, SYN, 1, 0, 100);
		put16(whole.bytes + 20, 0);
		frame_finish(&whole);
	}
	frame_part(&part, &whole, 0, 16, id_sent); /* the flags are in the next */
	test_link_input(&net->client[0], &part);
	frame_part(&part, &whole, 16, 104, id_sent);
	test_link_input(&net->client[0], &part);
	ck_assert_uint_eq(net->uplink.sent, 0);
	test_net_advance(net, 20 * TEST_SECOND);
	ck_assert_uint_eq(net->router.fragments.held_packets, 0);
}
END_TEST

START_TEST(what_waits_too_long_is_dropped)
{
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	send_part(&net->client[0], 1);
	test_net_advance(net, 14 * TEST_SECOND);
	ck_assert_uint_eq(net->router.fragments.held_packets, 1);
	test_net_advance(net, 2 * TEST_SECOND);
	ck_assert_uint_eq(net->router.fragments.held_packets, 0);
	ck_assert_uint_eq(net->router.fragments.used, 0);
	send_part(&net->client[0], 0); /* and what comes now is another datagram */
	ck_assert_uint_eq(net->uplink.sent, 1);
	send_part(&net->client[0], 1);
	ck_assert_uint_eq(net->uplink.sent, 2);
}
END_TEST

START_TEST(rules_shorten_the_wait_and_the_share)
{
	test_net_set_rules(net, "set timeout frag 5\nset limit frags 10\n" RULES_NAT);
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	send_part(&net->client[0], 1);
	test_net_advance(net, 6 * TEST_SECOND);
	ck_assert_uint_eq(net->router.fragments.used, 0);
	for (uint32_t id = 0; id < 50; id++) {
		frame_part(&part, &whole, 0, STEP, id);
		test_link_input(&net->client[0], &part);
	}
	ck_assert_uint_eq(net->router.fragments.used, 10 / (TEST_CLIENTS + 2));
	/* Never longer than is safe. */
	test_net_set_rules(net, "set timeout frag 600\n" RULES_NAT);
	send_part(&net->client[0], 1);
	test_net_advance(net, 16 * TEST_SECOND);
	ck_assert_uint_eq(net->router.fragments.used, 0);
}
END_TEST

/* An ICMP error in parts: the first one's way is that of the flow that it is about. */
START_TEST(errors_may_come_in_parts)
{
	struct ends back = ends_in(SERVER_IP);
	static struct frame about;

	make_out(4, 0, 5000, 1300);
	put16(whole.bytes + 20, 0x4000);
	frame_finish(&whole);
	about = *test_pass(net, &net->client[0], &net->uplink, &whole);
	frame_icmp_error(&whole, &back, 3, 3, &about, 1200);
	put16(whole.bytes + 20, 0);
	frame_finish(&whole);
	frame_part(&part, &whole, 0, 800, id_sent);
	test_link_input(&net->uplink, &part);
	frame_part(&part, &whole, 800, 408, id_sent);
	test_link_input(&net->uplink, &part);
	ck_assert_uint_eq(collect(&net->client[0]), 2);
	ck_assert_ptr_null(assembly_error(&assembly));
	ck_assert_uint_eq(frame_destination(&assembly.whole), CLIENT_IP(0));
}
END_TEST

/* One client holds what it may, and takes nothing from another. */
START_TEST(one_client_cannot_use_up_what_is_held)
{
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	for (uint32_t id = 0; id < 1000; id++) {
		frame_part(&part, &whole, STEP, STEP, id);
		test_link_input(&net->client[0], &part);
	}
	ck_assert_uint_le(net->router.fragments.held_packets,
			  net->router.fragments.config.owner_held_packets);
	ck_assert_uint_lt(net->router.fragments.used, net->router.fragments.config.entries);
	make_out(version_of_case(_i), 1, 5000, WHOLE);
	for (uint32_t i = PARTS; i-- > 0;)
		send_part(&net->client[1], i);
	ck_assert_uint_eq(collect(&net->uplink), PARTS);
	expect_whole();
	test_net_advance(net, 16 * TEST_SECOND);
	ck_assert_uint_eq(net->router.fragments.held_packets, 0);
}
END_TEST

START_TEST(later_parts_that_die_here_are_not_spoken_of)
{
	unsigned int version = version_of_case(_i);

	make_out(version, 0, 5000, WHOLE);
	send_part(&net->client[0], 0);
	frame_part(&part, &whole, STEP, STEP, id_sent);
	part.bytes[version == 6 ? 21 : 22] = 1;
	if (version == 4) {
		put16(part.bytes + 24, 0);
		put16(part.bytes + 24, (uint16_t)~naive_sum(part.bytes + 14, 20, 0));
	}
	test_drop(net, &net->client[0], &part, DROP_TTL);
	ck_assert_uint_eq(net->client[0].sent, 0);
	ck_assert_uint_eq(net->uplink.sent, 1);
}
END_TEST

START_TEST(new_rules_end_what_is_under_way)
{
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	send_part(&net->client[0], 0);
	test_net_set_rules(net, "block\n");
	send_part(&net->client[0], 1);
	ck_assert_uint_eq(net->uplink.sent, 1);
}
END_TEST

START_TEST(a_client_that_goes_takes_its_parts_along)
{
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	send_part(&net->client[0], 1);
	ck_assert_uint_eq(net->router.fragments.held_packets, 1);
	router_detach(&net->router, &net->client[0].netdev);
	ck_assert_uint_eq(net->router.fragments.held_packets, 0);
}
END_TEST

START_TEST(parts_of_an_echo_pass)
{
	struct ends ends = ends_out(0, SERVER_IP);
	struct ends6 ends6 = ends6_out(0, SERVER_IP6);

	if (_i & 1) {
		frame6_echo(&whole, &ends6, false, 7, 1, WHOLE);
	} else {
		frame_echo(&whole, &ends, false, 7, 1, WHOLE);
		put16(whole.bytes + 20, 0);
		frame_finish(&whole);
	}
	for (uint32_t i = PARTS; i-- > 0;)
		send_part(&net->client[0], i);
	ck_assert_uint_eq(collect(&net->uplink), PARTS);
	expect_whole();
}
END_TEST

/* To ourselves nothing is put together. */
START_TEST(parts_for_us_are_dropped)
{
	make_out(version_of_case(_i), 0, 5000, WHOLE);
	if (_i & 1) {
		struct six ours = six(OUR_IP6);

		memcpy(whole.bytes + 38, &ours, 16);
		frame6_finish(&whole);
	} else {
		put32(whole.bytes + 30, OUR_IP);
		frame_finish(&whole);
	}
	for (uint32_t i = 0; i < PARTS; i++)
		send_part(&net->client[0], i);
	ck_assert_uint_eq(test_net_drops(net, DROP_FRAGMENT), PARTS);
	ck_assert_uint_eq(net->client[0].sent + net->uplink.sent, 0);
}
END_TEST

/* ---- cutting ---- */

static uint32_t expect_cut(struct test_link *from, const struct frame *sent, uint32_t mtu)
{
	uint32_t before = net->uplink.sent, count;

	test_link_input(from, sent);
	for (uint32_t i = before; i < net->uplink.sent; i++)
		ck_assert_uint_le(net->uplink.kept[i]->length, mtu + 14);
	count = net->uplink.sent - before;
	return count;
}

START_TEST(what_may_be_cut_is_cut)
{
	net->uplink.netdev.mtu = 700;
	for (uint32_t payload = 1300; payload < 1330; payload++) {
		make_out(4, 0, 5000, payload);
		ck_assert_uint_eq(expect_cut(&net->client[0], &whole, 700),
				  (payload + 8 + 679) / 680);
		collect(&net->uplink);
		expect_whole();
		expect_from_us(5000);
	}
	ck_assert_uint_eq(net->client[0].sent, 0);
	net->uplink.netdev.mtu = 1500;
}
END_TEST

START_TEST(blank_checksums_are_filled_before_the_cut)
{
	net->uplink.netdev.mtu = 700;
	make_out(4, 0, 5000, 1300);
	frame_make_blank(&whole);
	ck_assert_uint_eq(expect_cut(&net->client[0], &whole, 700), 2);
	collect(&net->uplink);
	expect_whole();
	net->uplink.netdev.mtu = 1500;
}
END_TEST

/* A part that is still too large becomes smaller parts of the same datagram. */
START_TEST(parts_are_cut_again)
{
	uint32_t count = 0;

	net->uplink.netdev.mtu = 500;
	make_out(4, 0, 5000, WHOLE);
	for (uint32_t i = PARTS; i-- > 0;) {
		uint32_t left = whole.length - headers() - i * STEP;

		frame_part(&part, &whole, i * STEP, left < STEP ? left : STEP, id_sent);
		count += expect_cut(&net->client[0], &part, 500);
	}
	ck_assert_uint_eq(count, 4 * 3 + 2); /* 480 a part */
	ck_assert_uint_eq(collect(&net->uplink), count);
	expect_whole();
	expect_from_us(5000);
	net->uplink.netdev.mtu = 1500;
}
END_TEST

START_TEST(ip6_is_never_cut_here)
{
	const struct frame *error;

	net->uplink.netdev.mtu = 1280;
	make_out(6, 0, 5000, 1300);
	test_drop(net, &net->client[0], &whole, DROP_TOO_BIG);
	error = test_link_take(&net->client[0]);
	ck_assert_ptr_nonnull(error);
	ck_assert_uint_eq(frame6_icmp_type(error), 2);
	/* A first part is told too, a later one not. */
	make_out(6, 0, 5000, WHOLE);
	frame_part(&part, &whole, 0, 1400, id_sent);
	test_drop(net, &net->client[0], &part, DROP_TOO_BIG);
	ck_assert_ptr_nonnull(test_link_take(&net->client[0]));
	make_out(6, 0, 5001, WHOLE);
	frame_part(&part, &whole, 0, 1000, id_sent + 1);
	test_link_input(&net->client[0], &part);
	frame_part(&part, &whole, 1000, 1400, id_sent + 1);
	test_drop(net, &net->client[0], &part, DROP_TOO_BIG);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	net->uplink.netdev.mtu = 1500;
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, parts_in_order_pass_translated, 0, 2);
	tcase_add_test(cases, parts_keep_their_name_without_translation);
	tcase_add_loop_test(cases, parts_before_the_first_wait_for_it, 0, 2);
	tcase_add_test(cases, any_order_will_do);
	tcase_add_loop_test(cases, replies_come_back_in_parts, 0, 2);
	tcase_add_loop_test(cases, strangers_parts_stay_out, 0, 2);
	tcase_add_loop_test(cases, nothing_of_what_is_blocked_passes, 0, 2);
	tcase_add_loop_test(cases, overlaps_end_the_datagram, 0, 2);
	tcase_add_loop_test(cases, first_part_must_hold_the_transport_header, 0, 2);
	tcase_add_loop_test(cases, what_waits_too_long_is_dropped, 0, 2);
	tcase_add_loop_test(cases, rules_shorten_the_wait_and_the_share, 0, 2);
	tcase_add_test(cases, errors_may_come_in_parts);
	tcase_add_loop_test(cases, one_client_cannot_use_up_what_is_held, 0, 2);
	tcase_add_loop_test(cases, later_parts_that_die_here_are_not_spoken_of, 0, 2);
	tcase_add_loop_test(cases, new_rules_end_what_is_under_way, 0, 2);
	tcase_add_loop_test(cases, a_client_that_goes_takes_its_parts_along, 0, 2);
	tcase_add_loop_test(cases, parts_of_an_echo_pass, 0, 2);
	tcase_add_loop_test(cases, parts_for_us_are_dropped, 0, 2);
	tcase_add_test(cases, what_may_be_cut_is_cut);
	tcase_add_test(cases, blank_checksums_are_filled_before_the_cut);
	tcase_add_test(cases, parts_are_cut_again);
	tcase_add_test(cases, ip6_is_never_cut_here);
}

int main(void)
{
	return unit_main("net/router_fragment", add_cases);
}
