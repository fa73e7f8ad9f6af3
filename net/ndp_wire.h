/* SPDX-License-Identifier: ISC */
/*
 * The messages and options of neighbour discovery as they lie on the wire (RFC 4861, 4).
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "net/wire.h"

#define NDP_FLAG_ROUTER 0x80u /* of a neighbour advertisement */
#define NDP_FLAG_SOLICITED 0x40u
#define NDP_FLAG_OVERRIDE 0x20u

#define NDP_FLAG_MANAGED 0x80u /* of a router advertisement */
#define NDP_FLAG_OTHER 0x40u

#define NDP_PREFIX_ON_LINK 0x80u
#define NDP_PREFIX_AUTONOMOUS 0x40u

#define NDP_OPTION_UNIT 8u /* bytes; an option's length counts them */
#define NDP_OPTION_SOURCE_MAC 1u
#define NDP_OPTION_TARGET_MAC 2u
#define NDP_OPTION_PREFIX 3u
#define NDP_OPTION_MTU 5u
#define NDP_OPTION_NONCE 14u /* RFC 3971, 5.3.2 */

/* A solicitation or an advertisement of a neighbour. */
struct ndp_neighbour {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	uint8_t flags;
	uint8_t reserved[3];
	uint8_t target[IP6_ADDRESS_BYTES];
};
static_assert(sizeof(struct ndp_neighbour) == 24, "RFC 4861, 4.3 and 4.4");

struct ndp_router_solicitation {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	be32 reserved;
};
static_assert(sizeof(struct ndp_router_solicitation) == 8, "RFC 4861, 4.1");

struct ndp_router_advertisement {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	uint8_t hop_limit;
	uint8_t flags;
	be16 lifetime;	 /* seconds */
	be32 reachable;	 /* milliseconds; 0: not said */
	be32 retransmit; /* the same */
};
static_assert(sizeof(struct ndp_router_advertisement) == 16, "RFC 4861, 4.2");

struct ndp_option {
	uint8_t type;
	uint8_t units; /* of NDP_OPTION_UNIT bytes, with these two */
};
static_assert(sizeof(struct ndp_option) == 2, "RFC 4861, 4.6");

/* Source or target link-layer address of Ethernet. */
struct ndp_option_mac {
	struct ndp_option option;
	uint8_t mac[MAC_BYTES];
};
static_assert(sizeof(struct ndp_option_mac) == 8, "RFC 2464, 6");

struct ndp_option_nonce {
	struct ndp_option option;
	uint8_t nonce[6];
};
static_assert(sizeof(struct ndp_option_nonce) == 8, "RFC 3971, 5.3.2");

struct ndp_option_mtu {
	struct ndp_option option;
	be16 reserved;
	be32 mtu;
};
static_assert(sizeof(struct ndp_option_mtu) == 8, "RFC 4861, 4.6.4");

struct ndp_option_prefix {
	struct ndp_option option;
	uint8_t length; /* bits */
	uint8_t flags;
	be32 valid; /* seconds */
	be32 preferred;
	be32 reserved;
	uint8_t prefix[IP6_ADDRESS_BYTES];
};
static_assert(sizeof(struct ndp_option_prefix) == 32, "RFC 4861, 4.6.2");
