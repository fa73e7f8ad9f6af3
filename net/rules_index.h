/* SPDX-License-Identifier: ISC */
/*
 * The compiled form of a rule set. Rules stand in the order of their right to decide:
 * `quick` ones first, as in the file, then the others from the last to the first; so the
 * first that matches decides. For each dimension (direction, interface, protocol, each
 * address, each port) the values fall into ranges, and a range has a set of the rules that
 * may match there. A search finds one set for each dimension and takes the first rule that
 * is in all of them, and that really matches. The sets are made of blocks of 512 rules;
 * equal blocks and equal sets are stored once.
 *
 * A rule that names a host matches anywhere on the axis of that address, so it is on none:
 * each name has a set of its rules instead, and the search adds to what the axis gives those
 * of the names that the address has now. So rules for other names cost nothing.
 */
#pragma once

#include "net/rules_internal.h"

#define RULES_BLOCK_BITS 512u
#define RULES_BLOCK_WORDS (RULES_BLOCK_BITS / 64)
#define RULES_BLOCKS_MAX (RULES_MAX / RULES_BLOCK_BITS)
#define RULES_GROUPS 2u	      /* interfaces are of the uplink or of clients */
#define RULES_SELF_KEYS 8u    /* direction, source is self, destination is self */
#define RULES_DIMENSIONS 7u   /* of one search, ports included */
#define RULES_SIDES 2u	      /* source, destination */
#define RULES_SEARCH_NAMES 8u /* of one address; beyond, all rules with names are looked at */

struct rules_block {
	uint64_t words[RULES_BLOCK_WORDS];
};

/* Sets of rules, named by number. */
struct rules_sets {
	uint32_t width; /* blocks in a set */
	uint32_t block_count, block_capacity;
	struct rules_block *blocks;
	uint32_t count, capacity;
	uint32_t *references; /* `width` for each set: which blocks */
	uint32_t *summaries;  /* bit b: block b of the set is not empty */
};

/*
 * Range i is starts[i] .. starts[i + 1] - 1; starts[0] is 0. Long axes of narrow numbers
 * have roots: from starts[1] on, equal steps of 2^shift, and in which range each begins;
 * what is left to search is between two of them.
 */
struct rules_axis {
	uint32_t count;
	uint32_t *narrow; /* starts, when they fit into 32 bits */
	ip_number *wide;  /* starts otherwise */
	uint32_t *sets;
	uint32_t shift;
	uint32_t steps;	 /* 0: no roots */
	uint32_t *roots; /* steps + 1 of them, the last is the last range */
};

enum rules_axis_name {
	RULES_AXIS_PROTOCOL,
	RULES_AXIS_SOURCE4,
	RULES_AXIS_DESTINATION4,
	RULES_AXIS_SOURCE6,
	RULES_AXIS_DESTINATION6,
	RULES_AXIS_SOURCE_PORT,
	RULES_AXIS_DESTINATION_PORT,
	RULES_AXES,
};

/* An interface that rules name. */
struct rules_interface {
	const char *name; /* NULL: a free place */
	uint32_t sets[RULES_GROUPS];
};

/* The rules of each host name as source, or as destination. */
struct rules_index_names {
	uint32_t *sets; /* by the name's number; NULL: no rule names one there */
	uint32_t any;	/* all of these rules */
};

struct rules_index {
	uint32_t count;
	uint32_t *ids; /* the rule at each place */
	struct rules_sets sets;
	struct rules_axis axes[RULES_AXES];
	struct rules_index_names names[RULES_SIDES];
	uint32_t self[RULES_SELF_KEYS];
	uint32_t other_interfaces[RULES_GROUPS]; /* those that no rule names */
	uint32_t interface_mask;		 /* places in `interfaces`, less 1 */
	struct rules_interface *interfaces;	 /* a hash table, at most half full */
};

/* What an address gives by its axis and by its names: a rule need be in one of them only. */
struct rules_union {
	uint32_t count;
	uint32_t sets[1 + RULES_SEARCH_NAMES];
};

/* A search that is under way: the places from `at` on are left. */
struct rules_search {
	const struct ruleset *set;
	const struct rules_index *index;
	const struct rules_query *query;
	uint32_t sets[RULES_DIMENSIONS];
	uint32_t dimensions;
	struct rules_union unions[RULES_SIDES]; /* dimensions too */
	uint32_t union_count;
	uint32_t at;
};

/* Compiles the rules ids[0 .. count), first right first. -ENOMEM. Takes over `ids`. */
must_check int rules_index_make(const struct ruleset *set, uint32_t *ids, uint32_t count,
				struct rules_index **index);
void rules_index_free(struct rules_index *index);

/* 0 uplink, 1 clients; RULES_GROUPS: neither. */
uint32_t rules_index_group(const char *group);
uint32_t rules_index_hash(const char *name);

/* Where a protocol and, for ICMP, the type lie on the protocol axis. */
#define RULES_KEY_ICMP 256u
#define RULES_KEY_ICMP6 512u
#define RULES_KEYS 768u

/* Begins; false: the query's group is neither uplink nor clients, the index cannot tell. */
must_check bool rules_search_begin(struct rules_search *search, const struct ruleset *set,
				   const struct rules_index *index,
				   const struct rules_query *query);

/* The next rule that matches, by its index in the set; RULES_NO_RULE: no more. */
uint32_t rules_search_next(struct rules_search *search);
