/* SPDX-License-Identifier: ISC */
/* Sockets over TCP connections of the core. */
#include <errno.h>
#include <string.h>

#include "net/martian6.h"
#include "net/parse.h"
#include "net/socket_parts.h"
#include "net/wire.h"

/* When there is a little memory again and many wait for it, each wants more than there is. */
#define FEED_NS UINT64_C(1000000)

/* ---- beginning ---- */

static struct socket_address address_of(const uint8_t *bytes, uint8_t version, be16 port)
{
	struct socket_address address = { .ip.version = version, .port = be16_get(port) };

	memcpy(address.ip.bytes, bytes, sizeof(address.ip.bytes));
	return address;
}

static bool is_free(void *context, const struct tcp_key *key)
{
	struct sockets *sockets = context;
	struct socket_address own = address_of(key->own, key->version, key->own_port);
	struct socket_address peer = address_of(key->peer, key->version, key->peer_port);

	return tcp_state_of(&sockets->tcp, key) == TCP_CLOSED &&
	       socket_port_is_free(sockets, IP_PROTOCOL_TCP, &own, &peer);
}

/* Nothing is opened to many, or to nobody (RFC 9293, 3.9.2.3, MUST-46). */
static bool is_one_host(const struct ip_address *address)
{
	struct ip6_address six;
	be32 four;

	if (address->version == 6) {
		memcpy(six.bytes, address->bytes, sizeof(six.bytes));
		return ip6_address_is_one_host(&six);
	}
	four = ip_address_get4(address);
	return !address_is_multicast(four) && be32_get(four) >> 24 != 0 &&
	       be32_get(four) >> 24 != 127;
}

/* Our end of a connection to `peer`: 0, or why there is none. */
static int choose_own(struct sockets *sockets, const struct socket_address *own,
		      const struct socket_address *peer, struct tcp_key *key)
{
	const struct socket_links *links = &sockets->config.links;
	struct ip_address address = own ? own->ip : (struct ip_address){ 0 };

	if (!peer->port || !peer->ip.version ||
	    (address.version && address.version != peer->ip.version))
		return -EADDRNOTAVAIL;
	if (!is_one_host(&peer->ip) || !links->way(links->context, &peer->ip, &address) ||
	    !address.version) {
		sockets->stats.no_way++;
		return -ENETUNREACH;
	}
	*key = (struct tcp_key){ .peer_port = be16_of(peer->port), .version = address.version };
	memcpy(key->own, address.bytes, sizeof(key->own));
	memcpy(key->peer, peer->ip.bytes, sizeof(key->peer));
	if (own && own->port) {
		key->own_port = be16_of(own->port);
		return is_free(sockets, key) ? 0 : -EADDRINUSE;
	}
	return tcp_ports_choose(&sockets->tcp_ports, key, is_free, sockets);
}

/* The socket of a connection that the core has just given out. */
static struct socket *begin(struct sockets *sockets, struct tcp_connection *c,
			    socket_callback *ready, void *context)
{
	struct tcp_socket *tcp = &sockets->tcp_sockets[c - sockets->connections];

	socket_begin(&tcp->socket, sockets, SOCKET_TCP, ready, context);
	tcp->connection = c;
	c->context = tcp;
	return &tcp->socket;
}

struct socket *socket_connect_with(struct sockets *sockets, const struct socket_address *own,
				   const struct socket_address *peer,
				   const struct tcp_options_set *options, socket_callback *ready,
				   void *context, int *error)
{
	struct tcp_connection *c;
	struct tcp_key key;

	*error = choose_own(sockets, own, peer, &key);
	if (*error)
		return NULL;
	c = tcp_connect_with(&sockets->tcp, &key, options, NULL, NULL, sockets->now, error);
	return c ? begin(sockets, c, ready, context) : NULL;
}

struct socket *socket_connect(struct sockets *sockets, const struct socket_address *own,
			      const struct socket_address *peer, socket_callback *ready,
			      void *context, int *error)
{
	return socket_connect_with(sockets, own, peer, NULL, ready, context, error);
}

struct socket *socket_accept(struct socket *socket, socket_callback *ready, void *context)
{
	struct listener *listener = listener_of(socket);
	struct sockets *sockets = socket->sockets;
	struct tcp_connection *c;

	if (socket->kind != SOCKET_LISTENER)
		return NULL;
	c = tcp_accept(&listener->tcp, NULL);
	if (!c)
		return NULL;
	if (socket->told)
		socket->told--;
	socket = begin(sockets, c, ready, context);
	socket_tcp_raise(socket);
	return socket;
}

/* ---- bytes ---- */

static bool is_opening(const struct tcp_connection *c)
{
	return c->end.state == TCP_SYN_SENT || c->end.state == TCP_SYN_RECEIVED;
}

/* There was no memory: to be tried again when there is. */
static void starve(struct socket *socket)
{
	if (socket->starved)
		return;
	socket->starved = 1;
	socket->sockets->starved++;
	socket->sockets->stats.no_memory++;
}

static void unstarve(struct socket *socket)
{
	socket->sockets->starved -= socket->starved;
	socket->starved = 0;
}

int socket_tcp_send(struct socket *socket, const void *data, uint32_t bytes)
{
	struct tcp_connection *c = connection_of(socket);
	int sent;

	if (is_opening(c))
		return -ENOTCONN;
	sent = tcp_send(c, data, bytes, socket->sockets->now);
	if (sent < 0)
		return sent;
	if ((uint32_t)sent < bytes && tcp_send_room(c))
		starve(socket);
	return sent || !bytes ? sent : -EAGAIN;
}

int socket_tcp_receive(struct socket *socket, void *to, uint32_t bytes)
{
	struct tcp_connection *c = connection_of(socket);

	if (is_opening(c))
		return -ENOTCONN;
	if (c->end.state == TCP_CLOSED && !c->error && !c->receiving.bytes)
		return 0;
	return tcp_receive(c, to, bytes, socket->sockets->now);
}

int socket_peek(struct socket *socket, struct tcp_piece *pieces, unsigned int max, uint32_t *bytes)
{
	*bytes = 0;
	if (socket->kind != SOCKET_TCP || is_opening(connection_of(socket)))
		return -ENOTCONN;
	return tcp_peek(connection_of(socket), pieces, max, bytes);
}

void socket_consume(struct socket *socket, uint32_t bytes)
{
	if (socket->kind == SOCKET_TCP)
		tcp_consume(connection_of(socket), bytes, socket->sockets->now);
}

/* ---- ending ---- */

void socket_shutdown(struct socket *socket)
{
	if (socket->kind == SOCKET_TCP)
		tcp_shutdown(connection_of(socket), socket->sockets->now);
}

void socket_tcp_close(struct socket *socket, bool abort)
{
	unstarve(socket);
	if (abort)
		tcp_abort(connection_of(socket), socket->sockets->now);
	else
		tcp_close(connection_of(socket), socket->sockets->now);
}

/* ---- readiness ---- */

uint32_t socket_tcp_ready(const struct socket *socket)
{
	const struct tcp_connection *c = connection_of(socket);
	uint32_t ready = 0;

	if (is_opening(c))
		return 0;
	if (c->receiving.bytes)
		ready |= SOCKET_READABLE;
	if (c->flags & TCP_FLAG_FIN_RECEIVED)
		ready |= SOCKET_READABLE | SOCKET_PEER_DONE;
	if (c->end.state == TCP_CLOSED)
		ready |= SOCKET_READABLE | SOCKET_OVER;
	else if (tcp_send_room(c))
		ready |= SOCKET_WRITABLE;
	return ready;
}

void socket_tcp_raise(struct socket *socket)
{
	struct tcp_connection *c = connection_of(socket);

	if (list_is_empty(&c->event_link))
		list_push_back(&c->stack->events, &c->event_link);
}

/* Each callback may close any socket, which takes it off the list of events. */
bool socket_tcp_run(struct sockets *sockets, uint32_t budget)
{
	while (budget--) {
		uint8_t events;
		struct tcp_connection *c = tcp_next_event(&sockets->tcp, &events);
		struct socket *socket;
		uint32_t ready;

		if (!c)
			return false;
		socket = &((struct tcp_socket *)c->context)->socket;
		ready = socket_tcp_ready(socket);
		if (socket->ready && ready)
			socket->ready(socket, ready, socket->context);
	}
	return true;
}

uint64_t socket_tcp_feed_ns(const struct sockets *sockets)
{
	if (!sockets->starved || sockets->blocks.used == sockets->blocks.total)
		return UINT64_MAX;
	return sockets->fed_ns + FEED_NS;
}

void socket_tcp_feed(struct sockets *sockets, uint32_t budget)
{
	uint32_t count = sockets->config.connections;

	if (socket_tcp_feed_ns(sockets) > sockets->now)
		return;
	sockets->fed_ns = sockets->now;
	for (; sockets->starved && budget; budget--) {
		struct tcp_socket *tcp = &sockets->tcp_sockets[sockets->starved_at++ % count];

		if (!tcp->socket.starved)
			continue;
		unstarve(&tcp->socket);
		socket_tcp_raise(&tcp->socket);
	}
	sockets->starved_at %= count;
}

/* ---- asking ---- */

struct socket_address socket_tcp_own(const struct socket *socket)
{
	const struct tcp_key *key = &connection_of(socket)->end.key;

	return address_of(key->own, key->version, key->own_port);
}

struct socket_address socket_tcp_peer(const struct socket *socket)
{
	const struct tcp_key *key = &connection_of(socket)->end.key;

	return address_of(key->peer, key->version, key->peer_port);
}
