/* SPDX-License-Identifier: ISC */
/* What clients and the uplink may try against the router, each against a rule or a share. */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct frame frame;

/* An ICMP message of any type, behind an echo's header. */
static void frame_icmp(const struct ends *ends, uint8_t type, uint8_t code)
{
	frame_echo(&frame, ends, false, 0, 0, 8);
	frame.bytes[34] = type;
	frame.bytes[35] = code;
	frame_finish(&frame);
}

/* An echo with identifier 0 has the ports of a message that has none. */
START_TEST(an_echo_opens_no_way_for_other_messages)
{
	struct test_net *net = test_net_begin("block\n"
					      "pass in on clients inet proto icmp icmp-type echoreq\n"
					      "pass out\n",
					      64);
	struct ends out_ends = ends_out(0, SERVER_IP), in_ends = ends_in(SERVER_IP);

	frame_icmp(&out_ends, 5, 1);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	frame_echo(&frame, &out_ends, false, 0, 1, 8);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_icmp(&out_ends, 5, 1);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	frame_icmp(&out_ends, 13, 0);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	frame_icmp(&out_ends, 0, 0);
	test_drop(net, &net->client[0], &frame, DROP_NO_FLOW);
	frame_icmp(&in_ends, 5, 1);
	test_drop(net, &net->uplink, &frame, DROP_NO_FLOW);
	frame_echo(&frame, &in_ends, false, 0, 1, 8);
	test_drop(net, &net->uplink, &frame, DROP_NO_FLOW);
	frame_echo(&frame, &in_ends, true, 0, 1, 8);
	test_pass(net, &net->uplink, &net->client[0], &frame);
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, an_echo_opens_no_way_for_other_messages);
}

int main(void)
{
	return unit_main("net/hostile", add_cases);
}
