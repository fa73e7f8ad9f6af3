/* SPDX-License-Identifier: ISC */
/*
 * ARP (RFC 826, RFC 5227): the cache of neighbours' MAC addresses, with the packets
 * that wait for one, and answers.
 *
 * Everything is bounded: entries, packets an entry, packets in all. An entry that is
 * in use is asked for again, by unicast, before it is forgotten. Only an entry that
 * we made ourselves is ever filled: replies nobody asked for change nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/list.h"
#include "lib/packet.h"
#include "lib/wheel.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/wire.h"

#define ARP_ENTRIES 128u
#define ARP_QUEUE_ENTRY 16u /* packets that wait; each piece of one counts */
#define ARP_QUEUE_TOTAL 64u
#define ARP_REQUEST_TRIES 5u /* 1 + 2 + 4 + 8 + 8 seconds */
#define ARP_PROBE_TRIES 3u   /* by unicast, one a second */
#define ARP_FIRST_RETRY_NS 1000000000ull
#define ARP_LAST_RETRY_NS 8000000000ull
#define ARP_REACHABLE_NS 60000000000ull
#define ARP_ANNOUNCEMENTS 2u /* RFC 5227, 2.3 */
#define ARP_ANNOUNCE_INTERVAL_NS 2000000000ull

enum arp_state { ARP_FREE, ARP_INCOMPLETE, ARP_REACHABLE, ARP_PROBING };

struct arp;

struct arp_entry {
	struct wheel_timer timer;
	struct arp *arp;
	struct netdev *netdev; /* the link; NULL in a free entry */
	be32 own;	       /* our address there, for the requests */
	uint8_t state;	       /* enum arp_state */
	uint8_t tries;
	bool used;   /* since it was last confirmed */
	bool pinned; /* the gateway: never pushed out, its queue is its own */
	uint8_t mac[MAC_BYTES];
	uint32_t queued;
	struct list queue; /* of packets that wait */
	struct list age;   /* in arp->ages, oldest first */
};

struct arp {
	const struct own *own;
	struct wheel *wheel;
	uint32_t queued; /* packets in the queues of entries that are not pinned */
	uint32_t hint;	 /* the entry found last */
	struct list ages;
	struct wheel_timer announce;
	struct netdev *announce_netdev;
	be32 announce_address;
	uint32_t announce_left;
	be32 addresses[ARP_ENTRIES]; /* of entry i; 0.0.0.0 when free */
	struct arp_entry entries[ARP_ENTRIES];
};

/* An ARP packet, checked. */
struct arp_message {
	uint16_t operation; /* ARP_REQUEST or ARP_REPLY */
	be32 sender;
	be32 target;
	uint8_t sender_mac[MAC_BYTES];
};

void arp_init(struct arp *arp, const struct own *own, struct wheel *wheel);

/*
 * Reads an ARP packet. False: malformed, or its sender is a group address or not the
 * frame's source. Does not consume the packet.
 */
must_check bool arp_parse(const struct packet *packet, struct arp_message *message);

/* Says that `message->target` is at netdev's MAC, to the sender of the request. */
void arp_answer(const struct arp *arp, struct netdev *netdev, const struct arp_message *message);

/* Lets the sender's entry, if there is one, learn its MAC; sends what waited for it. */
void arp_learn(struct arp *arp, struct netdev *netdev, const struct arp_message *message,
	       uint64_t now_ns);

/*
 * The MAC of `address` on a link, or NULL while it is not known. Six bytes that hold
 * until the next call of any function here.
 */
const uint8_t *arp_find(struct arp *arp, const struct netdev *netdev, be32 address);

/*
 * Queues a frame, complete but for its destination MAC, until `address` is known, and
 * asks for it from `own`. Consumes the packet (DROP_NO_NEIGHBOUR, DROP_QUOTA). `pin`:
 * it is the link's gateway.
 */
void arp_queue(struct arp *arp, struct netdev *netdev, be32 own, be32 address, bool pin,
	       struct packet *packet, uint64_t now_ns);

/* Asks for the link's gateway unless it is known or asked for already. */
void arp_ask(struct arp *arp, struct netdev *netdev, be32 own, be32 address, uint64_t now_ns);

/* Tells everybody on a link that `address` is ours, ARP_ANNOUNCEMENTS times. */
void arp_announce(struct arp *arp, struct netdev *netdev, be32 address, uint64_t now_ns);

/* Forgets a link: its entries, their queues, its announcements. */
void arp_forget(struct arp *arp, const struct netdev *netdev);

/* Drops the waiting packets that came in from `netdev`. */
void arp_drop_from(struct arp *arp, const struct netdev *netdev);

/* Entries that are not free, and the packets that wait in them. */
uint32_t arp_count(const struct arp *arp);
uint32_t arp_waiting(const struct arp *arp);
