/* SPDX-License-Identifier: ISC */
/*
 * What the parts of libringwall-net share: a stack with its link in memory, and its table of
 * sockets.
 */
#pragma once

#include "configs/library/ringwall_net.h"
#include "configs/library/rw_option_names.h"
#include "lib/iopage.h"
#include "lib/list.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "net/bucket.h"
#include "net/netdev.h"
#include "net/own.h"
#include "net/socket.h"

enum rw_kind {
	RW_FREE,
	RW_FRESH, /* neither listens nor is connected; a datagram socket without a port */
	RW_LISTENER,
	RW_STREAM,
	RW_DATAGRAM,
};

/* Every kind but RW_FREE and RW_FRESH has a socket. */
struct rw_socket {
	uint8_t kind; /* enum rw_kind */
	uint8_t version;
	bool stream;
	bool bound;
	bool connected; /* a peer was named */
	bool read_shut, write_shut;
	bool reset_at_close;
	bool error_told;
	uint32_t set; /* options that were set, as bits of enum rw_option */
	uint32_t options[RW_OPTION_COUNT];
	struct socket_address own; /* where it was bound */
	struct socket *socket;
};

struct rw_stack {
	uint64_t now;
	struct rw_config config;
	struct ip_address address[2]; /* IPv4, IPv6; version 0: none */
	struct random random;
	struct netdev netdev;
	struct own own;
	struct iopage_pool pages;
	struct packet_pool packets;
	struct bucket refusals; /* what nobody waits for is answered, but rationed */
	void *arena;
	struct iopage *page_descriptors;
	struct packet *packet_descriptors;
	void *sockets_memory;
	struct sockets *sockets;
	struct list queue; /* struct rw_queued */
	uint32_t queued;
	struct rw_socket *table;
	uint32_t table_size;
	uint32_t lowest_free; /* no entry before it is free */
};

/* A packet that waits for rw_packet_out(). */
struct rw_queued {
	struct list link;
	uint32_t bytes;
	uint8_t data[];
};

/* ---- rw_packets.c ---- */
/* The link and what makes packets for it. */
void rw_link_init(struct rw_stack *stack);
void rw_link_free(struct rw_stack *stack);
struct socket_links rw_socket_links(struct rw_stack *stack);

/* ---- rw_stack.c ---- */
/* After anything that may have left the sockets something to do. */
void rw_run(struct rw_stack *stack);
/* Our address of a version; version 0: none. */
const struct ip_address *rw_own_address(const struct rw_stack *stack, uint8_t version);

/* ---- rw_sockets.c ---- */
/* NULL: not one that is open. */
struct rw_socket *rw_socket_of(const struct rw_stack *stack, int fd);
/* A port of its own for a datagram socket that has none yet. 0 or a negative errno. */
must_check int rw_open_datagram(struct rw_stack *stack, struct rw_socket *s,
				const struct socket_address *peer);

/* ---- rw_addresses.c ---- */
/* Of an address that a caller gave; -EINVAL, -EAFNOSUPPORT: not of this version. */
must_check int rw_address_read(uint8_t version, const struct sockaddr *from, socklen_t bytes,
			       struct socket_address *to);
/* Writes as much as there is room for, as getsockname() does; `to` may be NULL. */
void rw_address_write(const struct socket_address *from, struct sockaddr *to, socklen_t *bytes);

/* ---- rw_options.c ---- */
/* Gives a socket that has just been made the options that were set before. 0 or an errno. */
must_check int rw_options_apply(struct rw_socket *s);
/* The same for a connection that is about to be made. */
struct tcp_options_set rw_options_set(const struct rw_socket *s);
/* What went wrong and has not been told yet: 0 or a negative errno; from then on it has. */
int rw_take_error(struct rw_socket *s);
