/* SPDX-License-Identifier: ISC */
/* Fragments of both IP versions over the bridge's filter: all or none of a datagram cross. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_bridge.h"

#define FLOWS 64u
#define ONE_WAY "pass in on clients proto udp to any port 53\npass out on uplink\n"

static struct box_frame whole, piece[4];

/* Of 1208 bytes: of 400, 400, 400 and 8. */
static void cut_in_four(uint32_t id)
{
	for (uint32_t i = 0; i < 4; i++)
		bridge_cut(&piece[i], &whole, id, i * 400, i < 3 ? 400 : 8);
}

static void question(bool six, uint16_t port)
{
	if (six)
		bridge_udp(&whole, BRIDGE_CLIENTS, BRIDGE_CLIENT6, BRIDGE_SERVER6, 5000, port,
			   1200);
	else
		bridge_udp(&whole, BRIDGE_CLIENTS, BRIDGE_CLIENT4, BRIDGE_SERVER4, 5000, port,
			   1200);
}

START_TEST(all_follow_the_first)
{
	test_bridge_begin(ONE_WAY, FLOWS);
	question(_i, 53);
	cut_in_four(1);
	for (unsigned int i = 0; i < 4; i++)
		test_bridge_crosses(BRIDGE_CLIENTS, &piece[i]);
	ck_assert_uint_eq(test_bridge.filter.flows.used, 1);
	question(_i, 54);
	cut_in_four(2);
	test_bridge_stops(BRIDGE_CLIENTS, &piece[0], DROP_BLOCKED);
	for (unsigned int i = 1; i < 4; i++)
		test_bridge_stops(BRIDGE_CLIENTS, &piece[i], DROP_FRAGMENT);
	test_bridge_end();
}
END_TEST

START_TEST(what_comes_before_the_first_waits_for_it)
{
	test_bridge_begin(ONE_WAY, FLOWS);
	question(_i, 53);
	cut_in_four(1);
	test_bridge_waits(BRIDGE_CLIENTS, &piece[3]);
	test_bridge_waits(BRIDGE_CLIENTS, &piece[1]);
	test_bridge_send(BRIDGE_CLIENTS, &piece[0], 1);
	test_bridge_expect(&piece[0]);
	test_bridge_expect(&piece[3]);
	test_bridge_expect(&piece[1]);
	ck_assert_ptr_null(test_bridge_take());
	test_bridge_crosses(BRIDGE_CLIENTS, &piece[2]);
	test_bridge_end();
}
END_TEST

/* What is blocked takes with it what waited; nothing waits for ever, nor for another. */
START_TEST(what_waits_in_vain_is_dropped)
{
	test_bridge_begin(ONE_WAY, FLOWS);
	question(_i, 54);
	cut_in_four(1);
	test_bridge_waits(BRIDGE_CLIENTS, &piece[1]);
	test_bridge_send(BRIDGE_CLIENTS, &piece[0], 1);
	ck_assert_ptr_null(test_bridge_take());
	ck_assert_uint_eq(test_bridge.filter.fragments.held_packets, 0);
	ck_assert_uint_eq(box.packets.drops[DROP_FRAGMENT], 1);
	question(_i, 53);
	cut_in_four(2);
	test_bridge_waits(BRIDGE_CLIENTS, &piece[1]);
	test_bridge_advance((FRAGMENT_SECONDS + 1) * BOX_SECOND);
	ck_assert_uint_eq(box.packets.drops[DROP_FRAGMENT_TIMEOUT], 1);
	ck_assert_uint_eq(test_bridge.filter.fragments.used, 0);
	test_bridge_waits(BRIDGE_CLIENTS, &piece[1]);
	bridge_filter_forget_fragments(&test_bridge.filter);
	ck_assert_uint_eq(box.packets.drops[DROP_DETACHED], 1);
	test_bridge_end();
}
END_TEST

START_TEST(each_side_has_fragments_of_its_own)
{
	test_bridge_begin(ONE_WAY, FLOWS);
	question(_i, 53);
	cut_in_four(1);
	test_bridge_crosses(BRIDGE_CLIENTS, &piece[0]);
	test_bridge_waits(BRIDGE_UPLINK, &piece[1]);
	test_bridge_crosses(BRIDGE_CLIENTS, &piece[1]);
	test_bridge_end();
}
END_TEST

START_TEST(answers_in_pieces_pass_by_state)
{
	test_bridge_begin(ONE_WAY, FLOWS);
	question(_i, 53);
	cut_in_four(1);
	for (unsigned int i = 0; i < 4; i++)
		test_bridge_crosses(BRIDGE_CLIENTS, &piece[i]);
	if (_i)
		bridge_udp(&whole, BRIDGE_UPLINK, BRIDGE_SERVER6, BRIDGE_CLIENT6, 53, 5000, 1200);
	else
		bridge_udp(&whole, BRIDGE_UPLINK, BRIDGE_SERVER4, BRIDGE_CLIENT4, 53, 5000, 1200);
	cut_in_four(1);
	for (unsigned int i = 0; i < 4; i++)
		test_bridge_crosses(BRIDGE_UPLINK, &piece[i]);
	ck_assert_uint_eq(test_bridge.filter.flows.used, 1);
	test_bridge_end();
}
END_TEST

START_TEST(without_state_too)
{
	test_bridge_begin("pass no state\n", FLOWS);
	question(_i, 53);
	cut_in_four(1);
	for (unsigned int i = 0; i < 4; i++)
		test_bridge_crosses(BRIDGE_CLIENTS, &piece[i]);
	ck_assert_uint_eq(test_bridge.filter.flows.used, 0);
	test_bridge_end();
}
END_TEST

/* The first must show its ports, and nothing may overlap. */
START_TEST(tricks_with_fragments_do_not_pass)
{
	static struct box_frame tiny, overlap;

	test_bridge_begin("pass no state\n", FLOWS);
	question(_i, 53);
	if (_i)
		bridge_tcp(&whole, BRIDGE_CLIENTS, BRIDGE_CLIENT6, BRIDGE_SERVER6, 5000, 80, SYN);
	else
		bridge_tcp(&whole, BRIDGE_CLIENTS, BRIDGE_CLIENT4, BRIDGE_SERVER4, 5000, 80, SYN);
	bridge_cut(&tiny, &whole, 1, 0, 8);
	test_bridge_stops(BRIDGE_CLIENTS, &tiny, DROP_FRAGMENT_TINY);
	question(_i, 53);
	cut_in_four(2);
	bridge_cut(&overlap, &whole, 2, 200, 400);
	test_bridge_crosses(BRIDGE_CLIENTS, &piece[0]);
	test_bridge_stops(BRIDGE_CLIENTS, &overlap, DROP_FRAGMENT_OVERLAP);
	test_bridge_stops(BRIDGE_CLIENTS, &piece[1], DROP_FRAGMENT_OVERLAP);
	cut_in_four(3);
	test_bridge_crosses(BRIDGE_CLIENTS, &piece[0]);
	test_bridge_crosses(BRIDGE_CLIENTS, &piece[1]);
	test_bridge_stops(BRIDGE_CLIENTS, &piece[1], DROP_FRAGMENT_TWICE);
	test_bridge_end();
}
END_TEST

/* A side that floods uses up its own half; `set limit frags` makes that smaller. */
START_TEST(one_side_cannot_take_all_memory)
{
	uint32_t share = _i ? 10 : 128;

	test_bridge_begin(_i ? "set limit frags 20\npass\n" : "pass\n", FLOWS);
	question(false, 53);
	for (uint32_t id = 0; id < 300; id++) {
		cut_in_four(id);
		test_bridge_send(BRIDGE_CLIENTS, &piece[1], 1);
	}
	ck_assert_uint_eq(test_bridge.filter.fragments.used, share);
	ck_assert_uint_eq(test_bridge.filter.fragments.held_packets, share);
	ck_assert_uint_eq(box.packets.drops[DROP_FRAGMENT_QUOTA], 300 - share);
	question(true, 53);
	cut_in_four(1000);
	test_bridge_waits(BRIDGE_UPLINK, &piece[1]);
	test_bridge_end();
}
END_TEST

/* The shares of datagrams, and of packets that wait, each by itself. */
START_TEST(shares_are_halves)
{
	static struct box_frame part;

	test_bridge_begin("pass\n", FLOWS);
	question(_i, 53);
	for (uint32_t id = 0; id < 200; id++) {
		bridge_cut(&part, &whole, id, 0, 400);
		test_bridge_crosses(BRIDGE_CLIENTS, &part);
	}
	ck_assert_uint_eq(test_bridge.filter.fragments.used, 128);
	for (uint32_t i = 0; i < 150; i++) {
		bridge_cut(&part, &whole, 1000 + i / 50, 8 + i % 50 * 8, 8);
		test_bridge_send(BRIDGE_UPLINK, &part, 1);
		ck_assert_uint_le(test_bridge.filter.fragments.held_packets, 128);
	}
	ck_assert_uint_gt(test_bridge.filter.fragments.held_packets, 90);
	test_bridge_end();
}
END_TEST

/* Neither the vector nor the order of others suffers from what joins in. */
START_TEST(a_full_vector_may_release_more)
{
	static struct box_frame first, mixed[PACKET_VECTOR_MAX], held[40];

	test_bridge_begin("pass no state\n", FLOWS);
	if (_i)
		bridge_udp(&whole, BRIDGE_CLIENTS, BRIDGE_CLIENT6, BRIDGE_SERVER6, 5000, 53, 400);
	else
		bridge_udp(&whole, BRIDGE_CLIENTS, BRIDGE_CLIENT4, BRIDGE_SERVER4, 5000, 53, 400);
	for (uint32_t i = 0; i < ARRAY_SIZE(held); i++) {
		bridge_cut(&held[i], &whole, 7, 8 + i * 8, 8);
		test_bridge_waits(BRIDGE_CLIENTS, &held[i]);
	}
	bridge_cut(&first, &whole, 7, 0, 8);
	for (uint32_t i = 0; i < PACKET_VECTOR_MAX; i++)
		bridge_udp(&mixed[i], BRIDGE_CLIENTS, BRIDGE_CLIENT4, BRIDGE_SERVER4, 5000,
			   (uint16_t)(100 + i), 4);
	mixed[3] = first;
	test_bridge_send(BRIDGE_CLIENTS, mixed, PACKET_VECTOR_MAX);
	for (uint32_t i = 0; i < PACKET_VECTOR_MAX; i++)
		test_bridge_expect(&mixed[i]);
	for (uint32_t i = 0; i < ARRAY_SIZE(held); i++)
		test_bridge_expect(&held[i]);
	ck_assert_ptr_null(test_bridge_take());
	test_bridge_end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, all_follow_the_first, 0, 2);
	tcase_add_loop_test(cases, what_comes_before_the_first_waits_for_it, 0, 2);
	tcase_add_loop_test(cases, what_waits_in_vain_is_dropped, 0, 2);
	tcase_add_loop_test(cases, each_side_has_fragments_of_its_own, 0, 2);
	tcase_add_loop_test(cases, answers_in_pieces_pass_by_state, 0, 2);
	tcase_add_loop_test(cases, without_state_too, 0, 2);
	tcase_add_loop_test(cases, tricks_with_fragments_do_not_pass, 0, 2);
	tcase_add_loop_test(cases, one_side_cannot_take_all_memory, 0, 2);
	tcase_add_loop_test(cases, shares_are_halves, 0, 2);
	tcase_add_loop_test(cases, a_full_vector_may_release_more, 0, 2);
}

int main(void)
{
	return unit_main("net/bridge_fragment", add_cases);
}
