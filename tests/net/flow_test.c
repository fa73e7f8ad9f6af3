/* SPDX-License-Identifier: ISC */
/* The flow table against a plain model. */
#include <errno.h>
#include <string.h>

#include "net/flow_follow.h"
#include "net/nat.h"
#include "tests/net/test_flows.h"

#define FLOWS 100u
#define KEYS 400u
#define QUOTA 60u

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

static int create(struct table_world *world, const struct flow_tuple *original,
		  const struct flow_tuple *reply, uint32_t quota, enum flow_state state,
		  struct flow **flow)
{
	const struct flow_request request = { .original = original,
					      .reply = reply,
					      .owner = original->key.interface,
					      .state = state,
					      .quota = quota,
					      .quota6 = quota };

	return flow_create(&world->table, &request, world->now_ns, flow);
}

START_TEST(agrees_with_a_model)
{
	struct table_world world;
	struct flow *model[KEYS] = { NULL };
	uint64_t state = unit_seed() | 1;
	uint32_t owned[2] = { 0, 0 };

	world_begin(&world, FLOWS, FLOWS / 2);
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
		if (model[i])
			expected = -EEXIST;
		else if (owned[interface] >= QUOTA)
			expected = -EDQUOT;
		else if (owned[0] + owned[1] == FLOWS)
			expected = -ENOSPC;
		result = create(&world, &key, &reply, QUOTA, FLOW_TCP_ESTABLISHED, &flow);
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

	world_begin(&world, FLOWS, FLOWS / 2);
	for (uint32_t i = 0; i < 90; i++) {
		struct flow_tuple key = key_number(i, (uint8_t)(i % 3));
		struct flow_tuple reply = flow_tuple_reverse(&key, (uint8_t)(i % 2 ? 7 : 8));

		ck_assert_int_eq(create(&world, &key, &reply, FLOWS, FLOW_OTHER, &flow), 0);
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

	world_begin(&world, FLOWS, FLOWS / 2);
	world.now_ns = wrap - 10 * TEST_SECOND;
	wheel_run(&world.wheel, world.now_ns, 1);
	ck_assert_int_eq(create(&world, &key, &reply, FLOWS, FLOW_UDP_NEW, &flow), 0);
	for (unsigned int i = 0; i < 119; i++)
		wheel_run(&world.wheel, world.now_ns += TEST_SECOND, 10);
	ck_assert_uint_eq(world.table.used, 1);
	flow_refresh(flow, world.now_ns);
	for (unsigned int i = 0; i < 119; i++)
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
	world_begin(&world, flows, 0);
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
		ck_assert_int_eq(create(&world, &key, &reply, flows, FLOW_UDP_NEW, &flow), 0);
		made++;
	}
	ck_assert_uint_eq(refused, 100);
	ck_assert_uint_ge(made, 55000);
	world_end(&world);
}
END_TEST

/* ---- visits ---- */

struct visits {
	uint32_t seen[FLOWS];
	uint32_t count;
	bool remove;
};

static void visit(void *context, struct flow *flow)
{
	struct visits *visits = context;

	visits->seen[flow->index]++;
	visits->count++;
	if (visits->remove && flow->index % 3 == 0)
		flow_remove(flow);
}

START_TEST(every_flow_is_visited_once)
{
	struct table_world world;
	struct flow *flow;

	world_begin(&world, FLOWS, FLOWS / 2);
	for (uint32_t i = 0; i < 90; i++) {
		struct flow_tuple key = key_number(i, 1), reply = flow_tuple_reverse(&key, 2);

		ck_assert_int_eq(create(&world, &key, &reply, FLOWS, FLOW_OTHER, &flow), 0);
	}
	for (uint32_t budget = 1; budget < 2 * FLOWS; budget += 7) {
		struct visits visits = { .remove = budget > FLOWS };
		uint32_t used = world.table.used, at = 0, calls = 0;

		do {
			uint32_t before = visits.count;

			at = flow_visit(&world.table, at, budget, visit, &visits);
			ck_assert_uint_le(visits.count - before, budget);
			calls++;
		} while (at);
		ck_assert_uint_eq(calls, (FLOWS + budget - 1) / budget);
		ck_assert_uint_eq(visits.count, used);
		for (uint32_t i = 0; i < FLOWS; i++)
			ck_assert_uint_le(visits.seen[i], 1);
	}
	ck_assert_uint_eq(world.table.used, 60);
	world_end(&world);
}
END_TEST

/* However many flows come due at once, one round looks at a bounded number of them. */
START_TEST(many_end_at_once_in_slices)
{
	static struct table_world world;
	const uint32_t flows = 40000, slice = 512;
	uint32_t rounds = 0;
	struct flow *flow;

	world_begin(&world, flows, 0);
	for (uint32_t i = 0; i < flows; i++) {
		struct flow_tuple key = key_number(i, 1), reply = flow_tuple_reverse(&key, 2);

		ck_assert_int_eq(create(&world, &key, &reply, flows, FLOW_UDP_NEW, &flow), 0);
	}
	world.now_ns += 121 * TEST_SECOND;
	while (world.table.used) {
		uint32_t used = world.table.used;

		wheel_run(&world.wheel, world.now_ns, 256);
		ck_assert_uint_le(used - world.table.used, slice);
		ck_assert_uint_lt(rounds++, 3 * flows / slice);
		/* Whoever asks when to come again is not sent to sleep. */
		ck_assert_uint_le(wheel_next_ns(&world.wheel),
				  world.table.used ? world.now_ns + TEST_SECOND / 20 : UINT64_MAX);
		world.now_ns += TEST_SECOND / 50;
	}
	ck_assert_uint_eq(world.table.expired, flows);
	world_end(&world);
}
END_TEST

/* Far deadlines are looked at once in a while, and not all at once. */
START_TEST(long_times_are_kept)
{
	static struct table_world world;
	struct flow_timeouts timeouts = { .seconds = { [FLOW_OTHER] = 5000000 } };
	struct flow *flow;

	world_begin(&world, FLOWS, 0);
	flow_table_set_timeouts(&world.table, &timeouts);
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct flow_tuple key = key_number(i, 1), reply = flow_tuple_reverse(&key, 2);

		ck_assert_int_eq(create(&world, &key, &reply, FLOWS, FLOW_OTHER, &flow), 0);
	}
	for (uint64_t day = 0; day < 57; day++) {
		for (uint32_t i = 0; i < 1440; i++)
			wheel_run(&world.wheel, world.now_ns += 60 * TEST_SECOND, 256);
		ck_assert_uint_eq(world.table.used, FLOWS);
		ck_assert(flow_table_is_valid(&world.table));
	}
	for (uint32_t i = 0; i < 1440; i++)
		wheel_run(&world.wheel, world.now_ns += 60 * TEST_SECOND, 256);
	ck_assert_uint_eq(world.table.used, 0);
	world_end(&world);
}
END_TEST

/* ---- protocols other than TCP ---- */

struct turn {
	enum flow_direction direction;
	enum flow_state after;
};

static void follow_turns(uint8_t protocol, uint8_t version, const struct turn *turns, size_t count)
{
	struct table_world world;
	struct packet_info info = { .tuple = tuple_number(5, version, protocol, 1) };
	struct flow_tuple reply = flow_tuple_reverse(&info.tuple, 2);
	struct flow *flow;

	world_begin(&world, FLOWS, FLOWS / 2);
	ck_assert_int_eq(create(&world, &info.tuple, &reply, FLOWS, flow_first_state(&info), &flow),
			 0);
	for (size_t i = 0; i < count; i++) {
		bool reply_now = turns[i].direction == FLOW_REPLY;
		enum drop_reason reason;

		/* An echo's request, or its reply. */
		info.icmp_type = version == 4 ? (reply_now ? 0 : 8) : (reply_now ? 129 : 128);
		ck_assert(
			flow_follow(flow, turns[i].direction, NULL, &info, world.now_ns, &reason));
		ck_assert_msg(flow->state == turns[i].after, "turn %zu of protocol %u: %s", i,
			      protocol, flow_state_name(flow->state));
		ck_assert(flow_table_is_valid(&world.table));
	}
	world_end(&world);
}

START_TEST(one_packet_more_packets_and_answers_differ)
{
	static const struct turn udp[] = { { FLOW_ORIGINAL, FLOW_UDP_NEW },
					   { FLOW_ORIGINAL, FLOW_UDP_SINGLE },
					   { FLOW_ORIGINAL, FLOW_UDP_SINGLE },
					   { FLOW_REPLY, FLOW_UDP_REPLIED },
					   { FLOW_ORIGINAL, FLOW_UDP_REPLIED } };
	static const struct turn udp_at_once[] = { { FLOW_ORIGINAL, FLOW_UDP_NEW },
						   { FLOW_REPLY, FLOW_UDP_REPLIED } };
	static const struct turn other[] = { { FLOW_ORIGINAL, FLOW_OTHER },
					     { FLOW_ORIGINAL, FLOW_OTHER_SINGLE },
					     { FLOW_REPLY, FLOW_OTHER_REPLIED },
					     { FLOW_ORIGINAL, FLOW_OTHER_REPLIED } };
	static const struct turn icmp[] = { { FLOW_ORIGINAL, FLOW_ICMP },
					    { FLOW_ORIGINAL, FLOW_ICMP },
					    { FLOW_REPLY, FLOW_ICMP_REPLIED },
					    { FLOW_ORIGINAL, FLOW_ICMP_REPLIED } };
	static const uint8_t others[] = { 47, 50, 51, 132, 4, 41 };

	for (uint8_t version = 4; version <= 6; version += 2) {
		follow_turns(17, version, udp, ARRAY_SIZE(udp));
		follow_turns(17, version, udp_at_once, ARRAY_SIZE(udp_at_once));
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			follow_turns(others[i], version, other, ARRAY_SIZE(other));
		/* Each version has an ICMP of its own; the other's is nothing special. */
		follow_turns(version == 4 ? 1 : 58, version, icmp, ARRAY_SIZE(icmp));
		follow_turns(version == 4 ? 58 : 1, version, other, ARRAY_SIZE(other));
	}
}
END_TEST

START_TEST(what_may_begin)
{
	struct packet_info info = { .key = { .version = 4, .protocol = IP_PROTOCOL_ICMP } };

	for (unsigned int type = 0; type < 256; type++) {
		info.icmp_type = (uint8_t)type;
		info.key.version = 4;
		info.key.protocol = IP_PROTOCOL_ICMP;
		ck_assert_int_eq(flow_may_begin(&info), type == ICMP4_ECHO_REQUEST);
		info.key.protocol = IP_PROTOCOL_ICMP6;
		ck_assert(flow_may_begin(&info));
		info.key.version = 6;
		ck_assert_int_eq(flow_may_begin(&info), type == ICMP6_ECHO_REQUEST);
		info.key.protocol = IP_PROTOCOL_ICMP;
		ck_assert(flow_may_begin(&info));
	}
	for (unsigned int flags = 0; flags < 256; flags++) {
		info.key.protocol = IP_PROTOCOL_TCP;
		info.tcp_flags = (uint8_t)flags;
		ck_assert_int_eq(flow_may_begin(&info), (flags & (SYN | ACK | FIN | RST)) == SYN);
	}
	info.key.protocol = IP_PROTOCOL_UDP;
	ck_assert(flow_may_begin(&info));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, every_flow_is_visited_once);
	tcase_add_test(cases, many_end_at_once_in_slices);
	tcase_add_test(cases, long_times_are_kept);
	tcase_add_test(cases, one_packet_more_packets_and_answers_differ);
	tcase_add_test(cases, what_may_begin);
	tcase_add_test(cases, agrees_with_a_model);
	tcase_add_test(cases, purges_only_what_touches_the_interface);
	tcase_add_test(cases, deadlines_wrap);
	tcase_add_test(cases, ports_are_given_once);
}

int main(void)
{
	return unit_main("net/flow", add_cases);
}
