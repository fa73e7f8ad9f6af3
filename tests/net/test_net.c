/* SPDX-License-Identifier: ISC */
#include "tests/net/test_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t our_uplink_mac[6] = { 0x00, 0x16, 0x3e, 0x01, 0x01, 0x01 };
const uint8_t our_client_mac[6] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };
const uint8_t gateway_mac[6] = { 0x00, 0x16, 0x3e, 0x0a, 0x0a, 0x0a };
const uint8_t client_mac[3][6] = {
	{ 0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00 },
	{ 0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x01 },
	{ 0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x02 },
};

/* One net at a time. */
static _Alignas(IOPAGE_SIZE) uint8_t arena[TEST_PAGES * IOPAGE_SIZE];

static uint64_t frame_of(const void *page)
{
	return (uint64_t)(uintptr_t)page / IOPAGE_SIZE;
}

static void give_class(struct iopage_pool *pool, enum iopage_class class, uint32_t count)
{
	struct iopage *taken[TEST_PAGES];

	for (uint32_t i = 0; i < count; i++) {
		taken[i] = iopage_alloc(pool, IOPAGE_PRIVATE);
		ck_assert_ptr_nonnull(taken[i]);
		iopage_reclass(taken[i], class);
	}
	for (uint32_t i = 0; i < count; i++)
		iopage_free(taken[i]);
}

static void make_memory(struct test_net *net)
{
	net->descriptors = calloc(TEST_PAGES, sizeof(*net->descriptors));
	net->descriptors_of_packets = calloc(TEST_PACKETS, sizeof(struct packet));
	iopage_pool_init(&net->pages, arena, net->descriptors, TEST_PAGES, frame_of);
	give_class(&net->pages, IOPAGE_UPLINK_READ, TEST_PAGES / 2);
	give_class(&net->pages, IOPAGE_UPLINK_WRITE, TEST_PAGES / 4);
	ck_assert_int_eq(packet_pool_init(&net->packets, &net->pages, net->descriptors_of_packets,
					  TEST_PACKETS),
			 0);
	memcpy(net->free_pages, net->pages.free_count, sizeof(net->free_pages));
}

static struct ip6_address wire6(struct six address)
{
	struct ip6_address wire;

	memcpy(&wire, &address, sizeof(wire));
	return wire;
}

struct six client_ip6(unsigned int client)
{
	struct six address = six("fd00:2::10");

	address.bytes[15] += (uint8_t)client;
	return address;
}

static void make_router(struct test_net *net, uint32_t flows, bool six_too)
{
	const uint8_t seed[RANDOM_SEED_BYTES] = { 1, 2, 3 };
	struct router_config config = {
		.ip4 = { be32_of(OUR_IP), 24, be32_of(GATEWAY_IP), 0 },
		.masquerade4 = true,
		.flows = flows,
		.packets = &net->packets,
		.random = &net->random,
		.now_ns = net->now_ns,
	};

	if (six_too)
		config.ip6 = (struct router_uplink6){
			.address = wire6(six(OUR_IP6)),
			.prefix = 64,
			.gateway = wire6(six_link_local(gateway_mac)),
		};
	random_init(&net->random, seed);
	net->flow_memory = malloc(router_memory_bytes(flows));
	config.memory = net->flow_memory;
	ck_assert_int_eq(router_init(&net->router, &config), 0);
}

void test_net_set_rules(struct test_net *net, const char *text)
{
	struct rules_error error;
	struct ruleset *rules = NULL;

	if (text && ruleset_parse(text, strlen(text), &rules, &error))
		ck_abort_msg("rules, line %u: %s", error.line, error.message);
	ruleset_free(router_set_rules(&net->router, rules));
	net->rules = rules;
}

int test_net_attach_client(struct test_net *net, unsigned int i, bool six_too)
{
	const struct router_address addresses[] = {
		{ ip_address_of4(be32_of(CLIENT_IP(i))), 32 },
		{ ip_address_of6(client_ip6(i).bytes), 128 },
	};

	return router_attach_client(&net->router, &net->client[i].netdev, addresses,
				    six_too ? 2 : 1);
}

static void make_client(struct test_net *net, unsigned int i, bool six_too)
{
	char name[NETDEV_NAME_BYTES];

	snprintf(name, sizeof(name), "client%u.0", i);
	test_link_init(&net->client[i], &net->packets, name, false, our_client_mac);
	memcpy(net->client[i].netdev.peer_mac, client_mac[i], 6);
	ck_assert_int_eq(test_net_attach_client(net, i, six_too), 0);
	if (six_too)
		net->client[i].netdev.features |= TEST_ALL_FEATURES6;
}

static struct test_net *begin_cold(const char *rules, uint32_t flows, bool six_too)
{
	struct test_net *net = calloc(1, sizeof(*net));

	net->now_ns = 5 * TEST_SECOND;
	make_memory(net);
	make_router(net, flows, six_too);
	test_net_set_rules(net, rules);
	test_link_init(&net->uplink, &net->packets, "uplink0", true, our_uplink_mac);
	if (six_too)
		net->uplink.netdev.features |= TEST_ALL_FEATURES6;
	ck_assert_int_eq(router_attach_uplink(&net->router, &net->uplink.netdev), 0);
	for (unsigned int i = 0; i < TEST_CLIENTS; i++)
		make_client(net, i, six_too);
	return net;
}

struct test_net *test_net_begin_cold(const char *rules, uint32_t flows)
{
	return begin_cold(rules, flows, false);
}

/* A first packet makes the router ask for its gateway. */
static void learn_gateway(struct test_net *net)
{
	struct ends ends = ends_out(0, SERVER_IP);
	static struct frame frame;

	frame_udp(&frame, &ends, 9, 9, 1);
	test_link_input(&net->client[0], &frame);
	frame_arp(&frame, gateway_mac, our_uplink_mac, 2, GATEWAY_IP, OUR_IP);
	test_link_input(&net->uplink, &frame);
}

static void learn_gateway6(struct test_net *net)
{
	struct ends6 ends = ends6_out(0, SERVER_IP6);
	static struct frame frame;

	frame6_udp(&frame, &ends, 9, 9, 1);
	test_link_input(&net->client[0], &frame);
	ends = (struct ends6){ gateway_mac, our_uplink_mac, six_link_local(gateway_mac),
			       six_link_local(our_uplink_mac) };
	frame6_neighbour(&frame, &ends, 136, 0x60, ends.from);
	test_link_input(&net->uplink, &frame);
}

/* As if nothing had happened yet. */
static struct test_net *warm(struct test_net *net, const char *rules)
{
	router_flush_flows(&net->router);
	test_net_advance(net, 3 * TEST_SECOND);
	test_net_set_rules(net, rules);
	net->uplink.sent = net->uplink.taken = net->uplink.transmits = 0;
	memset(net->packets.drops, 0, sizeof(net->packets.drops));
	return net;
}

struct test_net *test_net_begin(const char *rules, uint32_t flows)
{
	struct test_net *net = begin_cold(RULES_OPEN, flows, false);

	learn_gateway(net);
	return warm(net, rules);
}

struct test_net *test_net_begin6(const char *rules, uint32_t flows)
{
	struct test_net *net = begin_cold(RULES_OPEN, flows, true);

	learn_gateway(net);
	learn_gateway6(net);
	return warm(net, rules);
}

void test_net_end(struct test_net *net)
{
	ck_assert(flow_table_is_valid(&net->router.flows));
	for (unsigned int i = 0; i < TEST_CLIENTS; i++)
		router_detach(&net->router, &net->client[i].netdev);
	router_detach(&net->router, &net->uplink.netdev);
	ck_assert_str_eq(net->uplink.error, "");
	test_link_end(&net->uplink);
	for (unsigned int i = 0; i < TEST_CLIENTS; i++) {
		ck_assert_str_eq(net->client[i].error, "");
		test_link_end(&net->client[i]);
	}
	ck_assert_uint_eq(net->router.flows.used, 0);
	ck_assert_uint_eq(net->packets.free_count, TEST_PACKETS);
	for (unsigned int c = 0; c < IOPAGE_CLASS_COUNT; c++)
		ck_assert_uint_eq(net->pages.free_count[c], net->free_pages[c]);
	ruleset_free(router_set_rules(&net->router, NULL));
	free(net->flow_memory);
	free(net->descriptors_of_packets);
	free(net->descriptors);
	free(net);
}

void test_net_advance(struct test_net *net, uint64_t ns)
{
	uint64_t end = net->now_ns + ns;

	while (net->now_ns < end) {
		uint64_t next = router_next_ns(&net->router);

		if (next <= net->now_ns)
			next = net->now_ns + (1ull << WHEEL_TICK_SHIFT);
		net->now_ns = next < end ? next : end;
		router_set_now(&net->router, net->now_ns);
		router_run_timers(&net->router);
	}
}

struct ends ends_out(unsigned int client, uint32_t to)
{
	return (struct ends){ client_mac[client], our_client_mac, CLIENT_IP(client), to };
}

struct ends ends_in(uint32_t from)
{
	return (struct ends){ gateway_mac, our_uplink_mac, from, OUR_IP };
}

struct ends6 ends6_out(unsigned int client, const char *to)
{
	return (struct ends6){ client_mac[client], our_client_mac, client_ip6(client), six(to) };
}

struct ends6 ends6_in(const char *from, struct six to)
{
	return (struct ends6){ gateway_mac, our_uplink_mac, six(from), to };
}

uint64_t test_net_drops(const struct test_net *net, enum drop_reason reason)
{
	return net->packets.drops[reason];
}

const struct frame *test_pass(struct test_net *net, struct test_link *from, struct test_link *to,
			      const struct frame *frame)
{
	const struct frame *out;

	test_link_input(from, frame);
	out = test_link_take(to);
	if (!out) {
		for (unsigned int r = 0; r < DROP_REASON_COUNT; r++)
			if (net->packets.drops[r])
				printf("dropped: %s %llu\n", drop_name(r),
				       (unsigned long long)net->packets.drops[r]);
		ck_abort_msg("nothing came out of %s", to->netdev.name);
	}
	ck_assert_ptr_null(test_link_take(to));
	return out;
}

void test_drop(struct test_net *net, struct test_link *from, const struct frame *frame,
	       enum drop_reason reason)
{
	uint64_t before[DROP_REASON_COUNT];

	memcpy(before, net->packets.drops, sizeof(before));
	test_link_input(from, frame);
	for (unsigned int r = 0; r < DROP_REASON_COUNT; r++)
		if (net->packets.drops[r] != before[r] + (r == reason))
			ck_abort_msg("wanted a drop for %s, %s went from %llu to %llu",
				     drop_name(reason), drop_name(r), (unsigned long long)before[r],
				     (unsigned long long)net->packets.drops[r]);
}
