/* SPDX-License-Identifier: ISC */
/* A table that is full, so that lines of the index overflow, and flows that come and go. */
#include "net/flow_parts.h"
#include "tests/net/test_flows.h"

#define FLOWS 6000u
#define CHANGES 20000u

static struct flow *find(const struct table_world *world, const struct flow_tuple *tuple,
			 enum flow_direction *direction)
{
	flow_prefetch_bucket(&world->table, flow_hash(&world->table, tuple));
	flow_prefetch_entry(&world->table, flow_hash(&world->table, tuple));
	flow_prefetch_addresses6(&world->table, flow_hash(&world->table, tuple));
	return flow_find(&world->table, tuple, flow_hash(&world->table, tuple), direction);
}

static struct flow *begin(struct table_world *world, uint32_t number, uint8_t version)
{
	const struct flow_tuple original = tuple_number(number, version, IP_PROTOCOL_UDP, 1);
	const struct flow_tuple reply = flow_tuple_reverse(&original, 0);
	const struct flow_request request = {
		.original = &original,
		.reply = &reply,
		.owner = 1,
		.state = FLOW_UDP_NEW,
		.quota = FLOWS,
		.quota6 = FLOWS,
	};
	struct flow *flow;

	ck_assert_int_eq(flow_create(&world->table, &request, world->now_ns, &flow), 0);
	return flow;
}

static void expect_found(const struct table_world *world, uint32_t number, uint8_t version,
			 const struct flow *flow)
{
	const struct flow_tuple original = tuple_number(number, version, IP_PROTOCOL_UDP, 1);
	const struct flow_tuple reply = flow_tuple_reverse(&original, 0);
	enum flow_direction direction = FLOW_REPLY;

	ck_assert_ptr_eq(find(world, &original, &direction), flow);
	ck_assert(!flow || direction == FLOW_ORIGINAL);
	ck_assert_ptr_eq(find(world, &reply, &direction), flow);
	ck_assert(!flow || direction == FLOW_REPLY);
}

static uint32_t overflowing_lines(const struct flow_table *table)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < table->line_count; i++)
		count += table->lines[i].chain != 0;
	return count;
}

START_TEST(all_are_found_in_a_full_table)
{
	static struct flow *flows[FLOWS];
	static uint32_t numbers[FLOWS];
	uint64_t state = unit_seed() | 1;
	struct table_world world;

	world_begin(&world, FLOWS, FLOWS / 2);
	for (uint32_t i = 0; i < FLOWS; i++) {
		numbers[i] = i;
		flows[i] = begin(&world, i, i % 2 ? 6 : 4);
	}
	ck_assert_uint_gt(overflowing_lines(&world.table), 10);
	ck_assert(flow_table_is_valid(&world.table));
	for (uint32_t i = 0; i < CHANGES; i++) {
		uint32_t at = (uint32_t)(unit_random(&state) % FLOWS);
		uint8_t version = at % 2 ? 6 : 4;

		flow_remove(flows[at]);
		expect_found(&world, numbers[at], version, NULL);
		numbers[at] = FLOWS + i;
		flows[at] = begin(&world, numbers[at], version);
		if (i % 2000 == 0)
			ck_assert(flow_table_is_valid(&world.table));
	}
	for (uint32_t i = 0; i < FLOWS; i++)
		expect_found(&world, numbers[i], i % 2 ? 6 : 4, flows[i]);
	ck_assert_uint_gt(overflowing_lines(&world.table), 10);
	flow_purge_all(&world.table);
	ck_assert_uint_eq(overflowing_lines(&world.table), 0);
	world_end(&world);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, all_are_found_in_a_full_table);
}

int main(void)
{
	return unit_main("net/flow_index", add_cases);
}
