/* SPDX-License-Identifier: ISC */
/*
 * Multicast control (<xen/io/netif.h>, "Multicast control"): a client that asks for it
 * tells which groups it wants, and is sent no others.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <xen/io/netif.h>

#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/netdev.h"

/* As many as other backends keep. */
#define NETBACK_MULTICAST_MOST 64u

struct netback_multicast {
	bool controlled; /* the client has asked for it */
	uint32_t count;
	uint8_t groups[NETBACK_MULTICAST_MOST][NETDEV_MAC_BYTES];
};

/* An empty list, for a new connection. */
void netback_multicast_init(struct netback_multicast *multicast, bool controlled);

/* Whether an extra of a TX request is a change of the list that the client may make. */
bool netback_multicast_is_change(const struct netback_multicast *multicast,
				 const struct netif_extra_info *extra);

/*
 * Adds or removes the extra's group, after netback_multicast_is_change(). -ENOSPC: the
 * list is full. -EINVAL: no group address. What is there already, or is not, is no error.
 */
must_check int netback_multicast_change(struct netback_multicast *multicast,
					const struct netif_extra_info *extra);

/* False for a multicast frame of a group that the client does not want. */
bool netback_multicast_wants(const struct netback_multicast *multicast,
			     const struct packet *packet);
