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
#include "lib/ip_address.h"

#define RULES_MAX 16384u	   /* rules in a set, after lists are expanded */
#define RULES_MAX_BYTES (4u << 20) /* text of a rule file */
#define RULES_LABEL_BYTES 32u
#define RULES_INTERFACE_BYTES 24u
#define RULES_TABLES_MAX 256u
#define RULES_TABLE_ENTRIES_MAX 131072u /* in all tables of a set */
#define RULES_NAMES_MAX 16384u		/* different host names in a set */

enum rules_direction { RULES_IN = 1, RULES_OUT = 2 };

/*
 * What a rule can ask of a packet. Both addresses have the same version, which is the
 * packet's; numbers are in host order.
 */
struct rules_query {
	enum rules_direction direction;
	const char *interface;	     /* netdev name, for example "client3.0" */
	const char *interface_group; /* "uplink" or "clients" */
	struct ip_address source;
	struct ip_address destination;
	uint8_t protocol;     /* IP protocol number */
	uint16_t source_port; /* TCP, UDP */
	uint16_t destination_port;
	uint8_t icmp_type; /* ICMP, ICMPv6 */
	uint8_t icmp_code;
	uint8_t tcp_flags;   /* TCP: the flag byte */
	bool source_is_self; /* the address is the firewall's own */
	bool destination_is_self;
};

enum rules_action {
	RULES_BLOCK_DROP,   /* say nothing */
	RULES_BLOCK_RETURN, /* TCP reset, or ICMP port unreachable */
	RULES_BLOCK_RST,    /* TCP reset; nothing for other protocols */
	RULES_BLOCK_ICMP,   /* ICMP unreachable, with the verdict's code, for TCP too */
	RULES_PASS,
};

/* Codes of destination unreachable: ICMP (RFC 792, RFC 1812, 5.2.7.1), ICMPv6 (RFC 4443, 3.1). */
#define RULES_ICMP4_PORT_UNREACHABLE 3u
#define RULES_ICMP4_FILTER_PROHIBITED 13u
#define RULES_ICMP6_ADMIN_PROHIBITED 1u
#define RULES_ICMP6_PORT_UNREACHABLE 4u

enum rules_target_mode {
	/*
	 * One address. nat-to: ports are chosen so that a sender's port has the same outer one
	 * for every destination (RFC 4787, 4.1: endpoint-independent).
	 */
	RULES_TARGET_ADDRESS,
	RULES_TARGET_SYMMETRIC, /* nat-to: a port for each destination */
	/* The first `prefix` bits of the packet's address are exchanged, the rest stays. */
	RULES_TARGET_BITMASK,
	RULES_TARGET_NPTV6, /* the same, neutral to checksums (RFC 6296); prefix is at most 64 */
};

/* The new address that nat-to (of the source) or rdr-to (of the destination) names. */
struct rules_target {
	struct ip_address address; /* version 0: the address of the uplink, all bits of it */
	uint8_t prefix;		   /* bits of `address` that count; all but in the last two modes */
	uint8_t mode;		   /* enum rules_target_mode */
	uint16_t port_low;	   /* 0: the port stays (rdr-to) or is chosen freely (nat-to) */
	uint16_t port_high;	   /* a range; equal to port_low for one */
	bool static_port;	   /* nat-to: the source port must stay; so in the last two modes */
};

enum rules_timeout {
	RULES_TCP_FIRST,
	RULES_TCP_OPENING,
	RULES_TCP_ESTABLISHED,
	RULES_TCP_CLOSING,
	RULES_TCP_FINWAIT,
	RULES_TCP_CLOSED,
	RULES_UDP_FIRST,
	RULES_UDP_SINGLE,
	RULES_UDP_MULTIPLE,
	RULES_ICMP_FIRST,
	RULES_ICMP_ERROR,
	RULES_OTHER_FIRST,
	RULES_OTHER_SINGLE,
	RULES_OTHER_MULTIPLE,
	RULES_FRAGMENT,
	RULES_TIMEOUTS,
};

/* What "keep state (...)" says. */
struct rules_limits {
	uint32_t max_states;		  /* made by this rule; 0: no limit */
	uint32_t max_source_states;	  /* the same, of one source address */
	uint32_t timeout[RULES_TIMEOUTS]; /* seconds; 0: the default */
};

/* What `set` says for the whole firewall; 0 is the default everywhere. */
struct rules_options {
	uint32_t limit_states;
	uint32_t limit_fragments;
	uint32_t timeout[RULES_TIMEOUTS]; /* seconds */
};

/* Pointers are NULL when no rule says it, else into the set, as long as that lives. */
struct rules_verdict {
	enum rules_action action;
	uint8_t icmp4_answer; /* RULES_BLOCK_ICMP: the code of unreachable, by the packet's */
	uint8_t icmp6_answer; /* version */
	bool keep_state;      /* true for pass unless the rule says "no state" */
	bool log;
	uint16_t max_mss; /* scrub; 0: leave it */
	uint32_t rule;	  /* index in the set; RULES_NO_RULE when none matched */
	/*
	 * Of the last matching `match` rule that has it, or of the deciding one. binat-to gives
	 * nat_to on the way out and rdr_to on the way in.
	 */
	const struct rules_target *nat_to, *rdr_to;
	uint16_t rdr_port; /* the first that the rule of rdr_to is for; 0 when it is for any */
	const struct rules_limits *limits; /* counted for each `rule` */
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

/*
 * Judges one packet, in about the same time for few rules and many when the interface's
 * group is "uplink" or "clients"; otherwise by a walk over all. `set` may be NULL: blocked,
 * RULES_NO_RULE. Counts a hit.
 */
struct rules_verdict ruleset_judge(struct ruleset *set, const struct rules_query *query);

/* The same without counting. */
struct rules_verdict ruleset_peek(struct ruleset *set, const struct rules_query *query);
/*
 * Which addresses the host names of a set have now; asked while judging, so no call waits.
 * `name` counts from 0 to ruleset_names_count() - 1.
 */
struct rules_resolver {
	bool (*contains)(void *context, uint16_t name, const struct ip_address *address);
	/* Has it been found out which addresses of that version (4, 6) the name has, if any? */
	bool (*known)(void *context, uint16_t name, uint8_t version);
	/*
	 * The names that have the address: at most `room` are written. Returns how many there
	 * are; above `room` any number will do.
	 */
	uint32_t (*names_of)(void *context, const struct ip_address *address, uint16_t *names,
			     uint32_t room);
	void *context;
};

/* Different names in the set; each in small letters without a dot at its end. */
uint32_t ruleset_names_count(const struct ruleset *set);
const char *ruleset_name(const struct ruleset *set, uint32_t name);

/*
 * Who is asked from now on; the struct is copied. NULL: nobody, and no name has an address.
 * What a rule says of a name that is not known: in `pass` and `match`, no rule matches that
 * depends on it; in `block`, the name is one without addresses.
 */
void ruleset_set_resolver(struct ruleset *set, const struct rules_resolver *resolver);

/* What `set` lines said; all 0 for NULL. Belongs to the set. */
const struct rules_options *ruleset_options(const struct ruleset *set);

/*
 * Is it an address that rules translate from or to on the uplink, so that we are where it
 * is? Never where the addresses that are claimed with it hold the gateway's (version 0: none),
 * for they are a network of others then. The uplink's own address is not among them.
 */
must_check bool ruleset_claims(const struct ruleset *set, const struct ip_address *address,
			       const struct ip_address *gateway);

/* Rules in the set after expansion, `match` rules too. */
uint32_t ruleset_count(const struct ruleset *set);

/* Line of the file, label ("" if none), and packets that a rule decided (`match`: that it applied
 * to). */
uint32_t ruleset_rule_line(const struct ruleset *set, uint32_t rule);
const char *ruleset_rule_label(const struct ruleset *set, uint32_t rule);
uint64_t ruleset_rule_hits(const struct ruleset *set, uint32_t rule);
