/* SPDX-License-Identifier: ISC */
/*
 * DHCP client for the uplink (RFC 2131, RFC 2132, RFC 3442, RFC 6842): frames and time in,
 * frames and events out.
 *
 *	dhcp_client_init(&client, &config);
 *	dhcp_client_start(&client, remembered or 0.0.0.0, now);
 *	each frame to UDP port 68:  dhcp_client_input(&client, frame, bytes, vouched, now);
 *	at dhcp_client_next_ns() or later:  dhcp_client_run(&client, now);
 *
 * `changed` tells of a lease that is bound, renewed with other contents, or lost. The
 * caller probes a new address for conflict (RFC 5227) if it likes, and says
 * dhcp_client_decline() when somebody has it.
 *
 * All that a server says is checked: an address that no host may have, a mask with holes or
 * a lease of no time make the message count as not received.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/random.h"
#include "net/wire.h"

#define DHCP_CLIENT_PORT 68u
#define DHCP_SERVER_PORT 67u
#define DHCP_FRAME_BYTES 342u /* the most that we send: 300 bytes of BOOTP (RFC 1542, 2.1) */
#define DHCP_DNS_SERVERS 4u
#define DHCP_FIRST_RETRY_NS 4000000000ull /* RFC 2131, 4.1 */
#define DHCP_LAST_RETRY_NS 64000000000ull
#define DHCP_REQUEST_TRIES 4u
#define DHCP_REBOOT_TRIES 2u
#define DHCP_DECLINE_WAIT_NS 10000000000ull   /* RFC 2131, 3.1 (5) */
#define DHCP_SHORTEST_RENEW_NS 60000000000ull /* RFC 2131, 4.4.5 */
#define DHCP_MTU_MIN 576u		      /* less is not believed; RFC 791 */
#define DHCP_LEASE_MIN_S 10u		      /* the least that is taken */

enum dhcp_state {
	DHCP_STOPPED,
	DHCP_SELECTING,
	DHCP_REQUESTING,
	DHCP_REBOOTING,
	DHCP_BOUND,
	DHCP_RENEWING,
	DHCP_REBINDING,
	DHCP_PAUSED, /* after a decline */
};

struct dhcp_lease {
	be32 address;
	be32 server;
	be32 gateway; /* 0.0.0.0: none */
	uint8_t prefix;
	uint8_t dns_count;
	be32 dns[DHCP_DNS_SERVERS];
	uint16_t mtu;	 /* 0: not said */
	uint32_t lease;	 /* seconds; UINT32_MAX: for ever */
	uint32_t renew;	 /* T1, seconds */
	uint32_t rebind; /* T2 */
};

struct dhcp_output {
	/* A frame from us, complete with checksums; `frame` holds until the call returns. */
	void (*send)(void *context, const uint8_t *frame, size_t bytes);
	/* The lease now, or NULL: none any more. */
	void (*changed)(void *context, const struct dhcp_lease *lease);
	void *context;
};

struct dhcp_config {
	uint8_t mac[MAC_BYTES];
	struct random *random;
	struct dhcp_output output;
};

struct dhcp_counters {
	uint64_t sent;
	uint64_t malformed;
	uint64_t ignored; /* well-formed, but not for us or not now */
	uint64_t naks;
};

struct dhcp_client {
	struct dhcp_config config;
	enum dhcp_state state;
	uint32_t xid;
	uint32_t tries;
	uint64_t begin_ns; /* of the present exchange, for `secs` and the lease */
	uint64_t next_ns;
	uint64_t renew_ns, rebind_ns, end_ns; /* of the lease */
	be32 wanted;
	struct dhcp_lease offer; /* in DHCP_REQUESTING */
	struct dhcp_lease lease; /* from DHCP_BOUND to DHCP_REBINDING */
	uint8_t server_mac[MAC_BYTES];
	struct dhcp_counters counters;
};

void dhcp_client_init(struct dhcp_client *client, const struct dhcp_config *config);

/* Begins; with an address that we had before in INIT-REBOOT (RFC 2131, 3.2). */
void dhcp_client_start(struct dhcp_client *client, be32 remembered, uint64_t now_ns);

/* Gives a lease back (DHCPRELEASE) and stops. */
void dhcp_client_stop(struct dhcp_client *client, uint64_t now_ns);

/* A lease is renewed when this is run next: it may not be as old as it seems. */
void dhcp_client_renew(struct dhcp_client *client, uint64_t now_ns);

/* Another host has the address (DHCPDECLINE); begins again after a while. */
void dhcp_client_decline(struct dhcp_client *client, uint64_t now_ns);

/*
 * An Ethernet frame, contiguous. `vouched`: its UDP checksum is blank or known to be right
 * (PACKET_CSUM_BLANK, PACKET_CSUM_VALID: a server on the same machine), so it is not looked
 * at. 0: it was a message for us; -EINVAL: malformed; -ENOENT: nothing for us.
 */
must_check int dhcp_client_input(struct dhcp_client *client, const void *frame, size_t bytes,
				 bool vouched, uint64_t now_ns);

/* Does what is due. */
void dhcp_client_run(struct dhcp_client *client, uint64_t now_ns);

/* When dhcp_client_run() must be called; UINT64_MAX: no need. */
uint64_t dhcp_client_next_ns(const struct dhcp_client *client);

/* The lease, or NULL; as of the last dhcp_client_run(). */
const struct dhcp_lease *dhcp_client_lease(const struct dhcp_client *client);
