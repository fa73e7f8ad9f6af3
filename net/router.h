/* SPDX-License-Identifier: ISC */
/*
 * The router: one uplink, any number of clients, a filter and address translation
 * between them. It is the whole forwarding path; drivers feed it vectors and it hands
 * vectors back to them.
 *
 * How to use it, all from one CPU's poll loop (or, for what is not a packet, from
 * fibers between its rounds):
 *
 *	config.memory = malloc(router_memory_bytes(config.flows));
 *	router_init(&router, &config);               once
 *	router_set_rules(&router, set);              whenever; NULL: closed
 *	router_attach_uplink(&router, netdev);       the driver is connected
 *	router_attach_client(&router, netdev, ip);
 *	router_detach(&router, netdev);              it is about to go
 *
 *	each round:  router_set_now(&router, now);
 *		     ... drivers poll, and call netdev->input ...
 *		     router_run_timers(&router);
 *		     sleep until router_next_ns(&router) at most
 *
 * Attaching sets netdev->input and netdev->stack. A netdev that is attached while
 * `up` is false, or goes down and up without being detached, is told with
 * router_link_changed().
 *
 * What it does to a packet, in this order: Ethernet and ARP; one parse; spoofing and
 * martians; a look-up in the flow table; for a new flow the rules, `in` on the
 * interface it came from (group "clients" or "uplink"), then `out` on the one it
 * leaves by; translation of the source to the uplink's address for what goes from a
 * client to the uplink; TTL, MTU, checksums by difference; the egress vector. Rules
 * see addresses and ports as the sender wrote them, before translation, in both
 * directions. Packets that the router makes itself (ARP, ICMP errors, resets, echo
 * replies) are not judged; a request to the router itself is judged `in` only.
 * Traffic to the uplink is always translated and so always keeps state, also where a
 * rule says "no state".
 *
 * Fails closed: without rules nothing passes, and taking the rules away ends every
 * flow. No call allocates, blocks, or logs per packet.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "lib/wheel.h"
#include "net/arp.h"
#include "net/bucket.h"
#include "net/flow.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/rules.h"

#define ROUTER_INTERFACES 128u /* one uplink and its clients */

struct router_config {
	be32 address;	/* ours on the uplink */
	uint8_t prefix; /* of the uplink's network, 0 .. 32 */
	be32 gateway;	/* may lie outside the prefix (then it is on the link all the same) */
	uint32_t flows; /* entries of the flow table */
	void *memory;	/* router_memory_bytes(flows) bytes that live for ever */
	struct packet_pool *packets;
	struct random *random;
	uint64_t now_ns;
};

enum router_kind { ROUTER_UPLINK, ROUTER_CLIENT };

/* (internal to net/) One attached interface. */
struct router_interface {
	struct netdev *netdev; /* NULL: this place is free */
	struct router *router;
	enum router_kind kind;
	uint8_t index;	 /* its place; part of the flow keys */
	bool peer_fixed; /* the driver told peer_mac: nobody else may send */
	bool peer_known; /* peer_mac holds: told, or learnt from the client */
	uint8_t peer_mac[NETDEV_MAC_BYTES];
	be32 address;	       /* ours on the uplink, the client's on its link */
	uint64_t attached;     /* counts up; of two clients with one address the later gets it */
	struct bucket answers; /* ICMP errors and resets */
	struct list pending;   /* in router->pending while `out` holds packets */
	struct packet_vector out;
};

struct router {
	be32 address;
	be32 gateway;
	be32 mask;
	struct packet_pool *packets;
	struct random *random;
	struct ruleset *rules;
	uint64_t now_ns;
	struct wheel wheel;
	struct flow_table flows;
	struct arp arp;
	struct own own;
	struct bucket answers;
	uint64_t answers_suppressed; /* ICMP errors and resets not sent for want of tokens */
	uint64_t attach_count;
	uint32_t clients;
	struct log_limit log;		 /* for rules that say `log` */
	struct router_interface *uplink; /* NULL: none */
	struct list pending;
	uint32_t interfaces_used; /* places [0, n) may be in use */
	struct router_interface interfaces[ROUTER_INTERFACES];
};

/* Bytes of memory for a table of `flows` flows. */
size_t router_memory_bytes(uint32_t flows);

/*
 * Starts a router without interfaces and without rules. 0, or -EINVAL: the address
 * or gateway cannot be used, prefix > 32, no flows.
 */
must_check int router_init(struct router *router, const struct router_config *config);

/* 0, or -EBUSY: there is an uplink already (detach it first). */
must_check int router_attach_uplink(struct router *router, struct netdev *netdev);

/*
 * Attaches a client that may use `address` (network order) and no other. 0; -EINVAL:
 * not a unicast address, or our own; -ENOSPC: ROUTER_INTERFACES are attached.
 */
must_check int router_attach_client(struct router *router, struct netdev *netdev, be32 address);

/*
 * Forgets an interface: packets that wait for it or came from it are
 * dropped, and nothing points to it when this returns. A client's flows end; those of
 * the uplink wait for the next one. Harmless when not attached.
 */
void router_detach(struct router *router, struct netdev *netdev);

/* netdev->up of an attached interface has changed. */
void router_link_changed(struct router *router, struct netdev *netdev);

/*
 * Rules from now on, or NULL for closed; flows that exist go on unless it is NULL.
 * The set stays the caller's and must live until another one is set. Returns the set
 * that was in use.
 */
struct ruleset *router_set_rules(struct router *router, struct ruleset *rules);

/* Ends every flow, so that everything is judged again. */
void router_flush_flows(struct router *router);

/* The time for all that follows, nanoseconds; never goes back. */
void router_set_now(struct router *router, uint64_t now_ns);

/* Runs a bounded number of timers that are due and sends what they made. */
void router_run_timers(struct router *router);

/* When router_run_timers() must be called next at the latest; UINT64_MAX: no need. */
uint64_t router_next_ns(const struct router *router);

/* netdev->input of every attached interface. Consumes the packets. */
void router_input(struct netdev *netdev, struct packet_vector *vector);

/*
 * The counters for a human: flows by state and by interface, ARP entries, drops by
 * name (those that are not zero), rules with hits.
 */
void router_print_stats(const struct router *router, void (*line)(void *context, const char *text),
			void *context);
