/* SPDX-License-Identifier: ISC */
/* Options of sockets. Those of a listener are its connections'. */
#include <errno.h>

#include "net/socket_parts.h"
#include "net/tcp_options.h"

static bool is_value(enum socket_option option, uint32_t value)
{
	switch (option) {
	case SOCKET_NO_DELAY:
	case SOCKET_KEEPALIVE:
		return value <= 1;
	case SOCKET_KEEPALIVE_IDLE_S:
	case SOCKET_KEEPALIVE_INTERVAL_S:
		return value && value <= UINT16_MAX;
	case SOCKET_KEEPALIVE_COUNT:
		return value && value <= UINT8_MAX;
	case SOCKET_SEND_BYTES:
	case SOCKET_RECEIVE_BYTES:
		return value;
	case SOCKET_MSS:
		return value >= TCP_MSS_MIN && value <= UINT16_MAX;
	default:
		return true;
	}
}

static int set_listener(struct tcp_options_set *options, enum socket_option option, uint32_t value)
{
	switch (option) {
	case SOCKET_NO_DELAY:
		options->no_delay = value;
		return 0;
	case SOCKET_KEEPALIVE:
		options->keepalive = value;
		return 0;
	case SOCKET_KEEPALIVE_IDLE_S:
		options->keepalive_idle_s = (uint16_t)value;
		return 0;
	case SOCKET_KEEPALIVE_INTERVAL_S:
		options->keepalive_interval_s = (uint16_t)value;
		return 0;
	case SOCKET_KEEPALIVE_COUNT:
		options->keepalive_count = (uint8_t)value;
		return 0;
	case SOCKET_USER_TIMEOUT_MS:
		options->user_timeout_ms = value;
		return 0;
	case SOCKET_SEND_BYTES:
		options->send_bytes = value;
		return 0;
	case SOCKET_RECEIVE_BYTES:
		options->receive_bytes = value;
		return 0;
	case SOCKET_MSS:
		options->mss = (uint16_t)value;
		return 0;
	case SOCKET_PACING:
		options->pacing = value;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int set_tcp(struct tcp_connection *c, enum socket_option option, uint32_t value,
		   uint64_t now)
{
	switch (option) {
	case SOCKET_NO_DELAY:
		tcp_set_no_delay(c, value, now);
		return 0;
	case SOCKET_KEEPALIVE:
		tcp_set_keepalive(c, value, now);
		return 0;
	case SOCKET_KEEPALIVE_IDLE_S:
		tcp_set_keepalive_idle(c, (uint16_t)value, now);
		return 0;
	case SOCKET_KEEPALIVE_INTERVAL_S:
		tcp_set_keepalive_interval(c, (uint16_t)value, now);
		return 0;
	case SOCKET_KEEPALIVE_COUNT:
		tcp_set_keepalive_count(c, (uint8_t)value);
		return 0;
	case SOCKET_USER_TIMEOUT_MS:
		tcp_set_user_timeout(c, value);
		return 0;
	case SOCKET_SEND_BYTES:
		tcp_set_send_bytes(c, value);
		return 0;
	case SOCKET_RECEIVE_BYTES:
		tcp_set_receive_bytes(c, value);
		return 0;
	case SOCKET_MSS:
		tcp_set_mss(c, (uint16_t)value);
		return 0;
	case SOCKET_PACING:
		tcp_set_pacing(c, value);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int set_udp(struct udp_socket *udp, enum socket_option option, uint32_t value)
{
	uint32_t most = udp->socket.sockets->config.receive_bytes;

	if (option != SOCKET_RECEIVE_BYTES)
		return -ENOPROTOOPT;
	most = most < TCP_BUFFER_MAX ? most : TCP_BUFFER_MAX;
	udp->limit = value < most ? value : most;
	return 0;
}

int socket_set(struct socket *socket, enum socket_option option, uint32_t value)
{
	if (!is_value(option, value))
		return -EINVAL;
	switch (socket->kind) {
	case SOCKET_TCP:
		/* What is over has no more use for any. */
		if (connection_of(socket)->end.state == TCP_CLOSED)
			return 0;
		return set_tcp(connection_of(socket), option, value, socket->sockets->now);
	case SOCKET_UDP:
		return set_udp(udp_socket_of(socket), option, value);
	default:
		return set_listener(&listener_of(socket)->tcp.options, option, value);
	}
}
