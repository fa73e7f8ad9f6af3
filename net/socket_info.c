/* SPDX-License-Identifier: ISC */
/* What a socket tells of itself, and how it is to be. */
#include <errno.h>
#include <string.h>

#include "net/socket_parts.h"

int socket_error(const struct socket *socket)
{
	return socket->kind == SOCKET_TCP ? tcp_error(connection_of(socket)) : 0;
}

static struct socket_address address_of(const uint8_t *bytes, uint8_t version, be16 port)
{
	struct socket_address address = { .ip.version = version, .port = be16_get(port) };

	memcpy(address.ip.bytes, bytes, sizeof(address.ip.bytes));
	return address;
}

struct socket_address socket_own(const struct socket *socket)
{
	const struct tcp_key *key;

	if (socket->kind == SOCKET_LISTENER)
		return (struct socket_address){ listener_of(socket)->tcp.own,
						listener_of(socket)->tcp.port };
	key = &connection_of(socket)->end.key;
	return address_of(key->own, key->version, key->own_port);
}

struct socket_address socket_peer(const struct socket *socket)
{
	const struct tcp_key *key;

	if (socket->kind == SOCKET_LISTENER)
		return (struct socket_address){ 0 };
	key = &connection_of(socket)->end.key;
	return address_of(key->peer, key->version, key->peer_port);
}

uint32_t socket_send_room(const struct socket *socket)
{
	return socket->kind == SOCKET_TCP ? tcp_send_room(connection_of(socket)) : 0;
}

uint32_t socket_receivable(const struct socket *socket)
{
	return socket->kind == SOCKET_TCP ? tcp_receivable(connection_of(socket)) : 0;
}
