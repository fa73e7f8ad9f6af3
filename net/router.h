/* SPDX-License-Identifier: ISC */
/*
 * The router: one uplink, any number of clients, a filter and address translation
 * between them, for IPv4 and IPv6 alike. It is the whole forwarding path; drivers feed it
 * vectors and it hands vectors back to them.
 *
 * How to use it, all from one CPU's poll loop (or, for what is not a packet, from
 * fibers between its rounds):
 *
 *	config.memory = malloc(router_memory_bytes(config.flows));
 *	router_init(&router, &config);               once
 *	router_set_rules(&router, set);              whenever; NULL: closed
 *	router_attach_uplink(&router, netdev);       the driver is connected
 *	router_attach_client(&router, netdev, addresses, count);
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
 * What it does to a packet, in this order: Ethernet, ARP and neighbour discovery; one parse; the
 * real addresses of a client that has others of its own; spoofing and martians; fragments by
 * virtual reassembly; a look-up in the flow table; for a new flow who belongs behind us
 * (router_set_downstream()) and the rules, `in` on the interface it came from (group "clients" or
 * "uplink"), then `out` on the one it leaves by; translation as the rules say, or of the source to
 * the uplink's address; TTL, MTU, checksums by difference; the egress vector. Rules see addresses
 * and ports as the sender wrote them, before translation, in both directions, but for those of name
 * servers (router_set_dns()). Packets that the router makes itself (ARP, ICMP errors, resets, echo
 * replies) are not judged; a request to the router itself is judged `in` only, and what belongs to
 * something of its own that is under way (service.h) not at all. What goes to the uplink or is
 * translated keeps state, also where a rule says "no state".
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
#include "lib/ip_address.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "lib/wheel.h"
#include "net/address_set.h"
#include "net/arp.h"
#include "net/bucket.h"
#include "net/flow.h"
#include "net/service.h"
#include "net/fragments.h"
#include "net/nat_choose.h"
#include "net/ndp.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/packet_log.h"
#include "net/rules.h"

struct names_udp;
struct uplink_config;

#define ROUTER_INTERFACES 128u	   /* one uplink and its clients */
#define ROUTER_CLIENT_ADDRESSES 4u /* of one client */
#define ROUTER_INBOUND_SHARE 8u	   /* of flows, one such part is for what begins outside */
#define ROUTER_LIFETIME_S 1800u	   /* that advertisements to clients say (RFC 4861, 6.2.1) */
#define ROUTER_MTU_MIN6 1280u	   /* RFC 8200 */
#define ROUTER_DOWNSTREAM_MAX 1024u
#define ROUTER_DNS_MAX 8u

/* What a client may use: an address, or with a shorter prefix a network behind it. */
struct router_address {
	struct ip_address address;
	uint8_t prefix;
};

/*
 * A client that takes itself for somebody else: on its link `address` stands for `real`, and
 * `gateway` for our own address. Rules, flows and every other interface know `real` alone.
 */
struct router_visible {
	be32 real;
	be32 address; /* what the client believes to be; other clients may have the same */
	be32 gateway; /* what it takes us for; 0: our own address */
};

/* Ours on the uplink. An address of 0 or :: means that we have none of that version. */
struct router_uplink4 {
	be32 address;
	uint8_t prefix; /* of the uplink's network, 0 .. 32 */
	be32 gateway;	/* may lie outside the prefix (then it is on the link all the same);
			 * 0: nothing but the link is reachable */
	uint16_t mtu;	/* largest packet, bytes; 0: what the link takes */
};

struct router_uplink6 {
	struct ip6_address address;
	uint8_t prefix;		       /* 0 .. 128 */
	struct ip6_address gateway;    /* often link-local; ::: nothing but the link is reachable */
	struct ip6_address link_local; /* ours there; ::: made from the MAC */
	uint16_t mtu;		       /* 0: what the link takes */
};

struct router_config {
	struct router_uplink4 ip4;
	struct router_uplink6 ip6;
	/* Is the source of what goes to the uplink ours when no rule says anything else? */
	bool masquerade4, masquerade6;
	uint32_t flows; /* entries of the flow table */
	void *memory;	/* router_memory_bytes(flows) bytes that live for ever */
	struct packet_pool *packets;
	struct packet_log *packet_log; /* of rules that say `log`; NULL: none */
	struct random *random;
	uint64_t now_ns;
};

enum router_kind { ROUTER_UPLINK, ROUTER_CLIENT };

/* (internal to net/) One attached interface. */
struct router_interface {
	struct netdev *netdev; /* NULL: this place is free */
	struct router *router;
	enum router_kind kind;
	char name[NETDEV_NAME_BYTES]; /* for rules; stays while the uplink is away */
	uint8_t index;		      /* its place; part of the flow keys */
	bool peer_fixed;	      /* the driver told peer_mac: nobody else may send */
	bool peer_known;	      /* peer_mac holds: told, or learnt from the client */
	bool is_visible;	      /* a client that believes in other addresses: `visible` */
	uint8_t peer_mac[NETDEV_MAC_BYTES];
	be32 address; /* a client's whole first IPv4 address; 0: see addresses[] */
	struct router_visible visible;
	uint32_t address_count;
	struct router_address addresses[ROUTER_CLIENT_ADDRESSES]; /* a client's */
	struct ip6_address link_local;				  /* ours on this link */
	/* Counts up. Of two clients with one address that are up the later gets it. */
	uint64_t attached;
	struct bucket answers; /* ICMP errors and resets */
	struct bucket waits;   /* packets from here that wait for a neighbour */
	struct list pending;   /* in router->pending while `out` holds packets */
	struct packet_vector out;
};

/* (internal to net/) A name server of ours by the address that clients know. */
struct router_redirect {
	struct ip_address from;
	struct ip_address to; /* version 0: there is none */
};

struct router {
	struct router_uplink4 ip4;
	be32 mask4;
	struct router_uplink6 ip6;
	bool has4, has6; /* we have an address of that version */
	bool masquerade4, masquerade6;
	struct packet_pool *packets;
	struct random *random;
	struct ruleset *rules;
	/* Set by whoever composes the guest, after router_init(); NULL: there is none. */
	struct router_service *service;	     /* what runs on the firewall itself: a chain */
	struct names_udp *names;	     /* learns host names from answers that pass */
	struct uplink_config *uplink_config; /* sees the uplink's packets first */
	struct address_set downstream;
	struct router_redirect redirects[ROUTER_DNS_MAX];
	uint32_t redirect_count;
	uint8_t gateway_mac[NETDEV_MAC_BYTES]; /* zero: not known before it is asked for */
	uint64_t now_ns;		       /* without skipped_ns */
	uint64_t skipped_ns;		       /* of the caller's clock, for router_time_jumped() */
	struct wheel wheel;
	struct flow_table flows;
	struct flow_limits limits;
	struct nat nat;
	struct fragment_table fragments;
	uint32_t fragment_id;		 /* of the next translated datagram */
	struct fragment_verdict *judged; /* while a datagram's first part is on its way */
	struct arp arp;
	struct ndp ndp;
	struct own own;
	struct bucket answers;
	bool rejudge_wanted;	     /* names have changed: begin (again) to look at the flows */
	uint32_t rejudge_at;	     /* where to go on; 0: it is done */
	uint64_t rejudge_again_ns;   /* not to begin before */
	uint64_t answers_suppressed; /* ICMP errors and resets not sent for want of tokens */
	uint64_t attach_count;
	uint32_t clients;
	struct log_limit log;		 /* for rules that say `log` */
	struct packet_log *packet_log;	 /* the same */
	struct router_interface *uplink; /* NULL: none */
	struct list pending;
	uint32_t interfaces_used; /* places [0, n) may be in use */
	struct router_interface interfaces[ROUTER_INTERFACES];
};

/* Bytes of memory for a table of `flows` flows. */
size_t router_memory_bytes(uint32_t flows);

/*
 * Starts a router without interfaces and without rules. 0, or -EINVAL: an address
 * or gateway cannot be used, a prefix is too long, no flows.
 */
must_check int router_init(struct router *router, const struct router_config *config);

/* 0, or -EBUSY: there is an uplink already (detach it first). */
must_check int router_attach_uplink(struct router *router, struct netdev *netdev);

/*
 * Attaches a client that may use `addresses` (copied) and no others. 0; -EINVAL: one is
 * not a unicast address, or our own, or there are none or more than
 * ROUTER_CLIENT_ADDRESSES; -ENOSPC: ROUTER_INTERFACES are attached.
 */
must_check int router_attach_client(struct router *router, struct netdev *netdev,
				    const struct router_address *addresses, uint32_t count);

/* The same with one whole IPv4 address. */
must_check int router_attach_client4(struct router *router, struct netdev *netdev, be32 address);

/*
 * A client that has visible->real and no other address, and sees itself as
 * visible->address. ARP and IPv4 only: its IPv6 is dropped. 0; -EINVAL: an address cannot be
 * used, or two of them are the same; -ENOSPC.
 */
must_check int router_attach_client_visible(struct router *router, struct netdev *netdev,
					    const struct router_visible *visible);

/*
 * Addresses of both versions (copied, in any order) of everybody who belongs behind us, here
 * now or not: what comes from the uplink with such a source is dropped, and nothing to one of
 * them leaves by the uplink (DROP_DOWNSTREAM). Flows that the new set forbids end before this
 * returns. 0, or -E2BIG: more than ROUTER_DOWNSTREAM_MAX of a version; nothing has changed.
 */
must_check int router_set_downstream(struct router *router, const struct ip_address *addresses,
				     uint32_t count);

/* Whether an address is one of those, or a client's that is attached. */
must_check bool router_is_behind(struct router *router, const struct ip_address *address);

/*
 * Name servers as clients see them: TCP and UDP of clients to port 53 of seen[i] goes to the
 * i-th of our own of that version, over again from the first when we have fewer; when there is
 * none it is dropped. Rules see such a packet with the address that it goes to. A `rdr-to` of
 * the rules comes before this. Flows to other servers than those of now end. 0, or -E2BIG: more
 * than ROUTER_DNS_MAX are seen; nothing has changed.
 */
must_check int router_set_dns(struct router *router, const struct ip_address *seen,
			      uint32_t seen_count, const struct ip_address *own,
			      uint32_t own_count);

/*
 * The MAC that the uplink's gateways have as long as they do not say another: nothing waits
 * for ARP or neighbour discovery, but they are asked all the same and an answer counts more.
 * NULL: none.
 */
void router_set_gateway_mac(struct router *router, const uint8_t *mac);

/*
 * Our addresses on the uplink from now on. Flows that were translated to an address that
 * is no longer ours end. 0, or -EINVAL as router_init() or when a client has that address,
 * and nothing has changed.
 */
must_check int router_set_uplink4(struct router *router, const struct router_uplink4 *ip4);
must_check int router_set_uplink6(struct router *router, const struct router_uplink6 *ip6);

/*
 * Forgets an interface: packets that wait for it or came from it are
 * dropped, and nothing points to it when this returns. A client's flows end; those of
 * the uplink wait for the next one. Harmless when not attached.
 */
void router_detach(struct router *router, struct netdev *netdev);

/* netdev->up of an attached interface has changed. */
void router_link_changed(struct router *router, struct netdev *netdev);

/*
 * Rules from now on, or NULL for closed. Flows that the new rules forbid, or would
 * translate in another way, end before this returns; all others go on.
 * The set stays the caller's and must live until another one is set. Returns the set
 * that was in use.
 */
struct ruleset *router_set_rules(struct router *router, struct ruleset *rules);

/*
 * Judges all flows again, a part at each router_run_timers(): the addresses of host names
 * in the rules have changed. Begins at once, but no more than once a second: name servers
 * decide how often that is.
 */
void router_rejudge_soon(struct router *router);

/*
 * Sends a UDP datagram from our address of that version; ports in host order. `data` is
 * copied. What cannot be sent is dropped.
 */
void router_send_udp(struct router *router, const struct ip_address *to, uint16_t from_port,
		     uint16_t to_port, const void *data, size_t bytes);

/*
 * What runs on the firewall itself takes packets from now on, after those that were added
 * before. It lives as long as the router and is in no other chain.
 */
void router_add_service(struct router *router, struct router_service *service);

/* Ends every flow, so that everything is judged again. */
void router_flush_flows(struct router *router);

/* The time for all that follows, nanoseconds; never goes back. */
void router_set_now(struct router *router, uint64_t now_ns);

/*
 * We have not run for `delta_ns` in which nobody else did either (the host was suspended): for
 * everything here this time has not passed. Before the router_set_now() that is so much later.
 */
void router_time_jumped(struct router *router, uint64_t delta_ns);

/*
 * How much later than the next timer `now_ns` is; 0 when none is due. In a loop that sleeps no
 * longer than router_next_ns() many seconds of this are a time in which it could not run, and
 * the argument for router_time_jumped().
 */
uint64_t router_late_ns(const struct router *router, uint64_t now_ns);

/*
 * The time by the clock of router_set_now() at which router->now_ns will be `own_ns`, or
 * UINT64_MAX for never. Whoever lives by router->now_ns (names, duplicate address detection, the
 * configuration of the uplink) says with this when he wants to run.
 */
static inline uint64_t router_clock_ns(const struct router *router, uint64_t own_ns)
{
	return own_ns > UINT64_MAX - router->skipped_ns ? UINT64_MAX : own_ns + router->skipped_ns;
}

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
