/* SPDX-License-Identifier: ISC */
/*
 * The memory is one entry that leads back to the table, the flows, aligned to two cache
 * lines, then the third lines, and then those of the index.
 */
#include "net/flow.h"

#include <errno.h>
#include <string.h>

#include "net/flow_parts.h"

#define FLOW_BYTES sizeof(struct flow)

size_t flow_table_bytes(uint32_t flows, uint32_t flows6)
{
	return ((size_t)flows + 2) * FLOW_BYTES + (size_t)flows6 * sizeof(struct flow_line6) +
	       (size_t)flow_index_lines(flows) * sizeof(struct flow_line);
}

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
	uintptr_t start = ((uintptr_t)memory + FLOW_BYTES - 1) & ~(uintptr_t)(FLOW_BYTES - 1);

	memset(table, 0, sizeof(*table));
	table->flows = (struct flow *)start + 1;
	memcpy(table->flows - 1, &table, sizeof(table)); /* flow_table_of() */
	table->lines6 = (struct flow_line6 *)(table->flows + flows);
	table->total6 = flows6;
	table->lines = (struct flow_line *)(table->lines6 + flows6);
	table->line_count = flow_index_lines(flows);
	table->total = flows;
	table->wheel = wheel;
	random_bytes(random, &table->hash_key, sizeof(table->hash_key));
	memset(table->flows, 0, (size_t)flows * sizeof(struct flow));
	memset(table->lines, 0, (size_t)table->line_count * sizeof(struct flow_line));
	lines6_init(table);
	flow_timer_init(table);
	flow_table_set_timeouts(table, &(const struct flow_timeouts){ { 0 } });
	for (uint32_t i = flows; i > 0; i--) {
		struct flow *flow = &table->flows[i - 1];

		flow->index = i - 1;
		flow->next[0] = table->free;
		table->free = flow_reference(flow, 0);
	}
}

void flow_table_set_timeouts(struct flow_table *table, const struct flow_timeouts *timeouts)
{
	for (unsigned int state = 0; state < FLOW_STATE_COUNT; state++)
		table->idle[state] = timeouts->seconds[state]
					     ? flow_idle_ticks(timeouts->seconds[state])
					     : flow_idle_default(state);
}

struct flow_tuple flow_tuple_of(const struct flow *flow, enum flow_direction direction)
{
	const struct flow_addresses6 *addresses = flow_addresses6_of(flow, direction);
	struct flow_tuple tuple = { .key = flow->key[direction] };

	if (addresses)
		tuple.ip6 = *addresses;
	return tuple;
}

/* ---- making ---- */

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

/* Sources that an owner may have counted: its part of them is that of the flows. */
static uint32_t source_share(const struct flow_table *table, uint32_t quota)
{
	uint64_t share = (uint64_t)table->limits->sources_total * quota / table->total;

	return share ? (uint32_t)share : 1;
}

static void limits_give(struct flow_table *table, const uint16_t references[FLOW_LIMITS],
			const struct flow_tuple *original, uint8_t owner)
{
	for (unsigned int i = 0; i < FLOW_LIMITS; i++)
		if (references[i])
			flow_limits_give(table->limits, references[i], original, owner);
}

/* Counts a flow for its rules, for both or for none. */
static int limits_take(struct flow_table *table, const struct flow_limit limit[FLOW_LIMITS],
		       const struct flow_limits_payer *payer, bool forced,
		       uint16_t references[FLOW_LIMITS])
{
	memset(references, 0, FLOW_LIMITS * sizeof(references[0]));
	for (unsigned int i = 0; i < FLOW_LIMITS; i++) {
		int error;

		/* One rule that passed it both `in` and `out` counts it once. */
		if (!limit[i].limits ||
		    (i > 0 && limit[0].limits && limit[0].rule == limit[i].rule))
			continue;
		error = table->limits ? flow_limits_take(table->limits, &limit[i], payer, forced,
							 &references[i])
				      : -ENOBUFS;
		if (error) {
			limits_give(table, references, payer->original, payer->owner);
			return error;
		}
	}
	return 0;
}

/* Idle ticks in a state: of the rule that says the least, else the table's. */
static uint32_t idle_of(const struct flow_table *table, const struct flow *flow,
			enum flow_state state)
{
	uint32_t least = 0;

	for (unsigned int i = 0; i < FLOW_LIMITS; i++) {
		uint32_t idle = flow->limits[i]
					? flow_limits_idle(table->limits, flow->limits[i], state)
					: 0;

		if (idle && (!least || idle < least))
			least = idle;
	}
	return least ? least : table->idle[state];
}

static void idle_begin(const struct flow_table *table, struct flow *flow, uint64_t now_ns)
{
	flow->idle = idle_of(table, flow, flow->state);
	flow->deadline = (uint32_t)(now_ns >> WHEEL_TICK_SHIFT) + flow->idle;
}

/* Everything of a free flow that is not a list's. */
static void flow_begin(struct flow_table *table, struct flow *flow,
		       const struct flow_request *request)
{
	flow->key[FLOW_ORIGINAL] = request->original->key;
	flow->key[FLOW_REPLY] = request->reply->key;
	if (request->original->key.version == 6)
		line6_take(table, flow, request->original, request->reply);
	flow->address_delta = 0;
	flow->transport_delta = 0;
	flow->state = (uint8_t)request->state;
	flow->flags = 0;
	flow->owner = request->owner;
	flow->mapping = 0;
	flow->max_mss = request->max_mss;
	memset(flow->side, 0, sizeof(flow->side));
	memset(flow->side_flags, 0, sizeof(flow->side_flags));
	memset(flow->side_scale, 0, sizeof(flow->side_scale));
}

/* Counts a new flow for its rules and finds room for it, or neither. */
static int claim(struct flow_table *table, const struct flow_request *request, uint64_t now_ns,
		 uint16_t references[FLOW_LIMITS])
{
	const struct flow_limits_payer payer = {
		.original = request->original,
		.owner = request->owner,
		.sources = table->limits ? source_share(table, request->quota) : 0,
	};
	int counted = limits_take(table, request->limit, &payer, false, references);
	int room;

	/* A flow that is refused by its rules pushes nothing out. */
	if (counted && counted != -ENOBUFS)
		return counted;
	room = flow_owner_make_room(table, request, now_ns);
	/* What has gone to make room may have been what was counted. */
	if (counted && !room)
		return limits_take(table, request->limit, &payer, false, references);
	if (room && !counted)
		limits_give(table, references, request->original, request->owner);
	return counted ? counted : room;
}

int flow_create(struct flow_table *table, const struct flow_request *request, uint64_t now_ns,
		struct flow **created)
{
	const struct flow_tuple *original = request->original, *reply = request->reply;
	uint16_t references[FLOW_LIMITS];
	struct flow *flow;
	int error;

	if (tuple_is_used(table, original) || tuple_is_used(table, reply) ||
	    flow_tuple_equal(original, reply))
		return -EEXIST;
	error = claim(table, request, now_ns, references);
	if (error)
		return error;
	flow = flow_of_reference(table, table->free);
	table->free = flow->next[0];
	flow_begin(table, flow, request);
	memcpy(flow->limits, references, sizeof(flow->limits));
	flow_index_add(table, flow, FLOW_ORIGINAL);
	flow_index_add(table, flow, FLOW_REPLY);
	flow_owner_add(table, flow);
	table->used++;
	table->created++;
	idle_begin(table, flow, now_ns);
	flow_timer_begin(table, flow, now_ns);
	*created = flow;
	return 0;
}

enum drop_reason flow_drop_reason(int error)
{
	switch (error) {
	case -EDQUOT:
		return DROP_QUOTA;
	case -ENOSPC:
		return DROP_FLOW_TABLE_FULL;
	case -EMFILE:
		return DROP_STATE_LIMIT;
	case -EMLINK:
		return DROP_SOURCE_LIMIT;
	case -ENOBUFS:
		return DROP_LIMITS_FULL;
	default:
		return DROP_FLOW_STATE;
	}
}

int flow_set_limits(struct flow *flow, const struct flow_limit limit[FLOW_LIMITS], uint64_t now_ns)
{
	struct flow_table *table = flow_table_of(flow);
	struct flow_tuple original = flow_tuple_of(flow, FLOW_ORIGINAL);
	const struct flow_limits_payer payer = { &original, flow->owner, UINT32_MAX };
	uint16_t references[FLOW_LIMITS];
	uint32_t silent = flow_silent_ticks(flow, now_ns);
	int error = limits_take(table, limit, &payer, true, references);

	if (error)
		return error;
	limits_give(table, flow->limits, &original, flow->owner);
	memcpy(flow->limits, references, sizeof(flow->limits));
	idle_begin(table, flow, now_ns);
	flow->deadline -= silent; /* the last packet came when it came */
	flow_timer_change(table, flow);
	return 0;
}

void flow_set_state(struct flow *flow, enum flow_state state, uint64_t now_ns)
{
	struct flow_table *table = flow_table_of(flow);
	enum flow_state old = flow->state;

	flow->state = (uint8_t)state;
	flow_owner_relist(table, flow, old);
	idle_begin(table, flow, now_ns);
	/* The new state may end sooner than the timer would look. */
	flow_timer_change(table, flow);
}

/* ---- ending ---- */

void flow_remove(struct flow *flow)
{
	struct flow_table *table = flow_table_of(flow);

	flow_timer_stop(table, flow);
	flow_owner_remove(table, flow);
	flow_index_remove(table, flow, FLOW_ORIGINAL);
	flow_index_remove(table, flow, FLOW_REPLY);
	if (table->removed)
		table->removed(table->removed_context, flow);
	if (flow->limits[0] || flow->limits[1]) {
		struct flow_tuple original = flow_tuple_of(flow, FLOW_ORIGINAL);

		limits_give(table, flow->limits, &original, flow->owner);
	}
	if (flow->line6)
		line6_give(table, flow);
	flow->state = FLOW_FREE;
	table->used--;
	flow->next[0] = table->free;
	table->free = flow_reference(flow, 0);
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

uint32_t flow_visit(struct flow_table *table, uint32_t from, uint32_t budget,
		    void (*visitor)(void *context, struct flow *flow), void *context)
{
	for (; from < table->total && budget > 0; from++, budget--)
		if (table->flows[from].state != FLOW_FREE)
			visitor(context, &table->flows[from]);
	return from < table->total ? from : 0;
}
