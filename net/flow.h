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
 * Every flow is charged to the interface that began it, and refused when that one has
 * used up its quota. Time-outs are lazy: a packet only writes a new deadline; the
 * timer looks at it when it fires.
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

#define FLOW_OWNERS 256u /* interface indices are bytes */
#define FLOWS_MAX (1u << 26)

enum flow_direction { FLOW_ORIGINAL, FLOW_REPLY };

/* FLOW_STATE(constant, name, idle seconds) */
#define FLOW_STATES(FLOW_STATE)                         \
	FLOW_STATE(FREE, "free", 0)                     \
	FLOW_STATE(TCP_SYN_SENT, "tcp-syn", 30)         \
	FLOW_STATE(TCP_SYN_RECEIVED, "tcp-opening", 30) \
	FLOW_STATE(TCP_ESTABLISHED, "tcp", 86400)       \
	FLOW_STATE(TCP_FIN_WAIT, "tcp-half-closed", 45) \
	FLOW_STATE(TCP_CLOSED, "tcp-closed", 10)        \
	FLOW_STATE(UDP_NEW, "udp-new", 30)              \
	FLOW_STATE(UDP_REPLIED, "udp", 60)              \
	FLOW_STATE(ICMP, "icmp", 20)                    \
	FLOW_STATE(OTHER, "other", 60)

enum flow_state {
#define FLOW_ENUM(constant, name, seconds) FLOW_##constant,
	FLOW_STATES(FLOW_ENUM)
#undef FLOW_ENUM
		FLOW_STATE_COUNT
};

enum flow_flags {
	FLOW_TRANSLATED = 1 << 0, /* the keys are not mirror images */
};

enum flow_side_flags {
	FLOW_SIDE_SEEN = 1 << 0,  /* end holds */
	FLOW_SIDE_ACKED = 1 << 1, /* ack and window hold */
	FLOW_SIDE_SCALE = 1 << 2, /* sent a window scale option in its SYN */
	FLOW_SIDE_FIN = 1 << 3,	  /* has ended its stream; end counts the FIN */
};

/* What one end of a TCP connection has said so far. */
struct flow_side {
	uint32_t end;	 /* sequence number after the last byte it has sent */
	uint32_t ack;	 /* highest acknowledgement it has sent */
	uint32_t window; /* largest window it has offered, bytes */
};

struct flow_table;

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
	uint32_t next[2];	  /* chain of key[d]'s bucket: a reference, 0 at the end */
	uint16_t address_delta;	  /* ones' complement, for FLOW_ORIGINAL */
	uint16_t transport_delta; /* the same for the transport checksum */
	uint32_t deadline;	  /* wheel tick after which it is idle for too long */
	uint8_t state;		  /* enum flow_state */
	uint8_t flags;		  /* enum flow_flags */
	uint8_t owner;		  /* index of the interface it is charged to */
	uint8_t zero;
	uint32_t line6; /* IPv6: index of its third line + 1; else 0 */
	struct flow_table *table;

	struct wheel_timer timer;
	struct flow_side side[2]; /* TCP: [d] is the sender of direction d */
	uint8_t side_flags[2];	  /* enum flow_side_flags */
	uint8_t side_scale[2];
	uint16_t max_mss;
};
static_assert(sizeof(struct flow) == 128, "two cache lines");
static_assert(offsetof(struct flow, timer) == 64, "the first line is the fast path's");

struct flow_table {
	struct flow *flows;
	struct flow_line6 *lines6;
	uint32_t *buckets; /* references */
	uint32_t bucket_mask;
	uint32_t total;
	uint32_t used;
	uint32_t total6; /* of the total, at most so many may be IPv6 */
	uint32_t used6;
	uint32_t free;	/* reference of the first free flow, chained by next[0] */
	uint32_t free6; /* index + 1 of the first free third line */
	uint32_t owned[FLOW_OWNERS];
	uint64_t created;
	uint64_t expired;
	struct siphash_key hash_key;
	struct wheel *wheel;
	void (*removed)(void *context, const struct flow *flow);
	void *removed_context;
};

/* Bytes of memory for a table of `flows` (1 .. FLOWS_MAX), of them `flows6` for IPv6. */
size_t flow_table_bytes(uint32_t flows, uint32_t flows6);

/* Lays an empty table over `memory` (flow_table_bytes()) with a random hash key. */
void flow_table_init(struct flow_table *table, void *memory, uint32_t flows, uint32_t flows6,
		     struct wheel *wheel, struct random *random);

/* The hash of a tuple, for flow_find() and the prefetches. */
uint32_t flow_hash(const struct flow_table *table, const struct flow_tuple *tuple);

/* Two steps of bringing a look-up's memory near: its bucket, then its first entry. */
void flow_prefetch_bucket(const struct flow_table *table, uint32_t hash);
void flow_prefetch_entry(const struct flow_table *table, uint32_t hash);

/* The flow that a tuple belongs to and in which direction, or NULL. */
struct flow *flow_find(const struct flow_table *table, const struct flow_tuple *tuple,
		       uint32_t hash, enum flow_direction *direction);

/* The flow's addresses in IPv6, as arriving in either direction; NULL for IPv4. */
static inline struct flow_addresses6 *flow_addresses6_of(const struct flow *flow,
							 unsigned int direction)
{
	return flow->line6 ? &flow->table->lines6[flow->line6 - 1].key[direction] : NULL;
}

/* What packets of the flow look like on arrival in `direction`. */
struct flow_tuple flow_tuple_of(const struct flow *flow, enum flow_direction direction);

/*
 * A new flow charged to the original's interface, in `state`, with its time-out
 * running. 0 and `*flow`; -ENOSPC: the table is full; -EDQUOT: the owner already has
 * `quota`; -EEXIST: a tuple is in use. Both are of one IP version.
 */
must_check int flow_create(struct flow_table *table, const struct flow_tuple *original,
			   const struct flow_tuple *reply, uint32_t quota, enum flow_state state,
			   uint64_t now_ns, struct flow **flow);

void flow_remove(struct flow *flow);

/* Removes every flow that touches the interface; returns how many. */
uint32_t flow_purge_interface(struct flow_table *table, uint8_t interface);

void flow_visit(struct flow_table *table, uint32_t from, uint32_t budget,
		void (*visit)(void *context, struct flow *flow), void *context);

void flow_purge_all(struct flow_table *table);

/* Changes the state; the new state's idle time begins. */
void flow_set_state(struct flow *flow, enum flow_state state, uint64_t now_ns);

/* The state's name; never NULL. */
const char *flow_state_name(enum flow_state state);

/* Is the table consistent? For tests: every chain, count and key. */
bool flow_table_is_valid(const struct flow_table *table);

/* Idle time of each state in wheel ticks. */
extern const uint32_t flow_idle_ticks[FLOW_STATE_COUNT];

/* A packet has passed: the flow's idle time begins again. */
static inline void flow_refresh(struct flow *flow, uint64_t now_ns)
{
	flow->deadline = (uint32_t)(now_ns >> WHEEL_TICK_SHIFT) + flow_idle_ticks[flow->state];
}
