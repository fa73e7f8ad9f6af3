/* SPDX-License-Identifier: ISC */
/* What the parts of neighbour discovery send; nobody else includes this. */
#pragma once

#include "net/ndp.h"
#include "net/ndp_wire.h"

/*
 * A message whose headers and ICMPv6 type are laid, to be filled; NULL without memory:
 * it is as if the wire had lost it. `to_mac` NULL: that of the group `destination`.
 */
struct packet *ndp_make(const struct own *own, struct netdev *netdev, const uint8_t *to_mac,
			const struct ip6_address *source, const struct ip6_address *destination,
			uint8_t type, size_t bytes);

/* The message in what ndp_make() made. */
void *ndp_of(const struct packet *packet);

/* Fills the option that holds our MAC. */
void ndp_fill_mac(struct ndp_option_mac *option, uint8_t type, const struct netdev *netdev);

/* Fills in the checksum and sends. */
void ndp_send(const struct own *own, struct netdev *netdev, struct packet *packet);

/* Asks the `target`, by its group or by its MAC when `to_mac` is not NULL. */
void ndp_solicit(const struct own *own, struct netdev *netdev, const uint8_t *to_mac,
		 const struct ip6_address *source, const struct ip6_address *target);

/* Asks, from ::, who has `target`. */
void ndp_solicit_probe(const struct own *own, struct netdev *netdev,
		       const struct ip6_address *target, const uint8_t *nonce);

/* ndp_answer.c: prepares, and forgets for a link, the announcements. */
void ndp_announcements_init(struct ndp *ndp);
void ndp_announcements_forget(struct ndp *ndp, const struct netdev *netdev);

/* ndp_dad.c: ends the detections on a link. */
void ndp_dad_forget(struct ndp *ndp, const struct netdev *netdev);
