/* SPDX-License-Identifier: ISC */
/*
 * A netdev over a Linux TAP device: the kernel behind it plays what is at the other end
 * of the link. Packets are made of the pages that netback and netfront would have used,
 * and what the router sends is checked for what these two rely on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/netdev.h"
#include "tests/tap/rough_link.h"

struct tap {
	struct netdev netdev;
	struct packet_pool *packets;
	int fd;
	bool is_uplink;
	bool offloads;	 /* frames carry a struct virtio_net_hdr */
	uint64_t errors; /* packets that no driver would have stood for */
	uint64_t gso_in; /* large packets */
	uint64_t gso_out;
	uint64_t blank_in; /* with a checksum left to us */
	uint64_t blank_out;
	/* Set by the owner afterwards; NULL: none. A rough link is for frames without offloads. */
	struct rough_link *rough;
	FILE *capture; /* frames as the netdev has them, before and after what the link does */
};

/* Begins a capture (pcap) into `path`. 0 or -errno. */
must_check int tap_capture(struct tap *tap, const char *path);

/*
 * Makes device `name` in the network namespace `space` (NULL: this one) and the netdev of
 * that name over it. `mac` is ours; `peer_mac` may be NULL for anybody. 0 or -errno.
 */
must_check int tap_open(struct tap *tap, struct packet_pool *packets, const char *name,
			const char *space, bool is_uplink, bool offloads, const uint8_t *mac,
			const uint8_t *peer_mac);

/*
 * Reads what is there, a vector at most, and passes it on; and what a rough link has for both.
 * True: there may be more.
 */
bool tap_poll(struct tap *tap);

void tap_close(struct tap *tap);
