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

static uint8_t byte_at(uint32_t i)
{
	return (uint8_t)(i * 2654435761u >> 24);
}

/* `bytes` bytes from one to the other, checked. */
static void transfer(struct socket *from, struct socket *to, uint32_t bytes)
{
	static uint8_t buffer[10000];
	uint32_t sent = 0, got = 0;

	for (unsigned int i = 0; i < 20000 && got < bytes; i++) {
		uint32_t part = bytes - sent < sizeof(buffer) ? bytes - sent : sizeof(buffer);
		int result;

		for (uint32_t b = 0; b < part; b++)
			buffer[b] = byte_at(sent + b);
		result = part ? socket_send(from, buffer, part) : 0;
		ck_assert(result >= 0 || result == -EAGAIN);
		sent += result > 0 ? (uint32_t)result : 0;
		test_sockets_run(1);
		while ((result = socket_receive(to, buffer, sizeof(buffer))) > 0) {
			for (int b = 0; b < result; b++)
				ck_assert_uint_eq(buffer[b], byte_at(got + (uint32_t)b));
			got += (uint32_t)result;
		}
		ck_assert_int_eq(result, -EAGAIN);
	}
	ck_assert_uint_eq(got, bytes);
}

START_TEST(bytes_go_both_ways)
{
	struct socket *client, *server;
	uint8_t byte;

	test_sockets_begin(&defaults);
	client = test_sockets_pair(_i ? 6 : 4, &server);
	ck_assert_uint_eq(socket_ready(client), SOCKET_WRITABLE);
	ck_assert_uint_eq(socket_ready(server), SOCKET_WRITABLE);
	transfer(client, server, 300000);
	transfer(server, client, 300000);
	socket_shutdown(client);
	ck_assert_int_eq(socket_send(client, "x", 1), -EPIPE);
	test_sockets_run(5);
	ck_assert_uint_eq(socket_ready(server),
			  SOCKET_WRITABLE | SOCKET_READABLE | SOCKET_PEER_DONE);
	ck_assert_int_eq(socket_receive(server, &byte, 1), 0);
	transfer(server, client, 1000); /* the other half is still open */
	socket_close(server);
	test_sockets_run(5);
	ck_assert_int_eq(socket_receive(client, &byte, 1), 0);
	ck_assert_uint_eq(socket_ready(client), SOCKET_READABLE | SOCKET_PEER_DONE | SOCKET_OVER);
	ck_assert_int_eq(socket_error(client), 0);
	socket_close(client);
	test_sockets_end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, bytes_go_both_ways, 0, 2);
}

int main(void)
{
	return unit_main("net/socket", add_cases);
}
