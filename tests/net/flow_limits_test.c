/* SPDX-License-Identifier: ISC */
/* What rules say of their flows: so many, so many of each source, for so long. */
#include <errno.h>
#include <string.h>

#include "tests/net/test_flows.h"

#define FLOWS 64u

static struct table_world world;
static struct flow_limits limits;
static void *limits_memory;
static uint32_t next_port;

static void begin(uint32_t rules, uint32_t sources)
{
	world_begin(&world, FLOWS, FLOWS / 2);
	limits_memory = malloc(flow_limits_bytes(rules, sources));
	flow_limits_init(&limits, limits_memory, rules, sources, &world.random);
	world.table.limits = &limits;
	next_port = 1;
}

static void end(void)
{
	world_end(&world);
	ck_assert_uint_eq(limits.rules_used, 0);
	ck_assert_uint_eq(limits.sources_used, 0);
	free(limits_memory);
}

/* A flow of source number `source`. */
struct ask {
	uint32_t source;
	uint8_t version;
	uint8_t owner;
	enum flow_state state;
	uint32_t quota; /* 0: all */
	struct flow_limit limit[FLOW_LIMITS];
};

static int create_flow(const struct ask *ask, struct flow **flow)
{
	struct flow_tuple original =
		tuple_number(0, ask->version ? ask->version : 4, 17, ask->owner);
	struct flow_request request = { .original = &original,
					.owner = ask->owner,
					.state = ask->state ? ask->state : FLOW_UDP_NEW,
					.quota = ask->quota ? ask->quota : FLOWS,
					.quota6 = FLOWS / 2 };
	struct flow_tuple reply;
	struct ip6_address address = original.ip6.source;
	int result;

	original.key.source_port = be16_of((uint16_t)next_port++);
	if (ask->version == 6) {
		memcpy(address.bytes + 4, &ask->source, 4);
		flow_tuple_set_source6(&original, &address);
	} else {
		original.key.source = be32_of(IP(10, 0, 0, 1) + ask->source);
	}
	reply = flow_tuple_reverse(&original, 99);
	request.reply = &reply;
	memcpy(request.limit, ask->limit, sizeof(request.limit));
	result = flow_create(&world.table, &request, world.now_ns, flow);
	ck_assert(flow_table_is_valid(&world.table));
	return result;
}

static struct flow *make(const struct ask *ask)
{
	struct flow *flow = NULL;

	ck_assert_int_eq(create_flow(ask, &flow), 0);
	return flow;
}

static void refused(const struct ask *ask, int error)
{
	uint32_t used = world.table.used;
	struct flow *flow;

	ck_assert_int_eq(create_flow(ask, &flow), error);
	ck_assert_uint_eq(world.table.used, used);
}

START_TEST(a_rule_has_so_many_flows)
{
	const struct rules_limits three = { .max_states = 3 };
	struct ask ask = { .limit = { { &three, 7 } } }, free_ask = { 0 };
	struct flow *flow;

	begin(4, 4);
	make(&ask);
	flow = make(&ask);
	ask.source = 9;
	ask.version = 6;
	make(&ask);
	refused(&ask, -EMFILE);
	ck_assert_int_eq(flow_drop_reason(-EMFILE), DROP_STATE_LIMIT);
	ck_assert_uint_eq(flow_limits_count(&limits, 7), 3);
	ck_assert_uint_eq(flow_limits_count(&limits, 8), 0);
	make(&free_ask); /* other rules do not care */
	ask.limit[0].rule = 8;
	make(&ask);
	ask.limit[0].rule = 7;
	flow_remove(flow);
	make(&ask);
	refused(&ask, -EMFILE);
	end();
}
END_TEST

START_TEST(a_source_has_so_many_flows)
{
	const struct rules_limits two = { .max_source_states = 2 };
	struct ask ask = { .limit = { { &two, 7 } } };
	struct flow *flow;

	begin(4, 16);
	for (uint8_t version = 4; version <= 6; version += 2) {
		ask.version = version;
		for (ask.source = 0; ask.source < 3; ask.source++) {
			make(&ask);
			flow = make(&ask);
			refused(&ask, -EMLINK);
			flow_remove(flow);
			make(&ask);
			refused(&ask, -EMLINK);
		}
	}
	ck_assert_int_eq(flow_drop_reason(-EMLINK), DROP_SOURCE_LIMIT);
	ck_assert_uint_eq(limits.sources_used, 6);
	ask.source = 0;
	ask.limit[0].rule = 8; /* another rule counts for itself */
	make(&ask);
	end();
}
END_TEST

START_TEST(both_rules_count)
{
	const struct rules_limits two = { .max_states = 2 }, three = { .max_states = 3 };
	struct ask ask = { .limit = { { &three, 1 }, { &two, 2 } } };

	begin(4, 4);
	make(&ask);
	make(&ask);
	refused(&ask, -EMFILE);
	ck_assert_uint_eq(flow_limits_count(&limits, 1), 2); /* nothing is left of the attempt */
	ask.limit[1].limits = NULL;
	make(&ask);
	refused(&ask, -EMFILE);
	/* A rule for both ways counts once. */
	ask.limit[0] = ask.limit[1] = (struct flow_limit){ &three, 5 };
	for (uint32_t i = 0; i < 3; i++)
		make(&ask);
	refused(&ask, -EMFILE);
	end();
}
END_TEST

START_TEST(without_memory_it_stays_closed)
{
	const struct rules_limits many = { .max_source_states = 100 };
	struct ask ask = { .limit = { { &many, 1 } } };

	begin(2, 8);
	ask.quota = FLOWS / 4;
	for (ask.source = 0; ask.source < 2; ask.source++)
		make(&ask);
	/* An owner with a quarter of the flows gets a quarter of the sources. */
	refused(&ask, -ENOBUFS);
	ck_assert_int_eq(flow_drop_reason(-ENOBUFS), DROP_LIMITS_FULL);
	for (ask.owner = 1; ask.owner < 4; ask.owner++)
		for (ask.source = 0; ask.source < 2; ask.source++)
			make(&ask);
	ask.owner = 0;
	ask.source = 0;
	make(&ask);
	ask.owner = 4;
	refused(&ask, -ENOBUFS);
	ask.owner = 0;
	ask.limit[0].rule = 2;
	flow_purge_all(&world.table);
	make(&ask);
	ask.limit[0].rule = 3;
	make(&ask);
	ask.limit[0].rule = 4;
	refused(&ask, -ENOBUFS);
	world.table.limits = NULL;
	ask.limit[0].rule = 3;
	refused(&ask, -ENOBUFS);
	world.table.limits = &limits;
	end();
}
END_TEST

/* What is refused for other reasons is not counted either. */
START_TEST(a_refused_flow_counts_for_nothing)
{
	const struct rules_limits both = { .max_states = 100, .max_source_states = 50 };
	struct ask ask = { .state = FLOW_TCP_ESTABLISHED, .quota = 2, .limit = { { &both, 1 } } };

	begin(2, 64);
	make(&ask);
	make(&ask);
	refused(&ask, -EDQUOT);
	ck_assert_uint_eq(flow_limits_count(&limits, 1), 2);
	next_port--; /* the same once more */
	ask.quota = 20;
	make(&ask);
	next_port--;
	refused(&ask, -EEXIST);
	ck_assert_uint_eq(flow_limits_count(&limits, 1), 3);
	end();
}
END_TEST

START_TEST(a_rule_that_refuses_pushes_nothing_out)
{
	const struct rules_limits one = { .max_states = 1 };
	struct ask ask = { .quota = 8, .limit = { { &one, 1 } } }, other = { .quota = 8 };

	begin(2, 8);
	make(&ask);
	for (uint32_t i = 0; i < 7; i++)
		make(&other);
	refused(&ask, -EMFILE);
	ck_assert_uint_eq(world.table.evicted, 0);
	end();
}
END_TEST

START_TEST(eviction_gives_back)
{
	const struct rules_limits ten = { .max_states = 10, .max_source_states = 10 };
	struct ask ask = { .quota = 8, .limit = { { &ten, 1 } } };

	begin(2, 64);
	for (ask.source = 0; ask.source < 50; ask.source++)
		make(&ask);
	ck_assert_uint_eq(flow_limits_count(&limits, 1), 8);
	ck_assert_uint_eq(limits.sources_used, 8);
	end();
}
END_TEST

START_TEST(other_rules_count_from_nothing)
{
	const struct rules_limits two = { .max_states = 2 },
				  one = { .max_states = 1, .max_source_states = 1 };
	struct flow_limit changed[FLOW_LIMITS] = { { &one, 3 }, { NULL, 0 } };
	const struct flow_limit none[FLOW_LIMITS] = { { NULL, 0 } };
	struct ask ask = { .limit = { { &two, 3 } } };
	struct flow *flows[2];

	begin(8, 64);
	flows[0] = make(&ask);
	flows[1] = make(&ask);
	refused(&ask, -EMFILE);
	for (uint32_t i = 0; i < 64; i++) {
		flow_limits_renew(&limits);
		ck_assert_uint_eq(flow_limits_count(&limits, 3), 0);
	}
	/* Flows that there are already may be more than is allowed now. */
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(flow_set_limits(flows[i], changed, world.now_ns), 0);
		ck_assert(flow_table_is_valid(&world.table));
	}
	ck_assert_uint_eq(flow_limits_count(&limits, 3), 2);
	ck_assert_uint_eq(limits.rules_used, 1);
	ask.limit[0].limits = &one;
	refused(&ask, -EMFILE);
	flow_remove(flows[0]);
	refused(&ask, -EMFILE);
	ck_assert_int_eq(flow_set_limits(flows[1], none, world.now_ns), 0);
	ck_assert_uint_eq(limits.rules_used, 0);
	make(&ask);
	/* When it cannot be counted it is as before. */
	world.table.limits = NULL;
	ck_assert_int_eq(flow_set_limits(flows[1], changed, world.now_ns), -ENOBUFS);
	world.table.limits = &limits;
	end();
}
END_TEST

/* ---- time-outs ---- */

static bool lives_for(const struct flow *flow, uint64_t seconds)
{
	struct flow_key key = flow->key[0];

	world_advance(&world, (seconds - 1) * TEST_SECOND);
	if (flow->state == FLOW_FREE || !flow_key_equal(&key, &flow->key[0]))
		return false;
	world_advance(&world, 2 * TEST_SECOND);
	return flow->state == FLOW_FREE;
}

START_TEST(each_state_has_a_time)
{
	static const uint32_t seconds[FLOW_STATE_COUNT] = {
		[FLOW_TCP_SYN_SENT] = 240,	[FLOW_TCP_SYN_RECEIVED] = 240,
		[FLOW_TCP_ESTABLISHED] = 86400, [FLOW_TCP_CLOSING] = 900,
		[FLOW_TCP_FIN_WAIT] = 240,	[FLOW_TCP_CLOSED] = 240,
		[FLOW_UDP_NEW] = 120,		[FLOW_UDP_SINGLE] = 120,
		[FLOW_UDP_REPLIED] = 300,	[FLOW_ICMP] = 60,
		[FLOW_ICMP_REPLIED] = 60,	[FLOW_OTHER] = 120,
		[FLOW_OTHER_SINGLE] = 120,	[FLOW_OTHER_REPLIED] = 300,
	};
	struct flow_timeouts timeouts = { { 0 } };
	struct ask ask = { 0 };

	begin(2, 2);
	for (ask.state = FLOW_FREE + 1; ask.state < FLOW_STATE_COUNT; ask.state++) {
		ck_assert_uint_eq(flow_idle_default(ask.state),
				  flow_idle_ticks(seconds[ask.state]));
		if (ask.state != FLOW_TCP_ESTABLISHED)
			ck_assert_msg(lives_for(make(&ask), seconds[ask.state]), "%s",
				      flow_state_name(ask.state));
		timeouts.seconds[ask.state] = 10 + (uint32_t)ask.state;
	}
	flow_table_set_timeouts(&world.table, &timeouts);
	for (ask.state = FLOW_FREE + 1; ask.state < FLOW_STATE_COUNT; ask.state++)
		ck_assert_msg(lives_for(make(&ask), 10 + (uint64_t)ask.state), "%s",
			      flow_state_name(ask.state));
	timeouts.seconds[FLOW_UDP_NEW] = 0;
	flow_table_set_timeouts(&world.table, &timeouts);
	ask.state = FLOW_UDP_NEW;
	ck_assert(lives_for(make(&ask), 120));
	end();
}
END_TEST

START_TEST(rules_name_the_times_in_their_order)
{
	uint32_t seconds[RULES_TIMEOUTS];
	struct flow_timeouts timeouts;

	for (uint32_t i = 0; i < RULES_TIMEOUTS; i++)
		seconds[i] = 100 + i;
	timeouts = flow_timeouts_of_rules(seconds);
	ck_assert_uint_eq(timeouts.seconds[FLOW_FREE], 0);
	ck_assert_uint_eq(timeouts.seconds[FLOW_TCP_SYN_SENT], 100 + RULES_TCP_FIRST);
	ck_assert_uint_eq(timeouts.seconds[FLOW_TCP_SYN_RECEIVED], 100 + RULES_TCP_OPENING);
	ck_assert_uint_eq(timeouts.seconds[FLOW_TCP_ESTABLISHED], 100 + RULES_TCP_ESTABLISHED);
	ck_assert_uint_eq(timeouts.seconds[FLOW_TCP_CLOSING], 100 + RULES_TCP_CLOSING);
	ck_assert_uint_eq(timeouts.seconds[FLOW_TCP_FIN_WAIT], 100 + RULES_TCP_FINWAIT);
	ck_assert_uint_eq(timeouts.seconds[FLOW_TCP_CLOSED], 100 + RULES_TCP_CLOSED);
	ck_assert_uint_eq(timeouts.seconds[FLOW_UDP_NEW], 100 + RULES_UDP_FIRST);
	ck_assert_uint_eq(timeouts.seconds[FLOW_UDP_SINGLE], 100 + RULES_UDP_SINGLE);
	ck_assert_uint_eq(timeouts.seconds[FLOW_UDP_REPLIED], 100 + RULES_UDP_MULTIPLE);
	ck_assert_uint_eq(timeouts.seconds[FLOW_ICMP], 100 + RULES_ICMP_FIRST);
	ck_assert_uint_eq(timeouts.seconds[FLOW_ICMP_REPLIED], 100 + RULES_ICMP_ERROR);
	ck_assert_uint_eq(timeouts.seconds[FLOW_OTHER], 100 + RULES_OTHER_FIRST);
	ck_assert_uint_eq(timeouts.seconds[FLOW_OTHER_SINGLE], 100 + RULES_OTHER_SINGLE);
	ck_assert_uint_eq(timeouts.seconds[FLOW_OTHER_REPLIED], 100 + RULES_OTHER_MULTIPLE);
}
END_TEST

START_TEST(a_rule_has_times_of_its_own)
{
	const struct rules_limits longer = {
		.timeout = { [RULES_UDP_FIRST] = 500, [RULES_UDP_MULTIPLE] = 5 }
	};
	const struct rules_limits shorter = { .timeout = { [RULES_UDP_FIRST] = 400 } };
	const struct rules_limits brief = { .timeout = { [RULES_UDP_FIRST] = 20 } };
	const struct rules_limits endless = { .timeout = { [RULES_UDP_FIRST] = UINT32_MAX } };
	struct ask ask = { .limit = { { &longer, 1 } } };
	struct flow *flow;

	begin(8, 8);
	ck_assert(lives_for(make(&ask), 500));
	ask.limit[1] = (struct flow_limit){ &shorter, 2 }; /* of two the shorter */
	ck_assert(lives_for(make(&ask), 400));
	ask.limit[0] = ask.limit[1];
	ask.limit[1] = (struct flow_limit){ &longer, 1 };
	ck_assert(lives_for(make(&ask), 400));
	ask.limit[1] = ask.limit[0];
	ask.limit[0] = (struct flow_limit){ &longer, 1 };
	flow = make(&ask);
	flow_set_state(flow, FLOW_UDP_REPLIED, world.now_ns); /* of one that says it */
	ck_assert(lives_for(flow, 5));
	ask.limit[0].limits = NULL;
	flow = make(&ask);
	flow_set_state(flow, FLOW_UDP_REPLIED, world.now_ns); /* of none */
	ck_assert(lives_for(flow, 300));

	/* Other rules: the time counts from the last packet, not from now. */
	ask.limit[1].limits = NULL;
	flow = make(&ask);
	world_advance(&world, 100 * TEST_SECOND);
	ck_assert_int_eq(flow_set_limits(flow,
					 (struct flow_limit[]){ { &shorter, 2 }, { NULL, 0 } },
					 world.now_ns),
			 0);
	ck_assert(lives_for(flow, 300));
	flow = make(&ask);
	world_advance(&world, 5 * TEST_SECOND);
	ck_assert_int_eq(flow_set_limits(flow, (struct flow_limit[]){ { &brief, 4 }, { NULL, 0 } },
					 world.now_ns),
			 0);
	ck_assert(lives_for(flow, 15));
	ask.limit[0] = (struct flow_limit){ &endless, 3 };
	flow = make(&ask);
	world_advance(&world, 100 * TEST_SECOND);
	ck_assert_uint_eq(world.table.used, 1);
	end();
}
END_TEST

/* ---- random ---- */

START_TEST(counts_are_exact)
{
	static const struct rules_limits kinds[] = {
		{ .max_states = 9 },
		{ .max_source_states = 3 },
		{ .max_states = 20, .max_source_states = 2 },
		{ .timeout = { [RULES_UDP_FIRST] = 3 } },
	};
	uint64_t state = unit_seed() | 1;
	uint32_t refusals = 0;

	begin(12, 24);
	for (uint32_t round = 0; round < 20000; round++) {
		struct flow *flow = &world.table.flows[unit_random(&state) % FLOWS];
		struct ask ask = { .source = (uint32_t)(unit_random(&state) % 10),
				   .version = unit_random(&state) % 2 ? 6 : 4,
				   .owner = (uint8_t)(unit_random(&state) % 3),
				   .quota = FLOWS / 4 };

		for (uint32_t i = 0; i < FLOW_LIMITS; i++) {
			uint32_t kind = (uint32_t)(unit_random(&state) % 5);

			if (kind < ARRAY_SIZE(kinds))
				ask.limit[i] = (struct flow_limit){ &kinds[kind], kind };
		}
		switch (unit_random(&state) % 8) {
		case 0:
			if (flow->state != FLOW_FREE)
				flow_remove(flow);
			break;
		case 1:
			if (flow->state != FLOW_FREE)
				(void)!flow_set_limits(flow, ask.limit, world.now_ns);
			break;
		case 2:
			world_advance(&world, TEST_SECOND / 10);
			break;
		case 3:
			if (round % 50 == 0)
				flow_limits_renew(&limits);
			break;
		default:
			refusals += create_flow(&ask, &flow) != 0;
			for (uint32_t kind = 0; kind < ARRAY_SIZE(kinds) && refusals > 1000; kind++)
				if (limits.generation == 0 && kinds[kind].max_states)
					ck_assert_uint_le(flow_limits_count(&limits, kind),
							  kinds[kind].max_states);
			break;
		}
	}
	ck_assert(flow_table_is_valid(&world.table));
	ck_assert_uint_gt(refusals, 100);
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_rule_has_so_many_flows);
	tcase_add_test(cases, a_source_has_so_many_flows);
	tcase_add_test(cases, both_rules_count);
	tcase_add_test(cases, without_memory_it_stays_closed);
	tcase_add_test(cases, a_refused_flow_counts_for_nothing);
	tcase_add_test(cases, a_rule_that_refuses_pushes_nothing_out);
	tcase_add_test(cases, eviction_gives_back);
	tcase_add_test(cases, other_rules_count_from_nothing);
	tcase_add_test(cases, each_state_has_a_time);
	tcase_add_test(cases, rules_name_the_times_in_their_order);
	tcase_add_test(cases, a_rule_has_times_of_its_own);
	tcase_add_test(cases, counts_are_exact);
}

int main(void)
{
	return unit_main("net/flow_limits", add_cases);
}
