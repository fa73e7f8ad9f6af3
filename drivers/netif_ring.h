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
#include "lib/ring.h"

#define NETIF_PAGE_BYTES 4096u
#define NETIF_TX_SLOTS 256u
#define NETIF_RX_SLOTS 256u
#define NETIF_SLOT_MASK 255u

_Static_assert(__CONST_RING_SIZE(netif_tx, NETIF_PAGE_BYTES) == NETIF_TX_SLOTS, "tx ring size");
_Static_assert(__CONST_RING_SIZE(netif_rx, NETIF_PAGE_BYTES) == NETIF_RX_SLOTS, "rx ring size");

/* A slot that may be a request or response of its kind, or an extra_info. */
union netif_tx_slot {
	struct netif_tx_request request;
	struct netif_extra_info extra;
	uint32_t words[3];
};

union netif_rx_slot {
	struct netif_rx_response response;
	struct netif_extra_info extra;
	uint32_t words[2];
};

_Static_assert(sizeof(union netif_tx_slot) == sizeof(union netif_tx_sring_entry), "tx slot");
_Static_assert(sizeof(union netif_rx_slot) == sizeof(union netif_rx_sring_entry), "rx slot");

/*
 * Word by word through volatile: the compiler can neither repeat the loads nor put
 * them off to a later use (XSA-155).
 */
static inline void netif_tx_slot_read(const struct netif_tx_sring *shared, uint32_t index,
				      union netif_tx_slot *slot)
{
	const volatile uint32_t *from = (const uint32_t *)&shared->ring[index & NETIF_SLOT_MASK];

	for (unsigned int i = 0; i < ARRAY_SIZE(slot->words); i++)
		slot->words[i] = from[i];
}

static inline void netif_rx_slot_read(const struct netif_rx_sring *shared, uint32_t index,
				      union netif_rx_slot *slot)
{
	const volatile uint32_t *from = (const uint32_t *)&shared->ring[index & NETIF_SLOT_MASK];

	for (unsigned int i = 0; i < ARRAY_SIZE(slot->words); i++)
		slot->words[i] = from[i];
}

/* The GSO extra of a packet, all other bytes zero (XSA-216). */
static inline struct netif_extra_info netif_gso_extra(uint8_t gso_type, uint16_t gso_size)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	extra.u.gso.size = gso_size;
	extra.u.gso.type = gso_type;
	return extra;
}
