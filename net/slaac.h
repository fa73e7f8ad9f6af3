/* SPDX-License-Identifier: ISC */
/*
 * IPv6 on the uplink without a server: router discovery (RFC 4861), addresses made from
 * what routers announce (RFC 4862), name servers (RFC 8106). Frames and time in, frames and
 * events out.
 *
 * The interface identifier is the caller's (RFC 7217 or EUI-64). There is no duplicate
 * address detection here: the caller, who answers neighbour solicitations, does that
 * before it uses an address. One default router and one 64-bit prefix a place are kept;
 * a router that says other things later replaces them by lifetime.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/random.h"
#include "net/wire.h"

#define SLAAC_PREFIXES 4u
#define SLAAC_DNS_SERVERS 4u
#define SLAAC_SOLICITATIONS 3u		    /* RFC 4861, 10 */
#define SLAAC_SOLICITATION_NS 4000000000ull /* the same */
#define SLAAC_DELAY_NS 1000000000ull	    /* the same */
#define SLAAC_TWO_HOURS_NS 7200000000000ull /* RFC 4862, 5.5.3 (e) */
#define SLAAC_FRAME_BYTES 70u

struct slaac_prefix {
	uint8_t address[IP6_ADDRESS_BYTES]; /* prefix and interface identifier: our address */
	uint64_t preferred_ns;
	uint64_t valid_ns; /* until when; 0: free place; UINT64_MAX: for ever */
};

struct slaac_dns {
	uint8_t address[IP6_ADDRESS_BYTES];
	uint64_t until_ns; /* 0: free */
};

struct slaac_config {
	uint8_t mac[MAC_BYTES];
	uint8_t interface_id[8];
	struct random *random;
	void (*send)(void *context, const uint8_t *frame, size_t bytes);
	void (*changed)(void *context); /* look at what there is again */
	void *context;
};

struct slaac {
	struct slaac_config config;
	uint8_t link_local[IP6_ADDRESS_BYTES];
	uint8_t router[IP6_ADDRESS_BYTES]; /* the default router, while router_ns is not 0 */
	uint8_t router_mac[MAC_BYTES];
	uint64_t router_ns;
	uint32_t mtu; /* 0: not said */
	uint32_t solicitations;
	uint64_t solicit_ns; /* UINT64_MAX: no more */
	uint64_t malformed;
	struct slaac_prefix prefixes[SLAAC_PREFIXES];
	struct slaac_dns dns[SLAAC_DNS_SERVERS];
};

void slaac_init(struct slaac *slaac, const struct slaac_config *config);

/* The link is up: routers are asked for. */
void slaac_start(struct slaac *slaac, uint64_t now_ns);

/*
 * An Ethernet frame, contiguous; `vouched` as for dhcp_client_input(). 0: a router
 * advertisement; -EINVAL: a malformed or forged one; -ENOENT: something else.
 */
must_check int slaac_input(struct slaac *slaac, const void *frame, size_t bytes, bool vouched,
			   uint64_t now_ns);

/* Does what is due. */
void slaac_run(struct slaac *slaac, uint64_t now_ns);

/* When slaac_run() must be called; UINT64_MAX: no need. */
uint64_t slaac_next_ns(const struct slaac *slaac);
