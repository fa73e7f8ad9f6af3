/* SPDX-License-Identifier: ISC */
/*
 * The clients: what the toolstack says of an interface decides which addresses the router
 * lets it have.
 */
#pragma once

#include <stdbool.h>

#include "drivers/netback.h"
#include "net/router.h"

#define CLIENTS_MAX 100u

/* Once. `router` NULL: nothing passes from or to clients. */
void clients_make(struct router *router, bool qubes);

/* For struct netback_config. */
void clients_attached(struct netdev *netdev, const struct netback_client *client, void *context);
void clients_detached(struct netdev *netdev, void *context);

/*
 * Under QubesOS: a client may be shown another address than before; those are attached anew.
 * Those that wait for their rules, or were refused their address, are tried again.
 */
void clients_refresh(void);

/* The input of an interface that nothing may pass. */
void clients_input_closed(struct netdev *netdev, struct packet_vector *vector);
