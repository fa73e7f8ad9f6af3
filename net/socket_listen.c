/* SPDX-License-Identifier: ISC */
/* Sockets that listen for TCP connections. */
#include <errno.h>

#include "net/socket_parts.h"

#define BACKLOG 128u

static bool port_is_shared(const struct sockets *sockets, const struct listener *but, uint16_t port)
{
	list_for_each(link, &sockets->live_listeners) {
		const struct listener *listener = list_entry(link, struct listener, link);

		if (listener != but && listener->tcp.port == port)
			return true;
	}
	return false;
}

static bool nobody_has(void *context, const struct tcp_key *key)
{
	return !port_is_shared(context, NULL, be16_get(key->own_port));
}

/* Any port that nobody listens on. */
static int choose_port(struct sockets *sockets, const struct ip_address *own, uint16_t *port)
{
	struct tcp_key key = { .version = own->version };
	int error = tcp_ports_choose(&sockets->tcp_ports, &key, nobody_has, sockets);

	*port = be16_get(key.own_port);
	return error;
}

struct socket *socket_listen(struct sockets *sockets, const struct socket_listen *how,
			     socket_callback *ready, void *context, int *error)
{
	struct list *link = list_pop_front(&sockets->free_listeners);
	struct listener *listener;

	*error = -ENOBUFS;
	if (!link)
		return NULL;
	listener = list_entry(link, struct listener, link);
	*listener = (struct listener){ .only = how->only };
	listener->tcp = (struct tcp_listener){
		.own = how->own.ip,
		.port = how->own.port,
		.backlog = how->backlog ? how->backlog : BACKLOG,
		.cookies = !how->no_cookies,
		.context = listener,
	};
	list_init(&listener->link);
	socket_begin(&listener->socket, sockets, SOCKET_LISTENER, ready, context);
	*error = 0;
	if (!how->own.port)
		*error = choose_port(sockets, &how->own.ip, &listener->tcp.port);
	if (!*error)
		*error = tcp_listen(&sockets->tcp, &listener->tcp);
	if (*error) {
		list_push_front(&sockets->free_listeners, &listener->link);
		return NULL;
	}
	/* Taken already by another one with another address: it stays so. */
	(void)!tcp_ports_reserve(&sockets->tcp_ports, listener->tcp.port);
	list_push_back(&sockets->live_listeners, &listener->link);
	sockets->listener_used++;
	sockets->only_used += how->only != NULL;
	return &listener->socket;
}

void socket_listen_close(struct socket *socket)
{
	struct listener *listener = listener_of(socket);
	struct sockets *sockets = socket->sockets;

	tcp_unlisten(&sockets->tcp, &listener->tcp, sockets->now);
	if (!port_is_shared(sockets, listener, listener->tcp.port))
		tcp_ports_release(&sockets->tcp_ports, listener->tcp.port);
	list_remove(&listener->link);
	list_push_back(&sockets->free_listeners, &listener->link);
	sockets->listener_used--;
	sockets->only_used -= listener->only != NULL;
}

uint32_t socket_listen_ready(const struct socket *socket)
{
	return listener_of(socket)->tcp.waiting ? SOCKET_READABLE : 0;
}

static bool has_news(const struct listener *listener)
{
	return listener->socket.ready && listener->tcp.waiting > listener->socket.told;
}

bool socket_listen_is_due(const struct sockets *sockets)
{
	list_for_each(link, &sockets->live_listeners) {
		if (has_news(list_entry(link, struct listener, link)))
			return true;
	}
	return false;
}

/* A callback may close any listener: each round looks at them from the first on. */
static struct listener *next_with_news(struct sockets *sockets)
{
	list_for_each(link, &sockets->live_listeners) {
		struct listener *listener = list_entry(link, struct listener, link);

		if (listener->tcp.waiting < listener->socket.told)
			listener->socket.told = listener->tcp.waiting; /* some have gone */
		if (has_news(listener))
			return listener;
	}
	return NULL;
}

void socket_listen_run(struct sockets *sockets)
{
	for (uint32_t i = 0; i < sockets->config.listeners; i++) {
		struct listener *listener = next_with_news(sockets);

		if (!listener)
			return;
		listener->socket.told = listener->tcp.waiting;
		listener->socket.ready(&listener->socket, SOCKET_READABLE,
				       listener->socket.context);
	}
}
