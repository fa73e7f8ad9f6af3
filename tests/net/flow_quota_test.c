/* SPDX-License-Identifier: ISC */
/* Who pays for a new flow: quotas, what goes first, and that nobody pays for another. */
#include <errno.h>
#include <string.h>

#include "tests/net/test_flows.h"

#define ABANDONED (FLOW_ABANDONED_SECONDS * TEST_SECOND)

static struct table_world world;
static uint32_t next_number;

struct ask {
	uint8_t owner;
	uint8_t version; /* 0: 4 */
	enum flow_state state;
	uint32_t quota;
	uint32_t quota6;
};

static int create_flow(const struct ask *ask, struct flow **flow)
{
	struct flow_tuple original =
		tuple_number(next_number++, ask->version ? ask->version : 4, 17, ask->owner & 127);
	struct flow_tuple reply = flow_tuple_reverse(&original, 99);
	const struct flow_request request = { .original = &original,
					      .reply = &reply,
					      .owner = ask->owner,
					      .state = ask->state,
					      .quota = ask->quota,
					      .quota6 = ask->quota6 };

	return flow_create(&world.table, &request, world.now_ns, flow);
}

static struct flow *make(const struct ask *ask)
{
	struct flow *flow = NULL;

	ck_assert_int_eq(create_flow(ask, &flow), 0);
	return flow;
}

static void refused(const struct ask *ask, int error)
{
	struct flow *flow;

	ck_assert_int_eq(create_flow(ask, &flow), error);
	ck_assert(flow_table_is_valid(&world.table));
}

static bool lives(const struct flow *flow, const struct flow_key *key)
{
	return flow->state != FLOW_FREE && flow_key_equal(&flow->key[0], key);
}

/* Each new one takes the place of the next in this order. */
START_TEST(the_least_valuable_goes_first)
{
	static const enum flow_state states[] = {
		FLOW_UDP_NEW,
		FLOW_TCP_SYN_SENT,
		FLOW_ICMP,
		FLOW_TCP_CLOSED,
		FLOW_OTHER_SINGLE,
		FLOW_TCP_FIN_WAIT,
		FLOW_UDP_SINGLE,
		FLOW_ICMP_REPLIED,
		FLOW_OTHER,
		FLOW_TCP_SYN_RECEIVED,
		/* And then these. */
		FLOW_UDP_REPLIED,
		FLOW_TCP_CLOSING,
		FLOW_OTHER_REPLIED,
	};
	const uint32_t unproved = 10, count = ARRAY_SIZE(states);
	struct flow *flows[ARRAY_SIZE(states)], *newest;
	struct flow_key keys[ARRAY_SIZE(states)];
	/* Half-open ones may be a quarter. */
	struct ask ask = { .owner = 1, .quota = 16 };

	world_begin(&world, 64, 0);
	for (uint32_t i = 0; i < 3; i++) {
		ask.state = FLOW_TCP_ESTABLISHED;
		make(&ask);
	}
	/* The valuable ones are older, and go later all the same. */
	for (uint32_t i = count; i-- > 0;) {
		uint32_t at = i >= unproved ? i : unproved - 1 - i;

		ask.state = states[at];
		flows[at] = make(&ask);
		keys[at] = flows[at]->key[0];
		world_advance(&world, TEST_SECOND);
	}
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t j = 0; j < count; j++) {
			bool is_later =
				i < unproved ? j >= i : j >= unproved && j + i < count + unproved;

			ck_assert_msg(lives(flows[j], &keys[j]) == is_later, "round %u: %u", i, j);
		}
		ask.state = FLOW_TCP_ESTABLISHED;
		newest = make(&ask);
		ck_assert_uint_eq(newest->owner, 1);
		ck_assert_uint_eq(flow_owned(&world.table, 1), 16);
	}
	refused(&ask, -EDQUOT);
	ck_assert_uint_eq(world.table.evicted, count);
	world_end(&world);
}
END_TEST

START_TEST(of_answered_flows_the_longest_idle_goes)
{
	struct ask ask = { .owner = 1, .state = FLOW_UDP_REPLIED, .quota = 100 };
	struct flow *flows[100];
	struct flow_key keys[100];

	world_begin(&world, 200, 0);
	for (uint32_t i = 0; i < 100; i++) {
		flows[i] = make(&ask);
		keys[i] = flows[i]->key[0];
	}
	world_advance(&world, 10 * TEST_SECOND);
	/* All but every tenth are in use. */
	for (uint32_t i = 0; i < 100; i++)
		if (i % 10 != 9)
			flow_refresh(flows[i], world.now_ns);
	for (uint32_t i = 0; i < 10; i++) {
		make(&ask);
		for (uint32_t j = 0; j < 100; j++)
			ck_assert(lives(flows[j], &keys[j]) == (j % 10 != 9 || j / 10 > i));
	}
	world_end(&world);
}
END_TEST

/* Flows that are in use move on when the timer comes by, so that a look at a few will do. */
START_TEST(an_idle_flow_among_many_in_use_is_found)
{
	struct ask ask = { .owner = 1, .state = FLOW_UDP_REPLIED, .quota = 1000 };
	struct flow *flows[1000];
	struct flow_key key;

	world_begin(&world, 1000, 0);
	for (uint32_t i = 0; i < 1000; i++)
		flows[i] = make(&ask);
	key = flows[700]->key[0];
	for (uint32_t second = 0; second < 290; second++) {
		for (uint32_t i = 0; i < 1000; i++)
			if (i != 700)
				flow_refresh(flows[i], world.now_ns);
		world_advance(&world, TEST_SECOND);
	}
	ck_assert(lives(flows[700], &key));
	make(&ask);
	ck_assert(!lives(flows[700], &key));
	world_end(&world);
}
END_TEST

START_TEST(open_connections_stay_until_abandoned)
{
	struct ask ask = { .owner = 1, .state = FLOW_TCP_ESTABLISHED, .quota = 4 };
	struct flow *flows[4], *late;
	struct flow_key keys[4];

	world_begin(&world, 8, 0);
	for (uint32_t i = 0; i < 4; i++) {
		flows[i] = make(&ask);
		keys[i] = flows[i]->key[0];
	}
	world_advance(&world, ABANDONED - 10 * TEST_SECOND);
	refused(&ask, -EDQUOT);
	flow_refresh(flows[0], world.now_ns);
	flow_refresh(flows[2], world.now_ns);
	world_advance(&world, 11 * TEST_SECOND);
	late = make(&ask);
	make(&ask);
	refused(&ask, -EDQUOT);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert(lives(flows[i], &keys[i]) == (i % 2 == 0));
	ck_assert_uint_eq(late->state, FLOW_TCP_ESTABLISHED);
	world_end(&world);
}
END_TEST

START_TEST(ipv6_has_a_quota_of_its_own)
{
	struct ask ask4 = { .owner = 1, .state = FLOW_UDP_NEW, .quota = 10, .quota6 = 4 };
	struct ask ask6 = {
		.owner = 1, .version = 6, .state = FLOW_UDP_NEW, .quota = 10, .quota6 = 4
	};
	struct flow *first4, *first6;
	struct flow_key key4, key6;

	world_begin(&world, 20, 5);
	first4 = make(&ask4);
	key4 = first4->key[0];
	world_advance(&world, TEST_SECOND);
	first6 = make(&ask6);
	key6 = first6->key[0];
	for (uint32_t i = 1; i < 4; i++)
		make(&ask6);
	ck_assert(lives(first6, &key6));
	make(&ask6); /* an older one of IPv4 would be of no help */
	ck_assert(!lives(first6, &key6));
	ck_assert(lives(first4, &key4));
	ck_assert_uint_eq(world.table.used6, 4);
	ask6.state = FLOW_TCP_ESTABLISHED;
	for (uint32_t i = 0; i < 4; i++)
		make(&ask6);
	refused(&ask6, -EDQUOT);
	/* Third lines can be used up too. */
	ask6.owner = 2;
	make(&ask6);
	refused(&ask6, -ENOSPC);
	ask6.version = 4;
	make(&ask6);
	/* At the quota of all, whatever version is older goes. */
	while (flow_owned(&world.table, 1) < 10)
		make(&ask4);
	make(&ask4);
	ck_assert(!lives(first4, &key4));
	world_end(&world);
}
END_TEST

START_TEST(half_open_connections_are_few)
{
	struct ask ask = { .owner = 1, .state = FLOW_TCP_SYN_SENT, .quota = 40, .quota6 = 40 };
	struct ask udp = { .owner = 1, .state = FLOW_UDP_NEW, .quota = 40 };
	struct flow *oldest_udp, *flows[30];
	struct flow_key udp_key, keys[30];

	world_begin(&world, 100, 50);
	oldest_udp = make(&udp);
	udp_key = oldest_udp->key[0];
	for (uint32_t i = 0; i < 30; i++) {
		ask.version = i % 3 ? 4 : 6;
		flows[i] = make(&ask);
		keys[i] = flows[i]->key[0];
		world_advance(&world, TEST_SECOND / 10);
		if (i % 2) /* an answer does not open it, the other end's does */
			flow_set_state(flows[i], FLOW_TCP_SYN_RECEIVED, world.now_ns);
		ck_assert_uint_le(world.table.owners[1].half_open, 40 / FLOW_HALF_OPEN_SHARE);
	}
	ck_assert_uint_eq(flow_owned(&world.table, 1), 1 + 10);
	ck_assert(lives(oldest_udp, &udp_key));
	for (uint32_t i = 0; i < 19; i++)
		ck_assert(!lives(flows[i], &keys[i]));
	/* Those that open do not count. */
	for (uint32_t i = 25; i < 30; i++)
		flow_set_state(flows[i], FLOW_TCP_ESTABLISHED, world.now_ns);
	ck_assert(flow_table_is_valid(&world.table));
	for (uint32_t i = 0; i < 30; i++)
		make(&ask);
	ck_assert_uint_eq(flow_owned(&world.table, 1), 1 + 5 + 10);
	/* However small a quota is, one may open. */
	ask.owner = 2;
	ask.quota = 2;
	make(&ask);
	make(&ask);
	ck_assert_uint_eq(flow_owned(&world.table, 2), 1);
	world_end(&world);
}
END_TEST

START_TEST(a_flood_at_one_forwarded_port_leaves_the_others)
{
	struct ask flood = { .owner = flow_owner_inbound(3),
			     .state = FLOW_TCP_SYN_SENT,
			     .quota = 40 };
	struct ask other = { .owner = flow_owner_inbound(4),
			     .state = FLOW_TCP_SYN_SENT,
			     .quota = 40 };
	struct ask own = { .owner = 3, .state = FLOW_TCP_SYN_SENT, .quota = 40 };
	struct flow *flows[2];
	struct flow_key keys[2];

	ck_assert_uint_ne(flood.owner, other.owner);
	ck_assert_uint_ne(flood.owner, own.owner);
	world_begin(&world, 100, 0);
	flows[0] = make(&other);
	flows[1] = make(&own);
	keys[0] = flows[0]->key[0];
	keys[1] = flows[1]->key[0];
	for (uint32_t i = 0; i < 1000; i++) {
		flood.state = i % 2 ? FLOW_TCP_SYN_SENT : FLOW_UDP_NEW;
		make(&flood);
	}
	ck_assert(lives(flows[0], &keys[0]) && lives(flows[1], &keys[1]));
	ck_assert_uint_eq(flow_owned(&world.table, flood.owner), 40);
	world_end(&world);
}
END_TEST

START_TEST(whoever_is_new_finds_its_share)
{
	world_begin(&world, 80, 40);
	/* Seven who want everything, by what cannot be evicted. */
	for (uint32_t i = 0; i < 7 * 40; i++) {
		struct ask ask = { .owner = (uint8_t)(i % 7),
				   .version = i / 7 % 2 ? 6 : 4,
				   .state = FLOW_TCP_ESTABLISHED,
				   .quota = 10,
				   .quota6 = 5 };
		struct flow *flow;

		ck_assert_int_eq(create_flow(&ask, &flow),
				 flow_owned(&world.table, ask.owner) > 10 || i >= 70 ? -EDQUOT : 0);
	}
	for (uint32_t i = 0; i < 10; i++) {
		struct ask ask = { .owner = 7,
				   .version = i % 2 ? 6 : 4,
				   .state = FLOW_UDP_NEW,
				   .quota = 10,
				   .quota6 = 5 };

		make(&ask);
	}
	ck_assert_uint_eq(world.table.used, 80);
	ck_assert_uint_eq(world.table.evicted, 0);
	world_end(&world);
}
END_TEST

START_TEST(quotas_may_shrink)
{
	struct ask ask = { .owner = 1, .state = FLOW_UDP_NEW, .quota = 30, .quota6 = 20 };

	world_begin(&world, 60, 30);
	for (uint32_t i = 0; i < 30; i++) {
		ask.version = i % 2 ? 6 : 4;
		ask.state = i < 6 ? FLOW_TCP_ESTABLISHED : FLOW_UDP_NEW;
		make(&ask);
	}
	ck_assert_uint_eq(flow_trim(&world.table, 1, 30, 15, 100, world.now_ns), 0);
	ck_assert_uint_eq(flow_trim(&world.table, 1, 30, 10, 3, world.now_ns), 3);
	ck_assert_uint_eq(flow_trim(&world.table, 1, 30, 10, 100, world.now_ns), 2);
	ck_assert_uint_eq(world.table.used6, 10);
	ck_assert_uint_eq(flow_owned(&world.table, 1), 25);
	ck_assert_uint_eq(flow_trim(&world.table, 1, 12, 10, 100, world.now_ns), 13);
	ck_assert_uint_eq(flow_trim(&world.table, 1, 2, 0, 100, world.now_ns), 6);
	ck_assert_uint_eq(flow_owned(&world.table, 1), 6); /* open connections */
	ask.quota = 5;
	refused(&ask, -EDQUOT);
	/* A new one pays for a few, so that this comes to an end. */
	ask.quota = 30;
	ask.version = 4;
	while (flow_owned(&world.table, 1) < 30)
		make(&ask);
	ask.quota = 28;
	make(&ask);
	ck_assert_uint_eq(flow_owned(&world.table, 1), 28);
	world_end(&world);
}
END_TEST

/* ---- random ---- */

#define OWNERS 5u
#define FLOWS 300u
#define FLOWS6 150u
#define OWNER_QUOTA (FLOWS / OWNERS)
#define OWNER_QUOTA6 (FLOWS6 / OWNERS)

struct known {
	bool live;
	uint8_t owner;
	uint8_t version;
	struct flow_key key;
	uint64_t last_ns; /* its last packet */
};

static struct known known[FLOWS];
static uint32_t live[2];
static enum { BY_CREATE, BY_TIME, BY_HAND } why;
static uint8_t who;

static void removed(void *context, const struct flow *flow)
{
	struct known *it = &known[flow->index];
	struct flow_tuple tuple = flow_tuple_of(flow, FLOW_ORIGINAL);
	enum flow_direction direction;

	ck_assert_ptr_eq(context, known);
	ck_assert(it->live); /* once each */
	ck_assert(flow_key_equal(&it->key, &flow->key[0]));
	ck_assert_ptr_null(
		flow_find(&world.table, &tuple, flow_hash(&world.table, &tuple), &direction));
	if (why == BY_CREATE) {
		ck_assert_uint_eq(it->owner, who);
		ck_assert(flow->state != FLOW_TCP_ESTABLISHED ||
			  world.now_ns - it->last_ns >= ABANDONED);
	}
	if (why == BY_TIME) {
		uint64_t idle = (uint64_t)world.table.idle[flow->state] << WHEEL_TICK_SHIFT;

		ck_assert_uint_ge(world.now_ns + (1u << WHEEL_TICK_SHIFT), it->last_ns + idle);
		ck_assert_uint_le(world.now_ns, it->last_ns + idle + 3 * TEST_SECOND / 10);
	}
	it->live = false;
	live[it->version == 6]--;
}

static void random_create(uint64_t *state)
{
	struct ask ask = { .owner = (uint8_t)(unit_random(state) % OWNERS),
			   .version = unit_random(state) % 2 ? 6 : 4,
			   .state = FLOW_FREE + 1 +
				    (enum flow_state)(unit_random(state) % (FLOW_STATE_COUNT - 1)),
			   .quota = OWNER_QUOTA,
			   .quota6 = OWNER_QUOTA6 };
	struct flow *flow = NULL;
	int result;

	if (unit_random(state) % 3)
		ask.state = FLOW_TCP_ESTABLISHED;
	who = ask.owner;
	why = BY_CREATE;
	result = create_flow(&ask, &flow);
	ck_assert(result == 0 || result == -EDQUOT);
	if (result)
		return;
	ck_assert(!known[flow->index].live);
	known[flow->index] =
		(struct known){ true, ask.owner, ask.version, flow->key[0], world.now_ns };
	live[ask.version == 6]++;
}

static void random_step(uint64_t *state)
{
	uint32_t index = (uint32_t)(unit_random(state) % FLOWS);
	struct flow *flow = &world.table.flows[index];

	switch (unit_random(state) % 16) {
	case 0:
		why = BY_HAND;
		if (known[index].live)
			flow_remove(flow);
		break;
	case 1:
	case 2:
		if (known[index].live)
			flow_set_state(flow,
				       FLOW_FREE + 1 +
					       (enum flow_state)(unit_random(state) %
								 (FLOW_STATE_COUNT - 1)),
				       world.now_ns);
		known[index].last_ns = world.now_ns;
		break;
	case 3:
	case 4:
	case 5:
		if (known[index].live)
			flow_refresh(flow, world.now_ns);
		known[index].last_ns = world.now_ns;
		break;
	case 6:
		why = BY_TIME;
		world_advance(&world, unit_random(state) % (unit_random(state) % 50 ? 1 : 3000) *
					      TEST_SECOND / 4);
		break;
	default:
		random_create(state);
		break;
	}
}

START_TEST(nobody_pays_for_another)
{
	uint64_t state = unit_seed() | 1;

	memset(known, 0, sizeof(known));
	live[0] = live[1] = 0;
	world_begin(&world, FLOWS, FLOWS6);
	world.table.removed = removed;
	world.table.removed_context = known;
	for (uint32_t round = 0; round < 60000; round++) {
		random_step(&state);
		ck_assert_uint_eq(world.table.used, live[0] + live[1]);
		ck_assert_uint_eq(world.table.used6, live[1]);
		for (uint8_t owner = 0; owner < OWNERS; owner++) {
			ck_assert_uint_le(world.table.owners[owner].flows, OWNER_QUOTA);
			ck_assert_uint_le(world.table.owners[owner].flows6, OWNER_QUOTA6);
		}
		if (round % 64 == 0)
			ck_assert(flow_table_is_valid(&world.table));
	}
	ck_assert_uint_gt(world.table.evicted, 1000);
	ck_assert_uint_gt(world.table.expired, 100);
	why = BY_HAND;
	world_end(&world);
	ck_assert_uint_eq(live[0] + live[1], 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, the_least_valuable_goes_first);
	tcase_add_test(cases, of_answered_flows_the_longest_idle_goes);
	tcase_add_test(cases, an_idle_flow_among_many_in_use_is_found);
	tcase_add_test(cases, open_connections_stay_until_abandoned);
	tcase_add_test(cases, ipv6_has_a_quota_of_its_own);
	tcase_add_test(cases, half_open_connections_are_few);
	tcase_add_test(cases, a_flood_at_one_forwarded_port_leaves_the_others);
	tcase_add_test(cases, whoever_is_new_finds_its_share);
	tcase_add_test(cases, quotas_may_shrink);
	tcase_add_test(cases, nobody_pays_for_another);
}

int main(void)
{
	return unit_main("net/flow_quota", add_cases);
}
