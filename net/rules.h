/* SPDX-License-Identifier: ISC */
/*
 * Filter rules in the syntax and with the meaning of pf.conf: every rule is
 * tried in order, the last one that matches decides, `quick` ends the search,
 * and what no rule matches is blocked. A forwarded packet is judged twice: `in`
 * on the interface it came from, `out` on the one it leaves by; both must pass.
 * Replies to a packet that passed with state are not judged again.
 *
 * Parsing gives an immutable rule set; judging is pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"

#define RULES_MAX 16384u	   /* rules in a set, after lists are expanded */
#define RULES_MAX_BYTES (4u << 20) /* text of a rule file */
#define RULES_LABEL_BYTES 32u
#define RULES_INTERFACE_BYTES 24u

enum rules_direction { RULES_IN = 1, RULES_OUT = 2 };

/* What a rule can ask of a packet. Addresses in network order, the rest in host order. */
struct rules_query {
	enum rules_direction direction;
	const char *interface;	     /* netdev name, for example "client3.0" */
	const char *interface_group; /* "uplink" or "clients" */
	be32 source;
	be32 destination;
	uint8_t protocol;     /* IP protocol number */
	uint16_t source_port; /* TCP, UDP */
	uint16_t destination_port;
	uint8_t icmp_type; /* ICMP */
	uint8_t icmp_code;
	uint8_t tcp_flags;   /* TCP: the flag byte */
	bool source_is_self; /* the address is the firewall's own */
	bool destination_is_self;
};

enum rules_action {
	RULES_BLOCK_DROP,   /* say nothing */
	RULES_BLOCK_RETURN, /* TCP reset, or ICMP port unreachable */
	RULES_PASS,
};

struct rules_verdict {
	enum rules_action action;
	bool keep_state; /* true for pass unless the rule says "no state" */
	bool log;
	uint32_t rule; /* index in the set; RULES_NO_RULE when none matched */
};

#define RULES_NO_RULE UINT32_MAX

/* Where and why parsing stopped. line and column count from 1. */
struct rules_error {
	uint32_t line;
	uint32_t column;
	char message[96];
};

struct ruleset;

/*
 * Parses `bytes` bytes of text (not NUL-terminated). 0 and `*set`, which the
 * caller frees; or -EINVAL (see error), -ENOMEM, -E2BIG (error tells which limit).
 * There is never half a rule set.
 */
must_check int ruleset_parse(const char *text, size_t bytes, struct ruleset **set,
			     struct rules_error *error);

/* Frees a set; NULL is allowed. */
void ruleset_free(struct ruleset *set);

/* Judges one packet. `set` may be NULL: blocked, RULES_NO_RULE. Counts a hit. */
struct rules_verdict ruleset_judge(struct ruleset *set, const struct rules_query *query);

/* Rules in the set after expansion. */
uint32_t ruleset_count(const struct ruleset *set);

/* Line of the file, label ("" if none), and packets that a rule decided. */
uint32_t ruleset_rule_line(const struct ruleset *set, uint32_t rule);
const char *ruleset_rule_label(const struct ruleset *set, uint32_t rule);
uint64_t ruleset_rule_hits(const struct ruleset *set, uint32_t rule);
