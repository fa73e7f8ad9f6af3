/* SPDX-License-Identifier: ISC */
/* The life of an instance, and what all kinds of sockets have in common. */
#include "net/socket.h"

#include <errno.h>
#include <string.h>

#include "net/socket_parts.h"

#define ALIGNMENT 64u
#define RUN_TIMERS 1024u    /* in one sockets_run() */
#define RUN_CALLBACKS 1024u /* the same */
#define SPANS_MIN 1024u
#define UDP_SHARE 2u /* of all blocks, one such part may lie in queues of UDP */

/* ---- memory ---- */

static uint32_t or_default(uint32_t value, uint32_t other)
{
	return value ? value : other;
}

static struct sockets_config with_defaults(const struct sockets_config *given)
{
	struct sockets_config config = *given;

	config.connections = or_default(config.connections, 1024);
	config.listeners = or_default(config.listeners, 16);
	config.udp_sockets = or_default(config.udp_sockets, 16);
	config.time_waits = or_default(config.time_waits, 4096);
	config.memory_bytes = or_default(config.memory_bytes, 4u << 20);
	config.send_bytes = or_default(config.send_bytes, 1u << 20);
	config.receive_bytes = or_default(config.receive_bytes, 1u << 20);
	config.gso_bytes = or_default(config.gso_bytes, TCP_GSO_MAX);
	return config;
}

/* Where things lie in the memory of an instance. */
struct layout {
	size_t connections, tcp_sockets, time_waits, buckets, spans, listeners;
	size_t udp_sockets, udp_buckets, blocks, total;
	uint32_t bucket_count, udp_bucket_count, span_count, block_count;
};

static size_t place(struct layout *layout, size_t count, size_t bytes)
{
	size_t at = layout->total;

	layout->total += (count * bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	return at;
}

/* A power of two, at least `count`. */
static uint32_t buckets_for(uint32_t count)
{
	uint32_t buckets = 1;

	while (buckets < count)
		buckets *= 2;
	return buckets;
}

static struct layout layout_of(const struct sockets_config *config)
{
	struct layout layout = { 0 };

	layout.bucket_count = buckets_for(config->connections + config->time_waits);
	layout.udp_bucket_count = buckets_for(config->udp_sockets);
	layout.span_count = config->connections < SPANS_MIN ? SPANS_MIN : config->connections;
	layout.block_count = config->memory_bytes / TCP_BLOCK_BYTES;
	place(&layout, 1, sizeof(struct sockets));
	layout.connections = place(&layout, config->connections, sizeof(struct tcp_connection));
	layout.tcp_sockets = place(&layout, config->connections, sizeof(struct tcp_socket));
	layout.time_waits = place(&layout, config->time_waits, sizeof(struct tcp_time_wait));
	layout.buckets = place(&layout, layout.bucket_count, sizeof(struct tcp_end *));
	layout.spans = place(&layout, layout.span_count, sizeof(struct tcp_span));
	layout.listeners = place(&layout, config->listeners, sizeof(struct listener));
	layout.udp_sockets = place(&layout, config->udp_sockets, sizeof(struct udp_socket));
	layout.udp_buckets = place(&layout, layout.udp_bucket_count, sizeof(struct udp_socket *));
	layout.total = (layout.total + TCP_BLOCK_BYTES - 1) & ~(size_t)(TCP_BLOCK_BYTES - 1);
	layout.blocks = layout.total;
	place(&layout, layout.block_count, TCP_BLOCK_BYTES);
	return layout;
}

size_t sockets_memory_bytes(const struct sockets_config *given)
{
	struct sockets_config config = with_defaults(given);

	return layout_of(&config).total;
}

/* ---- an instance ---- */

static struct netdev *way_of(void *context, const struct tcp_key *key)
{
	const struct sockets *sockets = context;
	const struct socket_links *links = &sockets->config.links;
	struct ip_address peer = { .version = key->version }, own = { .version = key->version };

	memcpy(peer.bytes, key->peer, sizeof(peer.bytes));
	memcpy(own.bytes, key->own, sizeof(own.bytes));
	/* cppcheck-suppress returnDanglingLifetime ; what it returns is a link of its owner's */
	return links->way(links->context, &peer, &own);
}

/* What the link to the peer takes; 0: nothing is known. */
static uint16_t mtu_to(void *context, const struct tcp_key *key, void *route)
{
	const struct tcp_packets *packets = context;
	const struct sockets *sockets = packets->context;
	const struct socket_links *links = &sockets->config.links;
	const struct netdev *netdev = way_of(packets->context, key);
	struct ip_address peer = { .version = key->version };

	(void)route;
	memcpy(peer.bytes, key->peer, sizeof(peer.bytes));
	return netdev ? links->mtu(links->context, netdev, &peer) : 0;
}

static int init_tcp(struct sockets *sockets, const struct layout *layout, uint8_t *memory)
{
	const struct sockets_config *config = &sockets->config;
	struct tcp_config tcp = {
		.send = tcp_packets_send,
		.context = &sockets->packets,
		.random = config->random,
		.memory = { .take = socket_blocks_take,
			    .give = socket_blocks_give,
			    .context = &sockets->blocks,
			    .limit = layout->block_count },
		.connections = sockets->connections,
		.connection_count = config->connections,
		.time_waits = (void *)(memory + layout->time_waits),
		.time_wait_count = config->time_waits,
		.buckets = (void *)(memory + layout->buckets),
		.bucket_count = layout->bucket_count,
		.spans = (void *)(memory + layout->spans),
		.span_count = layout->span_count,
		.send_bytes = config->send_bytes,
		.receive_bytes = config->receive_bytes,
		.mtu_to = mtu_to,
		.gso_bytes = config->gso_bytes,
		.options = config->tcp,
	};

	sockets->packets = (struct tcp_packets){
		.stack = &sockets->tcp,
		.own = config->links.own,
		.way = way_of,
		.context = sockets,
		.now = sockets->now,
		.merges = true,
	};
	tcp_ports_init(&sockets->tcp_ports, config->random, TCP_PORTS_FIRST, TCP_PORTS_LAST);
	return tcp_stack_init(&sockets->tcp, &tcp, sockets->now);
}

static void init_udp(struct sockets *sockets, const struct layout *layout, uint8_t *memory)
{
	sockets->udp_sockets = (void *)(memory + layout->udp_sockets);
	sockets->udp_buckets = (void *)(memory + layout->udp_buckets);
	sockets->udp_bucket_count = layout->udp_bucket_count;
	sockets->udp_memory = (struct tcp_memory){ .take = socket_blocks_take,
						   .give = socket_blocks_give,
						   .context = &sockets->blocks,
						   .limit = layout->block_count / UDP_SHARE };
	random_bytes(sockets->config.random, &sockets->udp_secret, sizeof(sockets->udp_secret));
	list_init(&sockets->free_udp);
	list_init(&sockets->udp_pending);
	list_init(&sockets->udp_waiting);
	for (uint32_t i = 0; i < sockets->config.udp_sockets; i++)
		list_push_back(&sockets->free_udp, &sockets->udp_sockets[i].link);
}

static bool is_complete(const struct sockets_config *config)
{
	const struct socket_links *links = &config->links;

	return config->random && links->own.make && links->own.send && links->way && links->mtu &&
	       config->memory_bytes >= TCP_BLOCK_BYTES;
}

struct sockets *sockets_init(const struct sockets_config *given, void *memory, uint64_t now)
{
	struct sockets_config config = with_defaults(given);
	struct layout layout = layout_of(&config);
	struct sockets *sockets = memory;
	uint8_t *at = memory;

	if (!memory || !is_complete(&config))
		return NULL;
	memset(memory, 0, layout.blocks);
	sockets->config = config;
	sockets->now = now;
	sockets->connections = (void *)(at + layout.connections);
	sockets->tcp_sockets = (void *)(at + layout.tcp_sockets);
	sockets->listeners = (void *)(at + layout.listeners);
	list_init(&sockets->free_listeners);
	list_init(&sockets->live_listeners);
	for (uint32_t i = 0; i < config.listeners; i++)
		list_push_back(&sockets->free_listeners, &sockets->listeners[i].link);
	socket_blocks_init(&sockets->blocks, at + layout.blocks, layout.block_count);
	init_udp(sockets, &layout, at);
	if (init_tcp(sockets, &layout, at))
		return NULL;
	sockets->service = socket_input_service(sockets);
	return sockets;
}

struct router_service *sockets_service(struct sockets *sockets)
{
	return &sockets->service;
}

void sockets_set_now(struct sockets *sockets, uint64_t now)
{
	if (now < sockets->now)
		return;
	sockets->now = now;
	sockets->packets.now = now;
}

static bool is_due(const struct sockets *sockets)
{
	return sockets->packets.merge.count || !list_is_empty(&sockets->tcp.events) ||
	       !list_is_empty(&sockets->udp_pending) || socket_listen_is_due(sockets);
}

bool sockets_run(struct sockets *sockets)
{
	bool more;

	tcp_packets_flush(&sockets->packets);
	more = tcp_run(&sockets->tcp, sockets->now, RUN_TIMERS) == RUN_TIMERS;
	socket_tcp_feed(sockets, RUN_CALLBACKS);
	socket_listen_run(sockets);
	socket_tcp_run(sockets, RUN_CALLBACKS);
	socket_udp_run(sockets, RUN_CALLBACKS);
	return more || is_due(sockets);
}

uint64_t sockets_next_ns(const struct sockets *sockets)
{
	const uint64_t others[] = { socket_udp_next_ns(sockets), socket_tcp_feed_ns(sockets) };
	uint64_t next = tcp_next_ns(&sockets->tcp);

	if (is_due(sockets))
		return sockets->now;
	for (uint32_t i = 0; i < ARRAY_SIZE(others); i++)
		next = others[i] < next ? others[i] : next;
	return next;
}

const struct tcp_stats *sockets_tcp_stats(const struct sockets *sockets)
{
	return &sockets->tcp.stats;
}

const struct socket_stats *sockets_stats(const struct sockets *sockets)
{
	return &sockets->stats;
}

struct sockets_use sockets_use(const struct sockets *sockets)
{
	return (struct sockets_use){
		.connections = sockets->tcp.connection_used,
		.connections_most = sockets->config.connections,
		.time_waits = sockets->tcp.time_wait_used,
		.time_waits_most = sockets->config.time_waits,
		.listeners = sockets->listener_used,
		.udp_sockets = sockets->udp_used,
		.buffer_bytes = (uint64_t)sockets->blocks.used * TCP_BLOCK_BYTES,
		.buffer_bytes_most = (uint64_t)sockets->blocks.total * TCP_BLOCK_BYTES,
	};
}

/* ---- any socket ---- */

uint32_t socket_ready(const struct socket *socket)
{
	switch (socket->kind) {
	case SOCKET_TCP:
		return socket_tcp_ready(socket);
	case SOCKET_UDP:
		return socket_udp_ready(socket);
	default:
		return socket_listen_ready(socket);
	}
}

int socket_send(struct socket *socket, const void *data, uint32_t bytes)
{
	switch (socket->kind) {
	case SOCKET_TCP:
		return socket_tcp_send(socket, data, bytes);
	case SOCKET_UDP:
		return socket_udp_send(socket, data, bytes);
	default:
		return -ENOTCONN;
	}
}

int socket_receive(struct socket *socket, void *to, uint32_t bytes)
{
	switch (socket->kind) {
	case SOCKET_TCP:
		return socket_tcp_receive(socket, to, bytes);
	case SOCKET_UDP:
		return socket_udp_receive(socket, to, bytes);
	default:
		return -ENOTCONN;
	}
}

static void end(struct socket *socket, bool abort)
{
	switch (socket->kind) {
	case SOCKET_TCP:
		socket_tcp_close(socket, abort);
		break;
	case SOCKET_UDP:
		socket_udp_close(socket);
		break;
	default:
		socket_listen_close(socket);
		break;
	}
}

void socket_close(struct socket *socket)
{
	end(socket, false);
}

void socket_abort(struct socket *socket)
{
	end(socket, true);
}

/* It is called in the next round if anything holds then. */
void socket_set_callback(struct socket *socket, socket_callback *ready, void *context)
{
	socket->ready = ready;
	socket->context = context;
	if (socket->kind == SOCKET_TCP)
		socket_tcp_raise(socket);
	else if (socket->kind == SOCKET_UDP)
		socket_udp_raise(udp_socket_of(socket));
	else
		socket->told = 0;
}

void *socket_context(const struct socket *socket)
{
	return socket->context;
}
