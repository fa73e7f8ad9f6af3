/* SPDX-License-Identifier: ISC */
/* Options of sockets, and what can be done with them now. */
#include <errno.h>
#include <netinet/in.h>

#include "configs/library/rw_parts.h"
#include "net/tcp_options.h"

/* Of net/socket.h; -1: one that is ours alone. */
static int socket_option_of(enum rw_option option)
{
	static const int of[RW_OPTION_COUNT] = {
		[RW_KEEPALIVE] = SOCKET_KEEPALIVE,
		[RW_LINGER] = -1,
		[RW_SEND_BYTES] = SOCKET_SEND_BYTES,
		[RW_RECEIVE_BYTES] = SOCKET_RECEIVE_BYTES,
		[RW_PACING] = SOCKET_PACING,
		[RW_ERROR] = -1,
		[RW_NO_DELAY] = SOCKET_NO_DELAY,
		[RW_KEEPALIVE_IDLE] = SOCKET_KEEPALIVE_IDLE_S,
		[RW_KEEPALIVE_INTERVAL] = SOCKET_KEEPALIVE_INTERVAL_S,
		[RW_KEEPALIVE_COUNT] = SOCKET_KEEPALIVE_COUNT,
		[RW_USER_TIMEOUT] = SOCKET_USER_TIMEOUT_MS,
		[RW_MSS] = SOCKET_MSS,
		[RW_INFO] = -1,
	};

	return of[option];
}

/* Values that a socket would take, for one that is yet to be made. */
static bool is_value(enum rw_option option, int value)
{
	switch (option) {
	case RW_KEEPALIVE_IDLE:
	case RW_KEEPALIVE_INTERVAL:
		return value >= 1 && value <= UINT16_MAX;
	case RW_KEEPALIVE_COUNT:
		return value >= 1 && value <= UINT8_MAX;
	case RW_SEND_BYTES:
	case RW_RECEIVE_BYTES:
		return value >= 1;
	case RW_MSS:
		return value >= (int)TCP_MSS_MIN && value <= UINT16_MAX;
	case RW_PACING:
		return true; /* 32 bits without a sign */
	default:
		return value >= 0;
	}
}

/* Datagram sockets have a queue, and nothing else that could be set. */
static bool is_for(const struct rw_socket *s, enum rw_option option)
{
	return s->stream || option == RW_RECEIVE_BYTES;
}

static int apply(struct rw_socket *s, enum rw_option option)
{
	int of = socket_option_of(option);

	if (!s->socket || of < 0 || !is_for(s, option))
		return 0;
	return socket_set(s->socket, (enum socket_option)of, s->options[option]);
}

int rw_options_apply(struct rw_socket *s)
{
	for (unsigned int i = 0; i < RW_OPTION_COUNT; i++) {
		int error = s->set & 1u << i ? apply(s, (enum rw_option)i) : 0;

		if (error)
			return error;
	}
	return 0;
}

struct tcp_options_set rw_options_set(const struct rw_socket *s)
{
	return (struct tcp_options_set){
		.keepalive_idle_s = (uint16_t)s->options[RW_KEEPALIVE_IDLE],
		.keepalive_interval_s = (uint16_t)s->options[RW_KEEPALIVE_INTERVAL],
		.keepalive_count = (uint8_t)s->options[RW_KEEPALIVE_COUNT],
		.keepalive = s->options[RW_KEEPALIVE],
		.no_delay = s->options[RW_NO_DELAY],
		.mss = (uint16_t)s->options[RW_MSS],
		.user_timeout_ms = s->options[RW_USER_TIMEOUT],
		.send_bytes = s->options[RW_SEND_BYTES],
		.receive_bytes = s->options[RW_RECEIVE_BYTES],
		.pacing = s->options[RW_PACING],
	};
}

int rw_take_error(struct rw_socket *s)
{
	int error = s->socket && s->kind != RW_LISTENER ? socket_error(s->socket) : 0;

	if (s->error_told)
		return 0;
	s->error_told = s->stream && error;
	return error;
}

int rw_setsockopt(struct rw_stack *stack, int fd, int level, int option, const void *value,
		  socklen_t bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	enum rw_option which = rw_option_named(level, option);
	struct linger linger;
	int number, error;

	if (!s)
		return -EBADF;
	if (which == RW_OPTION_COUNT || which == RW_ERROR || which == RW_INFO ||
	    (!s->stream && level == IPPROTO_TCP))
		return -ENOPROTOOPT;
	if (!value || bytes < (which == RW_LINGER ? sizeof(linger) : sizeof(number)))
		return -EINVAL;
	if (which == RW_LINGER) {
		memcpy(&linger, value, sizeof(linger));
		s->reset_at_close = linger.l_onoff && linger.l_linger == 0;
		return 0;
	}
	memcpy(&number, value, sizeof(number));
	if (!is_value(which, number))
		return -EINVAL;
	if (which == RW_KEEPALIVE || which == RW_NO_DELAY)
		number = number != 0;
	s->options[which] = (uint32_t)number;
	error = apply(s, which);
	if (!error)
		s->set |= 1u << which;
	return error;
}

static int get_info(const struct rw_socket *s, void *value, socklen_t *bytes)
{
	struct socket_tcp_info info;
	struct rw_tcp_info to;

	if (s->kind != RW_STREAM)
		return -ENOTCONN;
	socket_tcp_info(s->socket, &info);
	to = (struct rw_tcp_info){
		.state = info.state,
		.rtt_us = info.rtt_us,
		.congestion_window = info.congestion_window,
		.slow_start_threshold = info.slow_start_threshold,
		.retransmissions = info.retransmissions,
		.mss = info.mss,
		.send_window = info.send_window,
		.receive_window = info.receive_window,
		.unacknowledged = info.unacknowledged,
		.unsent = info.unsent,
	};
	*bytes = *bytes < sizeof(to) ? *bytes : (socklen_t)sizeof(to);
	memcpy(value, &to, *bytes);
	return 0;
}

static int get_linger(const struct rw_socket *s, void *value, socklen_t *bytes)
{
	struct linger linger = { .l_onoff = s->reset_at_close };

	if (*bytes < sizeof(linger))
		return -EINVAL;
	memcpy(value, &linger, sizeof(linger));
	*bytes = sizeof(linger);
	return 0;
}

static int number_of(struct rw_socket *s, enum rw_option which)
{
	struct socket_tcp_info info;

	if (which == RW_ERROR)
		return -rw_take_error(s);
	if (which == RW_MSS && s->kind == RW_STREAM) {
		socket_tcp_info(s->socket, &info);
		return (int)info.mss;
	}
	return (int)s->options[which];
}

int rw_getsockopt(struct rw_stack *stack, int fd, int level, int option, void *value,
		  socklen_t *bytes)
{
	struct rw_socket *s = rw_socket_of(stack, fd);
	enum rw_option which = rw_option_named(level, option);
	int number;

	if (!s)
		return -EBADF;
	if (which == RW_OPTION_COUNT)
		return -ENOPROTOOPT;
	if (!value || !bytes)
		return -EINVAL;
	if (which == RW_INFO)
		return get_info(s, value, bytes);
	if (which == RW_LINGER)
		return get_linger(s, value, bytes);
	if (*bytes < sizeof(number))
		return -EINVAL;
	number = number_of(s, which);
	memcpy(value, &number, sizeof(number));
	*bytes = sizeof(number);
	return 0;
}

/* ---- readiness ---- */

static short events_of(const struct rw_socket *s)
{
	uint32_t ready;
	short events = 0;

	if (s->kind == RW_FRESH)
		return s->stream ? POLLOUT | POLLHUP : POLLOUT; /* as Linux says */
	ready = socket_ready(s->socket);
	if (ready & (SOCKET_READABLE | SOCKET_PEER_DONE) || s->read_shut)
		events |= POLLIN;
	if (ready & SOCKET_WRITABLE)
		events |= POLLOUT;
	if (ready & SOCKET_OVER) {
		events |= POLLIN | POLLOUT;
		if (s->stream)
			events |= POLLHUP;
		if (socket_error(s->socket) && !s->error_told)
			events |= POLLERR;
	}
	if (ready & SOCKET_PEER_DONE && s->write_shut)
		events |= POLLHUP;
	return events;
}

int rw_poll(struct rw_stack *stack, struct pollfd *fds, unsigned int count)
{
	const short always = POLLERR | POLLHUP;
	int ready = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct rw_socket *s = rw_socket_of(stack, fds[i].fd);

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		if (!s)
			fds[i].revents = POLLNVAL;
		else
			fds[i].revents = (short)(events_of(s) & (fds[i].events | always));
		ready += fds[i].revents != 0;
	}
	return ready;
}
