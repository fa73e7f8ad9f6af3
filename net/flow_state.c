/* SPDX-License-Identifier: ISC */
#include "net/flow_state.h"

#include "lib/wheel.h"
#include "net/flow.h"

static const struct {
	const char *name;
	uint32_t seconds;
	uint8_t timeout; /* enum rules_timeout */
	uint8_t list;	 /* enum flow_list_index */
} states[FLOW_STATE_COUNT] = {
#define FLOW_ENTRY(constant, name, seconds, timeout, list) \
	[FLOW_##constant] = { name, seconds, RULES_##timeout, FLOW_LIST_##list },
	FLOW_STATES(FLOW_ENTRY)
#undef FLOW_ENTRY
};

const char *flow_state_name(enum flow_state state)
{
	return states[state].name;
}

enum flow_list_index flow_list_of_state(enum flow_state state)
{
	return (enum flow_list_index)states[state].list;
}

uint32_t flow_idle_ticks(uint32_t seconds)
{
	if (seconds > FLOW_IDLE_SECONDS_MAX)
		seconds = FLOW_IDLE_SECONDS_MAX;
	return (uint32_t)((seconds * 1000000000ull) >> WHEEL_TICK_SHIFT);
}

uint32_t flow_idle_default(enum flow_state state)
{
	return flow_idle_ticks(states[state].seconds);
}

struct flow_timeouts flow_timeouts_of_rules(const uint32_t seconds[RULES_TIMEOUTS])
{
	struct flow_timeouts timeouts = { { 0 } };

	for (unsigned int state = FLOW_FREE + 1; state < FLOW_STATE_COUNT; state++)
		timeouts.seconds[state] = seconds[states[state].timeout];
	return timeouts;
}
