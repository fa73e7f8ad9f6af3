/* SPDX-License-Identifier: ISC */
/* What a socket tells of itself. */
#include <errno.h>
#include <string.h>

#include "net/socket_parts.h"

int socket_error(const struct socket *socket)
{
	if (socket->kind == SOCKET_TCP)
		return tcp_error(connection_of(socket));
	return socket->kind == SOCKET_UDP ? udp_socket_of(socket)->error : 0;
}

struct socket_address socket_own(const struct socket *socket)
{
	switch (socket->kind) {
	case SOCKET_TCP:
		return socket_tcp_own(socket);
	case SOCKET_UDP:
		return (struct socket_address){ udp_socket_of(socket)->own,
						udp_socket_of(socket)->key.own_port };
	default:
		return (struct socket_address){ listener_of(socket)->tcp.own,
						listener_of(socket)->tcp.port };
	}
}

struct socket_address socket_peer(const struct socket *socket)
{
	switch (socket->kind) {
	case SOCKET_TCP:
		return socket_tcp_peer(socket);
	case SOCKET_UDP:
		return socket_udp_peer(socket);
	default:
		return (struct socket_address){ 0 };
	}
}

uint32_t socket_send_room(const struct socket *socket)
{
	switch (socket->kind) {
	case SOCKET_TCP:
		return tcp_send_room(connection_of(socket));
	case SOCKET_UDP:
		return socket_udp_room(socket);
	default:
		return 0;
	}
}

uint32_t socket_receivable(const struct socket *socket)
{
	switch (socket->kind) {
	case SOCKET_TCP:
		return tcp_receivable(connection_of(socket));
	case SOCKET_UDP:
		return socket_udp_receivable(socket);
	default:
		return 0;
	}
}

void socket_tcp_info(const struct socket *socket, struct socket_tcp_info *info)
{
	struct tcp_info tcp;

	*info = (struct socket_tcp_info){ .state = TCP_CLOSED };
	if (socket->kind != SOCKET_TCP)
		return;
	tcp_get_info(connection_of(socket), &tcp);
	*info = (struct socket_tcp_info){
		.state = tcp.state,
		.rtt_us = tcp.rtt_us,
		.congestion_window = tcp.congestion_window,
		.slow_start_threshold = tcp.slow_start_threshold,
		.retransmissions = tcp.retransmissions,
		.mss = tcp.mss,
		.send_window = tcp.send_window,
		.receive_window = tcp.receive_window,
		.unacknowledged = tcp.unacknowledged,
		.unsent = tcp.unsent,
	};
}
