/* SPDX-License-Identifier: ISC */
#include "configs/socket_fiber.h"

#include <errno.h>

static void on_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct socket_fiber *fiber = context;

	(void)socket;
	(void)ready;
	fiber_event_signal(&fiber->changed);
}

void socket_fiber_begin(struct socket_fiber *fiber, struct socket *socket)
{
	fiber->socket = socket;
	fiber_event_init(&fiber->changed);
	socket_set_callback(socket, on_ready, fiber);
}

int socket_fiber_wait(struct socket_fiber *fiber, uint32_t wanted, uint64_t deadline_ns)
{
	for (;;) {
		uint32_t ready = socket_ready(fiber->socket);
		int result;

		if (ready & (wanted | SOCKET_OVER))
			return (int)ready;
		result = fiber_event_wait(&fiber->changed, deadline_ns);
		if (result)
			return result;
	}
}

/*
 * After -EAGAIN: a call of the socket's callback comes when it is worth another attempt, also
 * where readiness says nothing of it (memory was short).
 */
static int wait_after(struct socket_fiber *fiber, int result, uint64_t deadline_ns)
{
	return result == -EAGAIN ? fiber_event_wait(&fiber->changed, deadline_ns) : result;
}

static int fail(struct socket_fiber *fiber, int error)
{
	socket_fiber_close(fiber);
	return error;
}

int socket_fiber_connect(struct socket_fiber *fiber, struct sockets *sockets,
			 const struct socket_address *own, const struct socket_address *peer,
			 uint64_t deadline_ns)
{
	int result;

	fiber_event_init(&fiber->changed);
	fiber->socket = socket_connect(sockets, own, peer, on_ready, fiber, &result);
	if (!fiber->socket)
		return result;
	result = socket_fiber_wait(fiber, SOCKET_WRITABLE, deadline_ns);
	if (result < 0)
		return fail(fiber, result);
	if (!(result & SOCKET_OVER))
		return 0;
	result = socket_error(fiber->socket);
	return fail(fiber, result ? result : -ECONNRESET);
}

int socket_fiber_accept(struct socket_fiber *listener, struct socket_fiber *accepted,
			uint64_t deadline_ns)
{
	struct socket *socket = socket_accept(listener->socket, NULL, NULL);

	while (!socket) {
		int result = fiber_event_wait(&listener->changed, deadline_ns);

		if (result)
			return result;
		socket = socket_accept(listener->socket, NULL, NULL);
	}
	socket_fiber_begin(accepted, socket);
	return 0;
}

int socket_fiber_read(struct socket_fiber *fiber, void *to, uint32_t bytes, uint64_t deadline_ns)
{
	for (;;) {
		int got = socket_receive(fiber->socket, to, bytes);
		int result = wait_after(fiber, got, deadline_ns);

		if (got != -EAGAIN)
			return got;
		if (result)
			return result;
	}
}

int socket_fiber_read_from(struct socket_fiber *fiber, struct socket_address *peer, void *to,
			   uint32_t bytes, uint64_t deadline_ns)
{
	for (;;) {
		int got = socket_receive_from(fiber->socket, peer, to, bytes);
		int result = wait_after(fiber, got, deadline_ns);

		if (got != -EAGAIN)
			return got;
		if (result)
			return result;
	}
}

int socket_fiber_read_all(struct socket_fiber *fiber, void *to, uint32_t bytes,
			  uint64_t deadline_ns)
{
	uint8_t *at = to;

	while (bytes) {
		int got = socket_fiber_read(fiber, at, bytes, deadline_ns);

		if (got < 0)
			return got;
		if (got == 0)
			return -ENODATA;
		at += got;
		bytes -= (uint32_t)got;
	}
	return 0;
}

int socket_fiber_write(struct socket_fiber *fiber, const void *data, uint32_t bytes,
		       uint64_t deadline_ns)
{
	const uint8_t *at = data;

	do {
		int sent = socket_send(fiber->socket, at, bytes);
		int result = sent < 0 ? wait_after(fiber, sent, deadline_ns) : 0;

		if (result)
			return result;
		if (sent > 0) {
			at += sent;
			bytes -= (uint32_t)sent;
		}
	} while (bytes);
	return 0;
}

void socket_fiber_close(struct socket_fiber *fiber)
{
	if (!fiber->socket)
		return;
	socket_close(fiber->socket);
	fiber->socket = NULL;
}
