/* SPDX-License-Identifier: ISC */
/*
 * Whom flows are charged to, and which of them go when that is too much.
 *
 * Each owner lists its flows by worth and IP version. Half-open and unproved ones stand
 * in the order in which they became that, and their first ones are the oldest. The
 * others stand roughly in the order of their last packets: a packet only marks its flow
 * as used; who looks for a victim, or the timer when it comes by, puts marked ones at
 * the end and takes the mark away (the "second chance" of page replacement).
 */
#include "net/flow_parts.h"

#include <errno.h>

#define CHANCES 16u  /* flows looked at for one victim in a list */
#define EVICTIONS 4u /* for one new flow, where quotas have shrunk */
#define ABANDONED_TICKS ((uint32_t)((FLOW_ABANDONED_SECONDS * 1000000000ull) >> WHEEL_TICK_SHIFT))

static bool is_half_open(const struct flow *flow)
{
	return flow_list_of_state(flow->state) == FLOW_LIST_HALF_OPEN;
}

static struct flow_list *list_of(struct flow_table *table, const struct flow *flow,
				 enum flow_state state)
{
	return &table->owners[flow->owner].lists[flow_list_of_state(state)][flow->line6 != 0];
}

static void put_at_end(struct flow_table *table, struct flow_list *list, struct flow *flow)
{
	flow_list_remove(table, list, FLOW_LINK_OWNER, flow);
	flow_list_push(table, list, FLOW_LINK_OWNER, flow);
	flow->used = 0;
}

void flow_owner_add(struct flow_table *table, struct flow *flow)
{
	struct flow_owner *owner = &table->owners[flow->owner];

	owner->flows++;
	owner->flows6 += flow->line6 != 0;
	owner->half_open += is_half_open(flow);
	flow_list_push(table, list_of(table, flow, flow->state), FLOW_LINK_OWNER, flow);
	flow->used = 0;
}

void flow_owner_remove(struct flow_table *table, struct flow *flow)
{
	struct flow_owner *owner = &table->owners[flow->owner];

	owner->flows--;
	owner->flows6 -= flow->line6 != 0;
	owner->half_open -= is_half_open(flow);
	flow_list_remove(table, list_of(table, flow, flow->state), FLOW_LINK_OWNER, flow);
}

void flow_owner_relist(struct flow_table *table, struct flow *flow, enum flow_state old)
{
	struct flow_list *from = list_of(table, flow, old);
	struct flow_list *to = list_of(table, flow, flow->state);
	struct flow_owner *owner = &table->owners[flow->owner];

	if (from == to)
		return;
	owner->half_open -= flow_list_of_state(old) == FLOW_LIST_HALF_OPEN;
	owner->half_open += is_half_open(flow);
	flow_list_remove(table, from, FLOW_LINK_OWNER, flow);
	flow_list_push(table, to, FLOW_LINK_OWNER, flow);
	flow->used = 0;
}

void flow_owner_touch(struct flow_table *table, struct flow *flow)
{
	if (flow->used && flow_list_of_state(flow->state) >= FLOW_LIST_REPLIED)
		put_at_end(table, list_of(table, flow, flow->state), flow);
}

/* The one that has been silent for longer; either may be NULL. */
static struct flow *longer_silent(struct flow *a, struct flow *b, uint64_t now_ns)
{
	if (!a || !b)
		return a ? a : b;
	return flow_silent_ticks(a, now_ns) >= flow_silent_ticks(b, now_ns) ? a : b;
}

/* The first of the owner's half-open or unproved flows of IPv6, or of both versions. */
static struct flow *oldest(const struct flow_table *table, const struct flow_owner *owner,
			   enum flow_list_index list, bool only6, uint64_t now_ns)
{
	struct flow *flow4 = only6 ? NULL : flow_of_link(table, owner->lists[list][0].first);

	return longer_silent(flow4, flow_of_link(table, owner->lists[list][1].first), now_ns);
}

/* One of the list's flows that have not been used for the longest time, or nearly. */
static struct flow *longest_idle(struct flow_table *table, struct flow_list *list, uint64_t now_ns)
{
	struct flow *best = NULL;

	for (uint32_t i = 0; i < CHANCES && list->first; i++) {
		struct flow *flow = flow_of_link(table, list->first);

		best = longer_silent(best, flow, now_ns);
		if (!flow->used)
			break;
		put_at_end(table, list, flow);
	}
	return best;
}

/* The owner's least valuable flow of IPv6, or of both versions; NULL: none may go. */
static struct flow *victim(struct flow_table *table, uint8_t index, bool only6, uint64_t now_ns)
{
	struct flow_owner *owner = &table->owners[index];
	struct flow *flow, *flow6;

	flow = longer_silent(oldest(table, owner, FLOW_LIST_HALF_OPEN, only6, now_ns),
			     oldest(table, owner, FLOW_LIST_UNPROVED, only6, now_ns), now_ns);
	for (unsigned int list = FLOW_LIST_REPLIED; !flow && list < FLOW_LISTS; list++) {
		flow6 = longest_idle(table, &owner->lists[list][1], now_ns);
		flow = only6 ? NULL : longest_idle(table, &owner->lists[list][0], now_ns);
		flow = longer_silent(flow, flow6, now_ns);
	}
	if (flow && flow_list_of_state(flow->state) == FLOW_LIST_ESTABLISHED &&
	    flow_silent_ticks(flow, now_ns) < ABANDONED_TICKS)
		return NULL;
	return flow;
}

static bool evict(struct flow_table *table, struct flow *flow)
{
	if (!flow)
		return false;
	table->evicted++;
	flow_remove(flow);
	return true;
}

static void limit_half_open(struct flow_table *table, const struct flow_request *request,
			    uint64_t now_ns)
{
	const struct flow_owner *owner = &table->owners[request->owner];
	uint32_t limit = request->quota / FLOW_HALF_OPEN_SHARE;

	if (flow_list_of_state(request->state) != FLOW_LIST_HALF_OPEN)
		return;
	for (uint32_t i = 0; i < EVICTIONS && owner->half_open && owner->half_open >= limit; i++)
		evict(table, oldest(table, owner, FLOW_LIST_HALF_OPEN, false, now_ns));
}

int flow_owner_make_room(struct flow_table *table, const struct flow_request *request,
			 uint64_t now_ns)
{
	const struct flow_owner *owner = &table->owners[request->owner];
	bool is6 = request->original->key.version == 6;

	limit_half_open(table, request, now_ns);
	for (uint32_t i = 0; is6 && i < EVICTIONS; i++)
		if ((owner->flows6 < request->quota6 && table->free6) ||
		    !evict(table, victim(table, request->owner, true, now_ns)))
			break;
	for (uint32_t i = 0; i < EVICTIONS; i++)
		if ((owner->flows < request->quota && table->free) ||
		    !evict(table, victim(table, request->owner, false, now_ns)))
			break;
	if (owner->flows >= request->quota || (is6 && owner->flows6 >= request->quota6))
		return -EDQUOT;
	return table->free && (!is6 || table->free6) ? 0 : -ENOSPC;
}

uint32_t flow_trim(struct flow_table *table, uint8_t index, uint32_t quota, uint32_t quota6,
		   uint32_t budget, uint64_t now_ns)
{
	const struct flow_owner *owner = &table->owners[index];
	uint32_t done = 0;

	while (done < budget && (owner->flows > quota || owner->flows6 > quota6)) {
		if (!evict(table, victim(table, index, owner->flows6 > quota6, now_ns)) &&
		    (owner->flows <= quota || !evict(table, victim(table, index, false, now_ns))))
			break;
		done++;
	}
	return done;
}

static bool list_is_valid(const struct flow_table *table, unsigned int owner, unsigned int index,
			  unsigned int is6, uint32_t *linked)
{
	const struct flow_list *list = &table->owners[owner].lists[index][is6];
	uint32_t previous = 0;

	for (uint32_t at = list->first; at; at = table->flows[at - 1].link[FLOW_LINK_OWNER].next) {
		const struct flow *flow = &table->flows[at - 1];

		if (++*linked > table->used || flow->state == FLOW_FREE || flow->owner != owner ||
		    flow_list_of_state(flow->state) != index || (flow->line6 != 0) != is6 ||
		    flow->link[FLOW_LINK_OWNER].previous != previous)
			return false;
		previous = at;
	}
	return list->last == previous;
}

bool flow_owner_is_valid(const struct flow_table *table)
{
	uint32_t all = 0;

	for (unsigned int i = 0; i < FLOW_OWNERS; i++) {
		const struct flow_owner *owner = &table->owners[i];
		uint32_t count[2] = { 0, 0 };

		for (unsigned int list = 0; list < FLOW_LISTS; list++) {
			for (unsigned int is6 = 0; is6 < 2; is6++)
				if (!list_is_valid(table, i, list, is6, &count[is6]))
					return false;
			if (list == FLOW_LIST_HALF_OPEN && owner->half_open != count[0] + count[1])
				return false;
		}
		if (owner->flows != count[0] + count[1] || owner->flows6 != count[1])
			return false;
		all += owner->flows;
	}
	return all == table->used;
}
