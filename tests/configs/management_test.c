/* SPDX-License-Identifier: ISC */
/* The firewall's page of counters: who gets as far as to it. Its pages are played. */
#include <stdlib.h>
#include <string.h>

#include "configs/firewall/management.h"
#include "configs/status_pages.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define PORT 8080u
#define MORE_FRAGMENTS 0x20u
#define FRAGMENT_OFFSET 20u /* in an Ethernet frame of IPv4 */

static struct test_net *net;
static struct frame frame;
static void *memory[4];
static uint32_t memory_used;

uint32_t status_pages_add(const struct http_page **pages, uint32_t count)
{
	static const struct http_page page = {
		.path = "/metrics", .type = "text/plain", .data = "1\n", .bytes = 2
	};

	pages[count] = &page;
	return count + 1;
}

static uint64_t now_ns(void)
{
	return net->now_ns;
}

static void *take(size_t bytes)
{
	size_t whole = (bytes + 4095) & ~(size_t)4095;

	ck_assert_uint_lt(memory_used, ARRAY_SIZE(memory));
	memory[memory_used] = aligned_alloc(4096, whole);
	return memory[memory_used++];
}

static void begin(const char *rules, uint32_t peer, bool uplink)
{
	struct management_config config = {
		.manage = { .peer = ip_address_of4(be32_of(peer)), .port = PORT, .uplink = uplink },
		.now_ns = now_ns,
		.memory = take,
	};

	net = test_net_begin(rules, 256);
	config.router = &net->router;
	config.random = &net->random;
	ck_assert_int_eq(management_start(&config), 0);
}

static void end(void)
{
	net->router.service = NULL;
	test_net_end(net);
	while (memory_used)
		free(memory[--memory_used]);
}

static void syn(const struct ends *ends, uint16_t port, uint32_t payload)
{
	frame_tcp(&frame, ends, 1000, port, SYN, 1, 0, payload);
}

static const struct frame *answer(struct test_link *link)
{
	test_link_skip(link);
	test_link_input(link, &frame);
	management_run(net->now_ns);
	router_run_timers(&net->router);
	return test_link_take(link);
}

static bool is_syn_ack(const struct frame *sent)
{
	return sent && !frame_is_arp(sent) && frame_tcp_flags(sent) == (SYN | ACK);
}

/* Neither rules nor their absence matter to the one, and nothing but they to all others. */
START_TEST(one_client_alone)
{
	struct ends ends = ends_out(0, OUR_IP);

	begin(_i ? "block\n" : NULL, CLIENT_IP(0), false);
	syn(&ends, PORT, 0);
	ck_assert(is_syn_ack(answer(&net->client[0])));
	syn(&ends, PORT + 1, 0);
	test_drop(net, &net->client[0], &frame, _i ? DROP_BLOCKED : DROP_NO_RULES);
	ends = ends_out(1, OUR_IP);
	syn(&ends, PORT, 0);
	test_drop(net, &net->client[1], &frame, _i ? DROP_BLOCKED : DROP_NO_RULES);
	ends.from = CLIENT_IP(0);
	syn(&ends, PORT, 0);
	test_drop(net, &net->client[1], &frame, DROP_SPOOFED);
	ends = ends_in(CLIENT_IP(0));
	syn(&ends, PORT, 0);
	test_drop(net, &net->uplink, &frame, DROP_SPOOFED);
	/* While the client is away its address may be anybody's out there. */
	router_detach(&net->router, &net->client[0].netdev);
	test_drop(net, &net->uplink, &frame, _i ? DROP_BLOCKED : DROP_NO_RULES);
	end();
}
END_TEST

START_TEST(the_host_outside_alone)
{
	struct ends ends = ends_in(GATEWAY_IP);

	begin(NULL, GATEWAY_IP, true);
	syn(&ends, PORT, 0);
	ck_assert(is_syn_ack(answer(&net->uplink)));
	ends = ends_in(SERVER_IP);
	syn(&ends, PORT, 0);
	test_drop(net, &net->uplink, &frame, DROP_NO_RULES);
	ends = ends_out(0, OUR_IP);
	syn(&ends, PORT, 0);
	test_drop(net, &net->client[0], &frame, DROP_NO_RULES);
	end();
}
END_TEST

/* Nothing is put together for the firewall itself, so a part is no segment either. */
START_TEST(parts_of_segments_are_none)
{
	struct ends ends = ends_out(0, OUR_IP);

	begin("pass\n", CLIENT_IP(0), false);
	syn(&ends, PORT, 4);
	frame.bytes[FRAGMENT_OFFSET] = MORE_FRAGMENTS;
	frame_finish(&frame);
	test_drop(net, &net->client[0], &frame, DROP_FRAGMENT);
	ck_assert_ptr_null(answer(&net->client[0]));
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, one_client_alone, 0, 2);
	tcase_add_test(cases, the_host_outside_alone);
	tcase_add_test(cases, parts_of_segments_are_none);
}

int main(void)
{
	return unit_main("configs/management", add_cases);
}
