/* SPDX-License-Identifier: ISC */
/* The flow table against a plain model. */
#include <errno.h>
#include <string.h>

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

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, agrees_with_a_model);
	tcase_add_test(cases, purges_only_what_touches_the_interface);
	tcase_add_test(cases, deadlines_wrap);
	tcase_add_test(cases, ports_are_given_once);
}

int main(void)
{
	return unit_main("net/flow", add_cases);
}
