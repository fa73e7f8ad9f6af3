/* SPDX-License-Identifier: ISC */
/*
 * Neighbour discovery (RFC 4861): the cache of neighbours' MAC addresses, with the
 * packets that wait for one, answers for addresses that are ours or that we stand for,
 * and router advertisements. The counterpart of arp.h; the messages are read by
 * ndp_message.h, duplicate addresses found by ndp_dad.h.
 *
 * Everything is bounded as in ARP: entries, packets an entry, packets in all, and here
 * also the new questions a second. An entry that is in use is asked for again, by unicast,
 * before it is forgotten. Only an entry that we made ourselves is ever filled: by an
 * advertisement that answers us, or by a request of the very neighbour.
 *
 * Against one who tries all addresses of a network (RFC 6583): neighbours that have
 * answered are pushed out by such only, never by questions that wait, and those that are
 * not used before those that are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"
#include "lib/packet.h"
#include "lib/wheel.h"
#include "net/bucket.h"
#include "net/ndp_message.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/wire.h"

#define NDP_ENTRIES 128u
#define NDP_RESOLVED_MAX 112u /* the other places are for questions only */
#define NDP_QUEUE_ENTRY 16u   /* packets that wait; each piece of one counts */
#define NDP_QUEUE_TOTAL 64u
#define NDP_SOLICIT_TRIES 5u /* 1 + 2 + 4 + 8 + 8 seconds (RFC 7048) */
#define NDP_PROBE_TRIES 3u   /* by unicast, one a second */
#define NDP_FIRST_RETRY_NS 1000000000ull
#define NDP_LAST_RETRY_NS 8000000000ull
#define NDP_REACHABLE_NS 30000000000ull /* RFC 4861, 10 */
#define NDP_NEW_PER_SECOND 200u		/* questions after new neighbours */
#define NDP_NEW_BURST 64u
#define NDP_ANNOUNCED 8u     /* addresses that are told at a time */
#define NDP_ANNOUNCEMENTS 3u /* RFC 4861, 7.2.6 */
#define NDP_ANNOUNCE_INTERVAL_NS 1000000000ull

enum ndp_state { NDP_FREE, NDP_INCOMPLETE, NDP_REACHABLE, NDP_PROBING };

struct ndp;

struct ndp_entry {
	struct wheel_timer timer;
	struct ndp *ndp;
	struct netdev *netdev;	/* the link; NULL in a free entry */
	struct ip6_address own; /* our address there, for the questions */
	struct ip6_address address;
	uint8_t state; /* enum ndp_state */
	uint8_t tries;
	bool used;   /* since it was last confirmed */
	bool recent; /* found since it was last passed over when a place was needed */
	bool pinned; /* the gateway: never pushed out, its queue is its own */
	uint8_t mac[MAC_BYTES];
	uint32_t queued;
	struct list queue; /* of packets that wait */
	struct list age;   /* in ndp->asked or ndp->resolved, oldest first */
};

/* An address that everybody is told of. */
struct ndp_announcement {
	struct wheel_timer timer;
	struct ndp *ndp;
	struct netdev *netdev; /* NULL: free */
	struct ip6_address address;
	uint32_t left;
};

struct ndp {
	const struct own *own;
	struct wheel *wheel;
	struct bucket questions; /* after new neighbours; not after pinned ones */
	uint32_t queued;	 /* packets in the queues of entries that are not pinned */
	uint32_t resolved_count;
	uint32_t hint;	   /* the entry found last */
	struct list asked; /* entries that have no MAC yet */
	struct list resolved;
	struct list detections; /* of struct ndp_dad */
	uint32_t next_announcement;
	struct ndp_announcement announcements[NDP_ANNOUNCED];
	uint32_t tags[NDP_ENTRIES]; /* of entry i: its address folded; anything when free */
	struct ndp_entry entries[NDP_ENTRIES];
};

/* Whose the target of a solicitation is. */
enum ndp_claim {
	NDP_OWN,   /* our own address on that link: whoever probes for it is told */
	NDP_PROXY, /* somebody's behind us: probes for it are left unanswered */
};

/* A prefix that hosts of a link are told of (RFC 4861, 4.6.2). */
struct ndp_prefix {
	struct ip6_address prefix;
	uint8_t length;	 /* bits; 64 for hosts that are to make themselves addresses of it */
	bool on_link;	 /* its addresses are neighbours */
	bool autonomous; /* hosts may make themselves addresses (RFC 4862) */
	uint32_t valid_s;
	uint32_t preferred_s;
};

/* What a router advertisement says besides that we are the router. */
struct ndp_router {
	uint16_t lifetime_s;		 /* as a default router; 0: we are none (any more) */
	uint8_t hop_limit;		 /* for what hosts send; 0: not said */
	bool managed;			 /* addresses by DHCPv6 */
	bool other;			 /* other settings by DHCPv6 */
	uint32_t mtu;			 /* 0: not said; at least 1280 */
	const struct ndp_prefix *prefix; /* NULL: none */
};

void ndp_init(struct ndp *ndp, const struct own *own, struct wheel *wheel, uint64_t now_ns);

/* ---- the cache ---- */

/*
 * Lets the sender's entry, if there is one, learn from a message (RFC 4861, 7.2.3 and
 * 7.2.5, 6.2.6, 6.3.4); sends what waited for it. Any message may be given, and one that
 * says nothing about its sender changes nothing. Whether the sender may use its address at
 * all is the caller's to judge before.
 */
void ndp_learn(struct ndp *ndp, struct netdev *netdev, const struct ndp_message *message,
	       uint64_t now_ns);

/*
 * The MAC of `address` on a link, or NULL while it is not known. Six bytes that hold
 * until the next call of any function here.
 */
const uint8_t *ndp_find(struct ndp *ndp, const struct netdev *netdev,
			const struct ip6_address *address);

/*
 * Queues a frame, complete but for its destination MAC, until `address` is known, and
 * asks for it from `own`, an address of ours on that link. Consumes the packet
 * (DROP_NO_NEIGHBOUR, DROP_QUOTA, DROP_RATE_LIMIT). `pin`: it is the link's gateway.
 */
void ndp_queue(struct ndp *ndp, struct netdev *netdev, const struct ip6_address *own,
	       const struct ip6_address *address, bool pin, struct packet *packet, uint64_t now_ns);

/* Asks for the link's gateway unless it is known or asked for already. */
void ndp_ask(struct ndp *ndp, struct netdev *netdev, const struct ip6_address *own,
	     const struct ip6_address *address, uint64_t now_ns);

/*
 * Forgets a link: its entries, their queues, its announcements and detections (which end
 * without a word).
 */
void ndp_forget(struct ndp *ndp, const struct netdev *netdev);

/* Drops the waiting packets that came in from `netdev`. */
void ndp_drop_from(struct ndp *ndp, const struct netdev *netdev);

/* Entries that are not free, and the packets that wait in them. */
uint32_t ndp_count(const struct ndp *ndp);
uint32_t ndp_waiting(const struct ndp *ndp);

/* ---- answers ---- */

/*
 * Says that the target of a neighbour solicitation is at netdev's MAC: to its sender, or,
 * when a probe asks for an address of our own, to everybody.
 */
void ndp_answer(const struct ndp *ndp, struct netdev *netdev, const struct ndp_message *message,
		enum ndp_claim claim);

/*
 * Tells everybody on a link that `address` is ours, NDP_ANNOUNCEMENTS times. Of more than
 * NDP_ANNOUNCED addresses at a time the first are told fewer times.
 */
void ndp_advertise(struct ndp *ndp, struct netdev *netdev, const struct ip6_address *address,
		   uint64_t now_ns);

/*
 * Sends a router advertisement from the link-local address of netdev's MAC: to the sender
 * of a router solicitation, or to everybody when `message` is NULL or a probe. Rationing
 * is the caller's.
 */
void ndp_answer_router(const struct ndp *ndp, struct netdev *netdev,
		       const struct ndp_message *message, const struct ndp_router *router);
