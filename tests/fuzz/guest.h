/* SPDX-License-Identifier: ISC */
/*
 * The victim of the drivers' fuzzers: pools of pages and packets, and in the place of a
 * network stack one that echoes, keeps or drops what it gets, as the script wants.
 */
#pragma once

#include <stdint.h>

#include "lib/list.h"
#include "lib/packet.h"
#include "net/netdev.h"
#include "tests/fuzz/script.h"

enum guest_reaction {
	GUEST_ECHO, /* back where it came from */
	GUEST_KEEP, /* until it is told to let go, or has too many */
	GUEST_DROP,
	GUEST_REACTIONS
};

struct guest {
	struct iopage_pool page_pool;
	struct packet_pool packet_pool;
	struct netdev *netdev; /* NULL: down */
	enum guest_reaction reaction;
	/*
	 * Bytes that the hypervisor has copied for the guest, where that is how packets
	 * come in; NULL: it is not. A packet longer than what was copied would carry what
	 * its pages held before, which may be another client's.
	 */
	const uint64_t *copied;
	uint64_t copied_before;
	struct list kept;
	uint32_t kept_count;
};

/* All of these are called as the domain. */

/* The pools; `arena` pages and as many packets as a quarter of that. */
void guest_boot(struct guest *guest, uint32_t pages);

void guest_up(struct guest *guest, struct netdev *netdev);
void guest_down(struct guest *guest);

/* Sends packets of any shape that a network stack may make. */
void guest_send(struct guest *guest, struct script *script);

/* Frees what it keeps, or sends it all. */
void guest_let_go(struct guest *guest, bool send);

/* Pages in no free list; packets that are not free. */
uint32_t guest_pages_out(const struct guest *guest);
uint32_t guest_packets_out(const struct guest *guest);
