/* SPDX-License-Identifier: ISC */
/* Random traffic and events from a printed seed; every packet and page comes home. */
#include "tests/host/unit.h"
#include "tests/net/chaos.h"

#define ROUNDS 60u
#define BYTES 6000u

START_TEST(nothing_is_lost_in_chaos)
{
	uint64_t state = (unit_seed() ^ (uint64_t)_i << 32) | 1;
	static uint8_t stream[BYTES];
	uint64_t passed = 0, answers = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct chaos_bytes bytes = { stream, sizeof(stream) };
		struct chaos chaos;
		struct test_net *net;

		for (size_t i = 0; i < sizeof(stream); i++)
			stream[i] = (uint8_t)(unit_random(&state) >> 32);
		chaos = chaos_begin(&bytes);
		net = chaos.net;
		chaos_run(&chaos, &bytes);
		passed += net->uplink.sent;
		answers += chaos.answers;
		for (unsigned int i = 0; i < TEST_CLIENTS; i++)
			passed += net->client[i].sent;
		test_net_end(net);
	}
	ck_assert_uint_ge(passed, ROUNDS * 20); /* it was not all refused at the door */
	ck_assert_uint_ge(answers, ROUNDS / 4);
}
END_TEST

/* The generator must reach the far corners too, or it proves little. */
START_TEST(chaos_reaches_every_kind_of_drop)
{
	static const enum drop_reason reasons[] = {
		DROP_SHORT,
		DROP_BAD_MAC,
		DROP_BAD_ETHERTYPE,
		DROP_BAD_ARP,
		DROP_BAD_IP_HEADER,
		DROP_BAD_CHECKSUM,
		DROP_IP_OPTIONS,
		DROP_FRAGMENT_BAD,
		DROP_BAD_TRANSPORT,
		DROP_MARTIAN,
		DROP_TOO_BIG,
		DROP_NO_ROUTE,
		DROP_NO_RULES,
		DROP_BLOCKED,
		DROP_NO_FLOW,
		DROP_NOT_OURS,
		DROP_SPOOFED,
		DROP_MULTICAST,
		DROP_BAD_GSO,
		DROP_LINK_DOWN,
		DROP_BAD_NDP,
		DROP_TTL,
		DROP_FRAGMENT_TWICE,
		DROP_FRAGMENT_OVERLAP,
		DROP_FRAGMENT_TIMEOUT,
		DROP_NAT_PORTS,
	};
	uint64_t state = unit_seed() | 1;
	uint64_t drops[DROP_REASON_COUNT] = { 0 };
	static uint8_t stream[BYTES];

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct chaos_bytes bytes = { stream, sizeof(stream) };
		struct chaos chaos;
		struct test_net *net;

		for (size_t i = 0; i < sizeof(stream); i++)
			stream[i] = (uint8_t)(unit_random(&state) >> 32);
		chaos = chaos_begin(&bytes);
		net = chaos.net;
		chaos_run(&chaos, &bytes);
		for (unsigned int r = 0; r < DROP_REASON_COUNT; r++)
			drops[r] += test_net_drops(net, (enum drop_reason)r);
		test_net_end(net);
	}
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		ck_assert_msg(drops[reasons[i]] > 0, "never %s", drop_name(reasons[i]));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, nothing_is_lost_in_chaos, 0, 3);
	tcase_add_test(cases, chaos_reaches_every_kind_of_drop);
}

int main(void)
{
	return unit_main("net/chaos", add_cases);
}
