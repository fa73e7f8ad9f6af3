/* SPDX-License-Identifier: ISC */
/* Random flows through all modes at once: translations stay one to one. */
#include "tests/net/test_choose.h"

#define FLOWS 400u

struct live {
	struct flow *flow;
	struct nat_endpoint internal, external;
	enum nat_mode mode;
	uint8_t interface;
};

static struct live live[FLOWS];
static uint32_t live_count;

static bool same_endpoint(const struct nat_endpoint *a, const struct nat_endpoint *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What must hold between two flows that live at once. */
static void check_pair(const struct live *a, const struct live *b)
{
	struct flow_tuple reply_a = flow_tuple_of(a->flow, FLOW_REPLY);
	struct flow_tuple reply_b = flow_tuple_of(b->flow, FLOW_REPLY);
	bool one_inside = same_endpoint(&a->internal, &b->internal) && a->interface == b->interface;
	bool one_outside = same_endpoint(&a->external, &b->external);

	if (flow_tuple_equal(&reply_a, &reply_b))
		ck_abort_msg("two flows have one reply");
	if (a->mode != NAT_ENDPOINT_INDEPENDENT)
		return;
	if (one_outside && !one_inside)
		ck_abort_msg("two end points have one name");
	if (b->mode == a->mode && one_inside && !one_outside)
		ck_abort_msg("one end point has two names");
}

static void check_all(void)
{
	if (!nat_mappings_are_valid(&nat.mappings) || !flow_table_is_valid(&table))
		ck_abort_msg("a table is broken");
	for (uint32_t i = 0; i < live_count; i++)
		for (uint32_t j = 0; j < live_count; j++)
			if (i != j)
				check_pair(&live[i], &live[j]);
}

static void random_flow(uint64_t *state)
{
	static const enum nat_mode modes[] = { NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT,
					       NAT_SYMMETRIC, NAT_STATIC_PORT };
	uint8_t version = unit_random(state) % 2 ? 4 : 6;
	uint8_t protocol = (uint8_t[]){ TCP, UDP, icmp_of(version) }[unit_random(state) % 3];
	uint16_t to_port =
		(uint16_t)(protocol == icmp_of(version) ? 0 : unit_random(state) % 3 + 1);
	struct flow_tuple original =
		tuple_of(version, protocol, (uint32_t)(unit_random(state) % 4 * 50),
			 (uint16_t)(unit_random(state) % 12 * 100 + 10),
			 200 + (uint32_t)(unit_random(state) % 3), to_port);
	struct live *next = &live[live_count];
	struct nat_request request;
	enum flow_direction direction;
	struct flow_tuple reply;
	int error;

	next->mode = modes[unit_random(state) % 4];
	request = request_of(&original, next->mode);
	if (flow_find(&table, &original, flow_hash(&table, &original), &direction))
		return; /* a packet of a flow that is there */
	error = make(&request, &reply, &next->flow);
	if (error) { /* only a port that must stay can be lacking here */
		ck_assert_int_eq(error, -EADDRINUSE);
		ck_assert_int_eq(next->mode, NAT_STATIC_PORT);
		return;
	}
	next->internal = nat_source_of(&original);
	next->external = nat_destination_of(&reply);
	next->interface = original.key.interface;
	live_count++;
}

START_TEST(translations_are_one_to_one)
{
	uint64_t state = unit_seed() | 1;

	begin(FLOWS, FLOWS);
	live_count = 0;
	for (uint32_t round = 0; round < 20000; round++) {
		/* Now rather filling up, now rather emptying. */
		bool fill = unit_random(&state) % 10 < (round / 1000 % 2 ? 3u : 7u);

		if (fill && live_count < FLOWS) {
			random_flow(&state);
		} else if (!fill && live_count) {
			uint32_t i = (uint32_t)(unit_random(&state) % live_count);

			drop_flow(live[i].flow);
			live[i] = live[--live_count];
		}
		if (round % 200 == 0)
			check_all();
	}
	check_all();
	end();
}
END_TEST

/* All ports of one address owned: bounded refusals, nothing twice, and all comes back. */
START_TEST(a_whole_address_is_used_up)
{
	static uint8_t given[65536];
	uint32_t made = 0;

	memset(given, 0, sizeof(given));
	begin(70000, 70000);
	for (uint32_t i = 0; i < 70000; i++) {
		struct flow_tuple original = tuple_of(4, TCP, 1, 4000, 200, 80), reply;
		struct nat_request request = request_of(&original, NAT_ENDPOINT_INDEPENDENT);

		original.key.source = be32_of(IP(10, 9, 0, 0) + i);
		if (nat_choose(&nat, &request, &reply))
			continue;
		if (given[be16_get(reply.key.destination_port)]++)
			ck_abort_msg("a port was given twice");
		if (!test_flow_create(&table, &original, &reply))
			ck_abort_msg("no flow");
		made++;
	}
	ck_assert_uint_gt(made, 63000);
	ck_assert_uint_le(made, 64512);
	ck_assert(nat_mappings_are_valid(&nat.mappings));
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, translations_are_one_to_one);
	tcase_add_test(cases, a_whole_address_is_used_up);
}

int main(void)
{
	return unit_main("net/nat_random", add_cases);
}
