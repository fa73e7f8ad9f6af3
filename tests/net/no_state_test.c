/* SPDX-License-Identifier: ISC */
/* What `no state` holds for, and where there is state all the same. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define FLOWS 64u
#define OTHER_IP IP(10, 9, 9, 9)

static struct frame frame;

static void to_client(void)
{
	struct ends ends = ends_out(0, CLIENT_IP(1));

	frame_udp(&frame, &ends, 5000, 53, 20);
}

START_TEST(none_towards_clients)
{
	struct test_net *net = test_net_begin("pass no state\n", FLOWS);
	const struct frame *out;

	to_client();
	out = test_pass(net, &net->client[0], &net->client[1], &frame);
	ck_assert_uint_eq(frame_source(out), CLIENT_IP(0));
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_net_end(net);
}
END_TEST

/* Nothing that is to be translated goes untranslated, for want of a place to remember it. */
START_TEST(some_for_translations)
{
	static const char *const rules[] = {
		"pass no state\nmatch in on clients nat-to 10.9.9.9\n",
		"pass no state\nmatch out on clients nat-to 10.9.9.9\n",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rules); i++) {
		struct test_net *net = test_net_begin(rules[i], FLOWS);
		const struct frame *out;

		to_client();
		out = test_pass(net, &net->client[0], &net->client[1], &frame);
		ck_assert_uint_eq(frame_source(out), OTHER_IP);
		ck_assert_uint_eq(net->router.flows.used, 1);
		test_net_end(net);
	}
}
END_TEST

/* A SYN with an MSS of 1,460 as its only option. */
static uint16_t mss_after(struct test_net *net)
{
	struct ends ends = ends_out(0, CLIENT_IP(1));
	const struct frame *out;

	frame_tcp(&frame, &ends, 5000, 80, SYN, 1, 0, 4);
	frame.bytes[46] = 6 << 4;
	put32(frame.bytes + 54, 0x020405b4);
	frame_finish(&frame);
	out = test_pass(net, &net->client[0], &net->client[1], &frame);
	return get16(out->bytes + 56);
}

START_TEST(segments_are_clamped_without_it)
{
	struct test_net *net =
		test_net_begin("pass no state\nmatch out on clients scrub (max-mss 1200)\n", FLOWS);

	ck_assert_uint_eq(mss_after(net), 1200);
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_net_set_rules(net, "pass no state\n");
	ck_assert_uint_eq(mss_after(net), 1460);
	test_net_end(net);
}
END_TEST

START_TEST(always_towards_the_uplink)
{
	struct test_net *net = test_net_begin("pass no state\n", FLOWS);
	struct ends ends = ends_out(0, SERVER_IP);

	frame_udp(&frame, &ends, 5000, 53, 20);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, none_towards_clients);
	tcase_add_test(cases, some_for_translations);
	tcase_add_test(cases, segments_are_clamped_without_it);
	tcase_add_test(cases, always_towards_the_uplink);
}

int main(void)
{
	return unit_main("net/no_state", add_cases);
}
