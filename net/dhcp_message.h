/* SPDX-License-Identifier: ISC */
/* DHCP messages in frames: what dhcp_client says and hears. */
#pragma once

#include "net/dhcp_client.h"

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_DECLINE = 4,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
	DHCP_RELEASE = 7,
};

/* What the server said, checked; lease.lease is 0 where it said nothing. */
struct dhcp_reply {
	uint8_t type; /* DHCP_OFFER, DHCP_ACK or DHCP_NAK */
	uint32_t xid;
	uint8_t server_mac[MAC_BYTES];
	struct dhcp_lease lease;
};

/*
 * Reads a frame. 0; -ENOENT: not DHCP from a server to us; -EINVAL: malformed. Never reads
 * outside of the frame, whatever it holds.
 */
must_check int dhcp_reply_read(struct dhcp_reply *reply, const uint8_t *mac, const uint8_t *frame,
			       size_t bytes, bool vouched);

struct dhcp_request {
	uint8_t type;
	uint32_t xid;
	uint16_t seconds;
	const uint8_t *mac;
	const uint8_t *to_mac; /* NULL: broadcast */
	be32 own;	       /* ciaddr and the packet's source; 0.0.0.0: none yet */
	be32 to;	       /* 0.0.0.0: broadcast */
	be32 wanted;	       /* option 50; 0.0.0.0: without */
	be32 server;	       /* option 54; 0.0.0.0: without */
};

/* Writes a frame of DHCP_FRAME_BYTES, padded as old relays like it. */
void dhcp_request_write(const struct dhcp_request *request, uint8_t *frame);
