/* SPDX-License-Identifier: ISC */
/* UDP sockets: two instances, back to back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket_parts.h"
#include "net/udp.h"
#include "tests/host/unit.h"
#include "tests/net/test_sockets.h"

static const struct sockets_config defaults;

static struct socket *open_at(unsigned int side, uint16_t port)
{
	struct socket_address own = { .port = port };
	int error;
	struct socket *socket =
		socket_open_udp(test_sides[side].sockets, &own, NULL, NULL, NULL, &error);

	ck_assert_ptr_nonnull(socket);
	ck_assert_int_eq(error, 0);
	return socket;
}

static struct socket *open_to(unsigned int side, struct socket_address peer)
{
	int error;
	struct socket *socket =
		socket_open_udp(test_sides[side].sockets, NULL, &peer, NULL, NULL, &error);

	ck_assert_ptr_nonnull(socket);
	return socket;
}

START_TEST(datagrams_go_both_ways)
{
	uint8_t version = _i ? 6 : 4;
	uint8_t data[2000], got[2000];
	struct socket_address from, to = test_address(1, version, 5000);
	struct socket_address source = test_address(0, version, 0);
	struct socket *server, *client;
	const uint16_t sizes[] = { 0, 1, 8, 1000, 1400 };

	test_sockets_begin(&defaults);
	server = open_at(1, 5000);
	client = open_to(0, to);
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_int_eq(socket_send(client, data, sizes[i]), sizes[i]);
		ck_assert_int_eq(socket_send(client, "next", 4), 4);
		test_sockets_settle();
		ck_assert_uint_eq(socket_receivable(server), sizes[i]);
		ck_assert_int_eq(socket_receive_from(server, &from, got, sizeof(got)), sizes[i]);
		ck_assert_mem_eq(got, data, sizes[i]);
		ck_assert_uint_eq(from.port, socket_own(client).port);
		ck_assert(ip_address_equal(&from.ip, &source.ip));
		ck_assert_int_eq(socket_receive(server, got, 2), 2); /* the rest is lost */
		ck_assert_int_eq(socket_receive(server, got, 2), -EAGAIN);
		ck_assert_int_eq(socket_send_to(server, &from, data, sizes[i]), sizes[i]);
		test_sockets_settle();
		ck_assert_int_eq(socket_receive(client, got, sizeof(got)), sizes[i]);
	}
	ck_assert_uint_eq(socket_send_room(client), version == 4 ? 1472 : 1452);
	ck_assert_int_eq(socket_send(client, data, version == 4 ? 1473 : 1453), -EMSGSIZE);
	ck_assert_int_eq(socket_send(server, data, 1), -ENOTCONN);
	ck_assert_uint_eq(sockets_stats(test_sides[1].sockets)->udp_in, 2 * ARRAY_SIZE(sizes));
	ck_assert_uint_eq(sockets_stats(test_sides[1].sockets)->udp_out, ARRAY_SIZE(sizes));
	socket_close(server);
	socket_close(client);
	test_sockets_end();
}
END_TEST

START_TEST(who_gets_it)
{
	struct socket_address to = test_address(1, 4, 5000), peer = test_address(0, 4, 6000);
	struct socket_address own = { .port = 5000 }, exact = test_address(1, 4, 5000);
	struct socket *any, *at, *connected, *six, *from, *from_other;
	int error;
	uint8_t byte;

	test_sockets_begin(&defaults);
	any = open_at(1, 5000);
	connected = socket_open_udp(test_sides[1].sockets, &own, &peer, NULL, NULL, &error);
	at = socket_open_udp(test_sides[1].sockets, &exact, NULL, NULL, NULL, &error);
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_null(socket_open_udp(test_sides[1].sockets, &own, &peer, NULL, NULL, &error));
	ck_assert_int_eq(error, -EADDRINUSE);
	from = open_at(0, 6000);
	from_other = open_at(0, 6001);
	ck_assert_int_eq(socket_send_to(from, &to, "a", 1), 1);
	ck_assert_int_eq(socket_send_to(from_other, &to, "b", 1), 1);
	test_sockets_settle();
	ck_assert_int_eq(socket_receive(connected, &byte, 1), 1);
	ck_assert_uint_eq(byte, 'a');
	ck_assert_int_eq(socket_receive(at, &byte, 1), 1);
	ck_assert_uint_eq(byte, 'b');
	ck_assert_int_eq(socket_receive(any, &byte, 1), -EAGAIN);
	/* The same names, each time without the one that was best. */
	socket_close(connected);
	socket_close(at);
	ck_assert_int_eq(socket_send_to(from, &to, "c", 1), 1);
	six = open_to(0, test_address(1, 6, 5000));
	ck_assert_int_eq(socket_send(six, "d", 1), 1);
	test_sockets_settle();
	ck_assert_int_eq(socket_receive(any, &byte, 1), 1);
	ck_assert_int_eq(socket_receive(any, &byte, 1), 1);
	ck_assert_uint_eq(byte, 'd');
	socket_close(any);
	ck_assert_int_eq(socket_send_to(from, &to, "e", 1), 1);
	test_sockets_settle();
	ck_assert_uint_eq(test_sides[1].unwanted, 1);
	ck_assert_uint_eq(sockets_stats(test_sides[1].sockets)->udp_no_socket, 1);
	socket_close(from);
	socket_close(from_other);
	socket_close(six);
	test_sockets_end();
}
END_TEST

START_TEST(errors_of_opening_and_sending)
{
	const struct sockets_config two = { .udp_sockets = 2 };
	struct sockets *sockets;
	struct socket_address peer = test_address(1, 4, 53), six = test_address(1, 6, 53);
	struct socket_address own4 = { .ip = test_address(0, 4, 0).ip };
	struct socket *a, *b;
	int error;

	test_sockets_begin(&two);
	sockets = test_sides[0].sockets;
	ck_assert_ptr_null(socket_open_udp(sockets, &own4, &six, NULL, NULL, &error));
	ck_assert_int_eq(error, -EADDRNOTAVAIL);
	test_sides[0].no_way = true;
	ck_assert_ptr_null(socket_open_udp(sockets, NULL, &peer, NULL, NULL, &error));
	ck_assert_int_eq(error, -ENETUNREACH);
	test_sides[0].no_way = false;
	a = open_to(0, peer);
	b = open_at(0, 0);
	ck_assert_uint_ge(socket_own(b).port, 1024);
	ck_assert_uint_ne(socket_own(b).port, socket_own(a).port);
	ck_assert_ptr_null(socket_open_udp(sockets, NULL, NULL, NULL, NULL, &error));
	ck_assert_int_eq(error, -ENOBUFS);
	test_sides[0].no_way = true;
	ck_assert_int_eq(socket_send(a, "x", 1), -ENETUNREACH);
	ck_assert_uint_eq(socket_send_room(a), 0);
	test_sides[0].no_way = false;
	test_sides[0].netdev.up = false;
	ck_assert_int_eq(socket_send_to(b, &peer, "x", 1), -ENETUNREACH);
	ck_assert_uint_eq(sockets_stats(sockets)->no_way, 3);
	peer.port = 0;
	test_sides[0].netdev.up = true;
	ck_assert_int_eq(socket_send_to(b, &peer, "x", 1), -EADDRNOTAVAIL);
	ck_assert_int_eq(socket_set(a, SOCKET_NO_DELAY, 1), -ENOPROTOOPT);
	ck_assert_int_eq(socket_set(a, SOCKET_RECEIVE_BYTES, 0), -EINVAL);
	socket_close(a);
	socket_close(b);
	test_sockets_end();
}
END_TEST

/* A reader that is too slow loses datagrams, whole ones, and no more memory than it may have. */
START_TEST(queues_are_bounded)
{
	const struct sockets_config config = { .memory_bytes = 16 * 4096 };
	struct socket_address to = test_address(1, 4, 5000);
	struct socket *server, *second, *client, *other;
	uint8_t data[1000] = { 0 };
	uint32_t count = 0;
	int result;

	test_sockets_begin(&config);
	server = open_at(1, 5000);
	second = open_at(1, 5001);
	ck_assert_int_eq(socket_set(server, SOCKET_RECEIVE_BYTES, 10 * 1022), 0);
	client = open_to(0, to);
	for (unsigned int i = 0; i < 20; i++) {
		data[0] = (uint8_t)i;
		ck_assert_int_eq(socket_send(client, data, sizeof(data)), 1000);
	}
	test_sockets_settle();
	ck_assert_uint_eq(sockets_stats(test_sides[1].sockets)->udp_queue_full, 10);
	while ((result = socket_receive(server, data, sizeof(data))) > 0)
		ck_assert_uint_eq(data[0], count++);
	ck_assert_uint_eq(count, 10);
	ck_assert_uint_eq(sockets_use(test_sides[1].sockets).buffer_bytes, 0);
	/* Half of the memory is theirs, and no more. */
	to.port = 5001;
	other = open_to(0, to);
	for (unsigned int i = 0; i < 100; i++) {
		ck_assert_int_eq(socket_send(client, data, sizeof(data)), 1000);
		ck_assert_int_eq(socket_send(other, data, sizeof(data)), 1000);
	}
	test_sockets_settle();
	ck_assert_uint_le(sockets_use(test_sides[1].sockets).buffer_bytes, 8 * 4096);
	ck_assert_uint_ge(sockets_stats(test_sides[1].sockets)->udp_queue_full, 170);
	for (count = 0; socket_receive(second, data, sizeof(data)) > 0; count++)
		;
	ck_assert_uint_ge(count, 10);
	socket_close(server);
	socket_close(second);
	socket_close(client);
	socket_close(other);
	test_sockets_end();
}
END_TEST

/* Queues through many fillings, at random, against a model. */
START_TEST(queues_keep_order)
{
	struct socket_address to = test_address(1, 6, 5000);
	uint64_t state = unit_seed() * 2 + 1;
	uint32_t next_in = 0, next_out = 0;
	static uint8_t data[1400];
	struct socket *server, *client;

	test_sockets_begin(&defaults);
	server = open_at(1, 5000);
	client = open_to(0, to);
	for (unsigned int round = 0; round < 300; round++) {
		uint32_t count = (uint32_t)(unit_random(&state) % 10);

		for (uint32_t i = 0; i < count; i++, next_in++) {
			memset(data, (int)next_in, sizeof(data));
			ck_assert_int_ge(socket_send(client, data, 1 + next_in % 1400), 1);
		}
		test_sockets_settle();
		count = (uint32_t)(unit_random(&state) % 12);
		for (uint32_t i = 0; i < count && next_out < next_in; i++, next_out++) {
			int bytes = socket_receive(server, data, sizeof(data));

			ck_assert_int_eq(bytes, 1 + next_out % 1400);
			ck_assert_uint_eq(data[0], (uint8_t)next_out);
			ck_assert_uint_eq(data[bytes - 1], (uint8_t)next_out);
		}
	}
	socket_close(server);
	socket_close(client);
	test_sockets_end();
}
END_TEST

/* ---- callbacks ---- */

static unsigned int calls;
static struct socket *victim;

static void on_ready(struct socket *socket, uint32_t ready, void *context)
{
	uint8_t byte;

	ck_assert_ptr_eq(context, &calls);
	ck_assert_uint_eq(ready, SOCKET_READABLE | SOCKET_WRITABLE);
	while (socket_receive(socket, &byte, 1) > 0)
		;
	calls++;
	if (victim) {
		socket_close(socket);
		socket_close(victim);
	}
}

START_TEST(callbacks_come_from_run_alone)
{
	struct socket_address to = test_address(1, 4, 5000);
	struct socket *a, *b, *client, *other;

	test_sockets_begin(&defaults);
	calls = 0;
	victim = NULL;
	a = open_at(1, 5000);
	b = open_at(1, 5001);
	socket_set_callback(a, on_ready, &calls);
	socket_set_callback(b, on_ready, &calls);
	client = open_to(0, to);
	to.port = 5001;
	other = open_to(0, to);
	socket_set_callback(a, NULL, NULL); /* the first call says that it is writable */
	socket_set_callback(b, NULL, NULL);
	test_sockets_settle();
	socket_set_callback(a, on_ready, &calls);
	ck_assert_int_eq(socket_send(client, "x", 1), 1);
	ck_assert_int_eq(socket_send(client, "y", 1), 1);
	ck_assert_uint_eq(calls, 0);
	test_sockets_settle();
	ck_assert_uint_eq(calls, 1); /* one for both */
	ck_assert_int_eq(socket_send(client, "x", 1), 1);
	ck_assert_int_eq(socket_send(other, "x", 1), 1);
	socket_set_callback(b, on_ready, &calls);
	victim = b;
	test_sockets_settle();
	ck_assert_uint_eq(calls, 2); /* b was gone before its turn */
	socket_close(client);
	socket_close(other);
	test_sockets_end();
}
END_TEST

/* ---- memory ---- */

START_TEST(no_memory_to_send_is_tried_again)
{
	struct socket_address to = test_address(1, 4, 5000);
	static struct packet *taken[20000];
	uint32_t count = 0;
	struct socket *client;

	test_sockets_begin(&defaults);
	client = open_to(0, to);
	test_sockets_settle();
	while ((taken[count] = packet_alloc(&test_packet_pool)))
		count++;
	ck_assert_int_eq(socket_send(client, "x", 1), -EAGAIN);
	ck_assert_uint_eq(sockets_next_ns(test_sides[0].sockets), test_now + TEST_MS);
	ck_assert_int_eq(socket_send(client, "x", 1), -EAGAIN);
	for (uint32_t i = 0; i < count; i++)
		packet_free(taken[i]);
	ck_assert_int_eq(socket_send(client, "x", 1), 1);
	test_sockets_run(3);
	ck_assert_uint_eq(sockets_next_ns(test_sides[0].sockets), UINT64_MAX);
	ck_assert_uint_eq(sockets_stats(test_sides[0].sockets)->no_memory, 2);
	socket_close(client);
	test_sockets_end();
}
END_TEST

static bool damage(struct packet *packet)
{
	packet->data[packet->length - 1] ^= 1;
	return false;
}

START_TEST(checksums_are_verified)
{
	struct socket_address to = test_address(1, _i ? 6 : 4, 5000);
	struct socket *client, *server;
	uint8_t byte;

	test_sockets_begin(&defaults);
	server = open_at(1, 5000);
	client = open_to(0, to);
	test_sides[0].filter = damage;
	ck_assert_int_eq(socket_send(client, "xyz", 3), 3);
	test_sockets_settle();
	ck_assert_int_eq(socket_receive(server, &byte, 1), -EAGAIN);
	ck_assert_uint_eq(sockets_stats(test_sides[1].sockets)->udp_malformed, 1);
	ck_assert_uint_eq(test_packet_pool.drops[DROP_BAD_CHECKSUM], 1);
	socket_close(client);
	socket_close(server);
	test_sockets_end();
}
END_TEST

/* Ports of those that have gone can be had again. */
START_TEST(ports_come_back)
{
	struct sockets *sockets;

	test_sockets_begin(&defaults);
	sockets = test_sides[0].sockets;
	for (unsigned int i = 0; i < 3000; i++) {
		struct socket *a = open_at(0, 0), *b = open_at(0, 7000);

		socket_close(a);
		socket_close(b);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(sockets->udp_ports); i++)
		ck_assert_uint_eq(sockets->udp_ports[i], 0);
	test_sockets_end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, datagrams_go_both_ways, 0, 2);
	tcase_add_test(cases, who_gets_it);
	tcase_add_test(cases, errors_of_opening_and_sending);
	tcase_add_test(cases, queues_are_bounded);
	tcase_add_test(cases, queues_keep_order);
	tcase_add_test(cases, callbacks_come_from_run_alone);
	tcase_add_test(cases, no_memory_to_send_is_tried_again);
	tcase_add_loop_test(cases, checksums_are_verified, 0, 2);
	tcase_add_test(cases, ports_come_back);
}

int main(void)
{
	return unit_main("net/socket_udp", add_cases);
}
