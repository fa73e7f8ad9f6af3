/* SPDX-License-Identifier: ISC */
/*
 * The vchan guest: one end for tests against the real libxenvchan in dom0. It serves dom0 at
 * data/vchan/0/1, and is the client of dom0's server at data/vchan/<us>/2, for ever, one
 * connection after the other. What dom0 asks for it says in a request of 16 bytes:
 *
 *	u32 order	ECHO, SINK, SOURCE or FLOOD
 *	u32 checked	0: the bytes mean nothing; else they are counted and summed up
 *	u64 bytes	how many
 *
 * ECHO sends each byte back. SINK takes them and answers with their sum, 8 bytes. SOURCE
 * sends them. FLOOD does both at once, and the sum follows what was sent. What we send are
 * bytes that follow from their place; sums are FNV-1a, little-endian.
 */
#include <inttypes.h>
#include <stdio.h>

#include "lib/log.h"
#include "lib/panic.h"
#include "xen/fiber.h"
#include "xen/loop.h"
#include "xen/start.h"
#include "xen/store.h"
#include "xen/vchan.h"

#define DOM0 0u
#define SERVER_PATH "data/vchan/0/1"
#define RING_BYTES 65536u
#define PART_BYTES 65536u
#define SECOND_NS 1000000000ull
#define PATIENCE_NS (20 * SECOND_NS)
#define FNV_BASIS 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

enum order { ECHO = 1, SINK, SOURCE, FLOOD };

struct request {
	uint32_t order;
	uint32_t checked;
	uint64_t bytes;
};

/* One role, with a buffer for each direction. */
struct end {
	const char *name;
	struct vchan *vchan;
	struct request request;
	uint64_t sum;
	int read_error;
	struct fiber_event read_done;
	uint8_t in[PART_BYTES];
	uint8_t out[PART_BYTES];
};

static uint64_t deadline(void)
{
	return loop_now_ns() + PATIENCE_NS;
}

static size_t part_bytes(uint64_t left)
{
	return left < PART_BYTES ? (size_t)left : PART_BYTES;
}

/* ---- what is asked for ---- */

static void sum_add(struct end *end, size_t count)
{
	if (!end->request.checked)
		return;
	for (size_t i = 0; i < count; i++)
		end->sum = (end->sum ^ end->in[i]) * FNV_PRIME;
}

/* Takes what has come, of so many bytes; 0 after waiting for the first of them. */
static int64_t take_piece(struct end *end, uint64_t left)
{
	int64_t count = vchan_try_read(end->vchan, end->in, part_bytes(left));

	return count ? count : vchan_wait_readable(end->vchan, deadline());
}

static int receive(struct end *end)
{
	int64_t count;

	end->sum = FNV_BASIS;
	for (uint64_t left = end->request.bytes; left; left -= (uint64_t)count) {
		count = take_piece(end, left);
		if (count < 0)
			return (int)count;
		sum_add(end, (size_t)count);
		if (count)
			fiber_yield();
	}
	return 0;
}

static int send_sum(struct end *end)
{
	return vchan_write(end->vchan, &end->sum, sizeof(end->sum), deadline());
}

static int echo(struct end *end)
{
	int64_t count;
	int error = 0;

	for (uint64_t left = end->request.bytes; left && !error; left -= (uint64_t)count) {
		count = take_piece(end, left);
		if (count < 0)
			return (int)count;
		if (count)
			error = vchan_write(end->vchan, end->in, (size_t)count, deadline());
	}
	return error;
}

static void fill(struct end *end, uint64_t at, size_t count)
{
	if (!end->request.checked)
		return;
	for (size_t i = 0; i < count; i++, at++)
		end->out[i] = (uint8_t)(at * 167 + (at >> 8) * 13);
}

static int source(struct end *end)
{
	int error = 0;

	for (uint64_t at = 0; at < end->request.bytes && !error;) {
		size_t count = part_bytes(end->request.bytes - at);

		fill(end, at, count);
		error = vchan_write(end->vchan, end->out, count, deadline());
		at += count;
	}
	return error;
}

static void receive_aside(void *argument)
{
	struct end *end = argument;

	end->read_error = receive(end);
	fiber_event_signal(&end->read_done);
}

/* The reader ends by itself, as the vchan does. */
static int flood(struct end *end)
{
	int error;

	if (fiber_start("reader", receive_aside, end))
		return -1;
	error = source(end);
	if (fiber_event_wait(&end->read_done, FIBER_FOREVER))
		panic("woken without reason");
	if (!error)
		error = end->read_error;
	return error ? error : send_sum(end);
}

static int serve(struct end *end)
{
	int error;

	switch (end->request.order) {
	case ECHO:
		return echo(end);
	case SINK:
		error = receive(end);
		return error ? error : send_sum(end);
	case SOURCE:
		return source(end);
	case FLOOD:
		return flood(end);
	default:
		return -1;
	}
}

/* ---- one connection ---- */

static void serve_all(struct end *end)
{
	uint32_t served = 0;
	int error;

	for (;; served++) {
		error = vchan_read(end->vchan, &end->request, sizeof(end->request), FIBER_FOREVER);
		if (error)
			break;
		error = serve(end);
		if (error)
			break;
	}
	vchan_close(end->vchan);
	log_line(LOG_INFO, end->name, "served %" PRIu32 " requests, ended with %d", served, error);
}

static void server_main(void *argument)
{
	struct end *end = argument;

	for (;;) {
		int error =
			vchan_listen(DOM0, SERVER_PATH, RING_BYTES, RING_BYTES, NULL, &end->vchan);

		if (error) {
			log_line(LOG_ERROR, end->name, "cannot listen: error %d", error);
			fiber_sleep_until(loop_now_ns() + SECOND_NS);
			continue;
		}
		if (vchan_wait_client(end->vchan, FIBER_FOREVER))
			panic("woken without reason");
		serve_all(end);
	}
}

static void client_main(void *argument)
{
	struct end *end = argument;
	char path[VCHAN_PATH_BYTES];

	snprintf(path, sizeof(path), "/local/domain/%u/data/vchan/%u/2", DOM0, store_domid());
	for (;;) {
		int error = vchan_connect(DOM0, path, NULL, FIBER_FOREVER, &end->vchan);

		if (!error)
			serve_all(end);
		else
			log_line(LOG_WARNING, end->name, "cannot connect: error %d", error);
		/* The nodes of the server that has just ended may be there still. */
		fiber_sleep_until(loop_now_ns() + SECOND_NS);
	}
}

/* So that a test sees that nothing is left. */
static void count_main(void *argument)
{
	uint32_t open = UINT32_MAX, held = UINT32_MAX;

	(void)argument;
	for (;;) {
		if (vchan_count() != open || vchan_held_pages() != held) {
			open = vchan_count();
			held = vchan_held_pages();
			log_line(LOG_INFO, "vchan", "open %" PRIu32 ", pages held %" PRIu32, open,
				 held);
		}
		fiber_sleep_until(loop_now_ns() + SECOND_NS / 2);
	}
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	static struct end server = { .name = "server" };
	static struct end client = { .name = "client" };

	(void)cmdline;
	(void)module;
	(void)module_bytes;
	fiber_event_init(&server.read_done);
	fiber_event_init(&client.read_done);
	if (fiber_start("server", server_main, &server) ||
	    fiber_start("client", client_main, &client) || fiber_start("count", count_main, NULL))
		panic("not enough memory");
	log_line(LOG_INFO, "vchan", "ready");
}
