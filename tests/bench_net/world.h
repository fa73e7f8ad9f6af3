/* SPDX-License-Identifier: ISC */
/*
 * A router between clients and an uplink that exist in memory only, and frames of as many
 * flows as wanted. A batch of packets is prepared, then handed to the router under the
 * clock, in vectors; what it transmits is only counted, and the packets are used again.
 */
#pragma once

#include "net/router.h"
#include "tests/bench_net/bench.h"

#define WORLD_CLIENTS 10u
#define WORLD_BATCH 256u
#define WORLD_PAGES (2 * WORLD_BATCH + 64u)

struct world_link {
	struct netdev netdev;
	uint32_t sent;
};

/* A frame's addresses are those that its sender writes. */
struct world_flow {
	uint32_t source, destination;
	uint16_t source_port, destination_port;
	struct world_link *from;
};

enum world_traffic {
	WORLD_UP,     /* client to server, translated */
	WORLD_DOWN,   /* the answers */
	WORLD_ACROSS, /* client to client, not translated */
};

struct world_frame {
	uint8_t protocol;
	uint8_t tcp_flags;
	uint32_t sequence, acknowledgement;
	uint32_t bytes; /* with the Ethernet header */
};

struct world {
	struct router router;
	struct ruleset *rules;
	struct random random;
	struct iopage_pool pages;
	struct packet_pool packets;
	struct iopage *descriptors;
	struct packet *packet_descriptors;
	struct world_link uplink;
	struct world_link client[WORLD_CLIENTS];
	struct packet *batch[WORLD_BATCH];
	uint32_t flows;
	uint8_t version; /* of IP */
	uint64_t now_ns;
};

/*
 * A router with room for `flows` flows of these clients, the gateway's MAC known; all
 * frames are of one IP version, 4 or 6.
 */
struct world *world_begin(uint32_t flows, uint8_t version, const char *rules);
void world_end(struct world *world);

void world_set_rules(struct world *world, const char *text);

/* Flow `index` (of client index % WORLD_CLIENTS) as seen by whoever sends. */
struct world_flow world_flow(struct world *world, enum world_traffic traffic, uint32_t index);

/* Bytes of a frame of headers alone. */
uint32_t world_least_bytes(const struct world *world, uint8_t protocol);

/* Writes a frame of the flow into the batch's packet `slot`. */
void world_prepare(struct world *world, uint32_t slot, const struct world_flow *flow,
		   const struct world_frame *frame);

/*
 * Hands packets [first, first + count) to the router as one vector from `from`. All must
 * leave by some link: world_check() fails otherwise.
 */
void world_input(struct world *world, struct world_link *from, uint32_t first, uint32_t count);

/* `sent` frames have left since the last call, or the bench is wrong. */
void world_check(struct world *world, uint32_t sent);

/* Every flow of [0, flows) exists, established, by frames of both directions. */
void world_establish(struct world *world, bool translated, uint8_t protocol);
