/* SPDX-License-Identifier: ISC */
/*
 * UDP of the firewall itself: who listens on which port, as a service of the router's, and
 * sending. Knows no router: the owner gives the way out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/ip_address.h"
#include "net/service.h"

#define OWN_UDP_USERS 4u
#define OWN_UDP_BYTES 4096u /* the longest payload that is taken */

/* One that came, or one to be sent from any address of ours. Ports in host order. */
struct own_udp_datagram {
	struct ip_address peer;
	uint16_t peer_port;
	uint16_t own_port;
	size_t bytes;
	const void *data; /* until the call returns */
};

struct own_udp_user {
	bool (*wants)(void *context, uint16_t own_port);
	void (*input)(void *context, const struct own_udp_datagram *datagram);
	void *context;
};

struct own_udp {
	/* Sends, or drops it when it cannot. */
	void (*send)(void *context, const struct own_udp_datagram *datagram);
	void *send_context;
	uint32_t user_count;
	struct own_udp_user users[OWN_UDP_USERS];
	uint64_t received;
	uint64_t sent;
	uint8_t data[OWN_UDP_BYTES];
};

void own_udp_init(struct own_udp *udp,
		  void (*send)(void *context, const struct own_udp_datagram *datagram),
		  void *send_context);

/* 0, or -ENOSPC. */
must_check int own_udp_add(struct own_udp *udp, const struct own_udp_user *user);

/* Does anybody listen there? Whoever chooses ports for translation had better not take it. */
bool own_udp_wants(const struct own_udp *udp, uint16_t own_port);

/* To whoever listens on the port; false: nobody does. */
bool own_udp_input(struct own_udp *udp, const struct own_udp_datagram *datagram);

void own_udp_send(struct own_udp *udp, const struct own_udp_datagram *datagram);

/*
 * For the router: UDP packets to a port that somebody listens on. Those with a wrong
 * checksum or more than OWN_UDP_BYTES are dropped; fragments are not wanted.
 */
struct router_service own_udp_service(struct own_udp *udp);
