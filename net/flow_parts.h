/* SPDX-License-Identifier: ISC */
/* What the parts of the flow table know of each other; nobody else includes this. */
#pragma once

#include "net/flow.h"

#define FLOW_PLACES 10u

/* References to flows whose hashes lead here; see flow_index.c. */
struct flow_line {
	uint16_t tags[FLOW_PLACES];
	uint32_t chain; /* of those that found no place */
	uint32_t references[FLOW_PLACES];
};

/* References: flow index * 2 + direction + 1, so that 0 can mean none. */
static inline uint32_t flow_reference(const struct flow *flow, unsigned int direction)
{
	return flow->index * 2 + direction + 1;
}

static inline struct flow *flow_of_reference(const struct flow_table *table, uint32_t reference)
{
	return &table->flows[(reference - 1) / 2];
}

static inline unsigned int flow_direction_of_reference(uint32_t reference)
{
	return (reference - 1) & 1;
}

/* The flow of a link or a list's end; NULL for 0. */
static inline struct flow *flow_of_link(const struct flow_table *table, uint32_t place)
{
	return place ? &table->flows[place - 1] : NULL;
}

static inline void flow_list_push(struct flow_table *table, struct flow_list *list,
				  enum flow_links which, struct flow *flow)
{
	struct flow *last = flow_of_link(table, list->last);

	flow->link[which] = (struct flow_link){ .previous = list->last };
	list->last = flow->index + 1;
	if (last)
		last->link[which].next = list->last;
	else
		list->first = list->last;
}

static inline void flow_list_remove(struct flow_table *table, struct flow_list *list,
				    enum flow_links which, struct flow *flow)
{
	struct flow_link link = flow->link[which];
	struct flow *previous = flow_of_link(table, link.previous);
	struct flow *next = flow_of_link(table, link.next);

	if (previous)
		previous->link[which].next = link.next;
	else
		list->first = link.next;
	if (next)
		next->link[which].previous = link.previous;
	else
		list->last = link.previous;
}

/* Ticks since the flow's last packet, as far as its deadline tells. */
static inline uint32_t flow_silent_ticks(const struct flow *flow, uint64_t now_ns)
{
	uint32_t now = (uint32_t)(now_ns >> WHEEL_TICK_SHIFT);
	uint32_t silent = now - (flow->deadline - flow->idle);

	return (int32_t)silent < 0 ? 0 : silent;
}

static inline bool flow_is_overdue(const struct flow *flow, uint64_t now_ns)
{
	return (int32_t)(flow->deadline - (uint32_t)(now_ns >> WHEEL_TICK_SHIFT)) <= 0;
}

/* flow_index.c: a flow can be found by the tuple of a direction, from here on or no more. */
uint32_t flow_index_lines(uint32_t flows);
void flow_index_add(struct flow_table *table, struct flow *flow, unsigned int direction);
void flow_index_remove(struct flow_table *table, struct flow *flow, unsigned int direction);

/* flow_timer.c: a flow will be looked at when its deadline has passed, or before. */
void flow_timer_init(struct flow_table *table);
void flow_timer_begin(struct flow_table *table, struct flow *flow, uint64_t now_ns);
void flow_timer_change(struct flow_table *table, struct flow *flow);
void flow_timer_stop(struct flow_table *table, struct flow *flow);

/* flow_owner.c: who has what, and what goes when it is too much. */
void flow_owner_add(struct flow_table *table, struct flow *flow);
void flow_owner_remove(struct flow_table *table, struct flow *flow);

/* The flow's state has been `old`; its list may be another now. */
void flow_owner_relist(struct flow_table *table, struct flow *flow, enum flow_state old);

/* The timer has come by: if it has been in use it is not among the longest idle. */
void flow_owner_touch(struct flow_table *table, struct flow *flow);

/* Room for one more flow, by evicting where that is allowed: 0, -EDQUOT or -ENOSPC. */
must_check int flow_owner_make_room(struct flow_table *table, const struct flow_request *request,
				    uint64_t now_ns);

/* For flow_table_is_valid(). */
bool flow_index_is_valid(const struct flow_table *table);
bool flow_timer_is_valid(const struct flow_table *table);
bool flow_owner_is_valid(const struct flow_table *table);
