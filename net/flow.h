/* SPDX-License-Identifier: ISC */
/*
 * The flow table: every conversation that a rule has let pass, with its translation.
 * One block of memory, made once; entries never move.
 *
 * A flow has two keys, one for each direction as it arrives: key[FLOW_ORIGINAL] from
 * the side that began, key[FLOW_REPLY] from the other. Both are in the same hash
 * table, so a packet of either direction is found by one look-up. Translation is the
 * difference of the two keys: what arrives as key[d] leaves as the mirror image of
 * key[!d].
 *
 * Every flow is charged to an owner, who has a quota of flows and one of IPv6 flows. An
 * owner at its quota pays for a new flow with the least valuable one of its own, and
 * never with another's: first what has not been answered or is closed, the oldest first;
 * then what has been answered but is not an open TCP connection, the longest idle first;
 * then TCP connections that have been silent for FLOW_ABANDONED_SECONDS. When there is
 * none of these the new flow is refused. Half-open TCP connections may be a
 * FLOW_HALF_OPEN_SHARE-th of the quota; the oldest goes for a new one.
 *
 * The quotas of all owners must add up to no more than the table, of IPv6 too: then
 * whoever is below its quota finds room, whatever the others do.
 *
 * All this takes constant time. Time-outs are lazy: a packet only writes a new deadline;
 * the timer looks at it when it fires.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/drop.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "lib/wheel.h"
#include "net/flow_key.h"
#include "net/flow_limits.h"
#include "net/flow_state.h"

#define FLOW_OWNERS 256u
#define FLOW_OWNERS_OUT 128u /* below: interfaces; from here on: see flow_owner_inbound() */
#define FLOWS_MAX (1u << 26)
#define FLOW_HALF_OPEN_SHARE 4u	     /* one such part of a quota, but at least one flow */
#define FLOW_ABANDONED_SECONDS 7440u /* RFC 5382, REQ-5: no TCP connection ends earlier */
#define FLOW_TIMER_SLOTS 1024u

enum flow_direction { FLOW_ORIGINAL, FLOW_REPLY };

enum flow_flags {
	FLOW_TRANSLATED = 1 << 0, /* the keys are not mirror images */
	FLOW_CONTINUED = 1 << 1,  /* its first packet has been followed */
};

enum flow_side_flags {
	FLOW_SIDE_SEEN = 1 << 0,  /* end, max_end and window hold */
	FLOW_SIDE_ACKED = 1 << 1, /* has acknowledged something */
	FLOW_SIDE_SCALE = 1 << 2, /* sent a window scale option in its SYN */
	FLOW_SIDE_FIN = 1 << 3,	  /* has ended its stream; end counts the FIN */
	FLOW_SIDE_RESET = 1 << 4, /* has sent a reset that its peer may not believe */
	FLOW_SIDE_RESYN = 1 << 5, /* has sent a SYN for another connection */
};

/* What one end of a TCP connection has said so far. */
struct flow_side {
	uint32_t end;	  /* sequence number after the last byte it has sent */
	uint32_t max_end; /* where the other's largest window has let it send to */
	uint32_t ack;	  /* highest acknowledgement it has sent; at first the lowest it may */
	uint32_t window;  /* largest window it has offered, bytes */
};

/* Neighbours in a list; flow index + 1, 0 at the ends. */
struct flow_link {
	uint32_t previous;
	uint32_t next;
};

struct flow_list {
	uint32_t first;
	uint32_t last;
};

enum flow_links { FLOW_LINK_TIMER, FLOW_LINK_OWNER, FLOW_LINKS };

struct flow_table;
struct flow_line;

/* The third cache line of an IPv6 flow. */
struct flow_line6 {
	union {
		struct flow_addresses6 key[2]; /* as in struct flow */
		uint32_t next;		       /* of a free one: index + 1, 0 at the end */
	};
};
static_assert(sizeof(struct flow_line6) == 64, "one cache line");

/* Two cache lines: what every packet needs, then the rest. */
struct flow {
	struct flow_key key[2];
	uint32_t next[2];	  /* key[d] in the index' chain: a reference, 0 at the end */
	uint16_t address_delta;	  /* ones' complement, for FLOW_ORIGINAL */
	uint16_t transport_delta; /* the same for the transport checksum */
	uint32_t deadline;	  /* wheel tick after which it is idle for too long */
	uint32_t idle;		  /* wheel ticks from the last packet to the deadline */
	uint8_t state;		  /* enum flow_state */
	uint8_t flags;		  /* enum flow_flags */
	uint8_t owner;		  /* whom it is charged to */
	uint8_t used;		  /* a packet has passed since it was put where it is listed */
	uint32_t line6;		  /* IPv6: index of its third line + 1; else 0 */
	uint32_t mapping;	  /* the creator's, for its translation; 0 at first */

	uint32_t index; /* its own */
	struct flow_link link[FLOW_LINKS];
	uint16_t limits[FLOW_LIMITS]; /* what flow_limits knows them by; 0: none */
	uint16_t timer_slot;
	uint16_t max_mss;	  /* the creator's: what SYNs may ask for; 0: anything */
	struct flow_side side[2]; /* TCP: [d] is the sender of direction d */
	uint8_t side_flags[2];	  /* enum flow_side_flags */
	uint8_t side_scale[2];
};
static_assert(sizeof(struct flow) == 128, "two cache lines");
static_assert(offsetof(struct flow, index) == 64, "the first line is the fast path's");

/* What one owner has. Lists are by IP version, 4 and 6. */
struct flow_owner {
	uint32_t flows;
	uint32_t flows6;
	uint32_t half_open;
	struct flow_list lists[FLOW_LISTS][2];
};

struct flow_table {
	struct flow *flows;
	struct flow_line6 *lines6;
	struct flow_line *lines; /* of the index: see flow_index.c */
	uint32_t line_count;
	uint32_t total;
	uint32_t used;
	uint32_t total6; /* of the total, at most so many may be IPv6 */
	uint32_t used6;
	uint32_t free;			 /* reference of the first free flow, chained by next[0] */
	uint32_t free6;			 /* index + 1 of the first free third line */
	uint32_t idle[FLOW_STATE_COUNT]; /* ticks; see flow_table_set_timeouts() */
	uint64_t created;
	uint64_t expired;
	uint64_t evicted; /* made room for another of the same owner */
	struct siphash_key hash_key;
	struct flow_owner owners[FLOW_OWNERS];

	/* Set by whoever needs them after flow_table_init(). */
	struct flow_limits *limits; /* NULL: flows of rules with limits are refused */
	/* Called by every removal, once, while the flow can still be read but not found. */
	void (*removed)(void *context, const struct flow *flow);
	void *removed_context;

	/* Flows by the time at which they must be looked at; see flow_timer.c. */
	struct wheel *wheel;
	struct wheel_timer timer;
	uint64_t timer_tick;  /* the last one that is done */
	uint64_t timer_armed; /* the one that `timer` waits for */
	uint64_t timer_occupied[FLOW_TIMER_SLOTS / 64];
	struct flow_list timer_slots[FLOW_TIMER_SLOTS];
};

/* What a new flow is to be. */
struct flow_request {
	const struct flow_tuple *original;
	const struct flow_tuple *reply; /* of the same IP version */
	uint8_t owner;
	enum flow_state state;
	uint32_t quota;			      /* of the owner: all flows */
	uint32_t quota6;		      /* the same: IPv6 flows */
	struct flow_limit limit[FLOW_LIMITS]; /* of the rules that pass it */
	uint16_t max_mss;
};

/*
 * The owner of what comes in from the uplink to a client's `interface`, apart from that
 * client's own flows: so a flood at one forwarded port takes nothing from other clients',
 * and nothing from what the same client begins. Whoever charges to such owners has to
 * give them quotas too.
 */
static inline uint8_t flow_owner_inbound(uint8_t interface)
{
	return (uint8_t)(FLOW_OWNERS_OUT | interface);
}

/* Bytes of memory for a table of `flows` (1 .. FLOWS_MAX), of them `flows6` for IPv6. */
size_t flow_table_bytes(uint32_t flows, uint32_t flows6);

/* Lays an empty table over `memory` (flow_table_bytes()) with a random hash key. */
void flow_table_init(struct flow_table *table, void *memory, uint32_t flows, uint32_t flows6,
		     struct wheel *wheel, struct random *random);

/*
 * Idle times in seconds, 0 for the default. Holds for every flow from its next state on,
 * and at once where flow_set_limits() is called.
 */
void flow_table_set_timeouts(struct flow_table *table, const struct flow_timeouts *timeouts);

/* The table that a flow lies in. */
static inline struct flow_table *flow_table_of(const struct flow *flow)
{
	/* The line before the first flow holds it. */
	return *(struct flow_table *const *)(const void *)(flow - flow->index - 1);
}

/* The hash of a tuple, for flow_find() and the prefetches. */
uint32_t flow_hash(const struct flow_table *table, const struct flow_tuple *tuple);

/*
 * Three steps of bringing a look-up's memory near, each some time after the one before: the
 * index, the flow that will be looked at first, its addresses if it is of IPv6.
 */
void flow_prefetch_bucket(const struct flow_table *table, uint32_t hash);
void flow_prefetch_entry(const struct flow_table *table, uint32_t hash);
void flow_prefetch_addresses6(const struct flow_table *table, uint32_t hash);

/* The flow that a tuple belongs to and in which direction, or NULL. */
struct flow *flow_find(const struct flow_table *table, const struct flow_tuple *tuple,
		       uint32_t hash, enum flow_direction *direction);

/* The flow's addresses in IPv6, as arriving in either direction; NULL for IPv4. */
static inline struct flow_addresses6 *flow_addresses6_of(const struct flow *flow,
							 unsigned int direction)
{
	return flow->line6 ? &flow_table_of(flow)->lines6[flow->line6 - 1].key[direction] : NULL;
}

/* What packets of the flow look like on arrival in `direction`. */
struct flow_tuple flow_tuple_of(const struct flow *flow, enum flow_direction direction);

/*
 * A new flow with its time-out running; may remove flows of the same owner for it. 0 and
 * `*flow`; or nothing has changed but that, and:
 *   -EEXIST  a tuple is in use
 *   -EDQUOT  the owner is at its quota and has nothing that may go
 *   -ENOSPC  the table is full, and the same
 *   -EMFILE  one of the rules has all the flows that it may have
 *   -EMLINK  the same, from this source address
 *   -ENOBUFS the memory for counting by rule or source is used up
 */
must_check int flow_create(struct flow_table *table, const struct flow_request *request,
			   uint64_t now_ns, struct flow **flow);

/* What a packet is dropped for when flow_create() gave `error`. */
enum drop_reason flow_drop_reason(int error);

void flow_remove(struct flow *flow);

/* Removes every flow that touches the interface; returns how many. */
uint32_t flow_purge_interface(struct flow_table *table, uint8_t interface);

void flow_purge_all(struct flow_table *table);

/*
 * Removes flows of an owner above its quotas, as a new one would, at most `budget` of
 * them: for when quotas shrink. Returns how many.
 */
uint32_t flow_trim(struct flow_table *table, uint8_t owner, uint32_t quota, uint32_t quota6,
		   uint32_t budget, uint64_t now_ns);

/*
 * Shows every flow to `visitor`, which may remove the one that it is given and no other,
 * and may not create any. Looks at `budget` places of the table from `from` on (0 to
 * begin); returns where to go on, or 0 at the end. Flows that begin meanwhile may be
 * shown or not.
 */
must_check uint32_t flow_visit(struct flow_table *table, uint32_t from, uint32_t budget,
			       void (*visitor)(void *context, struct flow *flow), void *context);

/*
 * Other rules hold for the flow from now on: it is counted for those, not refused by
 * them, and gets their idle times. 0, or -ENOBUFS as for flow_create(): it is as before.
 */
must_check int flow_set_limits(struct flow *flow, const struct flow_limit limit[FLOW_LIMITS],
			       uint64_t now_ns);

/* Changes the state; the new state's idle time begins. */
void flow_set_state(struct flow *flow, enum flow_state state, uint64_t now_ns);

/* The state's name; never NULL. */
const char *flow_state_name(enum flow_state state);

/* Is the table consistent? For tests: every chain, list, count and key. */
bool flow_table_is_valid(const struct flow_table *table);

/* Flows charged to an owner. */
static inline uint32_t flow_owned(const struct flow_table *table, uint8_t owner)
{
	return table->owners[owner].flows;
}

/* A packet has passed: the flow's idle time begins again. */
static inline void flow_refresh(struct flow *flow, uint64_t now_ns)
{
	flow->deadline = (uint32_t)(now_ns >> WHEEL_TICK_SHIFT) + flow->idle;
	flow->used = 1;
}
