/* SPDX-License-Identifier: ISC */
/*
 * The one seam between the network stack and the drivers. A driver makes a
 * netdev, fills the fields marked (driver) and passes received vectors to
 * `input`; the stack fills those marked (stack) and calls `ops`.
 *
 * All of it runs in the poll loop of one CPU: no call blocks, no call may be made
 * from a fiber while the loop is inside the same netdev (fibers run between
 * rounds, so this holds by itself).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/packet.h"

#define NETDEV_NAME_BYTES 24u
#define NETDEV_MAC_BYTES 6u

enum netdev_features {
	/* transmit accepts PACKET_CSUM_BLANK packets of these families */
	NETDEV_TX_CSUM_IPV4 = 1 << 0,
	NETDEV_TX_CSUM_IPV6 = 1 << 1,
	/* transmit accepts GSO packets */
	NETDEV_TX_GSO_TCPV4 = 1 << 2,
	NETDEV_TX_GSO_TCPV6 = 1 << 3,
	/* transmit accepts packets of more than one page */
	NETDEV_TX_SG = 1 << 4,
};

struct netdev_stats {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t rx_dropped;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t tx_dropped;
};

struct netdev;

struct netdev_ops {
	/*
	 * Sends the vector's packets in order and consumes all of them, also
	 * those it must drop. One grant copy and one notify a call where the ring
	 * allows. The vector is empty afterwards.
	 */
	void (*transmit)(struct netdev *netdev, struct packet_vector *vector);
};

struct netdev {
	const struct netdev_ops *ops;	    /* (driver) */
	void *driver;			    /* (driver) its own state */
	char name[NETDEV_NAME_BYTES];	    /* (driver) "uplink0", "client3.0" */
	uint8_t mac[NETDEV_MAC_BYTES];	    /* (driver) our MAC on this link */
	uint8_t peer_mac[NETDEV_MAC_BYTES]; /* (driver) the only MAC behind it; zero: any */
	uint16_t mtu;			    /* (driver) largest IP packet, bytes */
	uint32_t features;		    /* (driver) enum netdev_features */
	bool up;			    /* (driver) connected */
	struct netdev_stats stats;	    /* (driver) */
	void *stack;			    /* (stack) its own state */
	/*
	 * (stack) Takes the packets of a received vector and consumes all of
	 * them. data points at the Ethernet header; head_length covers at least
	 * min(length, 192) bytes; packet->in is set.
	 */
	void (*input)(struct netdev *netdev, struct packet_vector *vector);
};

/*
 * Whether `transmit` may be given the packet as it is. The stack sees to it before; a
 * driver drops what is not, for its peer has not agreed to it. The peer's segmentation
 * and checksum of a family come apart, and blank checksums carry no family: a peer
 * without any is meant here.
 */
static inline bool netdev_can_send(const struct netdev *netdev, const struct packet *packet)
{
	uint32_t features = netdev->features;

	if (packet->gso_type == PACKET_GSO_TCPV4 && !(features & NETDEV_TX_GSO_TCPV4))
		return false;
	if (packet->gso_type == PACKET_GSO_TCPV6 && !(features & NETDEV_TX_GSO_TCPV6))
		return false;
	if (packet->flags & PACKET_CSUM_BLANK &&
	    !(features & (NETDEV_TX_CSUM_IPV4 | NETDEV_TX_CSUM_IPV6)))
		return false;
	return true;
}
