/* SPDX-License-Identifier: ISC */
/* What the rules' parser and judge share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/rules.h"

#define RULES_NAME_BYTES 24u
#define RULES_ANY_PROTOCOL 256u
#define RULES_ANY_ICMP 256u

enum rules_host_kind { RULES_HOST_ANY, RULES_HOST_PREFIX, RULES_HOST_SELF };

struct rules_host {
	uint32_t address; /* host order, masked */
	uint32_t mask;
	uint8_t kind; /* enum rules_host_kind */
	bool negated;
};

/* Ports low..high, or all others when outside is set; any: 0..65535. */
struct rules_ports {
	uint16_t low, high;
	bool outside;
};

struct rules_rule {
	struct rules_host source, destination;
	struct rules_ports source_ports, destination_ports;
	uint16_t protocol;  /* or RULES_ANY_PROTOCOL */
	uint16_t icmp_type; /* or RULES_ANY_ICMP */
	uint16_t icmp_code;
	uint8_t action;		       /* enum rules_action */
	uint8_t directions;	       /* mask of enum rules_direction */
	uint8_t flags_set, flags_mask; /* TCP: (flags & mask) == set */
	bool quick, log, keep_state, interface_negated;
	char interface[RULES_INTERFACE_BYTES]; /* "" : any */
	char label[RULES_LABEL_BYTES];
	uint32_t line;
	uint64_t hits;
};

struct ruleset {
	uint32_t count;
	uint32_t capacity;
	struct rules_rule *rules;
};

/* Adds a copy of the rule. -E2BIG, -ENOMEM. */
must_check int ruleset_add(struct ruleset *set, const struct rules_rule *rule);
