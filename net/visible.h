/* SPDX-License-Identifier: ISC */
/*
 * A client that takes itself for somebody else: one address for one address on its own link,
 * without state. Everything behind the link knows real addresses only.
 */
#pragma once

#include <stdbool.h>

#include "lib/compiler.h"
#include "net/packet_info.h"
#include "net/router.h"

/*
 * A packet from the client, parsed: gets the addresses that are real, and so does `info`. `own`:
 * our address, 0 when there is none. False: it does not come from the address that the client
 * believes to have.
 */
must_check bool visible_enter(struct packet *packet, struct packet_info *info,
			      const struct router_visible *visible, be32 own);

/*
 * A frame that is about to go to the client gets the addresses that it believes in. False: it
 * is IPv4 and cannot be read, or it is IPv6.
 */
must_check bool visible_leave(struct packet *packet, const struct router_visible *visible,
			      be32 own);
