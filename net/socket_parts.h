/* SPDX-License-Identifier: ISC */
/* What the parts of the end points know of each other. Private to net/socket*.c. */
#pragma once

#include "lib/list.h"
#include "net/socket.h"
#include "net/tcp_core_packet.h"
#include "net/tcp_ports.h"

enum socket_kind { SOCKET_TCP, SOCKET_LISTENER, SOCKET_UDP };

struct socket {
	struct sockets *sockets;
	socket_callback *ready;
	void *context;
	uint8_t kind;	 /* enum socket_kind */
	uint8_t starved; /* TCP: a send found no memory, though the buffer has room */
	uint16_t told;	 /* listener: how many of those that wait its owner has heard of */
	uint32_t index;	 /* of its array */
};

/* One for each connection of the core, with the same index. */
struct tcp_socket {
	struct socket socket;
	struct tcp_connection *connection;
};
static_assert(sizeof(struct tcp_socket) <= 40, "with its connection at most 512 bytes");

struct listener {
	struct socket socket;
	struct list link; /* free, or in use */
	const struct netdev *only;
	uint32_t flags; /* TCP_FLAG_NO_DELAY, _KEEPALIVE: of what is accepted */
	struct tcp_listener tcp;
};

/* Blocks for all buffers and queues. */
struct socket_blocks {
	uint8_t *memory;
	uint32_t total;
	uint32_t fresh; /* those from here on have never been used */
	uint32_t used;
	void *free; /* given back: each points to the next */
};

struct sockets {
	struct sockets_config config;
	uint64_t now;
	struct router_service service;
	struct tcp_stack tcp;
	struct tcp_packets packets;
	struct tcp_ports tcp_ports;
	struct socket_blocks blocks;
	struct tcp_connection *connections;
	struct tcp_socket *tcp_sockets;
	struct listener *listeners;
	struct list free_listeners, live_listeners;
	uint32_t listener_used;
	uint32_t starved; /* TCP sockets that wait for memory */
	uint32_t starved_at;
	struct socket_stats stats;
};

static inline struct tcp_socket *tcp_socket_of(const struct socket *socket)
{
	return container_of(socket, struct tcp_socket, socket);
}

static inline struct listener *listener_of(const struct socket *socket)
{
	return container_of(socket, struct listener, socket);
}

static inline struct tcp_connection *connection_of(const struct socket *socket)
{
	return tcp_socket_of(socket)->connection;
}

/* Fills what all sockets have. */
static inline void socket_begin(struct socket *socket, struct sockets *sockets,
				enum socket_kind kind, socket_callback *ready, void *context)
{
	*socket = (struct socket){
		.sockets = sockets, .ready = ready, .context = context, .kind = (uint8_t)kind
	};
}

/* ---- socket_blocks.c ---- */
void socket_blocks_init(struct socket_blocks *blocks, void *memory, uint32_t total);
/* For struct tcp_memory. */
void *socket_blocks_take(void *context);
void socket_blocks_give(void *context, void *block);

/* ---- socket_tcp.c ---- */
int socket_tcp_send(struct socket *socket, const void *data, uint32_t bytes);
int socket_tcp_receive(struct socket *socket, void *to, uint32_t bytes);
uint32_t socket_tcp_ready(const struct socket *socket);
void socket_tcp_close(struct socket *socket, bool abort);
/* It is called in the next round, if anything holds. */
void socket_tcp_raise(struct socket *socket);
/* Callbacks of TCP, at most `budget`; true: there are more. */
bool socket_tcp_run(struct sockets *sockets, uint32_t budget);
/* Those that found no memory try again when there is some. */
void socket_tcp_feed(struct sockets *sockets, uint32_t budget);

/* ---- socket_listen.c ---- */
uint32_t socket_listen_ready(const struct socket *socket);
void socket_listen_close(struct socket *socket);
/* Callbacks of listeners that have more to accept than they know of. */
void socket_listen_run(struct sockets *sockets);
/* Does one have more? */
bool socket_listen_is_due(const struct sockets *sockets);

/* ---- socket_input.c ---- */
struct router_service socket_input_service(struct sockets *sockets);
