/* SPDX-License-Identifier: ISC */
/*
 * References: flow index * 2 + direction + 1, so that 0 can mean none. The memory is
 * the flows, aligned to cache lines, then the third lines, and then the buckets: two to
 * four for each flow, one word each.
 */
#include "net/flow.h"

#include <errno.h>
#include <string.h>

#include "lib/panic.h"

#define LINE_BYTES 64u
#define TICKS(seconds) ((uint32_t)(((seconds)*1000000000ull) >> WHEEL_TICK_SHIFT))

const uint32_t flow_idle_ticks[FLOW_STATE_COUNT] = {
#define FLOW_IDLE(constant, name, seconds) TICKS(seconds),
	FLOW_STATES(FLOW_IDLE)
#undef FLOW_IDLE
};

static const char *const state_names[FLOW_STATE_COUNT] = {
#define FLOW_NAME(constant, name, seconds) name,
	FLOW_STATES(FLOW_NAME)
#undef FLOW_NAME
};

const char *flow_state_name(enum flow_state state)
{
	return state_names[state];
}

static uint32_t bucket_count(uint32_t flows)
{
	uint32_t count = 2;

	while (count < flows * 2)
		count *= 2;
	return count;
}

size_t flow_table_bytes(uint32_t flows, uint32_t flows6)
{
	return LINE_BYTES + (size_t)flows * sizeof(struct flow) +
	       (size_t)flows6 * sizeof(struct flow_line6) +
	       (size_t)bucket_count(flows) * sizeof(uint32_t);
}

static uint32_t flow_index(const struct flow_table *table, const struct flow *flow)
{
	return (uint32_t)(flow - table->flows);
}

static uint32_t reference_of(const struct flow_table *table, const struct flow *flow,
			     unsigned int direction)
{
	return flow_index(table, flow) * 2 + direction + 1;
}

static struct flow *flow_of(const struct flow_table *table, uint32_t reference)
{
	return &table->flows[(reference - 1) / 2];
}

static unsigned int direction_of(uint32_t reference)
{
	return (reference - 1) & 1;
}

static void flow_expired(struct wheel_timer *timer, uint64_t now_ns);

static void lines6_init(struct flow_table *table)
{
	memset(table->lines6, 0, (size_t)table->total6 * sizeof(struct flow_line6));
	for (uint32_t i = table->total6; i > 0; i--) {
		table->lines6[i - 1].next = table->free6;
		table->free6 = i;
	}
}

void flow_table_init(struct flow_table *table, void *memory, uint32_t flows, uint32_t flows6,
		     struct wheel *wheel, struct random *random)
{
	uintptr_t start = ((uintptr_t)memory + LINE_BYTES - 1) & ~(uintptr_t)(LINE_BYTES - 1);

	memset(table, 0, sizeof(*table));
	table->flows = (struct flow *)start;
	table->lines6 = (struct flow_line6 *)(table->flows + flows);
	table->total6 = flows6;
	table->buckets = (uint32_t *)(table->lines6 + flows6);
	table->bucket_mask = bucket_count(flows) - 1;
	table->total = flows;
	table->wheel = wheel;
	random_bytes(random, &table->hash_key, sizeof(table->hash_key));
	memset(table->flows, 0, (size_t)flows * sizeof(struct flow));
	memset(table->buckets, 0, (size_t)bucket_count(flows) * sizeof(uint32_t));
	lines6_init(table);
	for (uint32_t i = flows; i > 0; i--) {
		struct flow *flow = &table->flows[i - 1];

		flow->table = table;
		wheel_timer_init(&flow->timer, flow_expired);
		flow->next[0] = table->free;
		table->free = reference_of(table, flow, 0);
	}
}

uint32_t flow_hash(const struct flow_table *table, const struct flow_tuple *tuple)
{
	static_assert(sizeof(tuple->key) == 16 && sizeof(*tuple) == 48, "what is hashed");
	if (tuple->key.version == 6)
		return (uint32_t)siphash13_48(&table->hash_key, tuple);
	return (uint32_t)siphash13_16(&table->hash_key, &tuple->key);
}

void flow_prefetch_bucket(const struct flow_table *table, uint32_t hash)
{
	__builtin_prefetch(&table->buckets[hash & table->bucket_mask]);
}

void flow_prefetch_entry(const struct flow_table *table, uint32_t hash)
{
	uint32_t reference = table->buckets[hash & table->bucket_mask];

	if (!reference)
		return;
	__builtin_prefetch(flow_of(table, reference));
	__builtin_prefetch(&flow_of(table, reference)->timer);
}

struct flow_tuple flow_tuple_of(const struct flow *flow, enum flow_direction direction)
{
	const struct flow_addresses6 *addresses = flow_addresses6_of(flow, direction);
	struct flow_tuple tuple = { .key = flow->key[direction] };

	if (addresses)
		tuple.ip6 = *addresses;
	return tuple;
}

static bool is_flow_of(const struct flow *flow, unsigned int direction,
		       const struct flow_tuple *tuple)
{
	return flow_key_equal(&flow->key[direction], &tuple->key) &&
	       (!flow->line6 ||
		flow_addresses6_equal(flow_addresses6_of(flow, direction), &tuple->ip6));
}

struct flow *flow_find(const struct flow_table *table, const struct flow_tuple *tuple,
		       uint32_t hash, enum flow_direction *direction)
{
	uint32_t reference = table->buckets[hash & table->bucket_mask];

	while (reference) {
		struct flow *flow = flow_of(table, reference);
		unsigned int d = direction_of(reference);

		if (is_flow_of(flow, d, tuple)) {
			*direction = d;
			return flow;
		}
		reference = flow->next[d];
	}
	return NULL;
}

static uint32_t *bucket_of(struct flow_table *table, const struct flow *flow,
			   unsigned int direction)
{
	struct flow_tuple tuple = flow_tuple_of(flow, direction);

	return &table->buckets[flow_hash(table, &tuple) & table->bucket_mask];
}

static void chain_add(struct flow_table *table, struct flow *flow, unsigned int direction)
{
	uint32_t *bucket = bucket_of(table, flow, direction);

	flow->next[direction] = *bucket;
	*bucket = reference_of(table, flow, direction);
}

static void chain_remove(struct flow_table *table, struct flow *flow, unsigned int direction)
{
	uint32_t *link = bucket_of(table, flow, direction);
	uint32_t wanted = reference_of(table, flow, direction);

	while (*link != wanted) {
		if (!*link)
			panic("flow %u is not in its chain", flow_index(table, flow));
		link = &flow_of(table, *link)->next[direction_of(*link)];
	}
	*link = flow->next[direction];
}

/* The tick of a deadline, as time; `deadline` is the low half of a tick near now. */
static uint64_t deadline_ns(const struct flow *flow, uint64_t now_ns)
{
	uint64_t tick = now_ns >> WHEEL_TICK_SHIFT;
	int32_t ahead = (int32_t)(flow->deadline - (uint32_t)tick);

	return (tick + (uint64_t)(int64_t)ahead) << WHEEL_TICK_SHIFT;
}

static bool is_idle(const struct flow *flow, uint64_t now_ns)
{
	return (int32_t)(flow->deadline - (uint32_t)(now_ns >> WHEEL_TICK_SHIFT)) <= 0;
}

static void flow_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct flow *flow = container_of(timer, struct flow, timer);

	if (is_idle(flow, now_ns)) {
		flow->table->expired++;
		flow_remove(flow);
		return;
	}
	wheel_start(flow->table->wheel, timer, deadline_ns(flow, now_ns));
}

static bool tuple_is_used(const struct flow_table *table, const struct flow_tuple *tuple)
{
	enum flow_direction direction;

	return flow_find(table, tuple, flow_hash(table, tuple), &direction) != NULL;
}

static void line6_take(struct flow_table *table, struct flow *flow,
		       const struct flow_tuple *original, const struct flow_tuple *reply)
{
	struct flow_line6 *line = &table->lines6[table->free6 - 1];

	flow->line6 = table->free6;
	table->free6 = line->next;
	line->key[FLOW_ORIGINAL] = original->ip6;
	line->key[FLOW_REPLY] = reply->ip6;
	table->used6++;
}

static void line6_give(struct flow_table *table, struct flow *flow)
{
	table->lines6[flow->line6 - 1].next = table->free6;
	table->free6 = flow->line6;
	flow->line6 = 0;
	table->used6--;
}

int flow_create(struct flow_table *table, const struct flow_tuple *original,
		const struct flow_tuple *reply, uint32_t quota, enum flow_state state,
		uint64_t now_ns, struct flow **created)
{
	struct flow *flow;

	if (table->owned[original->key.interface] >= quota)
		return -EDQUOT;
	if (!table->free || (original->key.version == 6 && !table->free6))
		return -ENOSPC;
	if (tuple_is_used(table, original) || tuple_is_used(table, reply) ||
	    flow_tuple_equal(original, reply))
		return -EEXIST;
	flow = flow_of(table, table->free);
	table->free = flow->next[0];
	flow->key[FLOW_ORIGINAL] = original->key;
	flow->key[FLOW_REPLY] = reply->key;
	if (original->key.version == 6)
		line6_take(table, flow, original, reply);
	flow->address_delta = 0;
	flow->transport_delta = 0;
	flow->flags = 0;
	flow->owner = original->key.interface;
	memset(flow->side, 0, sizeof(flow->side));
	memset(flow->side_flags, 0, sizeof(flow->side_flags));
	memset(flow->side_scale, 0, sizeof(flow->side_scale));
	chain_add(table, flow, FLOW_ORIGINAL);
	chain_add(table, flow, FLOW_REPLY);
	table->owned[flow->owner]++;
	table->used++;
	table->created++;
	flow_set_state(flow, state, now_ns);
	*created = flow;
	return 0;
}

void flow_remove(struct flow *flow)
{
	struct flow_table *table = flow->table;

	wheel_stop(table->wheel, &flow->timer);
	chain_remove(table, flow, FLOW_ORIGINAL);
	chain_remove(table, flow, FLOW_REPLY);
	if (flow->line6)
		line6_give(table, flow);
	flow->state = FLOW_FREE;
	table->owned[flow->owner]--;
	table->used--;
	flow->next[0] = table->free;
	table->free = reference_of(table, flow, 0);
}

uint32_t flow_purge_interface(struct flow_table *table, uint8_t interface)
{
	uint32_t purged = 0;

	for (uint32_t i = 0; i < table->total; i++) {
		struct flow *flow = &table->flows[i];

		if (flow->state == FLOW_FREE || (flow->key[FLOW_ORIGINAL].interface != interface &&
						 flow->key[FLOW_REPLY].interface != interface))
			continue;
		flow_remove(flow);
		purged++;
	}
	return purged;
}

void flow_purge_all(struct flow_table *table)
{
	for (uint32_t i = 0; i < table->total; i++)
		if (table->flows[i].state != FLOW_FREE)
			flow_remove(&table->flows[i]);
}

void flow_set_state(struct flow *flow, enum flow_state state, uint64_t now_ns)
{
	flow->state = (uint8_t)state;
	flow_refresh(flow, now_ns);
	/* Armed again, for the new state may end sooner than the timer would fire. */
	wheel_start(flow->table->wheel, &flow->timer, deadline_ns(flow, now_ns));
}

static bool flow_is_linked(const struct flow_table *table, const struct flow *flow,
			   unsigned int direction)
{
	enum flow_direction found = FLOW_ORIGINAL;
	struct flow_tuple tuple = flow_tuple_of(flow, direction);

	return flow_find(table, &tuple, flow_hash(table, &tuple), &found) == flow &&
	       found == direction && (flow->line6 != 0) == (flow->key[direction].version == 6);
}

bool flow_table_is_valid(const struct flow_table *table)
{
	uint32_t owned[FLOW_OWNERS] = { 0 };
	uint32_t used = 0, used6 = 0, free_count = 0, free6_count = 0, linked = 0;

	for (uint32_t i = 0; i < table->total; i++) {
		const struct flow *flow = &table->flows[i];

		if (flow->state == FLOW_FREE)
			continue;
		if (!flow_is_linked(table, flow, FLOW_ORIGINAL) ||
		    !flow_is_linked(table, flow, FLOW_REPLY) || !wheel_timer_is_armed(&flow->timer))
			return false;
		used++;
		used6 += flow->line6 != 0;
		owned[flow->owner]++;
	}
	for (uint32_t i = 0; i <= table->bucket_mask; i++)
		for (uint32_t r = table->buckets[i]; r && linked <= used * 2;
		     r = flow_of(table, r)->next[direction_of(r)])
			linked++;
	for (uint32_t r = table->free; r && free_count <= table->total;
	     r = flow_of(table, r)->next[0])
		free_count++;
	for (uint32_t r = table->free6; r && free6_count <= table->total6;
	     r = table->lines6[r - 1].next)
		free6_count++;
	return used == table->used && used6 == table->used6 &&
	       free6_count + used6 == table->total6 && linked == used * 2 &&
	       free_count + used == table->total && memcmp(owned, table->owned, sizeof(owned)) == 0;
}
