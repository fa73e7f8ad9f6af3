/* SPDX-License-Identifier: ISC */
/* TCP by sockets: two instances, back to back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket_parts.h"
#include "net/wire.h"
#include "tests/host/unit.h"
#include "tests/net/test_sockets.h"

static const struct sockets_config defaults;

START_TEST(bytes_go_both_ways)
{
	struct socket *client, *server;
	uint8_t byte;

	test_sockets_begin(&defaults);
	client = test_sockets_pair(_i ? 6 : 4, &server);
	ck_assert_uint_eq(socket_ready(client), SOCKET_WRITABLE);
	ck_assert_uint_eq(socket_ready(server), SOCKET_WRITABLE);
	test_sockets_transfer(client, server, 300000, test_sockets_run);
	test_sockets_transfer(server, client, 300000, test_sockets_run);
	socket_shutdown(client);
	ck_assert_int_eq(socket_send(client, "x", 1), -EPIPE);
	test_sockets_run(5);
	ck_assert_uint_eq(socket_ready(server),
			  SOCKET_WRITABLE | SOCKET_READABLE | SOCKET_PEER_DONE);
	ck_assert_int_eq(socket_receive(server, &byte, 1), 0);
	test_sockets_transfer(server, client, 1000,
			      test_sockets_run); /* the other half is still open */
	socket_close(server);
	test_sockets_run(5);
	ck_assert_int_eq(socket_receive(client, &byte, 1), 0);
	ck_assert_uint_eq(socket_ready(client), SOCKET_READABLE | SOCKET_PEER_DONE | SOCKET_OVER);
	ck_assert_int_eq(socket_error(client), 0);
	socket_close(client);
	test_sockets_end();
}
END_TEST

static struct socket *listen_at(unsigned int side, uint16_t port, uint16_t backlog)
{
	struct socket_listen how = { .own.port = port, .backlog = backlog };
	int error;
	struct socket *listener = socket_listen(test_sides[side].sockets, &how, NULL, NULL, &error);

	ck_assert_ptr_nonnull(listener);
	ck_assert_int_eq(error, 0);
	return listener;
}

static struct socket *connect_to(struct socket_address peer)
{
	int error;
	struct socket *socket =
		socket_connect(test_sides[0].sockets, NULL, &peer, NULL, NULL, &error);

	ck_assert_ptr_nonnull(socket);
	return socket;
}

START_TEST(ends_are_named)
{
	struct socket_address own = { .port = 1234 }, peer = test_address(1, 6, 80);
	struct socket *listener, *client, *server;
	struct socket_tcp_info info;
	struct sockets_use use;
	int error;

	test_sockets_begin(&defaults);
	listener = listen_at(1, 80, 0);
	ck_assert_uint_eq(socket_own(listener).port, 80);
	ck_assert_uint_eq(socket_own(listener).ip.version, 0);
	ck_assert_uint_eq(socket_peer(listener).ip.version, 0);
	client = socket_connect(test_sides[0].sockets, &own, &peer, NULL, &own, &error);
	ck_assert_ptr_eq(socket_context(client), &own);
	socket_tcp_info(client, &info);
	ck_assert_int_eq(info.state, TCP_SYN_SENT);
	test_sockets_settle();
	server = socket_accept(listener, NULL, &peer);
	ck_assert_ptr_eq(socket_context(server), &peer);
	ck_assert_ptr_null(socket_accept(listener, NULL, NULL));
	ck_assert_ptr_null(socket_accept(client, NULL, NULL));
	ck_assert_uint_eq(socket_own(client).port, 1234);
	ck_assert_uint_eq(socket_peer(client).port, 80);
	ck_assert_uint_eq(socket_peer(server).port, 1234);
	ck_assert(socket_own(server).ip.bytes[15] == 2 && socket_own(server).ip.version == 6);
	use = sockets_use(test_sides[1].sockets);
	ck_assert_uint_eq(use.connections, 1);
	ck_assert_uint_eq(use.connections_most, 1024);
	ck_assert_uint_eq(use.listeners, 1);
	ck_assert_uint_eq(use.time_waits_most, 4096);
	ck_assert_uint_eq(use.buffer_bytes_most, 4u << 20);
	ck_assert_int_eq(socket_send(client, "abc", 3), 3);
	test_sockets_run(100);
	socket_tcp_info(client, &info);
	ck_assert_int_eq(info.state, TCP_ESTABLISHED);
	ck_assert_uint_eq(info.unacknowledged, 0);
	ck_assert_uint_ge(info.mss, 1400);
	ck_assert_uint_gt(info.send_window, 60000);
	ck_assert_uint_eq(socket_receivable(server), 3);
	ck_assert_uint_gt(socket_send_room(client), 60000);
	ck_assert_uint_eq(socket_send_room(listener), 0);
	ck_assert_uint_eq(socket_receivable(listener), 0);
	ck_assert_int_eq(socket_error(listener), 0);
	socket_tcp_info(listener, &info);
	ck_assert_int_eq(info.state, TCP_CLOSED);
	/* The first to close waits. */
	socket_shutdown(server);
	ck_assert_int_eq(socket_receive(server, &use, 3), 3);
	socket_close(server);
	test_sockets_run(10);
	socket_close(client);
	test_sockets_run(10);
	ck_assert_uint_eq(sockets_use(test_sides[1].sockets).time_waits, 1);
	socket_close(listener);
	test_sockets_end();
}
END_TEST

START_TEST(errors_of_making)
{
	const struct sockets_config few = { .connections = 2, .listeners = 2 };
	struct socket_listen how = { .own.port = 80 };
	struct socket_address peer = test_address(1, 4, 80), own = test_address(0, 6, 0);
	struct sockets *sockets;
	struct socket *a, *b;
	int error;

	test_sockets_begin(&few);
	sockets = test_sides[0].sockets;
	/* Listening */
	a = listen_at(0, 80, 0);
	ck_assert_ptr_null(socket_listen(sockets, &how, NULL, NULL, &error));
	ck_assert_int_eq(error, -EADDRINUSE);
	how.own.ip = own.ip;
	b = socket_listen(sockets, &how, NULL, NULL, &error);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_null(socket_listen(sockets, &how, NULL, NULL, &error));
	ck_assert_int_eq(error, -ENOBUFS);
	socket_abort(a);
	how.own.port = 0;
	a = socket_listen(sockets, &how, NULL, NULL, &error);
	ck_assert_ptr_nonnull(a);
	ck_assert_uint_ge(socket_own(a).port, 1024);
	ck_assert_int_eq(socket_send(a, "x", 1), -ENOTCONN);
	ck_assert_int_eq(socket_receive(a, &error, 1), -ENOTCONN);
	ck_assert_int_eq(socket_send_to(a, &peer, "x", 1), -ENOTCONN);
	ck_assert_int_eq(socket_receive_from(a, &peer, &error, 1), -ENOTCONN);
	socket_close(a);
	socket_close(b);
	ck_assert(!tcp_ports_is_reserved(&sockets->tcp_ports, 80));
	/* Connecting */
	peer = test_address(1, 4, 80);
	ck_assert_ptr_null(socket_connect(sockets, &own, &peer, NULL, NULL, &error));
	ck_assert_int_eq(error, -EADDRNOTAVAIL);
	test_sides[0].no_way = true;
	ck_assert_ptr_null(socket_connect(sockets, NULL, &peer, NULL, NULL, &error));
	ck_assert_int_eq(error, -ENETUNREACH);
	test_sides[0].no_way = false;
	own = (struct socket_address){ .port = 999 };
	a = socket_connect(sockets, &own, &peer, NULL, NULL, &error);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_null(socket_connect(sockets, &own, &peer, NULL, NULL, &error));
	ck_assert_int_eq(error, -EADDRINUSE);
	b = connect_to(peer);
	ck_assert_ptr_null(socket_connect(sockets, NULL, &peer, NULL, NULL, &error));
	ck_assert_int_eq(error, -ENOBUFS);
	ck_assert_int_eq(socket_send(a, "x", 1), -ENOTCONN);
	ck_assert_int_eq(socket_receive(a, &error, 1), -ENOTCONN);
	ck_assert_uint_eq(socket_ready(a), 0);
	socket_close(a);
	socket_abort(b);
	test_sockets_end();
}
END_TEST

static bool lose(struct packet *packet)
{
	packet_free(packet);
	return true;
}

/* Why it is over. */
START_TEST(errors_of_connections)
{
	struct socket *refused, *lost, *reset, *server;
	uint8_t byte;

	test_sockets_begin(&defaults);
	reset = test_sockets_pair(4, &server);
	ck_assert_int_eq(socket_send(reset, "unread", 6), 6);
	test_sockets_run(2);
	socket_close(server); /* RFC 2525, 2.17 */
	refused = connect_to(test_address(1, 4, 99));
	test_sockets_run(2);
	ck_assert_int_eq(socket_error(reset), -ECONNRESET);
	ck_assert_uint_eq(socket_ready(reset), SOCKET_READABLE | SOCKET_OVER);
	ck_assert_int_eq(socket_send(reset, "x", 1), -ECONNRESET);
	ck_assert_int_eq(socket_receive(reset, &byte, 1), -ECONNRESET);
	ck_assert_int_eq(socket_set(reset, SOCKET_NO_DELAY, 1), 0);
	/* Nobody wanted the SYN: in this net nothing is said about it. */
	ck_assert_uint_eq(test_sides[1].unwanted, 1);
	ck_assert_uint_eq(socket_ready(refused), 0);
	test_sides[0].filter = lose;
	lost = connect_to(test_address(1, 4, 80));
	for (unsigned int i = 0; i < 400; i++) {
		test_now += 1000 * TEST_MS;
		test_sockets_run(1);
	}
	ck_assert_int_eq(socket_error(lost), -ETIMEDOUT);
	ck_assert_int_eq(socket_error(refused), -ETIMEDOUT);
	socket_close(reset);
	socket_close(refused);
	socket_close(lost);
	test_sides[0].filter = NULL;
	test_sockets_end();
}
END_TEST

START_TEST(bytes_without_a_copy)
{
	struct socket *client, *server;
	struct tcp_piece pieces[4];
	uint32_t bytes;

	test_sockets_begin(&defaults);
	client = test_sockets_pair(4, &server);
	ck_assert_int_eq(socket_peek(server, pieces, 4, &bytes), -EAGAIN);
	ck_assert_int_eq(socket_send(client, "hello world", 11), 11);
	test_sockets_run(2);
	ck_assert_int_eq(socket_peek(server, pieces, 4, &bytes), 1);
	ck_assert_uint_eq(bytes, 11);
	ck_assert_mem_eq(pieces[0].data, "hello world", 11);
	socket_consume(server, 6);
	ck_assert_int_eq(socket_peek(server, pieces, 4, &bytes), 1);
	ck_assert_mem_eq(pieces[0].data, "world", 5);
	socket_consume(server, 5);
	socket_shutdown(client);
	test_sockets_run(2);
	ck_assert_int_eq(socket_peek(server, pieces, 4, &bytes), 0);
	socket_close(client);
	socket_close(server);
	test_sockets_end();
}
END_TEST

/* ---- many ---- */

#define MANY 1000u

START_TEST(a_thousand_connections)
{
	static struct socket *clients[MANY], *servers[MANY];
	const struct sockets_config config = { .connections = 1100, .memory_bytes = 16u << 20 };
	struct socket *listener;
	uint32_t got = 0;

	test_sockets_begin(&config);
	listener = listen_at(1, 80, 1000);
	for (uint32_t i = 0; i < MANY; i++)
		clients[i] = connect_to(test_address(1, i % 2 ? 6 : 4, 80));
	test_sockets_settle();
	for (uint32_t i = 0; i < MANY; i++) {
		servers[i] = socket_accept(listener, NULL, NULL);
		ck_assert_ptr_nonnull(servers[i]);
	}
	/* Idle, they have no memory but what an instance begins with. */
	ck_assert_uint_eq(sockets_use(test_sides[1].sockets).buffer_bytes, 0);
	for (uint32_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(socket_send(clients[i], &i, sizeof(i)), 4);
		ck_assert_int_eq(socket_send(servers[i], &i, sizeof(i)), 4);
	}
	test_sockets_run(5);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t sent, back;

		ck_assert_int_eq(socket_receive(servers[i], &sent, sizeof(sent)), 4);
		ck_assert_uint_lt(sent, MANY);
		/* The pair of it says the number of the server. */
		ck_assert_int_eq(socket_receive(clients[sent], &back, sizeof(back)), 4);
		ck_assert_uint_eq(back, i);
		got++;
	}
	ck_assert_uint_eq(got, MANY);
	ck_assert(tcp_stack_is_valid(&test_sides[0].sockets->tcp));
	ck_assert(tcp_stack_is_valid(&test_sides[1].sockets->tcp));
	for (uint32_t i = 0; i < MANY; i++)
		socket_close(clients[i]);
	test_sockets_run(5);
	for (uint32_t i = 0; i < MANY; i++)
		socket_close(servers[i]);
	socket_close(listener);
	test_sockets_end();
}
END_TEST

/* ---- callbacks ---- */

struct watch {
	struct socket *socket;
	struct socket *to_close;
	unsigned int calls;
	uint32_t ready;
	bool accepts;
};

static void on_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct watch *watch = context;
	uint8_t bytes[100];

	ck_assert_ptr_eq(socket, watch->socket);
	ck_assert_uint_eq(ready, socket_ready(socket));
	watch->calls++;
	watch->ready = ready;
	if (watch->to_close)
		socket_close(watch->to_close);
	watch->to_close = NULL;
	if (watch->accepts)
		watch[1].socket = socket_accept(socket, on_ready, &watch[1]);
	else if (ready & SOCKET_READABLE && !(ready & SOCKET_OVER))
		while (socket_receive(socket, bytes, sizeof(bytes)) > 0)
			;
}

START_TEST(callbacks_tell_of_changes)
{
	struct watch watch[2] = { { .accepts = true } }, mine = { 0 };
	struct socket_listen how = { .own.port = 80 };
	struct socket_address peer = test_address(1, 4, 80);
	int error;

	test_sockets_begin(&defaults);
	watch[0].socket = socket_listen(test_sides[1].sockets, &how, on_ready, &watch[0], &error);
	mine.socket = socket_connect(test_sides[0].sockets, NULL, &peer, on_ready, &mine, &error);
	ck_assert_uint_eq(mine.calls, 0);
	test_sockets_settle();
	ck_assert_uint_eq(mine.calls, 1);
	ck_assert_uint_eq(mine.ready, SOCKET_WRITABLE);
	ck_assert_uint_eq(watch[0].calls, 1);
	ck_assert_uint_eq(watch[1].calls, 1); /* what holds when it is accepted */
	ck_assert_uint_eq(watch[1].ready, SOCKET_WRITABLE);
	test_sockets_run(100);
	ck_assert_uint_eq(mine.calls + watch[0].calls + watch[1].calls, 3);
	ck_assert_int_eq(socket_send(mine.socket, "x", 1), 1);
	ck_assert_uint_eq(watch[1].calls, 1);
	test_sockets_run(1);
	ck_assert_uint_eq(watch[1].calls, 2);
	ck_assert_uint_eq(watch[1].ready, SOCKET_WRITABLE | SOCKET_READABLE);
	socket_shutdown(mine.socket);
	test_sockets_run(1);
	ck_assert_uint_eq(watch[1].calls, 3);
	ck_assert_uint_eq(watch[1].ready, SOCKET_WRITABLE | SOCKET_READABLE | SOCKET_PEER_DONE);
	/* Closed by its own callback. */
	mine.to_close = mine.socket;
	mine.accepts = false;
	ck_assert_int_eq(socket_send(watch[1].socket, "x", 1), 1);
	test_sockets_run(1);
	ck_assert_uint_eq(mine.calls, 2);
	test_sockets_run(50);
	ck_assert_uint_eq(mine.calls, 2);
	socket_close(watch[0].socket);
	socket_close(watch[1].socket);
	test_sockets_end();
}
END_TEST

static void count_only(struct socket *socket, uint32_t ready, void *context)
{
	unsigned int *calls = context;

	(void)socket;
	ck_assert_uint_eq(ready, SOCKET_READABLE);
	(*calls)++;
}

/* Once for each that is new, whether or not those before it have been accepted. */
START_TEST(listeners_are_told_once_of_each)
{
	struct socket_listen how = { .own.port = 80 };
	struct socket *listener, *client[3], *server[3];
	unsigned int calls = 0;
	int error;

	test_sockets_begin(&defaults);
	listener = socket_listen(test_sides[1].sockets, &how, count_only, &calls, &error);
	for (unsigned int i = 0; i < 3; i++) {
		client[i] = connect_to(test_address(1, 4, 80));
		test_sockets_run(20);
		ck_assert_uint_eq(calls, i + 1);
		if (i == 1)
			server[0] = socket_accept(listener, NULL, NULL);
	}
	ck_assert_uint_eq(sockets_next_ns(test_sides[1].sockets) > test_now, true);
	for (unsigned int i = 1; i < 3; i++)
		server[i] = socket_accept(listener, NULL, NULL);
	ck_assert_uint_eq(socket_ready(listener), 0);
	for (unsigned int i = 0; i < 3; i++) {
		socket_abort(client[i]);
		socket_abort(server[i]);
	}
	socket_close(listener);
	test_sockets_end();
}
END_TEST

static void close_both(struct socket *socket, uint32_t ready, void *context)
{
	struct watch *watch = context;

	(void)ready;
	watch->calls++;
	socket_close(socket);
	socket_close(socket == watch->socket ? watch->to_close : watch->socket);
}

/* Whichever is first closes both: no callback comes for what is closed. */
START_TEST(callbacks_may_close_any_socket)
{
	struct socket *client[2], *server[2];
	struct watch watch = { 0 };

	test_sockets_begin(&defaults);
	client[0] = test_sockets_pair(4, &server[0]);
	client[1] = test_sockets_pair(6, &server[1]);
	test_sockets_settle();
	watch.socket = server[0];
	watch.to_close = server[1];
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(socket_send(client[i], "x", 1), 1);
	test_sockets_run(1);
	for (unsigned int i = 0; i < 2; i++)
		socket_set_callback(server[i], close_both, &watch);
	ck_assert_uint_eq(sockets_next_ns(test_sides[1].sockets), test_now - TEST_MS);
	test_sockets_run(10);
	ck_assert_uint_eq(watch.calls, 1);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(socket_error(client[i]), -ECONNRESET);
		socket_close(client[i]);
	}
	test_sockets_end();
}
END_TEST

/* ---- memory ---- */

/* Two that send more than there is memory for: each goes on when the other is done. */
START_TEST(senders_without_memory_are_told_when_there_is_some)
{
	const struct sockets_config config = { .memory_bytes = 24 * 4096, .send_bytes = 1u << 20 };
	static uint8_t data[100000];
	struct socket *client[2], *server[2];
	struct watch watch = { 0 };
	uint32_t sent[2] = { 0 };
	int result;

	test_sockets_begin(&config);
	for (unsigned int i = 0; i < 2; i++)
		client[i] = test_sockets_pair(4, &server[i]);
	test_sides[0].filter = lose;
	for (unsigned int i = 0; i < 2; i++) {
		result = socket_send(client[i], data, sizeof(data));
		ck_assert(result > 0 || result == -EAGAIN);
		sent[i] = result > 0 ? (uint32_t)result : 0;
	}
	ck_assert_uint_gt(sent[0], 0);
	ck_assert_uint_lt(sent[1], sizeof(data));
	ck_assert_int_eq(socket_send(client[1], data, 50000), -EAGAIN);
	ck_assert_uint_ge(sockets_stats(test_sides[0].sockets)->no_memory, 1);
	test_sockets_settle();
	watch.socket = client[1];
	socket_set_callback(client[1], on_ready, &watch);
	test_sockets_settle();
	watch.calls = 0;
	socket_abort(client[0]);
	ck_assert_uint_le(sockets_next_ns(test_sides[0].sockets), test_now + TEST_MS);
	test_sockets_run(2);
	ck_assert_uint_eq(watch.calls, 1);
	ck_assert_uint_eq(watch.ready, SOCKET_WRITABLE);
	ck_assert_int_gt(socket_send(client[1], data, 10000), 0);
	socket_abort(client[1]);
	test_sides[0].filter = NULL;
	for (unsigned int i = 0; i < 2; i++)
		socket_abort(server[i]);
	test_sockets_end();
}
END_TEST

/* Packets run out now and then; every byte comes all the same. */
START_TEST(bytes_arrive_though_packets_run_out)
{
	static struct packet *taken[20000];
	struct socket *client, *server;
	uint32_t count = 0;

	test_sockets_begin(&defaults);
	client = test_sockets_pair(6, &server);
	while ((taken[count] = packet_alloc(&test_packet_pool)))
		count++;
	for (unsigned int i = 0; i < 3; i++)
		packet_free(taken[--count]);
	test_sockets_transfer(client, server, 60000, test_sockets_run);
	while (count)
		packet_free(taken[--count]);
	socket_close(client);
	socket_close(server);
	test_sockets_end();
}
END_TEST

static uint32_t timestamp_of(const struct packet *packet)
{
	const uint8_t *options = packet->data + packet->l4_offset + sizeof(struct tcp_header);
	be32 value;

	ck_assert_uint_eq(options[2], 8);
	memcpy(&value, options + 4, sizeof(value));
	return be32_get(value);
}

/* Peers drop what seems older than the last (RFC 7323, 5). */
START_TEST(time_never_goes_back)
{
	struct test_side *side = &test_sides[0];
	struct socket *client, *server;
	uint32_t first;

	test_sockets_begin(&defaults);
	client = test_sockets_pair(4, &server);
	ck_assert_int_eq(socket_set(client, SOCKET_NO_DELAY, 1), 0);
	sockets_set_now(side->sockets, test_now + 5 * TEST_MS);
	ck_assert_int_eq(socket_send(client, "a", 1), 1);
	first = timestamp_of(side->queue[side->queued - 1]);
	sockets_set_now(side->sockets, test_now);
	ck_assert_int_eq(socket_send(client, "b", 1), 1);
	ck_assert_uint_eq(side->queued, 2);
	ck_assert_uint_eq(timestamp_of(side->queue[1]), first);
	test_sockets_run(20);
	socket_close(client);
	socket_close(server);
	test_sockets_run(5);
	test_sockets_end();
}
END_TEST

START_TEST(a_configuration_must_be_whole)
{
	static uint8_t seed[RANDOM_SEED_BYTES];
	static struct random random;
	struct sockets_config config = { .memory_bytes = 4096 };
	void *memory = aligned_alloc(4096, sockets_memory_bytes(&config));

	random_init(&random, seed);
	ck_assert_ptr_null(sockets_init(&config, memory, 0));
	test_sockets_begin(&defaults);
	config = test_sides[0].sockets->config;
	ck_assert_ptr_null(sockets_init(&config, NULL, 0));
	config.links.way = NULL;
	ck_assert_ptr_null(sockets_init(&config, memory, 0));
	config = test_sides[0].sockets->config;
	config.random = NULL;
	ck_assert_ptr_null(sockets_init(&config, memory, 0));
	free(memory);
	test_sockets_end();
}
END_TEST

/* ---- options ---- */

START_TEST(options_have_values)
{
	static const struct {
		enum socket_option option;
		uint32_t good, bad;
	} cases[] = {
		{ SOCKET_NO_DELAY, 1, 2 },
		{ SOCKET_KEEPALIVE, 1, 2 },
		{ SOCKET_KEEPALIVE_IDLE_S, 10, 65536 },
		{ SOCKET_KEEPALIVE_INTERVAL_S, 1, 0 },
		{ SOCKET_KEEPALIVE_COUNT, 3, 256 },
		{ SOCKET_SEND_BYTES, 30000, 0 },
		{ SOCKET_RECEIVE_BYTES, 30000, 0 },
		{ SOCKET_MSS, 1000, 10 },
	};
	struct socket *client, *server, *listener;
	struct socket_tcp_info info;

	test_sockets_begin(&defaults);
	client = test_sockets_pair(4, &server);
	listener = listen_at(1, 81, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(socket_set(client, cases[i].option, cases[i].good), 0);
		ck_assert_int_eq(socket_set(client, cases[i].option, cases[i].bad), -EINVAL);
		ck_assert_int_eq(socket_set(listener, cases[i].option, cases[i].good), 0);
		ck_assert_int_eq(socket_set(listener, cases[i].option, cases[i].bad), -EINVAL);
	}
	ck_assert_int_eq(socket_set(client, SOCKET_PACING, 1000000), 0);
	ck_assert_int_eq(socket_set(listener, SOCKET_PACING, 1000000), 0);
	ck_assert_int_eq(socket_set(client, SOCKET_USER_TIMEOUT_MS, 5000), 0);
	ck_assert_int_eq(socket_set(listener, SOCKET_USER_TIMEOUT_MS, 5000), 0);
	ck_assert_int_eq(socket_set(client, (enum socket_option)99, 1), -ENOPROTOOPT);
	ck_assert_int_eq(socket_set(listener, (enum socket_option)99, 1), -ENOPROTOOPT);
	ck_assert_uint_le(socket_send_room(client), 30000);
	socket_tcp_info(client, &info);
	ck_assert_uint_le(info.mss, 1000);
	socket_close(server);
	/* A listener's connections inherit. */
	server = connect_to(test_address(1, 4, 81));
	test_sockets_settle();
	socket_close(client);
	client = socket_accept(listener, NULL, NULL);
	socket_tcp_info(client, &info);
	ck_assert_uint_le(info.mss, 1000);
	socket_tcp_info(server, &info);
	ck_assert_uint_le(info.mss, 1000); /* it was told, too */
	ck_assert_uint_le(socket_send_room(client), 30000);
	socket_close(client);
	socket_close(server);
	socket_close(listener);
	test_sockets_end();
}
END_TEST

/* The path's MTU is what is offered. */
START_TEST(the_mtu_of_the_way_holds)
{
	struct tcp_options_set options = { .mss = 600 };
	struct socket_address peer = test_address(1, 4, 80);
	struct socket *listener, *client;
	struct socket_tcp_info info;
	int error;

	test_sockets_begin(&defaults);
	test_sides[1].mtu = 1000;
	listener = listen_at(1, 80, 0);
	client = connect_to(peer);
	test_sockets_settle();
	socket_tcp_info(client, &info);
	ck_assert_uint_eq(info.mss, 1000 - 52);
	socket_abort(client);
	client = socket_connect_with(test_sides[0].sockets, NULL, &peer, &options, NULL, NULL,
				     &error);
	test_sockets_settle();
	socket_tcp_info(client, &info);
	ck_assert_uint_eq(info.mss, 600 - 12);
	socket_abort(client);
	test_sockets_settle();
	socket_close(listener);
	test_sockets_end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, bytes_go_both_ways, 0, 2);
	tcase_add_test(cases, ends_are_named);
	tcase_add_test(cases, errors_of_making);
	tcase_add_test(cases, errors_of_connections);
	tcase_add_test(cases, bytes_without_a_copy);
	tcase_add_test(cases, a_thousand_connections);
	tcase_add_test(cases, callbacks_tell_of_changes);
	tcase_add_test(cases, listeners_are_told_once_of_each);
	tcase_add_test(cases, callbacks_may_close_any_socket);
	tcase_add_test(cases, senders_without_memory_are_told_when_there_is_some);
	tcase_add_test(cases, bytes_arrive_though_packets_run_out);
	tcase_add_test(cases, time_never_goes_back);
	tcase_add_test(cases, a_configuration_must_be_whole);
	tcase_add_test(cases, options_have_values);
	tcase_add_test(cases, the_mtu_of_the_way_holds);
}

int main(void)
{
	return unit_main("net/socket", add_cases);
}
