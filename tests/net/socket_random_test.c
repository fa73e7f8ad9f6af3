/* SPDX-License-Identifier: ISC */
/*
 * Sockets at random: whatever is opened, sent, read and closed in whatever order, from within
 * callbacks and without, over a link that loses and doubles, with little memory. Bytes come as
 * they were sent, the core stays consistent, and at the end all memory is back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket_parts.h"
#include "tests/host/unit.h"
#include "tests/net/test_sockets.h"

#define ENDS 24u
#define STEPS 6000u

/* Of a TCP connection each byte says how many were before it; of UDP all bytes are the same. */
struct end {
	struct socket *socket;
	unsigned int side;
	uint32_t sent, received;
	bool is_tcp;
};

static struct end ends[ENDS];
static struct socket *listeners[TEST_SIDES];
static uint64_t state;
static unsigned int opened, over, calls;

static uint32_t pick(uint32_t below)
{
	return (uint32_t)(unit_random(&state) % below);
}

static struct end *free_end(void)
{
	for (unsigned int i = 0; i < ENDS; i++)
		if (!ends[i].socket)
			return &ends[i];
	return NULL;
}

static void give_up(struct end *end)
{
	if (pick(2))
		socket_close(end->socket);
	else
		socket_abort(end->socket);
	end->socket = NULL;
}

static void read_some(struct end *end)
{
	static uint8_t bytes[3000];
	bool right = true;
	int got = socket_receive(end->socket, bytes, 1 + pick(sizeof(bytes)));

	if (got == 0 || got == -ENOTCONN)
		return;
	if (got < 0) {
		ck_assert(got == -EAGAIN || got == -ECONNRESET || got == -ETIMEDOUT ||
			  got == -ECONNREFUSED || !end->is_tcp);
		return;
	}
	for (int i = 0; i < got && end->is_tcp; i++)
		right &= bytes[i] == (uint8_t)end->received++;
	for (int i = 1; i < got && !end->is_tcp; i++)
		right &= bytes[i] == bytes[0];
	ck_assert(right);
}

static void write_some(struct end *end)
{
	static uint8_t bytes[3000];
	uint32_t count = 1 + pick(end->is_tcp ? sizeof(bytes) : 1400);
	int sent;

	for (uint32_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(end->is_tcp ? end->sent + i : end->sent);
	sent = socket_send(end->socket, bytes, count);
	if (sent > 0)
		end->sent += (uint32_t)sent;
}

static void act(struct end *end)
{
	switch (pick(30)) {
	case 0:
		give_up(end);
		break;
	case 1:
		if (pick(4) == 0)
			socket_shutdown(end->socket);
		break;
	default:
		if (pick(2))
			write_some(end);
		else
			read_some(end);
		break;
	}
}

/* Does something to its own socket, or to any. */
static void on_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct end *end = context, *other = &ends[pick(ENDS)];

	ck_assert_ptr_eq(end->socket, socket);
	ck_assert_uint_ne(ready, 0);
	calls++;
	if (ready & SOCKET_OVER) {
		over++;
		give_up(end);
	} else {
		act(end);
	}
	if (pick(8) == 0 && other->socket)
		act(other);
}

static void take(struct end *end, struct socket *socket, unsigned int side, bool is_tcp)
{
	if (socket)
		*end = (struct end){ socket, side, 0, 0, is_tcp };
	opened += socket != NULL;
}

static void on_listener(struct socket *socket, uint32_t ready, void *context)
{
	struct end *end = free_end();

	(void)ready;
	if (end)
		take(end, socket_accept(socket, on_ready, end), *(unsigned int *)context, true);
}

static void open_one(struct end *end)
{
	unsigned int side = pick(TEST_SIDES);
	struct sockets *sockets = test_sides[side].sockets;
	struct socket_address peer = test_address(!side, pick(2) ? 6 : 4, (uint16_t)(80 + !pick(5)));
	struct socket_address own = { .port = (uint16_t)(80 + pick(2)) };
	int error;

	if (pick(2))
		take(end, socket_connect(sockets, NULL, &peer, on_ready, end, &error), side, true);
	else
		take(end,
		     socket_open_udp(sockets, pick(2) ? &own : NULL, &peer, on_ready, end, &error),
		     side, false);
}

static bool lose(struct packet *packet)
{
	if (pick(20))
		return false;
	packet_free(packet);
	return true;
}

static void begin(void)
{
	static unsigned int sides[TEST_SIDES] = { 0, 1 };
	/* Port 81 is nobody's. */
	const struct sockets_config config = { .connections = 20,
					       .time_waits = 3,
					       .udp_sockets = 6,
					       .memory_bytes = 24 * 4096,
					       .send_bytes = 20000,
					       .receive_bytes = 20000 };
	struct socket_listen how = { .own.port = 80, .backlog = 2 };
	int error;

	test_sockets_begin(&config);
	memset(ends, 0, sizeof(ends));
	for (unsigned int i = 0; i < TEST_SIDES; i++) {
		test_sides[i].filter = lose;
		listeners[i] =
			socket_listen(test_sides[i].sockets, &how, on_listener, &sides[i], &error);
		ck_assert_ptr_nonnull(listeners[i]);
	}
}

static void end_all(void)
{
	for (unsigned int i = 0; i < TEST_SIDES; i++) {
		socket_close(listeners[i]);
		test_sides[i].filter = NULL;
	}
	for (unsigned int i = 0; i < ENDS; i++)
		if (ends[i].socket)
			give_up(&ends[i]);
	test_sockets_end();
}

START_TEST(anything_in_any_order)
{
	state = (unit_seed() + (uint64_t)_i) * 2 + 1;
	opened = over = calls = 0;
	begin();
	for (unsigned int step = 0; step < STEPS; step++) {
		struct end *end = &ends[pick(ENDS)];

		if (end->socket)
			act(end);
		else if (pick(4) == 0)
			open_one(end);
		if (pick(3) == 0)
			test_sockets_run(1 + pick(5));
		if (step % 100 == 0)
			test_now += pick(3) * 500 * TEST_MS;
		if (step % 200 == 0)
			for (unsigned int i = 0; i < TEST_SIDES; i++)
				ck_assert(tcp_stack_is_valid(&test_sides[i].sockets->tcp));
	}
	ck_assert_uint_gt(opened, 50);
	ck_assert_uint_gt(over, 2);
	ck_assert_uint_gt(calls, 300);
	end_all();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, anything_in_any_order, 0, 8);
}

int main(void)
{
	return unit_main("net/socket_random", add_cases);
}
