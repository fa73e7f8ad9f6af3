/* SPDX-License-Identifier: ISC */
/*
 * Sockets for fibers: calls that wait. Each call ends when it is done, at an error of the socket's
 * (net/socket.h), or with -ETIMEDOUT at its deadline (a time of the clock of
 * sockets_set_now(); FIBER_FOREVER: none). One fiber at a time uses a struct socket_fiber,
 * which lives until socket_fiber_close(); its socket's callback is taken for it.
 *
 *	struct socket_fiber server, client;
 *
 *	socket_fiber_begin(&server, listener);
 *	while (socket_fiber_accept(&server, &client, FIBER_FOREVER) == 0) {
 *		int bytes = socket_fiber_read(&client, buffer, sizeof(buffer), soon);
 *
 *		if (bytes > 0 && socket_fiber_write(&client, buffer, (uint32_t)bytes, soon) == 0)
 *			...
 *		socket_fiber_close(&client);
 *	}
 */
#pragma once

#include "net/socket.h"
#include "xen/fiber.h"

struct socket_fiber {
	struct socket *socket; /* NULL: none; for all calls of socket.h, too */
	struct fiber_event changed;
};

/* Takes a socket of any kind. */
void socket_fiber_begin(struct socket_fiber *fiber, struct socket *socket);

/* Until one of `wanted` (enum socket_readiness) holds, or SOCKET_OVER; what holds, or an error. */
must_check int socket_fiber_wait(struct socket_fiber *fiber, uint32_t wanted, uint64_t deadline_ns);

/*
 * A TCP connection; errors as socket_connect(), or why it did not come about. On an error there is
 * no socket, and nothing to be closed.
 */
must_check int socket_fiber_connect(struct socket_fiber *fiber, struct sockets *sockets,
				    const struct socket_address *own,
				    const struct socket_address *peer, uint64_t deadline_ns);

/* The listener's next connection becomes `accepted`'s. */
must_check int socket_fiber_accept(struct socket_fiber *listener, struct socket_fiber *accepted,
				   uint64_t deadline_ns);

/* What is there, at least a byte (or one datagram) and at most `bytes`; 0: the peer has ended. */
must_check int socket_fiber_read(struct socket_fiber *fiber, void *to, uint32_t bytes,
				 uint64_t deadline_ns);

/* Just so many bytes of TCP: 0; -ENODATA: the peer ended before. */
must_check int socket_fiber_read_all(struct socket_fiber *fiber, void *to, uint32_t bytes,
				     uint64_t deadline_ns);

/*
 * All of it, or of UDP one datagram to its peer: 0. They are in the socket's buffer then; whether
 * they arrive only the peer can say.
 */
must_check int socket_fiber_write(struct socket_fiber *fiber, const void *data, uint32_t bytes,
				  uint64_t deadline_ns);

/* The next datagram and whose it is. */
must_check int socket_fiber_read_from(struct socket_fiber *fiber, struct socket_address *peer,
				      void *to, uint32_t bytes, uint64_t deadline_ns);

/* As socket_close(); harmless without a socket. */
void socket_fiber_close(struct socket_fiber *fiber);
