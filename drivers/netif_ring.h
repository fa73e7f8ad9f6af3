/* SPDX-License-Identifier: ISC */
/*
 * Typed access to the shared pages of <xen/io/netif.h>. A slot is copied out of
 * shared memory once, whole, before anybody looks at it; indices are read once.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include <xen/io/netif.h>

#include "lib/compiler.h"
#include "lib/packet.h"
#include "lib/ring.h"

#define NETIF_PAGE_BYTES 4096u
#define NETIF_TX_SLOTS 256u
#define NETIF_RX_SLOTS 256u
#define NETIF_SLOT_MASK 255u
/* A legal packet has at most 18 slots; a peer that sends more than 20 is broken. */
#define NETIF_LEGAL_SLOTS XEN_NETIF_NR_SLOTS_MIN
#define NETIF_FATAL_SLOTS 20u

_Static_assert(__CONST_RING_SIZE(netif_tx, NETIF_PAGE_BYTES) == NETIF_TX_SLOTS, "tx ring size");
_Static_assert(__CONST_RING_SIZE(netif_rx, NETIF_PAGE_BYTES) == NETIF_RX_SLOTS, "rx ring size");

/* A slot that may be a request of its kind or an extra_info. */
union netif_tx_slot {
	struct netif_tx_request request;
	struct netif_extra_info extra;
};

union netif_rx_slot {
	struct netif_rx_response response;
	struct netif_extra_info extra;
};

static inline void netif_copy_out(void *to, const volatile void *shared, size_t bytes)
{
	const volatile uint8_t *from = shared;
	uint8_t *out = to;

	/* Byte copies of a volatile source cannot be repeated or merged into a later use. */
	for (size_t i = 0; i < bytes; i++)
		out[i] = from[i];
}

/* The enum packet_gso that the extra asks for; PACKET_GSO_NONE: it is no such extra. */
static inline uint8_t netif_gso_type(const struct netif_extra_info *extra)
{
	if (extra->type != XEN_NETIF_EXTRA_TYPE_GSO || extra->u.gso.size == 0)
		return PACKET_GSO_NONE;
	if (extra->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4)
		return PACKET_GSO_TCPV4;
	return extra->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6 ? PACKET_GSO_TCPV6 : PACKET_GSO_NONE;
}

/* The extra that says how a GSO packet is to be cut. */
static inline struct netif_extra_info netif_gso_extra(const struct packet *packet)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	extra.u.gso.size = packet->gso_size;
	extra.u.gso.type = packet->gso_type == PACKET_GSO_TCPV6 ? XEN_NETIF_GSO_TYPE_TCPV6
								: XEN_NETIF_GSO_TYPE_TCPV4;
	return extra;
}
