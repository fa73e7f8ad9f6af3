/* SPDX-License-Identifier: ISC */
/* Clients that vanish, say nonsense, or come while another one is served. */
#include <errno.h>
#include <string.h>

#include "tests/configs/iperf/world.h"
#include "tests/host/unit.h"

static const char cookie[IPERF_COOKIE_BYTES] = "abcdefghijklmnopqrstuvwxyz2345678901";

/* A connection to the server that says `bytes` of `data`. */
static struct socket *connection(const void *data, uint32_t bytes)
{
	struct socket_address peer = test_address(1, 4, IPERF_PORT);
	int error;
	struct socket *socket =
		socket_connect(test_sides[0].sockets, NULL, &peer, NULL, NULL, &error);

	ck_assert_ptr_nonnull(socket);
	world_run(3);
	if (bytes)
		ck_assert_int_eq(socket_send(socket, data, bytes), (int)bytes);
	world_run(3);
	return socket;
}

static int state(struct socket *socket)
{
	int8_t byte = 0;

	return socket_receive(socket, &byte, 1) == 1 ? byte : 100;
}

/* After whatever was done to it the server serves the next client. */
static void expect_serves(void)
{
	world_client_begin("-c,10.0.0.2,-n,100K");
	world_run_out(5000);
	ck_assert_msg(world_status[0] == 0, "%s\n%s", world_lines[0], world_lines[1]);
	world_end();
}

static void text_send(struct socket *socket, const char *text)
{
	size_t length = strlen(text);
	uint8_t head[4] = { 0, 0, (uint8_t)(length >> 8), (uint8_t)length };

	ck_assert_int_eq(socket_send(socket, head, 4), 4);
	ck_assert_int_eq(socket_send(socket, text, (uint32_t)length), (int)length);
	world_run(60); /* the second one waits for a delayed acknowledgement */
}

START_TEST(busy)
{
	struct socket *other;

	world_begin();
	world_client_begin("-c,10.0.0.2,-t,1,-b,1M");
	world_run(200);
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_RUNNING);
	other = connection(cookie, sizeof(cookie));
	ck_assert_int_eq(state(other), IPERF_ACCESS_DENIED);
	socket_close(other);
	ck_assert_uint_eq(world_server.refused, 1);
	world_run_out(5000);
	ck_assert_int_eq(world_status[0], 0);
	world_end();
}
END_TEST

START_TEST(our_client_is_refused)
{
	struct socket *other;

	world_begin();
	other = connection(cookie, sizeof(cookie));
	ck_assert_int_eq(state(other), IPERF_PARAM_EXCHANGE);
	world_client_begin("-c,10.0.0.2");
	world_run(50);
	ck_assert_int_eq(world_status[0], 1);
	ck_assert_ptr_nonnull(strstr(world_lines[0], "busy"));
	socket_abort(other);
	world_run(10);
	expect_serves();
}
END_TEST

static const char *const bad_params[] = {
	"",
	"{",
	"[]",
	"1",
	"{}",
	"{\"tcp\":true,\"parallel\":129}",
	"{\"tcp\":true,\"parallel\":-1}",
	"{\"tcp\":true,\"parallel\":1e99}",
	"{\"tcp\":true,\"len\":1048577}",
	"{\"udp\":true,\"len\":15}",
	"{\"udp\":true}",
	"{\"tcp\":true,\"time\":99999999}",
	"{\"tcp\":true,\"time\":\"x\"}",
	"{\"sctp\":true,\"len\":1000}",
	"{\"tcp\":true,\"reverse\":true,\"bidirectional\":true}",
	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
};

START_TEST(params)
{
	struct socket *socket;

	world_begin();
	socket = connection(cookie, sizeof(cookie));
	ck_assert_int_eq(state(socket), IPERF_PARAM_EXCHANGE);
	text_send(socket, bad_params[_i]);
	ck_assert_int_eq(state(socket), IPERF_SERVER_ERROR);
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_IDLE);
	socket_close(socket);
	expect_serves();
}
END_TEST

START_TEST(text_too_long)
{
	static const uint8_t heads[][4] = { { 0xff, 0xff, 0xff, 0xff },
					    { 0, 1, 0, 1 },
					    { 0x80, 0, 0, 0 } };
	struct socket *socket;

	world_begin();
	socket = connection(cookie, sizeof(cookie));
	ck_assert_int_eq(socket_send(socket, heads[_i], 4), 4);
	world_run(5);
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_IDLE);
	socket_abort(socket);
	expect_serves();
}
END_TEST

/* A test of one stream, by hand, up to `step`. */
static uint32_t by_hand(struct socket **sockets, int step)
{
	sockets[0] = connection(cookie, sizeof(cookie));
	if (step == 0)
		return 1;
	text_send(sockets[0], "{\"tcp\":true,\"time\":1,\"len\":1000,\"reverse\":true}");
	if (step == 1)
		return 1;
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_STREAMS);
	sockets[1] = connection(cookie, sizeof(cookie));
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_RUNNING);
	if (step == 2)
		return 2;
	ck_assert_int_eq(socket_send(sockets[0], "\x04", 1), 1);
	world_run(5);
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_RESULTS);
	if (step == 3)
		return 2;
	text_send(sockets[0], "{\"streams\":[{\"id\":1,\"bytes\":18446744073709551615}]}");
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_DONE);
	return 2;
}

/* The client reads blocks as a whole: the end must come, wherever in one sending has stopped. */
START_TEST(streams_end_with_the_test)
{
	struct socket *sockets[2];
	static uint8_t data[100000];
	int got = -EAGAIN;

	world_begin();
	by_hand(sockets, 3);
	for (int i = 0; i < 1000 && got; i++) {
		got = socket_receive(sockets[1], data, sizeof(data));
		ck_assert(got >= 0 || got == -EAGAIN);
		world_run(1);
	}
	ck_assert_int_eq(got, 0);
	socket_close(sockets[1]);
	socket_abort(sockets[0]);
	world_run(100);
	expect_serves();
}
END_TEST

START_TEST(vanishes)
{
	struct socket *sockets[2];
	uint32_t count;

	world_begin();
	count = by_hand(sockets, _i);
	for (uint32_t i = 0; i < count; i++)
		socket_abort(sockets[i]);
	world_run(10);
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_IDLE);
	expect_serves();
}
END_TEST

/* It stays, and says no more. */
START_TEST(falls_silent)
{
	struct socket *sockets[2];
	uint32_t count;

	world_begin();
	count = by_hand(sockets, _i);
	for (int i = 0; i < 100 && world_server.phase != IPERF_SERVER_IDLE; i++) {
		test_now += 1000 * TEST_MS;
		world_run(2);
	}
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_IDLE);
	for (uint32_t i = 0; i < count; i++)
		socket_abort(sockets[i]);
	world_run(5);
	expect_serves();
}
END_TEST

START_TEST(wrong_state)
{
	struct socket *sockets[2];
	uint32_t count;

	world_begin();
	count = by_hand(sockets, _i);
	if (_i == 0 || _i == 3)
		text_send(sockets[0], "{\"streams\":[{\"id\":-5}]}");
	else
		ck_assert_int_eq(socket_send(sockets[0], "\xff\xff\xff\xff", 4), 4);
	world_run(60);
	ck_assert_int_eq(world_server.phase, IPERF_SERVER_IDLE);
	for (uint32_t i = 0; i < count; i++)
		socket_abort(sockets[i]);
	world_run(5);
	expect_serves();
}
END_TEST

/* More than there are places, none of whom says who he is. */
START_TEST(crowd)
{
	struct socket *sockets[3 * IPERF_NEWCOMERS];

	world_begin();
	for (uint32_t i = 0; i < 3 * IPERF_NEWCOMERS; i++)
		sockets[i] = connection("abc", 3);
	world_client_begin("-c,10.0.0.2,-n,100K");
	world_run_out(20000);
	ck_assert_int_eq(world_status[0], 0);
	for (uint32_t i = 0; i < 3 * IPERF_NEWCOMERS; i++)
		socket_abort(sockets[i]);
	world_run(10);
	expect_serves();
}
END_TEST

/* Whatever a client says, in whatever pieces: the server lives. */
START_TEST(noise)
{
	struct random random;
	uint8_t seed[RANDOM_SEED_BYTES] = { 3 };

	random_init(&random, seed);
	world_begin();
	for (int round = 0; round < 150; round++) {
		uint8_t data[200];
		uint32_t bytes = random_below(&random, sizeof(data) - 40);
		struct socket *socket;

		memcpy(data, cookie, sizeof(cookie));
		random_bytes(&random, data + sizeof(cookie), bytes);
		if (round & 1)
			memset(data + sizeof(cookie), 0, 3);
		socket = connection(data, (uint32_t)sizeof(cookie) + bytes);
		socket_abort(socket);
		world_run(3);
		ck_assert_int_eq(world_server.phase, IPERF_SERVER_IDLE);
	}
	expect_serves();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, busy);
	tcase_add_test(cases, our_client_is_refused);
	tcase_add_loop_test(cases, params, 0, sizeof(bad_params) / sizeof(bad_params[0]));
	tcase_add_loop_test(cases, text_too_long, 0, 3);
	tcase_add_test(cases, streams_end_with_the_test);
	tcase_add_loop_test(cases, vanishes, 0, 5);
	tcase_add_loop_test(cases, falls_silent, 0, 5);
	tcase_add_loop_test(cases, wrong_state, 0, 5);
	tcase_add_test(cases, crowd);
	tcase_add_test(cases, noise);
}

int main(void)
{
	return unit_main("configs/iperf/hostile", add_cases);
}
