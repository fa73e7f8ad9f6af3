/* SPDX-License-Identifier: ISC */
/*
 * What rules say of the flows that they pass: `max`, `max-src-states`, and time-outs of
 * their own. Flows are counted by rule, and by rule and source address, exactly: from
 * flow_create() to the removal. Only what is counted takes memory; when that is used up
 * flows that would have to be counted are refused.
 *
 * A rule is its index in the rule set, so all changes when another set is loaded:
 * flow_limits_renew(). Flows stay counted for the rules that passed them until they end
 * or flow_set_limits() is called for them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "net/flow_key.h"
#include "net/flow_state.h"

#define FLOW_LIMITS 2u /* of one flow: of the `in` rule and of the `out` rule */
#define FLOW_LIMITS_RULES_MAX 65534u

/* One rule's limits, as the verdict names them; `limits` NULL: none. */
struct flow_limit {
	const struct rules_limits *limits; /* read before the call returns */
	uint32_t rule;
};

/* A rule that flows are counted for. */
struct flow_limits_rule {
	uint32_t next; /* index + 1 in its bucket or of the free ones */
	uint32_t rule;
	uint32_t generation;
	uint32_t states;
	uint32_t max_states;
	uint32_t max_source_states;
	uint32_t idle[FLOW_STATE_COUNT]; /* ticks; 0: not said */
};

/* Whoever sent what is counted for a rule. */
struct flow_limits_source {
	uint32_t next;
	uint32_t states;
	uint32_t address[4]; /* IPv4: the first word, then 0 */
	uint16_t rule;	     /* index + 1 */
	uint8_t version;
	uint8_t owner;
};

struct flow_limits {
	struct flow_limits_rule *rules;
	struct flow_limits_source *sources;
	uint32_t *rule_buckets;
	uint32_t *source_buckets;
	uint32_t rules_total;
	uint32_t rules_used;
	uint32_t sources_total;
	uint32_t sources_used;
	uint32_t rules_free;
	uint32_t sources_free;
	uint32_t generation;
	uint32_t owned[256]; /* sources of each owner's flows */
	struct siphash_key hash_key;
};

/*
 * Bytes of memory for `rules` (1 .. FLOW_LIMITS_RULES_MAX) rules that have flows, and
 * `sources` (1 .. 2^30) of them. Rules of two sets may have flows at once.
 */
size_t flow_limits_bytes(uint32_t rules, uint32_t sources);

/* `memory`: flow_limits_bytes(), aligned to 8. */
void flow_limits_init(struct flow_limits *limits, void *memory, uint32_t rules, uint32_t sources,
		      struct random *random);

/* Another rule set holds from now on: its rules count from 0. */
void flow_limits_renew(struct flow_limits *limits);

/* Flows that are counted for a rule of the set that holds now. */
uint32_t flow_limits_count(const struct flow_limits *limits, uint32_t rule);

/* ---- for the flow table ---- */

/* Whom a flow is counted for besides the rule. */
struct flow_limits_payer {
	const struct flow_tuple *original;
	uint8_t owner;
	uint32_t sources; /* that the owner may have in the table */
};

/*
 * Counts a flow. 0 and `*reference`, 0 for a rule without limits; else as flow_create().
 * With `forced` no maximum is looked at.
 */
must_check int flow_limits_take(struct flow_limits *limits, const struct flow_limit *limit,
				const struct flow_limits_payer *payer, bool forced,
				uint16_t *reference);

/* The flow has ended; `reference` may be 0. */
void flow_limits_give(struct flow_limits *limits, uint16_t reference,
		      const struct flow_tuple *original, uint8_t owner);

/* Idle ticks that the rule sets for a state; 0: none. */
uint32_t flow_limits_idle(const struct flow_limits *limits, uint16_t reference,
			  enum flow_state state);

/* Are the lists and numbers in themselves right? Flows are the flow table's to count. */
bool flow_limits_is_valid(const struct flow_limits *limits);
