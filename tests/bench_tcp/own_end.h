/* SPDX-License-Identifier: ISC */
/* An end of our own stack with a link: tcp_core, tcp_core_packet and a netdev, on the host. */
#pragma once

#include "lib/packet.h"
#include "net/tcp_core_packet.h"

/* Pages and packets, which may pass from one end to the other. */
struct own_pool {
	struct iopage_pool pages;
	struct packet_pool packets;
};

struct own_end {
	struct tcp_stack stack;
	struct tcp_packets service;
	struct netdev netdev;
	struct random random;
	struct own_pool *pool;
	void *free_blocks; /* each points to the next */
	/* Takes a frame that is complete but for the MAC addresses. */
	void (*transmit)(void *context, struct packet *packet);
	void *context;
};

struct own_end_options {
	uint32_t features; /* of the link: enum netdev_features */
	uint32_t connections;
	uint32_t time_waits;
	uint32_t blocks;
	uint32_t buffer_bytes; /* a direction, of one connection */
};

void own_pool_begin(struct own_pool *pool, uint32_t pages, uint32_t packets);

/* `transmit` and `context` are set before. */
void own_end_begin(struct own_end *end, struct own_pool *pool,
		   const struct own_end_options *options, uint64_t now);

/* A frame came: parsed and handed on as the router does. Consumes it. */
void own_end_input(struct own_end *end, struct packet *packet, uint64_t now);

/* Memory that was zeroed; a failure ends the program. */
void *own_memory(size_t bytes);
