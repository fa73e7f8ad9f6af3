/* SPDX-License-Identifier: ISC */
/*
 * The filter of a bridge: rules (net/rules.h) for the IPv4 frames that cross between two
 * interfaces, without routing. Frames are not changed: no address translation, no TTL,
 * no ARP of our own. Every other frame goes by its Ethernet type alone:
 *
 *	ARP		passes
 *	IPv4		is judged: `in` on the side it came from, `out` on the other one
 *	anything else	is dropped (DROP_BAD_ETHERTYPE): IPv6, VLANs, spanning tree. The
 *			rules cannot say anything of it, and what they cannot judge stays out
 *
 * What passes with state makes a flow, and whatever belongs to a flow passes unjudged, as
 * do the ICMP errors about it. `self` in a rule is nobody, for a bridge has no address.
 * What `block return` refuses is answered in the name of the destination.
 *
 * Fails closed: without rules nothing passes, not even ARP. The same calls as those of
 * struct router keep its time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "lib/wheel.h"
#include "net/bucket.h"
#include "net/flow.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/packet_log.h"
#include "net/rules.h"

/* In rules: the groups "uplink" and "clients". */
enum bridge_side { BRIDGE_UPLINK, BRIDGE_CLIENTS, BRIDGE_SIDES };

struct bridge_filter_config {
	struct ruleset *rules; /* the caller's, for as long as the filter; NULL: closed */
	uint32_t flows;	       /* entries of the flow table */
	void *memory;	       /* flow_table_bytes(flows, 0) bytes that live for ever */
	struct random *random;
	struct own own;		    /* makes and sends answers; a side's netdev is asked about */
	struct packet_log *records; /* packets that rules log; NULL: not kept */
	uint64_t now_ns;
};

struct bridge_filter {
	struct ruleset *rules;
	struct own own;
	uint64_t now_ns;
	struct wheel wheel;
	struct flow_table flows;
	struct log_limit log;
	struct packet_log *records;
	struct bucket answers[BRIDGE_SIDES]; /* resets and ICMP errors to each */
	uint64_t answers_suppressed;
};

void bridge_filter_init(struct bridge_filter *filter, const struct bridge_filter_config *config);

/*
 * Drops what may not cross from `in`, on `side`, to `out` on the other one; what may stays
 * in the vector, in order. The packets are as netdev->input takes them.
 */
void bridge_filter_run(struct bridge_filter *filter, enum bridge_side side, struct netdev *in,
		       const struct netdev *out, struct packet_vector *vector);

/* Ends every flow: somebody else may be there now. */
void bridge_filter_flush(struct bridge_filter *filter);

/* The time for all that follows, nanoseconds; never goes back. */
void bridge_filter_set_now(struct bridge_filter *filter, uint64_t now_ns);

/* Runs a bounded number of timers that are due. */
void bridge_filter_run_timers(struct bridge_filter *filter);

/* When bridge_filter_run_timers() must be called next at the latest; UINT64_MAX: no need. */
uint64_t bridge_filter_next_ns(const struct bridge_filter *filter);

/* Flows by state and by the side that began them, answers, rules with hits. */
void bridge_filter_print_stats(const struct bridge_filter *filter,
			       void (*line)(void *context, const char *text), void *context);
