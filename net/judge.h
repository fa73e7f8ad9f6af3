/* SPDX-License-Identifier: ISC */
/* Asking the rules about a packet that has been parsed. */
#pragma once

#include "lib/log.h"
#include "net/parse.h"
#include "net/rules.h"

/*
 * What the packet would have the rules decide. `interface` and `group` as in struct
 * rules_query; neither address is our own until the caller says so.
 */
struct rules_query judge_query(const struct packet_info *info, enum rules_direction direction,
			       const char *interface, const char *group);

/* The verdict; logged, within `log`'s limit, when the rule asks for that. */
struct rules_verdict judge_ask(struct ruleset *rules, const struct rules_query *query,
			       struct log_limit *log);
