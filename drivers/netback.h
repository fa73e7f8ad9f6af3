/* SPDX-License-Identifier: ISC */
/*
 * netback: the backend side of every client's interface (<xen/io/netif.h>). One fiber
 * watches `backend/vif`, follows libxl's and the clients' state machines, and removes
 * our backend directories when libxl is done with them, as `xl devd` would.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/netif_info.h"
#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/netdev.h"

#define NETBACK_IP_BYTES 64u
#define NETBACK_DEFAULT_QUEUES 4u

/* What the toolstack says of a client. Nothing in here comes from the client itself. */
struct netback_client {
	uint16_t domid;
	uint32_t handle;
	uint8_t mac[NETDEV_MAC_BYTES];
	char ip[NETBACK_IP_BYTES]; /* the vif's `ip` node as it stands, "" when missing */
};

struct netback_config {
	struct packet_pool *packets;
	uint8_t mac[NETDEV_MAC_BYTES]; /* our MAC on every client's link */
	uint32_t max_clients;
	uint32_t max_queues; /* pairs of rings that a client may use; 0: the default */
	/* Pages that packets waiting for slow clients may hold in all; 0: no such bound. */
	uint32_t queue_pages;
	/*
	 * A client's interface is connected; set netdev->input before returning. `client`
	 * lives until detached() has returned.
	 */
	void (*attached)(struct netdev *netdev, const struct netback_client *client, void *context);
	/* It is gone: no call or packet may use `netdev` when this returns. */
	void (*detached)(struct netdev *netdev, void *context);
	void *context;
};

/* Starts the fiber. `config` is copied. 0 or -ENOMEM. */
must_check int netback_start(const struct netback_config *config);

/*
 * Disconnects every client and says Closed, for a shutdown. From a fiber. The clients
 * see their backend close; nothing of theirs stays mapped.
 */
void netback_close_all(void);

/* One line a client and one in sum, for the stats; nothing when it was not started. */
void netback_print_stats(void (*line)(void *context, const char *text), void *context);

/* The same as numbers, of the client at place `index`, which changes as clients go; false: none. */
must_check bool netback_info(uint32_t index, struct netif_info *info);
