/* SPDX-License-Identifier: ISC */
/*
 * The filter of a bridge: rules (net/rules.h) for the frames that cross between two
 * interfaces, without routing. Frames are not changed: no address translation, no hop is
 * counted, no ARP and no neighbour discovery of our own. By Ethernet type:
 *
 *	IPv4, IPv6	are judged: `in` on the side it came from, `out` on the other one
 *	ARP		passes
 *	anything else	is dropped (DROP_BAD_ETHERTYPE): VLANs, spanning tree. The rules
 *			cannot say anything of it, and what they cannot judge stays out
 *
 * and of IPv6, without asking the rules:
 *
 *	neighbour discovery	passes when ndp_parse() reads it, else DROP_BAD_NDP. Router
 *				advertisements only from the uplink's side, redirects never
 *	listener discovery	passes: queries from the uplink, reports from the clients
 *
 * What passes with state makes a flow, and whatever belongs to a flow passes unjudged, as
 * do the ICMP errors about it. Fragments pass exactly if the datagram that they make would
 * (net/fragments.h). `self` in a rule is nobody, for a bridge has no address. What
 * `block return` refuses is answered in the name of the destination. A packet that the
 * rules would translate, or whose segment size they would lower, is dropped
 * (DROP_NO_TRANSLATION).
 *
 * Fails closed: without rules nothing passes, not even ARP. The same calls as those of
 * struct router keep its time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "lib/wheel.h"
#include "net/bucket.h"
#include "net/flow.h"
#include "net/fragments.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/packet_log.h"
#include "net/rules.h"

/* In rules: the groups "uplink" and "clients". */
enum bridge_side { BRIDGE_UPLINK, BRIDGE_CLIENTS, BRIDGE_SIDES };

struct bridge_filter_config {
	struct ruleset *rules; /* the caller's, for as long as the filter; NULL: closed */
	uint32_t flows;	       /* entries of the flow table */
	void *memory;	       /* bridge_filter_memory_bytes(flows) that live for ever */
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
	struct flow_limits limits;
	struct fragment_table fragments;
	struct list released; /* packets that bridge_filter_more() gives away */
	struct log_limit log;
	struct packet_log *records;
	struct bucket answers[BRIDGE_SIDES]; /* resets and ICMP errors to each */
	uint64_t answers_suppressed;
};

/* Bytes for the flows, at most half of them (and one) IPv6, and for fragments. */
size_t bridge_filter_memory_bytes(uint32_t flows);

void bridge_filter_init(struct bridge_filter *filter, const struct bridge_filter_config *config);

/*
 * Drops what may not cross from `in`, on `side`, to `out` on the other one; what may stays
 * in the vector, in order. Fragments without their first one are kept back. The packets are
 * as netdev->input takes them. Whoever calls it has to call bridge_filter_more(), too.
 */
void bridge_filter_run(struct bridge_filter *filter, enum bridge_side side, struct netdev *in,
		       const struct netdev *out, struct packet_vector *vector);

/*
 * After each bridge_filter_run(), when its vector has been sent, until it says false: puts
 * into the vector, which must be empty, what was kept back and may follow now. It goes the
 * same way.
 */
must_check bool bridge_filter_more(struct bridge_filter *filter, struct packet_vector *vector);

/* Ends every flow, and forgets fragments: somebody else may be there now. */
void bridge_filter_flush(struct bridge_filter *filter);

/* An interface has gone: drops what is kept back (DROP_DETACHED). Flows go on. */
void bridge_filter_forget_fragments(struct bridge_filter *filter);

/* The time for all that follows, nanoseconds; never goes back. */
void bridge_filter_set_now(struct bridge_filter *filter, uint64_t now_ns);

/* Runs a bounded number of timers that are due. */
void bridge_filter_run_timers(struct bridge_filter *filter);

/* When bridge_filter_run_timers() must be called next at the latest; UINT64_MAX: no need. */
uint64_t bridge_filter_next_ns(const struct bridge_filter *filter);

/* Flows by state and by the side that began them, fragments, answers, rules with hits. */
void bridge_filter_print_stats(const struct bridge_filter *filter,
			       void (*line)(void *context, const char *text), void *context);
