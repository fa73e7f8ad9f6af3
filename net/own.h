/* SPDX-License-Identifier: ISC */
/*
 * How a protocol makes and sends packets of our own (ARP, ICMP, resets) without
 * knowing the router. Whoever composes the stack fills it.
 */
#pragma once

#include <stddef.h>

#include "net/netdev.h"

/* Bytes of a frame that `make` can always give when there is memory. */
#define OWN_MAX_BYTES (IOPAGE_SIZE - PACKET_HEADROOM)

struct own {
	/*
	 * A packet whose head is `bytes` (at most OWN_MAX_BYTES) zeroed bytes in memory
	 * that `netdev` can send from; NULL when there is none. The caller owns it.
	 */
	struct packet *(*make)(void *context, struct netdev *netdev, size_t bytes);
	/* Sends a complete frame; consumes it. */
	void (*send)(void *context, struct netdev *netdev, struct packet *packet);
	void *context;
};

static inline struct packet *own_make(const struct own *own, struct netdev *netdev, size_t bytes)
{
	return own->make(own->context, netdev, bytes);
}

static inline void own_send(const struct own *own, struct netdev *netdev, struct packet *packet)
{
	own->send(own->context, netdev, packet);
}
