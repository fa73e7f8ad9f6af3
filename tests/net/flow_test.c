/* SPDX-License-Identifier: ISC */
/* The flow table against a plain model, and the states of TCP. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/flow_tcp.h"
#include "net/nat_choose.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define FLOWS 100u
#define KEYS 400u
#define QUOTA 60u

struct table_world {
	struct flow_table table;
	struct wheel wheel;
	struct random random;
	void *memory;
	uint64_t now_ns;
};

static void world_begin(struct table_world *world, uint32_t flows)
{
	const uint8_t seed[RANDOM_SEED_BYTES] = { 7 };

	world->now_ns = 1000 * TEST_SECOND;
	random_init(&world->random, seed);
	wheel_init(&world->wheel, world->now_ns);
	world->memory = malloc(flow_table_bytes(flows, flows / 2) + 8);
	/* Memory may lie anywhere; the entries are aligned all the same. */
	flow_table_init(&world->table, (uint8_t *)world->memory + 8, flows, flows / 2,
			&world->wheel, &world->random);
	ck_assert_uint_eq((uintptr_t)world->table.flows % 64, 0);
}

static void world_end(struct table_world *world)
{
	flow_purge_all(&world->table);
	ck_assert(flow_table_is_valid(&world->table));
	ck_assert_uint_eq(world->wheel.armed, 0);
	free(world->memory);
}

static struct flow_tuple key_number(uint32_t i, uint8_t interface)
{
	return (struct flow_tuple){ .key = { .source = be32_of(IP(10, 0, 0, 1) + i),
					     .destination = be32_of(SERVER_IP),
					     .source_port = be16_of((uint16_t)(i * 3)),
					     .destination_port = be16_of(80),
					     .protocol = 17,
					     .interface = interface,
					     .version = 4 } };
}

static struct flow *find(struct table_world *world, const struct flow_tuple *key,
			 enum flow_direction *direction)
{
	return flow_find(&world->table, key, flow_hash(&world->table, key), direction);
}

START_TEST(agrees_with_a_model)
{
	struct table_world world;
	struct flow *model[KEYS] = { NULL };
	uint64_t state = unit_seed() | 1;
	uint32_t owned[2] = { 0, 0 };

	world_begin(&world, FLOWS);
	for (unsigned int round = 0; round < 20000; round++) {
		uint32_t i = (uint32_t)(unit_random(&state) % KEYS);
		uint8_t interface = i % 2;
		struct flow_tuple key = key_number(i, interface);
		struct flow_tuple reply = flow_tuple_reverse(&key, 9);
		enum flow_direction direction = FLOW_REPLY;
		struct flow *flow = NULL;
		int expected = 0, result;

		ck_assert_ptr_eq(find(&world, &key, &direction), model[i]);
		if (unit_random(&state) % 3 == 0 && model[i]) {
			ck_assert_int_eq(direction, FLOW_ORIGINAL);
			ck_assert_ptr_eq(find(&world, &reply, &direction), model[i]);
			ck_assert_int_eq(direction, FLOW_REPLY);
			flow_remove(model[i]);
			model[i] = NULL;
			owned[interface]--;
			continue;
		}
		if (owned[interface] >= QUOTA)
			expected = -EDQUOT;
		else if (owned[0] + owned[1] == FLOWS)
			expected = -ENOSPC;
		else if (model[i])
			expected = -EEXIST;
		result = flow_create(&world.table, &key, &reply, QUOTA, FLOW_UDP_NEW, world.now_ns,
				     &flow);
		ck_assert_int_eq(result, expected);
		if (result == 0) {
			model[i] = flow;
			owned[interface]++;
		}
		if (round % 100 == 0)
			ck_assert(flow_table_is_valid(&world.table));
	}
	world_end(&world);
}
END_TEST

START_TEST(purges_only_what_touches_the_interface)
{
	struct table_world world;
	struct flow *flow;

	world_begin(&world, FLOWS);
	for (uint32_t i = 0; i < 90; i++) {
		struct flow_tuple key = key_number(i, (uint8_t)(i % 3));
		struct flow_tuple reply = flow_tuple_reverse(&key, (uint8_t)(i % 2 ? 7 : 8));

		ck_assert_int_eq(flow_create(&world.table, &key, &reply, FLOWS, FLOW_OTHER,
					     world.now_ns, &flow),
				 0);
	}
	ck_assert_uint_eq(flow_purge_interface(&world.table, 1), 30);
	ck_assert_uint_eq(flow_purge_interface(&world.table, 7), 30);
	ck_assert_uint_eq(flow_purge_interface(&world.table, 7), 0);
	ck_assert_uint_eq(world.table.used, 30);
	ck_assert(flow_table_is_valid(&world.table));
	world_end(&world);
}
END_TEST

/* Deadlines are 32 bits of ticks; the table must outlive their wrap. */
START_TEST(deadlines_wrap)
{
	struct table_world world;
	struct flow_tuple key = key_number(1, 1), reply = flow_tuple_reverse(&key, 2);
	struct flow *flow;
	uint64_t wrap = 1ull << (32 + WHEEL_TICK_SHIFT);

	world_begin(&world, FLOWS);
	world.now_ns = wrap - 10 * TEST_SECOND;
	wheel_run(&world.wheel, world.now_ns, 1);
	ck_assert_int_eq(
		flow_create(&world.table, &key, &reply, FLOWS, FLOW_UDP_NEW, world.now_ns, &flow),
		0);
	for (unsigned int i = 0; i < 29; i++)
		wheel_run(&world.wheel, world.now_ns += TEST_SECOND, 10);
	ck_assert_uint_eq(world.table.used, 1);
	flow_refresh(flow, world.now_ns);
	for (unsigned int i = 0; i < 29; i++)
		wheel_run(&world.wheel, world.now_ns += TEST_SECOND, 10);
	ck_assert_uint_eq(world.table.used, 1);
	for (unsigned int i = 0; i < 3; i++)
		wheel_run(&world.wheel, world.now_ns += TEST_SECOND, 10);
	ck_assert_uint_eq(world.table.used, 0);
	world_end(&world);
}
END_TEST

/* A destination with every port taken but one: the port is found or refused in bounded time,
 * and never given twice. */
START_TEST(ports_are_given_once)
{
	static struct table_world world;
	static uint8_t given[65536];
	const uint32_t flows = 70000;
	uint32_t refused = 0, made = 0;

	memset(given, 0, sizeof(given));
	world_begin(&world, flows);
	for (uint32_t i = 0; i < flows && refused < 100; i++) {
		struct flow_tuple key = key_number(i, 1), reply;
		struct flow *flow;

		key.key.source_port = be16_of(443);
		if (nat_choose_reply(&world.table, &world.random, &key, 2, be32_of(OUR_IP),
				     &reply)) {
			refused++;
			continue;
		}
		ck_assert(be16_get(reply.key.destination_port) >= 1024 ||
			  be16_get(reply.key.destination_port) == 443);
		ck_assert_uint_eq(given[be16_get(reply.key.destination_port)]++, 0);
		ck_assert_int_eq(flow_create(&world.table, &key, &reply, flows, FLOW_UDP_NEW,
					     world.now_ns, &flow),
				 0);
		made++;
	}
	ck_assert_uint_eq(refused, 100);
	ck_assert_uint_ge(made, 55000);
	world_end(&world);
}
END_TEST

/* ---- TCP ---- */

struct step {
	enum flow_direction direction;
	uint8_t flags;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t payload;
	bool forwarded;
	enum flow_state after;
};

#define O FLOW_ORIGINAL
#define R FLOW_REPLY

static void run_steps(const struct step *steps, size_t count)
{
	struct table_world world;
	struct flow_tuple key = key_number(1, 1), reply = flow_tuple_reverse(&key, 2);
	uint8_t options[128] = { 0 };
	struct packet packet = { .data = options, .l3_offset = 14, .l4_offset = 34 };
	struct flow *flow;

	world_begin(&world, 4);
	ck_assert_int_eq(
		flow_create(&world.table, &key, &reply, 4, FLOW_TCP_SYN_SENT, world.now_ns, &flow),
		0);
	for (size_t i = 0; i < count; i++) {
		struct packet_info info = { .tcp_flags = steps[i].flags,
					    .tcp_sequence = steps[i].sequence,
					    .tcp_acknowledgement = steps[i].acknowledgement,
					    .tcp_window = 5000,
					    .payload_length = steps[i].payload,
					    .header_length = 40 };

		ck_assert_msg(flow_tcp_track(flow, steps[i].direction, &packet, &info,
					     world.now_ns) == steps[i].forwarded,
			      "step %zu: forwarded", i);
		ck_assert_msg(flow->state == steps[i].after, "step %zu: %s instead of %s", i,
			      flow_state_name(flow->state), flow_state_name(steps[i].after));
	}
	world_end(&world);
}

#define RUN(...)                                             \
	do {                                                 \
		const struct step steps[] = { __VA_ARGS__ }; \
		run_steps(steps, ARRAY_SIZE(steps));         \
	} while (0)

#define OPEN                                                                \
	{ O, SYN, 100, 0, 0, true, FLOW_TCP_SYN_SENT },                     \
		{ R, SYN | ACK, 900, 101, 0, true, FLOW_TCP_SYN_RECEIVED }, \
	{                                                                   \
		O, ACK, 101, 901, 0, true, FLOW_TCP_ESTABLISHED             \
	}

START_TEST(opens_and_closes)
{
	RUN(OPEN, { O, ACK | PSH, 101, 901, 50, true, FLOW_TCP_ESTABLISHED },
	    { R, ACK, 901, 151, 0, true, FLOW_TCP_ESTABLISHED },
	    { O, FIN | ACK, 151, 901, 0, true, FLOW_TCP_FIN_WAIT },
	    { R, ACK, 901, 152, 700, true, FLOW_TCP_FIN_WAIT }, /* half closed */
	    { O, ACK, 152, 1601, 0, true, FLOW_TCP_FIN_WAIT },
	    { R, FIN | ACK, 1601, 152, 0, true, FLOW_TCP_FIN_WAIT },
	    { O, ACK, 152, 1602, 0, true, FLOW_TCP_CLOSED },
	    { R, FIN | ACK, 1601, 152, 0, true, FLOW_TCP_CLOSED }); /* sent once more */
}
END_TEST

START_TEST(both_close_at_once)
{
	RUN(OPEN, { O, FIN | ACK, 101, 901, 0, true, FLOW_TCP_FIN_WAIT },
	    { R, FIN | ACK, 901, 101, 0, true, FLOW_TCP_FIN_WAIT },
	    { O, ACK, 102, 902, 0, true, FLOW_TCP_FIN_WAIT },
	    { R, ACK, 902, 102, 0, true, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(both_open_at_once)
{
	RUN({ O, SYN, 100, 0, 0, true, FLOW_TCP_SYN_SENT },
	    { R, SYN, 900, 0, 0, true, FLOW_TCP_SYN_RECEIVED },
	    { O, SYN | ACK, 100, 901, 0, true, FLOW_TCP_ESTABLISHED },
	    { R, SYN | ACK, 900, 101, 0, true, FLOW_TCP_ESTABLISHED });
}
END_TEST

START_TEST(numbers_wrap)
{
	RUN({ O, SYN, UINT32_MAX, 0, 0, true, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, UINT32_MAX - 1, 0, 0, true, FLOW_TCP_SYN_RECEIVED },
	    { O, ACK, 0, UINT32_MAX, 0, true, FLOW_TCP_ESTABLISHED },
	    { R, ACK | FIN, UINT32_MAX, 0, 10, true, FLOW_TCP_FIN_WAIT },
	    { O, ACK | FIN, 0, 10, 0, true, FLOW_TCP_FIN_WAIT },
	    { R, ACK, 10, 1, 0, true, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(a_refused_connection_is_closed)
{
	RUN({ O, SYN, 100, 0, 0, true, FLOW_TCP_SYN_SENT },
	    { R, RST | ACK, 0, 77, 0, true, FLOW_TCP_SYN_SENT }, /* a blind guess */
	    { R, RST, 101, 0, 0, true, FLOW_TCP_SYN_SENT },
	    { R, RST | ACK, 0, 101, 0, true, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(the_client_gives_up)
{
	RUN({ O, SYN, 100, 0, 0, true, FLOW_TCP_SYN_SENT },
	    { O, RST, 50, 0, 0, true, FLOW_TCP_SYN_SENT },
	    { O, RST, 101, 0, 0, true, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(resets_must_fit)
{
	RUN(OPEN, { R, RST, 902, 0, 0, true, FLOW_TCP_ESTABLISHED }, /* in the window, not exact */
	    { R, RST, 900, 0, 0, true, FLOW_TCP_ESTABLISHED },	     /* before it */
	    { R, RST, 901 + 5001, 0, 0, true, FLOW_TCP_ESTABLISHED },
	    { O, RST, 4000000000u, 0, 0, true, FLOW_TCP_ESTABLISHED },
	    { R, ACK, 901, 101, 300, true, FLOW_TCP_ESTABLISHED },
	    { R, RST, 1201, 0, 0, true, FLOW_TCP_CLOSED }); /* after all that it has sent */
	RUN(OPEN, { R, RST, 901, 0, 0, true, FLOW_TCP_CLOSED });
	RUN(OPEN, { O, RST | ACK, 101, 901, 0, true, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(nobody_opens_backwards)
{
	RUN(OPEN, { R, SYN, 5, 0, 0, false, FLOW_TCP_ESTABLISHED },
	    { O, SYN, 5, 0, 0, true, FLOW_TCP_ESTABLISHED }, /* the other end challenges it */
	    { R, ACK, 901, 101, 0, true, FLOW_TCP_ESTABLISHED });
}
END_TEST

/* Through the router: times of the states, the scaled window, a new SYN on old ports. */
static struct frame frame;

static void tcp_out(struct test_net *net, uint8_t flags, uint32_t sequence, uint32_t ack)
{
	struct ends ends = ends_out(0, CLIENT_IP(1));

	frame_tcp(&frame, &ends, 4000, 80, flags, sequence, ack, 0);
	test_pass(net, &net->client[0], &net->client[1], &frame);
}

static void tcp_back(struct test_net *net, uint8_t flags, uint32_t sequence, uint32_t ack)
{
	struct ends ends = ends_out(1, CLIENT_IP(0));

	frame_tcp(&frame, &ends, 80, 4000, flags, sequence, ack, 0);
	test_pass(net, &net->client[1], &net->client[0], &frame);
}

START_TEST(each_state_has_its_time)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	tcp_out(net, SYN, 100, 0);
	test_net_advance(net, 29 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_net_advance(net, 2 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 0);

	tcp_out(net, SYN, 100, 0);
	tcp_back(net, SYN | ACK, 900, 101);
	tcp_out(net, ACK, 101, 901);
	test_net_advance(net, 86300 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	tcp_out(net, FIN | ACK, 101, 901);
	test_net_advance(net, 44 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	tcp_back(net, FIN | ACK, 901, 102);
	tcp_out(net, ACK, 102, 902);
	test_net_advance(net, 9 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	tcp_out(net, ACK, 102, 902); /* a closed flow is not kept alive */
	test_net_advance(net, 2 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_net_end(net);
}
END_TEST

START_TEST(windows_are_scaled)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out = ends_out(0, CLIENT_IP(1)), back = ends_out(1, CLIENT_IP(0));
	const struct flow *flow;

	frame_syn_scaled(&frame, &out, 4000, 80, 100, 7);
	test_pass(net, &net->client[0], &net->client[1], &frame);
	frame_syn_scaled(&frame, &back, 80, 4000, 900, 3);
	frame.bytes[47] = SYN | ACK;
	put32(frame.bytes + 42, 101);
	frame_finish(&frame);
	test_pass(net, &net->client[1], &net->client[0], &frame);
	tcp_out(net, ACK, 101, 901);
	tcp_back(net, ACK, 901, 101);
	flow = &net->router.flows.flows[0];
	for (uint32_t i = 0; flow->state == FLOW_FREE; i++)
		flow = &net->router.flows.flows[i];
	ck_assert_uint_eq(flow->side[FLOW_ORIGINAL].window, 65000u << 7);
	ck_assert_uint_eq(flow->side[FLOW_REPLY].window, 65000u << 3);
	test_net_end(net);
}
END_TEST

START_TEST(a_new_syn_begins_anew_and_is_judged)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	tcp_out(net, SYN, 100, 0);
	tcp_back(net, RST | ACK, 0, 101);
	tcp_out(net, SYN, 5000, 0);
	ck_assert_uint_eq(net->router.flows.created, 2 + 1); /* one before the test began */
	tcp_back(net, SYN | ACK, 1, 5001);
	tcp_out(net, ACK, 5001, 2);
	tcp_back(net, RST, 2, 0);
	test_net_set_rules(net, "block\n");
	{
		struct ends ends = ends_out(0, CLIENT_IP(1));

		frame_tcp(&frame, &ends, 4000, 80, SYN, 9000, 0, 0);
	}
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, agrees_with_a_model);
	tcase_add_test(cases, purges_only_what_touches_the_interface);
	tcase_add_test(cases, deadlines_wrap);
	tcase_add_test(cases, ports_are_given_once);
	tcase_add_test(cases, opens_and_closes);
	tcase_add_test(cases, both_close_at_once);
	tcase_add_test(cases, both_open_at_once);
	tcase_add_test(cases, numbers_wrap);
	tcase_add_test(cases, a_refused_connection_is_closed);
	tcase_add_test(cases, the_client_gives_up);
	tcase_add_test(cases, resets_must_fit);
	tcase_add_test(cases, nobody_opens_backwards);
	tcase_add_test(cases, each_state_has_its_time);
	tcase_add_test(cases, windows_are_scaled);
	tcase_add_test(cases, a_new_syn_begins_anew_and_is_judged);
}

int main(void)
{
	return unit_main("net/flow", add_cases);
}
