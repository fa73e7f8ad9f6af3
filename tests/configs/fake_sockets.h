/* SPDX-License-Identifier: ISC */
/*
 * net/socket.h played by the test: connections that a test opens, what it writes into them and
 * what comes back. No packets, no time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/socket.h"

#define FAKE_SOCKETS 600u
#define FAKE_OUT_BYTES (64u * 1024u)

struct socket {
	struct ip_address peer;
	socket_callback *ready;
	void *context;
	char in[20000];
	uint32_t in_bytes;
	char *out; /* FAKE_OUT_BYTES, always with a NUL behind out_bytes */
	uint32_t out_bytes;
	uint32_t room;	/* that socket_send() may still take */
	uint32_t piece; /* most bytes of one run of socket_peek(); 0: all */
	bool waiting;	/* to be accepted */
	bool peer_done;
	bool shut, closed, aborted; /* by its owner */
};

/* Forgets all. */
void fake_sockets_reset(void);

/* A peer connects; accepted at once, or closed if nobody wanted it. */
struct socket *fake_connect(const char *address);

/* Bytes of the peer's arrive, and the owner is called. */
void fake_write(struct socket *socket, const void *data, size_t bytes);
void fake_text(struct socket *socket, const char *text);

/* The peer sends no more. */
void fake_end(struct socket *socket);

/* The peer takes `bytes` more, and the owner is called. */
void fake_take(struct socket *socket, uint32_t bytes);
/* So much of the memory for buffers is in use. */
void fake_buffers(uint32_t percent);
