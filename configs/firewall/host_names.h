/* SPDX-License-Identifier: ISC */
/* The host names in the rules, kept up to date by the firewall's own resolver. */
#pragma once

#include <stdint.h>

#include "lib/random.h"
#include "net/router.h"
#include "net/rules.h"

/*
 * Once, after router_init(). `rules` (NULL: none) are those that will be used first: there
 * is room for the names in them, and for `room` at least.
 */
void host_names_make(struct router *router, struct random *random, struct ruleset *rules,
		     uint32_t room);

/*
 * Keeps the names of another set (NULL: none) before it is used, and forgets those of a set
 * that is not used any more. -ENOSPC: there is no room for them, and none of them is known.
 */
must_check int host_names_bind(struct ruleset *rules);
void host_names_unbind(struct ruleset *rules);

/*
 * From now on flows that began under a name's address go on when it has that address no more,
 * until other rules are set: as QubesOS has it, for the sake of names that have another
 * address every minute.
 */
void host_names_keep_flows(void);

/* The servers to ask. */
void host_names_set_servers(const struct ip_address *servers, uint32_t count);

/* Counters for a human; nothing without names. */
void host_names_print_stats(void (*line)(void *context, const char *text), void *context);
