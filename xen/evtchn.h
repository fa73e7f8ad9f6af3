/* SPDX-License-Identifier: ISC */
/*
 * Event channels (2-level ABI, <xen/event_channel.h>). Upcalls are off while the
 * kernel runs; evtchn_dispatch() is called by the loop, looks at the shared page
 * and calls handlers as ordinary functions. A handler may do anything a poll
 * source may; it must not block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

typedef uint32_t evtchn_port; /* as Xen's evtchn_port_t */
#define EVTCHN_NONE 0u	      /* Xen never gives out port 0 */

typedef void evtchn_handler(void *context);

/* Masks every port. Called once, before any other function here. */
void evtchn_init(void);

/*
 * Each makes or takes a port, unmasked, whose events call handler(context).
 * 0 and `*port`, or the hypervisor's negative errno.
 */
must_check int evtchn_alloc_unbound(uint16_t remote_domid, evtchn_handler *handler, void *context,
				    evtchn_port *port);
must_check int evtchn_bind_interdomain(uint16_t remote_domid, evtchn_port remote_port,
				       evtchn_handler *handler, void *context, evtchn_port *port);
must_check int evtchn_bind_virq(uint32_t virq, evtchn_handler *handler, void *context,
				evtchn_port *port);
/* A port that the domain builder made (console, xenstore). */
must_check int evtchn_adopt(evtchn_port port, evtchn_handler *handler, void *context);

/* Closes the port and forgets the handler, also one pending. Harmless for EVTCHN_NONE. */
void evtchn_close(evtchn_port port);

/* Sends an event to the other end. */
void evtchn_notify(evtchn_port port);

/* A masked port stays pending without waking us; unmasking delivers what came. */
void evtchn_mask(evtchn_port port);
void evtchn_unmask(evtchn_port port);

/*
 * Whether somebody holds the other end. Costs a hypercall; no event tells that a peer has
 * closed its end or has died, so whoever has to know asks now and then.
 */
bool evtchn_is_connected(evtchn_port port);

/* Whether evtchn_dispatch() would find anything. */
bool evtchn_is_pending(void);

/*
 * Calls the handlers of all ports found pending in one pass over the shared page
 * (so a storm cannot hold us here) and returns how many ran.
 */
uint32_t evtchn_dispatch(void);

/* Ports open now, for the stats and leak tests. */
uint32_t evtchn_open_count(void);
