/* SPDX-License-Identifier: ISC */
/*
 * The uplink's addresses: what the command line, DHCP and routers say of them is given to
 * the router and to the resolver of host names, once nobody else on the link has them.
 */
#pragma once

#include <stdint.h>

#include "lib/params.h"
#include "lib/random.h"
#include "net/router.h"

/*
 * Once, after router_init(). `dns_changed` is told the servers to ask whenever they change,
 * for as long as the call.
 */
void uplink_make(struct router *router, struct random *random, const struct params *params,
		 void (*dns_changed)(const struct ip_address *servers, uint32_t count));

/* The router has got its uplink, or is about to lose it. */
void uplink_up(struct netdev *netdev);
void uplink_down(void);

/* The guest goes: a lease is given back. */
void uplink_release(void);

/* After router_time_jumped(): what was leased may not be ours any more. */
void uplink_slept(void);

/* Both by router->now_ns. Does what is due; when that must be called next. */
void uplink_run(uint64_t now_ns);
uint64_t uplink_next_ns(void);
