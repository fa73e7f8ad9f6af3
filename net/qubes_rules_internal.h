/* SPDX-License-Identifier: ISC */
/* What the parts of net/qubes_rules*.c share. */
#pragma once

#include "net/qubes_rules.h"

#define QUBES_RULES_NAME_MAX 253u /* a host name, RFC 1035 */

struct qubes_rule {
	uint16_t number;
	uint16_t protocol;	      /* or RULES_ANY_PROTOCOL */
	uint16_t icmp_type;	      /* or RULES_ANY_ICMP */
	uint16_t port_low, port_high; /* unless !has_ports */
	uint8_t prefix;
	bool accept, has_ports, dns;
	struct ip_address destination; /* version 0: any */
	char *name;		       /* or NULL; belongs to the rule */
	uint64_t expire;	       /* 0: never */
};

enum qubes_policy { QUBES_POLICY_NONE, QUBES_POLICY_DROP, QUBES_POLICY_ACCEPT };

struct qubes_source {
	struct ip_address address;
	enum qubes_policy policy;
	bool closed;
	bool crowded; /* closed for want of room only; the next compiling tries again */
	struct qubes_rules_error error; /* when closed */
	uint32_t count, capacity;
	struct qubes_rule *rules;
};

struct qubes_rules {
	uint32_t count, capacity;
	struct qubes_source *sources;
	uint32_t current; /* the source begun last */
};

/* Closes a source; the first reason stays. */
void qubes_source_close(struct qubes_source *source, uint32_t number, uint32_t column,
			const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Reads a rule's text for a source of that version (4, 6). 0; -EINVAL, -ENOMEM: see *error. */
must_check int qubes_rule_parse(const char *text, size_t length, uint8_t version,
				struct qubes_rule *rule, struct qubes_rules_error *error);
