/* SPDX-License-Identifier: ISC */
/*
 * Packets to segments and back: a service of the router's on one side, the core's `send` on
 * the other. Segmentation and checksums are the link's as far as it has agreed to them.
 */
#pragma once

#include "net/own.h"
#include "net/service.h"
#include "net/tcp_core.h"
#include "net/tcp_core_merge.h"

struct tcp_packets {
	struct tcp_stack *stack;
	/*
	 * `make` as in own.h. `send` takes frames that are complete but for the MAC addresses,
	 * which are its to fill in; they may be of GSO and have a blank checksum where the
	 * netdev's features say so.
	 */
	struct own own;
	/* The link that leads to key->peer; NULL: none. For what is not an answer. */
	struct netdev *(*way)(void *context, const struct tcp_key *key);
	void *context;
	uint8_t zone; /* of the segments that come in (struct tcp_key) */
	uint64_t now; /* the owner sets it each round, before packets come */
	/*
	 * Merge what comes in one round. The owner, who sets it, calls tcp_packets_flush() when
	 * the packets of a round have been given in, before it looks for events.
	 */
	bool merges;
	struct tcp_merge merge;
	uint64_t no_way;
	uint64_t no_memory;
};

/*
 * For tcp_config.send, with the struct as its context. What has no way is taken, as if it had
 * been lost.
 */
bool tcp_packets_send(void *context, const struct tcp_transmission *transmission);

/* TCP packets to any port of ours: those that nobody listens on are answered with a reset. */
struct router_service tcp_packets_service(struct tcp_packets *packets);

/* What is held to be merged goes to the core. */
void tcp_packets_flush(struct tcp_packets *packets);

/* The name of the connection that a packet which came would belong to. */
struct tcp_key tcp_packets_key(const struct packet_info *info);
