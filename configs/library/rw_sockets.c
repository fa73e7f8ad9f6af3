/* SPDX-License-Identifier: ISC */
/* The table of sockets: entry points as those of sockets, on net/socket.h. */
#include <errno.h>

#include "configs/library/rw_parts.h"

struct rw_socket *rw_socket_of(const struct rw_stack *stack, int fd)
{
	if (fd < 0 || (uint32_t)fd >= stack->table_size || stack->table[fd].kind == RW_FREE)
		return NULL;
	return &stack->table[fd];
}

/* The lowest that is free, as open() gives them. */
static int take(struct rw_stack *stack, uint8_t version, bool stream)
{
	uint32_t i = stack->lowest_free;

	while (i < stack->table_size && stack->table[i].kind != RW_FREE)
		i++;
	stack->lowest_free = i;
	if (i == stack->table_size)
		return -EMFILE;
	stack->table[i] = (struct rw_socket){
		.kind = RW_FRESH,
		.version = version,
		.stream = stream,
	};
	return (int)i;
}

static void give_back(struct rw_stack *stack, int fd)
{
	stack->table[fd].kind = RW_FREE;
	if ((uint32_t)fd < stack->lowest_free)
		stack->lowest_free = (uint32_t)fd;
}

int rw_socket(struct rw_stack *stack, int family, int type)
{
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -EPROTONOSUPPORT;
	return take(stack, family == AF_INET6 ? 6 : 4, type == SOCK_STREAM);
}

static bool is_unspecified(const struct ip_address *ip)
{
	static const uint8_t zero[sizeof(ip->bytes)];

	return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

int rw_bind(struct rw_stack *stack, int fd, const struct sockaddr *address, socklen_t bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	struct socket_address own;
	int error;

	if (!s)
		return -EBADF;
	if (s->kind != RW_FRESH || s->bound)
		return -EINVAL;
	error = rw_address_read(s->version, address, bytes, &own);
	if (error)
		return error;
	/* There is one address of each version, so a socket for any has it. */
	if (is_unspecified(&own.ip))
		own.ip = *rw_own_address(stack, s->version);
	if (!own.ip.version || !ip_address_equal(&own.ip, rw_own_address(stack, s->version)))
		return -EADDRNOTAVAIL;
	s->own = own;
	error = s->stream ? 0 : rw_open_datagram(stack, s, NULL);
	s->bound = error == 0;
	return error;
}

static struct socket_address own_of(const struct rw_stack *stack, const struct rw_socket *s)
{
	struct socket_address own = { .ip = *rw_own_address(stack, s->version) };

	return s->bound ? s->own : own;
}

int rw_listen(struct rw_stack *stack, int fd, int backlog)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	struct socket_listen how = { .backlog = 1 };
	int error = 0;

	if (!s)
		return -EBADF;
	if (!s->stream)
		return -EOPNOTSUPP;
	if (s->kind == RW_LISTENER)
		return 0;
	if (s->kind != RW_FRESH)
		return -EINVAL;
	how.own = own_of(stack, s);
	if (!how.own.ip.version)
		return -EADDRNOTAVAIL;
	if (backlog > 1)
		how.backlog = (uint16_t)(backlog < UINT16_MAX ? backlog : UINT16_MAX);
	s->socket = socket_listen(stack->sockets, &how, NULL, NULL, &error);
	if (!s->socket)
		return error;
	s->kind = RW_LISTENER;
	return rw_options_apply(s);
}

int rw_accept(struct rw_stack *stack, int fd, struct sockaddr *address, socklen_t *bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd), *accepted;
	struct socket_address peer;
	struct socket *socket;
	int got;

	if (!s)
		return -EBADF;
	if (s->kind != RW_LISTENER)
		return s->stream ? -EINVAL : -EOPNOTSUPP;
	got = take(stack, s->version, true);
	if (got < 0)
		return got;
	socket = socket_accept(s->socket, NULL, NULL);
	if (!socket) {
		give_back(stack, got);
		return -EAGAIN;
	}
	accepted = &stack->table[got];
	accepted->kind = RW_STREAM;
	accepted->connected = true;
	accepted->socket = socket;
	accepted->set = s->set;
	memcpy(accepted->options, s->options, sizeof(s->options));
	peer = socket_peer(socket);
	rw_address_write(&peer, address, bytes);
	return got;
}

int rw_open_datagram(struct rw_stack *stack, struct rw_socket *s, const struct socket_address *peer)
{
	struct socket_address own = s->own;
	int error = 0;

	if (s->socket) {
		own = socket_own(s->socket);
		socket_close(s->socket);
		s->socket = NULL;
		s->kind = RW_FRESH;
	}
	if (!own.ip.version)
		own.ip = *rw_own_address(stack, s->version);
	if (!own.ip.version)
		return -EADDRNOTAVAIL;
	s->socket = socket_open_udp(stack->sockets, &own, peer, NULL, NULL, &error);
	if (!s->socket)
		return error;
	s->kind = RW_DATAGRAM;
	s->connected = peer != NULL;
	return rw_options_apply(s);
}

static int connect_again(const struct rw_socket *s)
{
	if (s->kind == RW_LISTENER)
		return -EOPNOTSUPP;
	return socket_ready(s->socket) & (SOCKET_WRITABLE | SOCKET_OVER) ? -EISCONN : -EALREADY;
}

int rw_connect(struct rw_stack *stack, int fd, const struct sockaddr *address, socklen_t bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	struct socket_address own, peer;
	struct tcp_options_set options;
	int error;

	if (!s)
		return -EBADF;
	error = rw_address_read(s->version, address, bytes, &peer);
	if (error)
		return error;
	if (is_unspecified(&peer.ip) || !peer.port)
		return -EADDRNOTAVAIL;
	if (!s->stream)
		return rw_open_datagram(stack, s, &peer);
	if (s->kind != RW_FRESH)
		return connect_again(s);
	own = own_of(stack, s);
	options = rw_options_set(s);
	s->socket = socket_connect_with(stack->sockets, own.ip.version ? &own : NULL, &peer,
					&options, NULL, NULL, &error);
	if (!s->socket)
		return error;
	s->kind = RW_STREAM;
	s->connected = true;
	rw_run(stack);
	return -EINPROGRESS;
}

/* ---- bytes ---- */

static bool is_over(const struct rw_socket *s)
{
	return socket_ready(s->socket) & SOCKET_OVER && socket_error(s->socket);
}

/* An error is told once, as sockets do it; then it is as if the peer had ended. */
static ssize_t told(struct rw_socket *s, int result, int afterwards)
{
	if (result >= 0 || result == -EAGAIN || !s->stream || !is_over(s))
		return result;
	return s->error_told ? afterwards : rw_take_error(s);
}

static uint32_t at_most(size_t bytes)
{
	return bytes < INT32_MAX ? (uint32_t)bytes : INT32_MAX;
}

ssize_t rw_read(struct rw_stack *stack, int fd, void *to, size_t bytes)
{
	return rw_recvfrom(stack, fd, to, bytes, NULL, NULL);
}

ssize_t rw_recvfrom(struct rw_stack *stack, int fd, void *to, size_t bytes,
		    struct sockaddr *address, socklen_t *address_bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	struct socket_address from;
	int result;

	if (!s)
		return -EBADF;
	if (s->kind == RW_FRESH)
		return s->stream ? -ENOTCONN : -EAGAIN;
	if (s->kind == RW_LISTENER)
		return -ENOTCONN;
	if (s->read_shut)
		return 0;
	if (s->kind == RW_DATAGRAM) {
		result = socket_receive_from(s->socket, &from, to, at_most(bytes));
		if (result >= 0)
			rw_address_write(&from, address, address_bytes);
		return result;
	}
	if (address) {
		from = socket_peer(s->socket);
		rw_address_write(&from, address, address_bytes);
	}
	return told(s, socket_receive(s->socket, to, at_most(bytes)), 0);
}

ssize_t rw_write(struct rw_stack *stack, int fd, const void *data, size_t bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);

	if (!s)
		return -EBADF;
	if (s->kind == RW_FRESH || s->kind == RW_LISTENER)
		return s->stream ? -ENOTCONN : -EDESTADDRREQ;
	if (s->write_shut)
		return -EPIPE;
	if (!s->stream && !s->connected)
		return -EDESTADDRREQ;
	return told(s, socket_send(s->socket, data, at_most(bytes)), -EPIPE);
}

ssize_t rw_sendto(struct rw_stack *stack, int fd, const void *data, size_t bytes,
		  const struct sockaddr *address, socklen_t address_bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	struct socket_address to;
	int error;

	if (!s)
		return -EBADF;
	if (!address || s->stream)
		return rw_write(stack, fd, data, bytes);
	error = rw_address_read(s->version, address, address_bytes, &to);
	if (!error && s->kind == RW_FRESH)
		error = rw_open_datagram(stack, s, NULL);
	if (error)
		return error;
	return s->write_shut ? -EPIPE : socket_send_to(s->socket, &to, data, at_most(bytes));
}

/* ---- ending ---- */

int rw_shutdown(struct rw_stack *stack, int fd, int how)
{
	struct rw_socket *s = rw_socket_of(stack, fd);

	if (!s)
		return -EBADF;
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (!s->connected || (s->stream && is_over(s)))
		return -ENOTCONN;
	if (how != SHUT_WR)
		s->read_shut = true;
	if (how == SHUT_RD || s->write_shut)
		return 0;
	s->write_shut = true;
	if (s->stream)
		socket_shutdown(s->socket);
	return 0;
}

int rw_close(struct rw_stack *stack, int fd)
{
	struct rw_socket *s = rw_socket_of(stack, fd);

	if (!s)
		return -EBADF;
	if (s->socket && s->reset_at_close)
		socket_abort(s->socket);
	else if (s->socket)
		socket_close(s->socket);
	give_back(stack, fd);
	rw_run(stack);
	return 0;
}

/* ---- names ---- */

int rw_getsockname(struct rw_stack *stack, int fd, struct sockaddr *address, socklen_t *bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	struct socket_address own;

	if (!s)
		return -EBADF;
	own = s->socket ? socket_own(s->socket) : own_of(stack, s);
	own.ip.version = s->version;
	rw_address_write(&own, address, bytes);
	return 0;
}

int rw_getpeername(struct rw_stack *stack, int fd, struct sockaddr *address, socklen_t *bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	struct socket_address peer;

	if (!s)
		return -EBADF;
	if (!s->connected)
		return -ENOTCONN;
	peer = socket_peer(s->socket);
	rw_address_write(&peer, address, bytes);
	return 0;
}
