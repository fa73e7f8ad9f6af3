/* SPDX-License-Identifier: ISC */
/* Our stack at both ends. Packets change hands without a copy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/tcp_core_parts.h"
#include "tests/bench_tcp/own_end.h"
#include "tests/bench_tcp/pair.h"
#include "tests/bench_tcp/wire.h"

#define SERVER_PORT 80u

const char *const pair_name = "ringwall";
const bool pair_has_gso = true;
uint64_t pair_now;

static struct own_pool pool;
static struct own_end ends[2];
static struct wire wires[2]; /* from the client, from the server */
static struct tcp_listener listener;
static uint16_t next_port;

static void transmit(void *context, struct packet *packet)
{
	struct wire *wire = context;

	if (!wire_put(wire, packet, packet->length, pair_now))
		packet_free(packet);
}

void pair_begin(const struct pair_options *options)
{
	struct own_end_options own = {
		.features =
			options->gso ? NETDEV_TX_CSUM_IPV4 | NETDEV_TX_GSO_TCPV4 | NETDEV_TX_SG : 0,
		.connections = options->connections,
		.time_waits = 1024,
		/* Each that is open has been promised a window. */
		.blocks = 16384 + 8 * options->connections,
		.buffer_bytes = options->buffer_bytes,
	};

	own_pool_begin(&pool, 65536, 32768);
	wire_init(&wires[0], options->delay_ns, options->rate, options->queue, options->loss, 77);
	wire_init(&wires[1], 0, 0, 0, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		ends[i].transmit = transmit;
		ends[i].context = &wires[i];
		own_end_begin(&ends[i], &pool, &own, pair_now);
	}
	listener = (struct tcp_listener){ .port = SERVER_PORT, .backlog = 1024 };
	if (tcp_listen(&ends[1].stack, &listener))
		exit(2);
}

uint32_t pair_pump(void)
{
	uint32_t delivered = 0;
	struct packet *packet;

	for (unsigned int i = 0; i < 2; i++) {
		for (; (packet = wire_get(&wires[i], pair_now)); delivered++)
			own_end_input(&ends[!i], packet, pair_now);
		tcp_packets_flush(&ends[!i].service);
	}
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t events;

		tcp_run(&ends[i].stack, pair_now, 64);
		while (tcp_next_event(&ends[i].stack, &events))
			;
	}
	return delivered;
}

uint64_t pair_next(void)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t timer = tcp_next_ns(&ends[i].stack), arrival = wire_next(&wires[i]);

		next = timer < next ? timer : next;
		next = arrival < next ? arrival : next;
	}
	return next;
}

void *pair_connect(void)
{
	struct tcp_key key = { .own = { 10, 0, 0, 1 },
			       .peer = { 10, 0, 0, 2 },
			       .version = 4,
			       .own_port = be16_of((uint16_t)(5000 + next_port++ % 60000u)),
			       .peer_port = be16_of(SERVER_PORT) };
	int error;

	return tcp_connect(&ends[0].stack, &key, NULL, NULL, pair_now, &error);
}

void *pair_accept(void)
{
	return tcp_accept(&listener, NULL);
}

bool pair_is_open(const void *connection)
{
	const struct tcp_connection *c = connection;

	return c->end.state == TCP_ESTABLISHED;
}

bool pair_has_ended(const void *connection)
{
	const struct tcp_connection *c = connection;

	return c->end.state == TCP_CLOSED ||
	       (c->flags & TCP_FLAG_FIN_RECEIVED && !tcp_receivable(c));
}

uint32_t pair_send(void *connection, const void *data, uint32_t bytes)
{
	int sent = tcp_send(connection, data, bytes, pair_now);

	return sent > 0 ? (uint32_t)sent : 0;
}

uint32_t pair_take(void *connection)
{
	uint32_t bytes = tcp_receivable(connection);

	if (bytes)
		tcp_consume(connection, bytes, pair_now);
	return bytes;
}

void pair_close(void *connection)
{
	tcp_close(connection, pair_now);
}

void pair_trace(void *connection)
{
	const struct tcp_connection *c = connection;
	const struct tcp_flight *flight = c->flight;

	if (!flight)
		return;
	printf("%.4f window %u cwnd %u ssthresh %u pipe %u out %u state %d srtt %.2f again %llu "
	       "timeouts %llu peer %u unsent %u rate %.2f\n",
	       (double)pair_now * 1e-9, flight->window, tcp_cubic_window(&flight->cubic),
	       flight->cubic.ssthresh, tcp_recovery_pipe(&flight->recovery), tcp_outstanding(c),
	       flight->recovery.state, (double)flight->recovery.rto.srtt_ns * 1e-6,
	       (unsigned long long)c->stack->stats.retransmissions,
	       (unsigned long long)c->stack->stats.timeouts, c->snd_wnd, tcp_unsent(c),
	       (double)flight->pacing.rate * 8e-6);
}
