/* SPDX-License-Identifier: ISC */
/* What the parts of the bridge's filter know of each other; nobody else includes this. */
#pragma once

#include "net/bridge_filter.h"
#include "net/packet_info.h"

/* One vector's way through the filter. */
struct bridge_crossing {
	struct bridge_filter *filter;
	enum bridge_side side; /* that it comes from */
	struct netdev *in;
	const struct netdev *out;
};

/* In rules: the groups "uplink" and "clients". */
extern const char *const bridge_groups[BRIDGE_SIDES];

static inline enum bridge_side bridge_other(enum bridge_side side)
{
	return side == BRIDGE_UPLINK ? BRIDGE_CLIENTS : BRIDGE_UPLINK;
}

/* Drops the packet; false, for it does not cross. */
must_check static inline bool bridge_refuse(struct packet *packet, enum drop_reason reason)
{
	packet_drop(packet, reason);
	return false;
}

/*
 * For all of these, true: the packet stays the caller's, and may cross. False: it has been
 * consumed.
 *
 * bridge_link.c: protocols of the link itself, which rules are not asked about.
 */
must_check bool bridge_pass_arp(struct packet *packet);
must_check bool bridge_pass_ndp(enum bridge_side side, struct packet *packet,
				const struct packet_info *info);

/* Is it a message that bridge_pass_ndp() takes? */
must_check bool bridge_is_ndp(const struct packet_info *info);

/* Does it say which groups are heard, or ask for that, from the side that may? */
must_check bool bridge_is_listener_message(enum bridge_side side, const struct packet_info *info);

/* bridge_flow.c: a packet, or the first part of one, after its flow or after the rules. */
must_check bool bridge_pass_packet(const struct bridge_crossing *crossing, struct packet *packet,
				   struct packet_info *info);

/*
 * bridge_fragment.c: a part of a datagram. What waited for it and may cross is appended to
 * filter->released.
 */
must_check bool bridge_pass_fragment(const struct bridge_crossing *crossing, struct packet *packet,
				     struct packet_info *info);
