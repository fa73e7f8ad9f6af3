/* SPDX-License-Identifier: ISC */
/* Asking the rules about a packet that has been parsed. */
#pragma once

#include "lib/log.h"
#include "net/packet_info.h"
#include "net/packet_log.h"
#include "net/rules.h"

/* Where verdicts of rules with `log` go. */
struct judge_log {
	struct log_limit *lines;    /* to the console, within this limit */
	struct packet_log *records; /* and there; NULL: nowhere */
	uint64_t now_ns;
};

/*
 * What the packet would have the rules decide. `interface` and `group` as in struct
 * rules_query; neither address is our own until the caller says so.
 */
struct rules_query judge_query(const struct packet_info *info, enum rules_direction direction,
			       const char *interface, const char *group);

/* The verdict; logged, with the beginning of `packet`, when the rule asks for that. */
struct rules_verdict judge_ask(struct ruleset *rules, const struct rules_query *query,
			       const struct packet *packet, const struct judge_log *log);
