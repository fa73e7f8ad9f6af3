/* SPDX-License-Identifier: ISC */
#include "tests/configs/fake_sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip_text.h"

static struct socket fakes[FAKE_SOCKETS];
static uint32_t fake_count;
static struct socket listener;
static uint32_t buffer_percent;

void fake_sockets_reset(void)
{
	for (uint32_t i = 0; i < fake_count; i++) {
		free(fakes[i].out);
		memset(&fakes[i], 0, sizeof(fakes[i]));
	}
	memset(&listener, 0, sizeof(listener));
	fake_count = 0;
	buffer_percent = 0;
}

void fake_buffers(uint32_t percent)
{
	buffer_percent = percent;
}

static bool is_gone(const struct socket *socket)
{
	return socket->closed || socket->aborted;
}

static void call(struct socket *socket)
{
	if (!is_gone(socket) && socket->ready)
		socket->ready(socket, socket_ready(socket), socket->context);
}

struct socket *fake_connect(const char *address)
{
	struct socket *socket = &fakes[fake_count++];

	if (fake_count > FAKE_SOCKETS || ip_text_parse(address, strlen(address), &socket->peer))
		abort();
	socket->out = calloc(1, FAKE_OUT_BYTES);
	socket->room = FAKE_OUT_BYTES - 1;
	socket->waiting = true;
	listener.ready(&listener, SOCKET_READABLE, listener.context);
	return socket;
}

void fake_write(struct socket *socket, const void *data, size_t bytes)
{
	if (socket->in_bytes + bytes > sizeof(socket->in))
		abort();
	memcpy(socket->in + socket->in_bytes, data, bytes);
	socket->in_bytes += (uint32_t)bytes;
	call(socket);
}

void fake_text(struct socket *socket, const char *text)
{
	fake_write(socket, text, strlen(text));
}

void fake_end(struct socket *socket)
{
	socket->peer_done = true;
	call(socket);
}

void fake_take(struct socket *socket, uint32_t bytes)
{
	socket->room += bytes;
	call(socket);
}

/* ---- net/socket.h ---- */

struct sockets_use sockets_use(const struct sockets *sockets)
{
	(void)sockets;
	return (struct sockets_use){ .buffer_bytes = buffer_percent, .buffer_bytes_most = 100 };
}

struct socket *socket_listen(struct sockets *sockets, const struct socket_listen *how,
			     socket_callback *ready, void *context, int *error)
{
	(void)sockets;
	if (!how->own.port) {
		*error = -EADDRINUSE;
		return NULL;
	}
	listener.ready = ready;
	listener.context = context;
	return &listener;
}

struct socket *socket_accept(struct socket *from, socket_callback *ready, void *context)
{
	(void)from;
	for (uint32_t i = 0; i < fake_count; i++)
		if (fakes[i].waiting) {
			fakes[i].waiting = false;
			fakes[i].ready = ready;
			fakes[i].context = context;
			return &fakes[i];
		}
	return NULL;
}

void socket_shutdown(struct socket *socket)
{
	socket->shut = true;
}

/* A use of what has been given up is a mistake that a test must see. */
static void must_live(const struct socket *socket)
{
	if (is_gone(socket))
		abort();
}

void socket_close(struct socket *socket)
{
	must_live(socket);
	socket->closed = true;
}

void socket_abort(struct socket *socket)
{
	must_live(socket);
	socket->aborted = true;
}

int socket_send(struct socket *socket, const void *data, uint32_t bytes)
{
	uint32_t taken = bytes < socket->room ? bytes : socket->room;

	must_live(socket);
	if (socket->shut)
		return -EPIPE;
	if (!taken)
		return -EAGAIN;
	memcpy(socket->out + socket->out_bytes, data, taken);
	socket->out_bytes += taken;
	socket->room -= taken;
	return (int)taken;
}

void socket_consume(struct socket *socket, uint32_t bytes)
{
	must_live(socket);
	socket->in_bytes -= bytes;
	memmove(socket->in, socket->in + bytes, socket->in_bytes);
}

int socket_receive(struct socket *socket, void *to, uint32_t bytes)
{
	uint32_t taken = bytes < socket->in_bytes ? bytes : socket->in_bytes;

	must_live(socket);
	if (!taken)
		return socket->peer_done ? 0 : -EAGAIN;
	memcpy(to, socket->in, taken);
	socket_consume(socket, taken);
	return (int)taken;
}

int socket_peek(struct socket *socket, struct tcp_piece *pieces, unsigned int max, uint32_t *bytes)
{
	uint32_t piece = socket->piece ? socket->piece : sizeof(socket->in);
	unsigned int count = 0;

	must_live(socket);
	*bytes = 0;
	if (!socket->in_bytes)
		return socket->peer_done ? 0 : -EAGAIN;
	while (count < max && *bytes < socket->in_bytes) {
		uint32_t left = socket->in_bytes - *bytes;

		pieces[count].data = (const uint8_t *)socket->in + *bytes;
		pieces[count].bytes = left < piece ? left : piece;
		*bytes += pieces[count++].bytes;
	}
	return (int)count;
}

uint32_t socket_ready(const struct socket *socket)
{
	return (socket->in_bytes || socket->peer_done ? SOCKET_READABLE : 0) |
	       (socket->room ? SOCKET_WRITABLE : 0) | (socket->peer_done ? SOCKET_PEER_DONE : 0);
}

int socket_error(const struct socket *socket)
{
	(void)socket;
	return 0;
}

struct socket_address socket_peer(const struct socket *socket)
{
	return (struct socket_address){ socket->peer, 1234 };
}

uint32_t socket_receivable(const struct socket *socket)
{
	return socket->in_bytes;
}

int socket_set(struct socket *socket, enum socket_option option, uint32_t value)
{
	(void)socket;
	(void)option;
	(void)value;
	return 0;
}

void socket_set_callback(struct socket *socket, socket_callback *ready, void *context)
{
	socket->ready = ready;
	socket->context = context;
}
