/* SPDX-License-Identifier: ISC */
/* The services of `ends`: what they do with a connection or a datagram. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/list.h"
#include "tests/tap/ends_parts.h"

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull
#define SERVICES 16u
#define SLOW_STEP_NS (10 * NS_PER_MS)
#define BACKLOG 1024u

enum kind { ECHO, DISCARD, SOURCE, SLOW, LATE, HALF, UDP };

struct service {
	enum kind kind;
	uint32_t number; /* bytes a second, or milliseconds */
};

/* A connection. `out` is what socket_send() has not taken yet. */
struct end {
	struct list link; /* those that read by the clock */
	struct socket *socket;
	const struct service *service;
	uint64_t due_ns; /* when it may read next */
	uint64_t received;
	uint32_t crc;	      /* of what came, or of what goes */
	uint64_t to_make;     /* SOURCE: bytes that are still to be made */
	bool asked, answered; /* SOURCE: the line came; all: what is said at the end is in out */
	uint32_t out_at, out_bytes;
	uint8_t out[ENDS_PIECE];
};

static struct service services[SERVICES];
static unsigned int service_count;
static struct list timed = { &timed, &timed };

static void end_free(struct end *end)
{
	list_remove(&end->link);
	socket_close(end->socket);
	free(end);
	ends_counts.closed++;
}

static void end_failed(struct end *end)
{
	ends_counts.failed++;
	end_free(end);
}

/* 1: all of `out` is sent. 0: not yet. Negative: it is over. */
static int flush(struct end *end)
{
	while (end->out_at < end->out_bytes) {
		int sent = socket_send(end->socket, end->out + end->out_at,
				       end->out_bytes - end->out_at);

		if (sent == -EAGAIN || sent == 0)
			return 0;
		if (sent < 0)
			return sent;
		end->out_at += (uint32_t)sent;
	}
	end->out_at = end->out_bytes = 0;
	return 1;
}

/* ---- each kind: 1 when it is done, 0 when it waits, negative when it failed ---- */

static int echo(struct end *end)
{
	for (;;) {
		int result = flush(end);

		if (result <= 0)
			return result;
		result = socket_receive(end->socket, end->out, sizeof(end->out));
		if (result <= 0)
			return result == 0 ? 1 : result == -EAGAIN ? 0 : result;
		end->out_bytes = (uint32_t)result;
	}
}

/* Says what came, and waits until that has been taken. */
static int tell(struct end *end)
{
	if (!end->answered) {
		end->answered = true;
		end->out_bytes =
			(uint32_t)snprintf((char *)end->out, sizeof(end->out),
					   "%" PRIu64 " %08" PRIx32 "\n", end->received, end->crc);
	}
	return flush(end);
}

/* Reads at most `most` bytes in place. */
static int discard(struct end *end, uint64_t most)
{
	struct tcp_piece pieces[8];
	uint32_t bytes;

	while (most && !end->answered) {
		int count = socket_peek(end->socket, pieces, 8, &bytes);
		uint32_t taken = 0;

		if (count == 0)
			return end->service->kind == HALF ? 1 : tell(end);
		if (count < 0)
			return count == -EAGAIN ? 0 : count;
		for (int i = 0; i < count && most; i++) {
			uint32_t part = pieces[i].bytes < most ? pieces[i].bytes : (uint32_t)most;

			end->crc = ends_crc(end->crc, pieces[i].data, part);
			taken += part;
			most -= part;
		}
		end->received += taken;
		socket_consume(end->socket, taken);
	}
	return end->answered ? flush(end) : 0;
}

static int by_the_clock(struct end *end)
{
	const struct service *service = end->service;
	uint64_t now = station_now_ns();
	int result;

	if (end->answered)
		return flush(end);
	if (now < end->due_ns)
		return 0;
	if (service->kind == LATE)
		return discard(end, UINT64_MAX);
	result = discard(end, service->number * SLOW_STEP_NS / NS_PER_SECOND);
	end->due_ns = now + SLOW_STEP_NS;
	return result;
}

static int read_line(struct end *end)
{
	char line[32] = "";
	int bytes = socket_receive(end->socket, line, sizeof(line) - 1);

	if (bytes <= 0)
		return bytes == -EAGAIN ? 0 : bytes ? bytes : -EPIPE;
	end->asked = true;
	end->to_make = strtoull(line, NULL, 10);
	return 1;
}

static void make_piece(struct end *end)
{
	if (end->to_make) {
		end->out_bytes = end->to_make < ENDS_PIECE ? (uint32_t)end->to_make : ENDS_PIECE;
		random_bytes(ends_station->random, end->out, end->out_bytes);
		end->crc = ends_crc(end->crc, end->out, end->out_bytes);
		end->to_make -= end->out_bytes;
		return;
	}
	for (unsigned int i = 0; i < 4; i++)
		end->out[i] = (uint8_t)(end->crc >> 8 * i);
	end->out_bytes = 4;
	end->answered = true;
}

static int source(struct end *end)
{
	if (!end->asked) {
		int result = read_line(end);

		if (result <= 0)
			return result;
	}
	for (;;) {
		int result = flush(end);

		if (result <= 0 || end->answered)
			return result;
		make_piece(end);
	}
}

static void serve(struct end *end)
{
	int result;

	switch (end->service->kind) {
	case ECHO:
		result = echo(end);
		break;
	case SOURCE:
		result = source(end);
		break;
	case SLOW:
	case LATE:
		result = by_the_clock(end);
		break;
	default:
		result = discard(end, UINT64_MAX);
		break;
	}
	if (result > 0)
		end_free(end);
	else if (result < 0)
		end_failed(end);
}

/* ---- how they are called ---- */

static void on_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct end *end = context;

	(void)socket;
	if (ready & SOCKET_OVER && socket_error(end->socket))
		end_failed(end);
	else
		serve(end);
}

static void begin_end(struct socket *socket, struct end *end)
{
	const struct service *service = end->service;

	end->socket = socket;
	list_init(&end->link);
	if (service->kind == SLOW || service->kind == LATE) {
		end->due_ns = station_now_ns() +
			      (service->kind == LATE ? service->number * NS_PER_MS : 0);
		list_push_back(&timed, &end->link);
	}
	if (service->kind == HALF) {
		int sent = socket_send(socket, "bye\n", 4);

		if (sent != 4)
			ends_counts.failed++;
		socket_shutdown(socket);
	}
}

static void on_accept(struct socket *listener, uint32_t ready, void *context)
{
	(void)ready;
	for (;;) {
		struct end *end = calloc(1, sizeof(*end));
		struct socket *socket;

		if (!end)
			abort();
		socket = socket_accept(listener, on_ready, end);
		if (!socket) {
			free(end);
			return;
		}
		end->service = context;
		ends_counts.accepted++;
		begin_end(socket, end);
		serve(end);
	}
}

static void on_datagram(struct socket *socket, uint32_t ready, void *context)
{
	static uint8_t data[65536];
	struct socket_address peer;
	int bytes;

	(void)ready;
	(void)context;
	while ((bytes = socket_receive_from(socket, &peer, data, sizeof(data))) >= 0)
		if (socket_send_to(socket, &peer, data, (uint32_t)bytes) >= 0)
			ends_counts.udp_echoed++;
}

void ends_serve_run(uint64_t now_ns)
{
	struct list *next;

	for (struct list *at = timed.next; at != &timed; at = next) {
		struct end *end = list_entry(at, struct end, link);

		next = at->next;
		if (end->due_ns <= now_ns)
			serve(end);
	}
}

uint64_t ends_serve_next_ns(void)
{
	uint64_t next = UINT64_MAX;

	for (struct list *at = timed.next; at != &timed; at = at->next) {
		const struct end *end = list_entry(at, struct end, link);

		/* Once it was due a LATE one is called when something comes. */
		if (end->due_ns > station_now_ns() && end->due_ns < next)
			next = end->due_ns;
	}
	return next;
}

/* ---- what the arguments say ---- */

static int listen_at(const struct service *service, uint16_t port)
{
	struct socket_listen how = { .own = { .port = port }, .backlog = BACKLOG };
	int error = 0;
	struct socket *socket =
		socket_listen(ends_station->sockets, &how, on_accept, (void *)service, &error);

	return socket ? 0 : error;
}

static int open_udp(uint16_t port)
{
	struct socket_address own = { .port = port };
	int error = 0;
	struct socket *socket =
		socket_open_udp(ends_station->sockets, &own, NULL, on_datagram, NULL, &error);

	return socket ? 0 : error;
}

int ends_serve(const char *word)
{
	static const char *const names[] = { "echo", "discard", "source", "slow",
					     "late", "half",	"udp" };
	struct service *service = &services[service_count];
	const char *equals = strchr(word, '=');
	uint16_t port;

	if (!equals || sscanf(equals, "=%" SCNu16 ",%" SCNu32, &port, &service->number) < 1)
		return -EINVAL;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == (size_t)(equals - word) &&
		    !memcmp(names[i], word, strlen(names[i]))) {
			if (service_count++ == SERVICES)
				return -ENOSPC;
			service->kind = (enum kind)i;
			return i == UDP ? open_udp(port) : listen_at(service, port);
		}
	return -EINVAL;
}
