/* SPDX-License-Identifier: ISC */
/* What the rules' parser, compiler and judge share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/rules.h"

#define RULES_ANY_PROTOCOL 256u
#define RULES_ANY_ICMP 256u
/* An action beside enum rules_action: `match` decides nothing. */
#define RULES_MATCH ((uint8_t)(RULES_PASS + 1))
#define RULES_NO_PARAMETERS 0u

#define RULES_ICMP 1u
#define RULES_TCP 6u
#define RULES_UDP 17u
#define RULES_ICMP6 58u

enum rules_host_kind {
	RULES_HOST_ANY,
	RULES_HOST_PREFIX,
	RULES_HOST_SELF,
	RULES_HOST_TABLE,
	RULES_HOST_NAME,
};

struct rules_host {
	struct ip_address address; /* PREFIX; bits behind the prefix are zero */
	uint8_t prefix;
	uint8_t kind; /* enum rules_host_kind */
	bool negated;
	uint16_t table;	   /* TABLE: index */
	uint16_t name;	   /* NAME: index */
	bool when_unknown; /* NAME: matches too while the name is not known; not with negated */
};

/* Ports low..high, or all others when outside is set; any: 0..65535. */
struct rules_ports {
	uint16_t low, high;
	bool outside;
};

/* Addresses first .. last. */
struct rules_range {
	ip_number first, last;
};

struct rules_entry {
	struct ip_address address; /* bits behind the prefix are zero */
	uint8_t prefix;
	bool negated;
};

#define RULES_TABLE_NAME_BYTES 32u

/* A host name in a table: as narrow an entry as an address. */
struct rules_table_host {
	uint16_t name;
	bool negated;
};

/*
 * Once finished, an address is in the table when it is in one of the ranges; but first the
 * table's host names are asked.
 */
struct rules_table {
	char name[RULES_TABLE_NAME_BYTES];
	bool defined;
	uint32_t line, column; /* where it was first named */
	uint32_t entry_count, entry_capacity;
	struct rules_entry *entries;	       /* as written; freed by finishing */
	struct rules_range *ranges4, *ranges6; /* sorted, apart from one another */
	uint32_t count4, count6;
	uint32_t host_count, host_capacity;
	struct rules_table_host *hosts;
	struct ip_address *denied; /* sorted: what "! ADDRESS" takes from a name, if there are */
	uint32_t denied_count;
};

/* What only some rules have; many expanded rules share one. */
struct rules_parameters {
	struct rules_target nat_to, rdr_to;
	struct rules_limits limits;
	uint16_t max_mss;
	bool has_nat, has_rdr, has_limits;
	bool no_nat, no_rdr; /* what `match` rules said before is forgotten */
};

struct rules_rule {
	struct rules_host source, destination;
	struct rules_ports source_ports, destination_ports;
	uint16_t protocol;  /* or RULES_ANY_PROTOCOL */
	uint16_t icmp_type; /* or RULES_ANY_ICMP */
	uint16_t icmp_code;
	uint8_t action;			    /* enum rules_action or RULES_MATCH */
	uint8_t icmp4_answer, icmp6_answer; /* RULES_BLOCK_ICMP */
	uint8_t version;		    /* 4, 6, or 0 for both */
	uint8_t directions;		    /* mask of enum rules_direction */
	uint8_t flags_set, flags_mask;	    /* TCP: (flags & mask) == set */
	bool quick, log, keep_state, interface_negated;
	char interface[RULES_INTERFACE_BYTES]; /* "" : any */
	char label[RULES_LABEL_BYTES];
	uint32_t line;
	uint32_t parameters; /* index + 1, or RULES_NO_PARAMETERS */
	uint64_t hits;
};

struct rules_index;

struct ruleset {
	uint32_t count;
	uint32_t capacity;
	struct rules_rule *rules;
	uint32_t table_count;
	uint32_t entries;	    /* in all tables */
	struct rules_table *tables; /* RULES_TABLES_MAX of them, or NULL */
	uint32_t parameter_count;
	struct rules_parameters *parameters;
	struct rules_options options;
	uint32_t name_count, name_capacity;
	char **names;
	uint32_t name_slot_mask;		/* places in name_slots, less 1 */
	uint16_t *name_slots;			/* a hash table, at most half full: index + 1 */
	struct rules_resolver resolver;		/* contains is NULL: none */
	struct rules_table claims;		/* see ruleset_claims() */
	struct rules_index *deciders, *matches; /* compiled; `match` rules apart */
};

/* As ruleset_parse(), but the set is still open: for ruleset_add(), then ruleset_compile(). */
must_check int ruleset_read(const char *text, size_t bytes, struct ruleset **set,
			    struct rules_error *error);

/* Adds a copy of the rule. -E2BIG, -ENOMEM. */
must_check int ruleset_add(struct ruleset *set, const struct rules_rule *rule);

/* Adds a copy; *index is what a rule's `parameters` holds. -ENOMEM. */
must_check int ruleset_add_parameters(struct ruleset *set,
				      const struct rules_parameters *parameters, uint32_t *index);

/* The table of this name, made when it is new; NULL: RULES_TABLES_MAX or no memory. */
struct rules_table *rules_table_get(struct ruleset *set, const char *name, size_t length);

/* Adds an entry. -E2BIG (RULES_TABLE_ENTRIES_MAX), -ENOMEM. */
must_check int rules_table_add(struct ruleset *set, struct rules_table *table,
			       const struct rules_entry *entry);

/* Turns the entries into ranges: of all entries around an address the narrowest decides. */
must_check int rules_table_finish(struct rules_table *table);

/*
 * The number of a host name, which is added when it is new. -EINVAL: it is not a host name;
 * -E2BIG: RULES_NAMES_MAX; -ENOMEM.
 */
must_check int ruleset_add_name(struct ruleset *set, const char *text, size_t length,
				uint16_t *name);
void ruleset_names_free(struct ruleset *set);

/* Adds a name to a table. -E2BIG (RULES_TABLE_ENTRIES_MAX), -ENOMEM. */
must_check int rules_table_add_name(struct ruleset *set, struct rules_table *table, uint16_t name,
				    bool negated);

/* A part of finishing: puts the names in order. */
void rules_table_sort_names(struct rules_table *table);

/*
 * Does the name, or the table, have the address? *unknown: that depends on a name that is
 * not known; the answer is then as if it had no address. The caller sets it false before.
 */
bool rules_name_has(const struct ruleset *set, uint16_t name, const struct ip_address *address,
		    bool *unknown);
bool rules_table_has(const struct ruleset *set, const struct rules_table *table,
		     const struct ip_address *address, bool *unknown);

/* Is it in the ranges of the table, and in which? Its names are not asked. */
bool rules_table_contains(const struct rules_table *table, const struct ip_address *address);
const struct rules_range *rules_table_range(const struct rules_table *table,
					    const struct ip_address *address);

/* Frees what the table points to. */
void rules_table_free(struct rules_table *table);
void rules_tables_free(struct ruleset *set);

/* Gives back the room for rules that were not added. */
void ruleset_trim(struct ruleset *set);

/* Finds what the finished rules claim. -ENOMEM. */
must_check int ruleset_collect_claims(struct ruleset *set);

/* Builds the index over the finished rules and tables, and the claims. -ENOMEM. */
must_check int ruleset_compile(struct ruleset *set);

/* Does this rule match? Says the same as the language, one rule at a time. */
bool rules_rule_matches(const struct ruleset *set, const struct rules_rule *rule,
			const struct rules_query *query);

/*
 * The verdict found by walking over all rules: what the index must agree with. Counts no
 * hit. `set` may be NULL.
 */
struct rules_verdict rules_walk(const struct ruleset *set, const struct rules_query *query);
