/* SPDX-License-Identifier: ISC */
/*
 * What the uplink's addresses, gateways and resolvers are: from the command line, by DHCP
 * (with a probe for conflicts, RFC 5227), by router advertisements; told as one thing.
 *
 *	uplink_config_init(&uplink, &setup);
 *	uplink_config_up(&uplink, netdev, now);     the driver is connected
 *	each packet on the uplink, before anything else:
 *		if (uplink_config_wants(packet) && uplink_config_packet(&uplink, packet, now))
 *			continue;                   consumed
 *	at uplink_config_next_ns() or later:  uplink_config_run(&uplink, now);
 *	uplink_config_down(&uplink);                it goes
 *
 * Detecting that somebody else has an IPv6 address of ours is for whoever answers neighbour
 * solicitations; he says uplink_config_conflict6().
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/ip_address.h"
#include "lib/params.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "net/address_probe.h"
#include "net/bucket.h"
#include "net/dhcp_client.h"
#include "net/own.h"
#include "net/slaac.h"

#define UPLINK_DNS 8u
#define UPLINK_CONFIG_FRAME_BYTES 1514u
/* Who advertises other things all the time has them told at such a pace. */
#define UPLINK_TELLS_PER_SECOND 1u
#define UPLINK_TELLS_BURST 16u
#define UPLINK_IP6_TRIES 3u /* RFC 7217, 7: IDGEN_RETRIES */

/* All zero but what holds, and without gaps: two are equal when all bytes are. */
struct uplink_address {
	bool has4;
	uint8_t prefix;
	uint16_t mtu4; /* of the link; 0: not said */
	be32 address;
	be32 gateway; /* 0.0.0.0: none */
	uint32_t dns_count;
	bool has6;	 /* address6 may be used once nobody else has it */
	bool has_link6;	 /* the same of link6 */
	bool has_router; /* router6 */
	bool has_router_mac;
	uint16_t mtu6;
	uint8_t prefix6;
	uint8_t router_mac[MAC_BYTES];
	struct ip6_address address6;
	struct ip6_address link6; /* link-local, while there is IPv6 at all */
	struct ip6_address router6;
	struct ip_address dns[UPLINK_DNS]; /* in the order to ask */
	uint8_t zero[3];
};
static_assert(sizeof(struct uplink_address) == 216 && offsetof(struct uplink_address, zero) == 213,
	      "no gaps");

struct uplink_config_setup {
	const struct own *own;
	struct random *random;
	bool dhcp;		     /* otherwise has4, address, prefix and gateway of `fixed` */
	bool ip6_auto;		     /* otherwise has6, address6, prefix6 and router6 of `fixed` */
	struct uplink_address fixed; /* its resolvers, if any, are the only ones */
	struct siphash_key secret;   /* for interface identifiers; may be zero */
	/*
	 * Something is different; `now` holds until the next call. Told at once, or when it
	 * is much that changes (UPLINK_TELLS_PER_SECOND) a second later.
	 */
	void (*changed)(void *context, const struct uplink_address *now);
	void *context;
};

struct uplink_config {
	struct uplink_config_setup setup;
	struct netdev *netdev; /* NULL: down */
	uint64_t now_ns;
	be32 remembered; /* by DHCP, before the link went */
	uint32_t conflicts6;
	struct dhcp_client dhcp;
	struct address_probe probe;
	struct slaac slaac;
	struct uplink_address told;
	struct bucket tells;
	uint64_t tell_ns; /* when something that is different is told; 0: nothing is */
	uint8_t frame[UPLINK_CONFIG_FRAME_BYTES];
};

void uplink_config_init(struct uplink_config *config, const struct uplink_config_setup *setup);

/* Fills dhcp, ip6_auto and fixed by what the command line says. */
void uplink_config_from_params(struct uplink_config_setup *setup, const struct params *params);

/* The link is there: what is fixed is told, the rest begins. */
void uplink_config_up(struct uplink_config *config, struct netdev *netdev, uint64_t now_ns);

/* It is not; nothing is told, and nothing sent, until it is again. */
void uplink_config_down(struct uplink_config *config);

/* Before it is shut down: gives a lease back. */
void uplink_config_release(struct uplink_config *config, uint64_t now_ns);

/*
 * Time has passed that was not counted (router_time_jumped()): asks whether what was leased is
 * still ours.
 */
void uplink_config_time_jumped(struct uplink_config *config, uint64_t now_ns);

/* May this packet from the uplink be for us? By its head alone, cheaply. */
bool uplink_config_wants(const struct packet *packet);

/*
 * Takes such a packet. True: it was for us alone, and has been consumed. False: go on with
 * it (ARP, which others need too; a malformed message).
 */
must_check bool uplink_config_packet(struct uplink_config *config, struct packet *packet,
				     uint64_t now_ns);

/* Does what is due. */
void uplink_config_run(struct uplink_config *config, uint64_t now_ns);

/* When that must be called; UINT64_MAX: no need. */
uint64_t uplink_config_next_ns(const struct uplink_config *config);

/*
 * Another host has address6 or link6. With router advertisements other addresses are made,
 * UPLINK_IP6_TRIES times; after that, and if it is fixed, there is no IPv6.
 */
void uplink_config_conflict6(struct uplink_config *config, uint64_t now_ns);

/* As last told. */
const struct uplink_address *uplink_config_now(const struct uplink_config *config);
