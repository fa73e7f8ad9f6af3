/* SPDX-License-Identifier: ISC */
/* Is a flow table consistent? For tests only; takes as long as it takes. */
#include "net/flow_parts.h"

static bool is_linked(const struct flow_table *table, const struct flow *flow,
		      unsigned int direction)
{
	enum flow_direction found = FLOW_ORIGINAL;
	struct flow_tuple tuple = flow_tuple_of(flow, direction);

	return flow_find(table, &tuple, flow_hash(table, &tuple), &found) == flow &&
	       found == direction && (flow->line6 != 0) == (flow->key[direction].version == 6);
}

static bool flows_are_valid(const struct flow_table *table)
{
	uint32_t used = 0, used6 = 0;

	for (uint32_t i = 0; i < table->total; i++) {
		const struct flow *flow = &table->flows[i];

		if (flow->index != i || flow_table_of(flow) != table)
			return false;
		if (flow->state == FLOW_FREE)
			continue;
		if (!is_linked(table, flow, FLOW_ORIGINAL) || !is_linked(table, flow, FLOW_REPLY))
			return false;
		used++;
		used6 += flow->line6 != 0;
	}
	return used == table->used && used6 == table->used6;
}

static bool free_ones_are_valid(const struct flow_table *table)
{
	uint32_t count = 0, count6 = 0;

	for (uint32_t r = table->free; r && count <= table->total;
	     r = flow_of_reference(table, r)->next[0])
		count++;
	for (uint32_t r = table->free6; r && count6 <= table->total6; r = table->lines6[r - 1].next)
		count6++;
	return count + table->used == table->total && count6 + table->used6 == table->total6;
}

/* Flows that are counted for one rule. */
static uint32_t counted_for(const struct flow_table *table, uint32_t reference)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < table->total; i++) {
		const struct flow *flow = &table->flows[i];

		if (flow->state != FLOW_FREE)
			count += (flow->limits[0] == reference) + (flow->limits[1] == reference);
	}
	return count;
}

static bool limits_are_valid(const struct flow_table *table)
{
	if (!table->limits)
		return true;
	for (uint32_t i = 0; i < table->limits->rules_total; i++)
		if (table->limits->rules[i].states != counted_for(table, i + 1))
			return false;
	return flow_limits_is_valid(table->limits);
}

bool flow_table_is_valid(const struct flow_table *table)
{
	return flows_are_valid(table) && flow_index_is_valid(table) && free_ones_are_valid(table) &&
	       flow_timer_is_valid(table) && flow_owner_is_valid(table) && limits_are_valid(table);
}
