/* SPDX-License-Identifier: ISC */
/* The host names in the rules, kept up to date by the firewall's own resolver. */
#pragma once

#include <stdint.h>

#include "lib/random.h"
#include "net/router.h"
#include "net/rules.h"

/*
 * Once, after router_init(). `rules` (NULL: none) are those that will be used first: there
 * is room for the names in them, and for some more.
 */
void host_names_make(struct router *router, struct random *random, struct ruleset *rules);

/* The servers to ask. */
void host_names_set_servers(const struct ip_address *servers, uint32_t count);

/* Counters for a human; nothing without names. */
void host_names_print_stats(void (*line)(void *context, const char *text), void *context);
