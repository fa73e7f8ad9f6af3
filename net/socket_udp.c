/* SPDX-License-Identifier: ISC */
/*
 * UDP sockets (RFC 768, RFC 8085). What comes is copied to a queue of the socket's and its packet
 * freed at once. A queue is bounded by its bytes, all of them together by a part of the
 * instance's memory, so that datagrams which nobody reads take nothing from TCP.
 */
#include <errno.h>
#include <string.h>

#include "net/socket_parts.h"
#include "net/udp.h"
#include "net/wire.h"

#define AGAIN_NS UINT64_C(1000000)

/* ---- beginning and ending ---- */

static struct udp_key key_of(uint16_t own_port, const struct socket_address *peer)
{
	struct udp_key key = { .own_port = own_port };

	if (!peer)
		return key;
	memcpy(key.peer, peer->ip.bytes, sizeof(key.peer));
	key.peer_port = peer->port;
	key.version = peer->ip.version;
	return key;
}

static int check_peer(struct sockets *sockets, struct ip_address own,
		      const struct socket_address *peer)
{
	const struct socket_links *links = &sockets->config.links;

	if (!peer)
		return 0;
	if (!peer->port || !peer->ip.version || (own.version && own.version != peer->ip.version))
		return -EADDRNOTAVAIL;
	if (links->way(links->context, &peer->ip, &own) && own.version)
		return 0;
	sockets->stats.no_way++;
	return -ENETUNREACH;
}

struct socket *socket_open_udp(struct sockets *sockets, const struct socket_address *own,
			       const struct socket_address *peer, socket_callback *ready,
			       void *context, int *error)
{
	struct ip_address address = own ? own->ip : (struct ip_address){ 0 };
	struct udp_key key = key_of(own ? own->port : 0, peer);
	struct udp_socket *udp;

	*error = check_peer(sockets, address, peer);
	if (!*error && !key.own_port)
		*error = socket_udp_choose(sockets, &address, &key);
	else if (!*error && socket_udp_is_taken(sockets, &address, &key))
		*error = -EADDRINUSE;
	if (!*error && list_is_empty(&sockets->free_udp))
		*error = -ENOBUFS;
	if (*error)
		return NULL;
	udp = list_entry(list_pop_front(&sockets->free_udp), struct udp_socket, link);
	*udp = (struct udp_socket){ .key = key, .own = address };
	udp->limit = sockets->config.receive_bytes < TCP_BUFFER_MAX ? sockets->config.receive_bytes
								    : TCP_BUFFER_MAX;
	socket_begin(&udp->socket, sockets, SOCKET_UDP, ready, context);
	list_init(&udp->link);
	list_init(&udp->pending);
	tcp_buffer_init(&udp->queue, TCP_BUFFER_MAX);
	socket_udp_insert(udp);
	sockets->udp_used++;
	return &udp->socket;
}

void socket_udp_close(struct socket *socket)
{
	struct udp_socket *udp = udp_socket_of(socket);
	struct sockets *sockets = socket->sockets;

	socket_udp_remove(udp);
	list_remove(&udp->pending);
	tcp_buffer_free(&udp->queue, &sockets->udp_memory);
	list_push_back(&sockets->free_udp, &udp->link);
	sockets->udp_used--;
}

/* ---- sending ---- */

/* Told once. */
static int take_error(struct udp_socket *udp)
{
	int error = udp->error;

	udp->error = 0;
	return error;
}

/* What one datagram by this link may hold. */
static uint32_t most_of(const struct sockets *sockets, const struct netdev *netdev,
			const struct ip_address *peer)
{
	const struct socket_links *links = &sockets->config.links;
	const uint32_t headers = (uint32_t)sizeof(struct udp_header) +
				 (uint32_t)(peer->version == 6 ? sizeof(struct ip6_header)
							       : sizeof(struct ip4_header));
	uint32_t most = OWN_MAX_BYTES - (uint32_t)sizeof(struct ethernet_header);
	uint32_t mtu = links->mtu(links->context, netdev, peer);

	if (mtu < most)
		most = mtu;
	return most > headers ? most - headers : 0;
}

/* No memory: it is worth another attempt a little later. */
static int wait_for_memory(struct udp_socket *udp)
{
	struct sockets *sockets = udp->socket.sockets;

	sockets->stats.no_memory++;
	if (list_is_empty(&sockets->udp_waiting))
		sockets->udp_again_ns = sockets->now + AGAIN_NS;
	if (list_is_empty(&udp->pending))
		list_push_back(&sockets->udp_waiting, &udp->pending);
	return -EAGAIN;
}

static int send_datagram(struct udp_socket *udp, const struct socket_address *peer,
			 const void *data, uint32_t bytes)
{
	struct sockets *sockets = udp->socket.sockets;
	const struct socket_links *links = &sockets->config.links;
	struct udp_ends ends = { .from = udp->own,
				 .to = peer->ip,
				 .from_port = udp->key.own_port,
				 .to_port = peer->port };
	struct netdev *netdev;
	struct packet *packet;

	if (!peer->port || !peer->ip.version ||
	    (ends.from.version && ends.from.version != peer->ip.version))
		return -EADDRNOTAVAIL;
	netdev = links->way(links->context, &peer->ip, &ends.from);
	if (!netdev || !netdev->up || !ends.from.version) {
		sockets->stats.no_way++;
		return -ENETUNREACH;
	}
	if (bytes > most_of(sockets, netdev, &peer->ip))
		return -EMSGSIZE;
	packet = udp_make(&links->own, netdev, &ends, data, bytes);
	if (!packet)
		return wait_for_memory(udp);
	udp->sent_ns = sockets->now;
	sockets->stats.udp_out++;
	own_send(&links->own, netdev, packet);
	return (int)bytes;
}

struct socket_address socket_udp_peer(const struct socket *socket)
{
	const struct udp_socket *udp = udp_socket_of(socket);
	struct socket_address peer = { .ip.version = (uint8_t)udp->key.version,
				       .port = udp->key.peer_port };

	memcpy(peer.ip.bytes, udp->key.peer, sizeof(peer.ip.bytes));
	return peer;
}

int socket_udp_send(struct socket *socket, const void *data, uint32_t bytes)
{
	struct udp_socket *udp = udp_socket_of(socket);
	struct socket_address peer = socket_udp_peer(socket);
	int error = take_error(udp);

	if (error)
		return error;
	return peer.ip.version ? send_datagram(udp, &peer, data, bytes) : -ENOTCONN;
}

int socket_send_to(struct socket *socket, const struct socket_address *peer, const void *data,
		   uint32_t bytes)
{
	struct udp_socket *udp = udp_socket_of(socket);
	struct udp_key key;
	int result;

	if (socket->kind != SOCKET_UDP)
		return -ENOTCONN;
	result = take_error(udp);
	if (result)
		return result;
	result = send_datagram(udp, peer, data, bytes);
	if (result >= 0) {
		key = key_of(udp->key.own_port, peer);
		socket_udp_note(socket->sockets, &key);
	}
	return result;
}

uint32_t socket_udp_room(const struct socket *socket)
{
	const struct udp_socket *udp = udp_socket_of(socket);
	const struct socket_links *links = &socket->sockets->config.links;
	struct socket_address peer = socket_udp_peer(socket);
	struct ip_address own = udp->own;
	struct netdev *netdev;

	if (!peer.ip.version)
		return 0;
	netdev = links->way(links->context, &peer.ip, &own);
	return netdev ? most_of(socket->sockets, netdev, &peer.ip) : 0;
}

/* ---- receiving ---- */

int socket_receive_from(struct socket *socket, struct socket_address *peer, void *to,
			uint32_t bytes)
{
	struct udp_socket *udp = udp_socket_of(socket);
	struct udp_record record;
	int error;

	if (socket->kind != SOCKET_UDP)
		return -ENOTCONN;
	error = take_error(udp);
	if (error)
		return error;
	if (udp->queue.bytes < sizeof(record))
		return -EAGAIN;
	tcp_buffer_read(&udp->queue, 0, &record, sizeof(record));
	if (bytes > record.bytes)
		bytes = record.bytes;
	if (bytes)
		tcp_buffer_read(&udp->queue, sizeof(record), to, bytes);
	tcp_buffer_release(&udp->queue, &socket->sockets->udp_memory,
			   (uint32_t)sizeof(record) + record.bytes, true);
	if (peer)
		*peer = (struct socket_address){ record.peer, record.port };
	return (int)bytes;
}

int socket_udp_receive(struct socket *socket, void *to, uint32_t bytes)
{
	return socket_receive_from(socket, NULL, to, bytes);
}

uint32_t socket_udp_receivable(const struct socket *socket)
{
	const struct udp_socket *udp = udp_socket_of(socket);
	struct udp_record record;

	if (udp->queue.bytes < sizeof(record))
		return 0;
	tcp_buffer_read(&udp->queue, 0, &record, sizeof(record));
	return record.bytes;
}

/* ---- readiness ---- */

/* Sending always takes a datagram or says why not; but not while it waits for memory. */
uint32_t socket_udp_ready(const struct socket *socket)
{
	const struct udp_socket *udp = udp_socket_of(socket);

	return SOCKET_WRITABLE | (udp->queue.bytes || udp->error ? SOCKET_READABLE : 0u);
}

void socket_udp_raise(struct udp_socket *udp)
{
	list_remove(&udp->pending);
	list_push_back(&udp->socket.sockets->udp_pending, &udp->pending);
}

/* Each callback may close any socket, which takes it off the list. */
void socket_udp_run(struct sockets *sockets, uint32_t budget)
{
	if (sockets->now >= sockets->udp_again_ns) {
		struct list *link;

		while ((link = list_pop_front(&sockets->udp_waiting)))
			list_push_back(&sockets->udp_pending, link);
	}
	while (budget-- && !list_is_empty(&sockets->udp_pending)) {
		struct udp_socket *udp = list_entry(list_pop_front(&sockets->udp_pending),
						    struct udp_socket, pending);
		struct socket *socket = &udp->socket;

		if (socket->ready)
			socket->ready(socket, socket_udp_ready(socket), socket->context);
	}
}

uint64_t socket_udp_next_ns(const struct sockets *sockets)
{
	if (!list_is_empty(&sockets->udp_pending))
		return sockets->now;
	return list_is_empty(&sockets->udp_waiting) ? UINT64_MAX : sockets->udp_again_ns;
}
