/* SPDX-License-Identifier: ISC */
/*
 * When flows are looked at. A wheel of one turn: slots of eight of the common wheel's
 * ticks (~ 134 ms), FLOW_TIMER_SLOTS of them (~ 137 s). A flow lies in the slot of its
 * deadline, or when that is more than a turn ahead somewhere in the second half of the
 * turn, spread by its index; it is put in another one when the slot's time comes and its
 * deadline does not.
 *
 * One timer of the common wheel drives it. Many flows that come due at once are handled
 * in slices, one for each of that wheel's ticks.
 */
#include "net/flow_parts.h"

#define SLOT_SHIFT 3u /* wheel ticks in a slot, as a power of 2 */
#define SLOT_NS_SHIFT (WHEEL_TICK_SHIFT + SLOT_SHIFT)
#define HALF_TURN (FLOW_TIMER_SLOTS / 2)
#define SLICE 512u /* flows for one firing; each takes up to about a microsecond */

static_assert((FLOW_TIMER_SLOTS & (FLOW_TIMER_SLOTS - 1)) == 0, "slots wrap by a mask");

static void fired(struct wheel_timer *timer, uint64_t now_ns);

void flow_timer_init(struct flow_table *table)
{
	wheel_timer_init(&table->timer, fired);
	table->timer_armed = UINT64_MAX;
}

/* Slots from the last that is done to the one in which the flow is to be looked at. */
static uint32_t slots_ahead(const struct flow_table *table, const struct flow *flow)
{
	uint32_t done = (uint32_t)(table->timer_tick << SLOT_SHIFT);
	int32_t ticks = (int32_t)(flow->deadline - done);
	uint32_t ahead = ticks <= 0 ? 1 : ((uint32_t)ticks >> SLOT_SHIFT) + 1;

	if (ahead < FLOW_TIMER_SLOTS)
		return ahead;
	return HALF_TURN + (flow->index & (HALF_TURN - 1));
}

static void place(struct flow_table *table, struct flow *flow)
{
	uint64_t tick = table->timer_tick + slots_ahead(table, flow);
	uint32_t slot = (uint32_t)tick & (FLOW_TIMER_SLOTS - 1);

	flow->timer_slot = (uint16_t)slot;
	flow_list_push(table, &table->timer_slots[slot], FLOW_LINK_TIMER, flow);
	table->timer_occupied[slot / 64] |= 1ull << (slot % 64);
	if (tick < table->timer_armed) {
		table->timer_armed = tick;
		wheel_start(table->wheel, &table->timer, tick << SLOT_NS_SHIFT);
	}
}

static void unplace(struct flow_table *table, struct flow *flow)
{
	struct flow_list *slot = &table->timer_slots[flow->timer_slot];

	flow_list_remove(table, slot, FLOW_LINK_TIMER, flow);
	if (!slot->first)
		table->timer_occupied[flow->timer_slot / 64] &= ~(1ull << (flow->timer_slot % 64));
}

/* The first tick after the last that is done whose slot holds flows; there are some. */
static uint64_t next_tick(const struct flow_table *table)
{
	uint32_t from = (uint32_t)(table->timer_tick + 1) & (FLOW_TIMER_SLOTS - 1);
	uint64_t word = table->timer_occupied[from / 64] & (UINT64_MAX << (from % 64));
	uint32_t at = from / 64;

	for (uint32_t i = 0; !word && i < FLOW_TIMER_SLOTS / 64; i++) {
		at = (at + 1) % (FLOW_TIMER_SLOTS / 64);
		word = table->timer_occupied[at];
	}
	at = at * 64 + (uint32_t)__builtin_ctzll(word);
	return table->timer_tick + 1 + ((at - from) & (FLOW_TIMER_SLOTS - 1));
}

/* Arms the timer for the next slot that holds flows, or not at all. */
static void arm(struct flow_table *table, uint64_t now_ns)
{
	uint64_t due_ns;

	if (!table->used) {
		wheel_stop(table->wheel, &table->timer);
		table->timer_armed = UINT64_MAX;
		return;
	}
	table->timer_armed = next_tick(table);
	due_ns = table->timer_armed << SLOT_NS_SHIFT;
	/* What is left over waits for the common wheel's next round, also after a long sleep. */
	wheel_start(table->wheel, &table->timer, due_ns > now_ns ? due_ns : now_ns + 1);
}

void flow_timer_begin(struct flow_table *table, struct flow *flow, uint64_t now_ns)
{
	/* While there are no flows the wheel stands still. */
	if (table->timer_armed == UINT64_MAX)
		table->timer_tick = now_ns >> SLOT_NS_SHIFT;
	place(table, flow);
}

void flow_timer_change(struct flow_table *table, struct flow *flow)
{
	unplace(table, flow);
	place(table, flow);
}

void flow_timer_stop(struct flow_table *table, struct flow *flow)
{
	unplace(table, flow);
	if (table->used == 1) { /* itself */
		wheel_stop(table->wheel, &table->timer);
		table->timer_armed = UINT64_MAX;
	}
}

static void look_at(struct flow_table *table, struct flow *flow, uint64_t now_ns)
{
	if (flow_is_overdue(flow, now_ns)) {
		table->expired++;
		flow_remove(flow);
		return;
	}
	flow_owner_touch(table, flow);
	flow_timer_change(table, flow);
}

static void fired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct flow_table *table = container_of(timer, struct flow_table, timer);
	uint64_t now = now_ns >> SLOT_NS_SHIFT;
	uint32_t left = SLICE;

	table->timer_armed = 0; /* armed below, whatever is placed meanwhile */
	while (table->used && next_tick(table) <= now) {
		uint64_t tick = next_tick(table);
		const struct flow_list *slot = &table->timer_slots[tick & (FLOW_TIMER_SLOTS - 1)];

		/* What is put back goes at least one slot further than the one before it. */
		table->timer_tick = tick - 1;
		while (slot->first && left) {
			look_at(table, flow_of_link(table, slot->first), now_ns);
			left--;
		}
		if (slot->first)
			break;
	}
	if (table->used && next_tick(table) > now)
		table->timer_tick = now;
	arm(table, now_ns);
}

static bool slot_is_valid(const struct flow_table *table, uint32_t slot, uint32_t *linked)
{
	const struct flow_list *list = &table->timer_slots[slot];
	uint32_t previous = 0;

	for (uint32_t at = list->first; at; at = table->flows[at - 1].link[FLOW_LINK_TIMER].next) {
		const struct flow *flow = &table->flows[at - 1];

		if (++*linked > table->used || flow->timer_slot != slot ||
		    flow->link[FLOW_LINK_TIMER].previous != previous || flow->state == FLOW_FREE)
			return false;
		previous = at;
	}
	return list->last == previous &&
	       (table->timer_occupied[slot / 64] >> (slot % 64) & 1) == (list->first != 0);
}

bool flow_timer_is_valid(const struct flow_table *table)
{
	uint32_t linked = 0;

	for (uint32_t slot = 0; slot < FLOW_TIMER_SLOTS; slot++)
		if (!slot_is_valid(table, slot, &linked))
			return false;
	if (linked != table->used || wheel_timer_is_armed(&table->timer) != (linked != 0))
		return false;
	return !linked || table->timer_armed <= next_tick(table);
}
