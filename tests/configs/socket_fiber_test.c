/* SPDX-License-Identifier: ISC */
/*
 * Sockets for fibers. Waiting is played: until its event is signalled, time passes for both
 * sides, as it does for a fiber while the loop goes on.
 */
#include "configs/socket_fiber.h"

#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_sockets.h"

static const struct sockets_config defaults;
/* What the other side does at each of its steps while we wait. */
static void (*meanwhile)(void);
static struct socket *listener, *peer;
static uint8_t heard[200000];
static uint32_t heard_bytes, said;

void fiber_event_init(struct fiber_event *event)
{
	event->signalled = false;
}

void fiber_event_signal(struct fiber_event *event)
{
	event->signalled = true;
}

int fiber_event_wait(struct fiber_event *event, uint64_t deadline_ns)
{
	while (!event->signalled) {
		if (test_now >= deadline_ns)
			return -ETIMEDOUT;
		if (meanwhile)
			meanwhile();
		test_sockets_run(1);
	}
	event->signalled = false;
	return 0;
}

static uint64_t in_ms(uint32_t ms)
{
	return test_now + ms * TEST_MS;
}

/* Accepts, and takes what comes, a little at a time. */
static void hear(void)
{
	int got;

	if (!peer)
		peer = socket_accept(listener, NULL, NULL);
	if (!peer)
		return;
	got = socket_receive(peer, heard + heard_bytes, 5000);
	heard_bytes += got > 0 ? (uint32_t)got : 0;
}

/* Says six letters, one at a time, and ends. */
static void say(void)
{
	hear();
	if (!peer || said > 6)
		return;
	if (said == 6)
		socket_shutdown(peer);
	else
		ck_assert_int_eq(socket_send(peer, &"letter"[said], 1), 1);
	said++;
}

static void begin(void)
{
	struct socket_listen how = { .own.port = 80 };
	int error;

	test_sockets_begin(&defaults);
	listener = socket_listen(test_sides[1].sockets, &how, NULL, NULL, &error);
	ck_assert_ptr_nonnull(listener);
	peer = NULL;
	heard_bytes = 0;
	said = 0;
	meanwhile = hear;
}

static void end(void)
{
	if (peer)
		socket_close(peer);
	socket_close(listener);
	meanwhile = NULL;
	test_sockets_end();
}

static void connect_to(struct socket_fiber *fiber)
{
	struct socket_address to = test_address(1, 4, 80);

	ck_assert_int_eq(
		socket_fiber_connect(fiber, test_sides[0].sockets, NULL, &to, FIBER_FOREVER), 0);
}

START_TEST(all_is_written)
{
	static uint8_t data[200000];
	struct socket_fiber fiber;

	begin();
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761u >> 24);
	connect_to(&fiber);
	ck_assert_int_eq(socket_fiber_write(&fiber, data, sizeof(data), FIBER_FOREVER), 0);
	for (unsigned int i = 0; i < 1000 && heard_bytes < sizeof(data); i++) {
		hear();
		test_sockets_run(1);
	}
	ck_assert_uint_eq(heard_bytes, sizeof(data));
	ck_assert_mem_eq(heard, data, sizeof(data));
	/* Nobody reads any more. */
	meanwhile = NULL;
	for (unsigned int i = 0; i < 50; i++)
		if (socket_fiber_write(&fiber, data, sizeof(data), in_ms(100)))
			break;
	ck_assert_int_eq(socket_fiber_write(&fiber, data, sizeof(data), in_ms(5)), -ETIMEDOUT);
	socket_fiber_close(&fiber);
	socket_fiber_close(&fiber);
	socket_abort(peer);
	peer = NULL;
	end();
}
END_TEST

START_TEST(reading_waits_for_bytes)
{
	struct socket_fiber fiber;
	char bytes[8];

	begin();
	connect_to(&fiber);
	ck_assert_int_eq(socket_fiber_read(&fiber, bytes, 8, in_ms(20)), -ETIMEDOUT);
	meanwhile = say;
	ck_assert_int_eq(socket_fiber_read_all(&fiber, bytes, 4, in_ms(1000)), 0);
	ck_assert_mem_eq(bytes, "lett", 4);
	ck_assert_int_eq(socket_fiber_read(&fiber, bytes, 1, in_ms(1000)), 1);
	ck_assert_int_eq(socket_fiber_read_all(&fiber, bytes, 4, in_ms(1000)), -ENODATA);
	ck_assert_int_eq(socket_fiber_read(&fiber, bytes, 1, in_ms(1000)), 0);
	ck_assert_int_eq(socket_fiber_wait(&fiber, SOCKET_PEER_DONE, 0),
			 SOCKET_READABLE | SOCKET_WRITABLE | SOCKET_PEER_DONE);
	socket_abort(peer);
	peer = NULL;
	meanwhile = NULL;
	test_sockets_run(2);
	ck_assert_int_eq(socket_fiber_write(&fiber, "x", 1, in_ms(10)), -ECONNRESET);
	socket_fiber_close(&fiber);
	end();
}
END_TEST

START_TEST(connecting_may_fail)
{
	struct socket_address to = test_address(1, 4, 81);
	struct sockets *sockets;
	struct socket_fiber fiber;

	begin();
	sockets = test_sides[0].sockets;
	ck_assert_int_eq(socket_fiber_connect(&fiber, sockets, NULL, &to, in_ms(50)), -ETIMEDOUT);
	ck_assert_ptr_null(fiber.socket);
	ck_assert_int_eq(socket_fiber_connect(&fiber, sockets, NULL, &to, FIBER_FOREVER),
			 -ETIMEDOUT); /* of the protocol */
	test_sides[0].no_way = true;
	ck_assert_int_eq(socket_fiber_connect(&fiber, sockets, NULL, &to, FIBER_FOREVER),
			 -ENETUNREACH);
	ck_assert_ptr_null(fiber.socket);
	socket_fiber_close(&fiber);
	test_sides[0].no_way = false;
	end();
}
END_TEST

static struct socket_address listener_address;

static void connect_late(void)
{
	int error;

	if (test_now > 1100000000 && !peer)
		peer = socket_connect(test_sides[1].sockets, NULL, &listener_address, NULL, NULL,
				      &error);
}

START_TEST(accepting_waits_for_somebody)
{
	struct socket_listen how = { .own.port = 443 };
	struct socket_fiber server, accepted;
	struct socket *socket;
	int error;

	begin();
	listener_address = test_address(0, 6, 443);
	socket = socket_listen(test_sides[0].sockets, &how, NULL, NULL, &error);
	socket_fiber_begin(&server, socket);
	meanwhile = NULL;
	ck_assert_int_eq(socket_fiber_accept(&server, &accepted, in_ms(10)), -ETIMEDOUT);
	meanwhile = connect_late;
	ck_assert_int_eq(socket_fiber_accept(&server, &accepted, FIBER_FOREVER), 0);
	meanwhile = say;
	ck_assert_int_eq(socket_fiber_read(&accepted, heard, 1, in_ms(100)), 1);
	socket_fiber_close(&accepted);
	socket_fiber_close(&server);
	end();
}
END_TEST

START_TEST(datagrams_are_waited_for)
{
	struct socket_address to = test_address(1, 4, 53), own = { .port = 53 }, from;
	struct socket *server;
	struct socket_fiber fiber;
	char bytes[8];
	int error;

	begin();
	meanwhile = NULL;
	server = socket_open_udp(test_sides[1].sockets, &own, NULL, NULL, NULL, &error);
	socket_fiber_begin(&fiber,
			   socket_open_udp(test_sides[0].sockets, NULL, &to, NULL, NULL, &error));
	ck_assert_int_eq(socket_fiber_write(&fiber, "question", 8, in_ms(10)), 0);
	test_sockets_run(2);
	ck_assert_int_eq(socket_receive_from(server, &from, bytes, 8), 8);
	ck_assert_int_eq(socket_fiber_read_from(&fiber, &from, bytes, 8, in_ms(10)), -ETIMEDOUT);
	ck_assert_int_eq(socket_send_to(server, &from, "answer", 6), 6);
	ck_assert_int_eq(socket_fiber_read_from(&fiber, &from, bytes, 8, in_ms(10)), 6);
	ck_assert_uint_eq(from.port, 53);
	ck_assert_int_eq(socket_fiber_write(&fiber, heard, 5000, in_ms(10)), -EMSGSIZE);
	socket_fiber_close(&fiber);
	socket_close(server);
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, all_is_written);
	tcase_add_test(cases, reading_waits_for_bytes);
	tcase_add_test(cases, connecting_may_fail);
	tcase_add_test(cases, accepting_waits_for_somebody);
	tcase_add_test(cases, datagrams_are_waited_for);
}

int main(void)
{
	return unit_main("configs/socket_fiber", add_cases);
}
