/* SPDX-License-Identifier: ISC */
/*
 * Two ends in one process, on one core: what the stack itself costs, and how it does under
 * loss in virtual time.
 *
 * Usage: bench-tcp-NAME [--only GROUP] [--seconds S] [--rounds N]
 *	[--mbit RATE] [--queue BYTES] [--delay MS] [--loss FRACTION]
 *
 * Groups: memory (or one of bulk, requests, connections), gso, idle, virtual, whose link has
 * the last four, and trace: the same with the sender's windows. A row is: group, name, stack,
 * value, unit, separated by tabs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench_tcp/pair.h"

#define SECOND_NS 1000000000ull
#define CHUNK 65535u
#define ROUNDS_MAX 32u

/* The kernel's flags name the stack protector's guard so. */
extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard = 0x595e9fbd94fda766u;

static double round_seconds = 0.5;
static uint32_t rounds = 7;
static const char *only;
static uint8_t data[CHUNK];
/* Of the virtual link; the queue in bytes. */
static struct {
	double mbit, delay_ms, loss;
	uint32_t queue;
} path = { 100, 20, 0, 250000 };

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static uint64_t wall(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static void fail(const char *what)
{
	fprintf(stderr, "bench-tcp-%s: %s\n", pair_name, what);
	exit(2);
}

static void row(const char *group, const char *name, double value, const char *unit)
{
	printf("%s\t%s\t%s\t%.6g\t%s\n", group, name, pair_name, value, unit);
	fflush(stdout);
}

static bool wants(const char *group)
{
	return !only || strcmp(only, group) == 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Ports of what stays open are not to come round again. */
static void close_pair(void **client, void **server)
{
	pair_close(*client);
	for (uint32_t i = 0; i < 1000 && !pair_has_ended(*server); i++) {
		pair_now = wall();
		pair_pump();
		(void)pair_take(*server);
	}
	pair_close(*server);
	pair_pump();
}

static void open_pair(void **client, void **server)
{
	uint64_t deadline;

	*server = NULL;
	pair_now = wall();
	*client = pair_connect();
	for (deadline = wall() + 5 * SECOND_NS; wall() < deadline && *client;) {
		pair_now = wall();
		pair_pump();
		if (!*server)
			*server = pair_accept();
		if (*server && pair_is_open(*client))
			return;
	}
	fail("no connection");
}

/*
 * Values are of CPU time, so that other work on the machine counts less. `step` does a little
 * and says how much of what is counted that was.
 */
static double measure(uint64_t (*step)(void))
{
	double values[ROUNDS_MAX];

	for (uint32_t i = 0; i < rounds; i++) {
		uint64_t begin = read_clock(CLOCK_PROCESS_CPUTIME_ID), begin_wall = wall();
		uint64_t end_wall = begin_wall + (uint64_t)(round_seconds * 1e9), done = 0;

		while (pair_now < end_wall) {
			pair_now = wall();
			done += step();
		}
		values[i] =
			(double)done * 1e9 / (double)(read_clock(CLOCK_PROCESS_CPUTIME_ID) - begin);
	}
	qsort(values, rounds, sizeof(values[0]), compare);
	return values[rounds / 2];
}

/* ---- bulk, requests, connections ---- */

static void *client_end, *server_end;

static uint64_t bulk_step(void)
{
	uint64_t got;

	(void)pair_send(client_end, data, CHUNK);
	pair_pump();
	got = pair_take(server_end);
	pair_pump();
	return got;
}

static uint64_t request_step(void)
{
	uint32_t done = 0;

	if (pair_send(client_end, data, 1) != 1)
		fail("a request did not leave");
	for (uint32_t i = 0; i < 1000000 && done == 0; i++) {
		pair_pump();
		if (pair_take(server_end) && pair_send(server_end, data, 1) != 1)
			fail("an answer did not leave");
		done = pair_take(client_end);
		if (done == 0 && i > 10)
			pair_now = wall();
	}
	return done;
}

/* A connection, a request, its answer, and the end from the client's side. */
static uint64_t connection_step(void)
{
	void *client = pair_connect(), *server = NULL;
	bool asked = false, answered = false;

	if (!client)
		fail("no connection");
	for (uint32_t i = 0; i < 1000000; i++) {
		pair_pump();
		if (i > 10)
			pair_now = wall();
		if (!asked && pair_is_open(client))
			asked = pair_send(client, data, 1) == 1;
		if (!server)
			server = pair_accept();
		if (server && !answered && pair_take(server))
			answered = pair_send(server, data, 1) == 1;
		if (pair_take(client))
			break;
	}
	if (!answered)
		fail("a connection got stuck");
	pair_close(client);
	for (uint32_t i = 0; i < 1000000 && !pair_has_ended(server); i++) {
		pair_pump();
		if (i > 10)
			pair_now = wall();
	}
	pair_close(server);
	pair_pump();
	return 1;
}

static void bench_memory_link(bool gso)
{
	const char *link = gso ? "GSO" : "1448";
	struct pair_options options = { .gso = gso, .buffer_bytes = 262144, .connections = 64 };
	char name[64];

	pair_now = wall();
	pair_begin(&options);
	open_pair(&client_end, &server_end);
	snprintf(name, sizeof(name), "bulk, %s", link);
	if (gso || wants("memory") || wants("bulk"))
		row("memory", name, measure(bulk_step) * 8e-9, "Gbit/s");
	close_pair(&client_end, &server_end);
	if (gso)
		return;
	open_pair(&client_end, &server_end);
	if (wants("memory") || wants("requests"))
		row("memory", "requests of 1 B", measure(request_step), "/s");
	close_pair(&client_end, &server_end);
	if (wants("memory") || wants("connections"))
		row("memory", "connections with a request", measure(connection_step), "/s");
}

/* With many connections that do nothing. */
static void bench_idle(uint32_t count)
{
	struct pair_options options = { .buffer_bytes = 262144, .connections = count + 64 };
	void *client, *server;
	char name[64];

	pair_now = wall();
	pair_begin(&options);
	for (uint32_t i = 0; i < count; i++)
		open_pair(&client, &server);
	open_pair(&client_end, &server_end);
	snprintf(name, sizeof(name), "requests of 1 B, %u idle", count);
	row("memory", name, measure(request_step), "/s");
	close_pair(&client_end, &server_end);
	open_pair(&client_end, &server_end);
	snprintf(name, sizeof(name), "bulk, 1448, %u idle", count);
	row("memory", name, measure(bulk_step) * 8e-9, "Gbit/s");
}

/* ---- virtual time ---- */

static void advance(void)
{
	uint64_t next = pair_next();

	pair_now = next > pair_now && next != UINT64_MAX ? next : pair_now + 1000;
}

static void bench_virtual(uint32_t seconds, bool trace)
{
	const struct pair_options options = { .delay_ns = (uint64_t)(path.delay_ms * 1e6),
					      .rate = (uint64_t)(path.mbit * 125000),
					      .queue = path.queue,
					      .loss = path.loss,
					      .buffer_bytes = 2u << 20,
					      .connections = 64 };
	void *client, *server = NULL;
	uint64_t end, got = 0, traced = 0;
	char name[64];

	pair_now = 1000 * SECOND_NS;
	pair_begin(&options);
	client = pair_connect();
	end = pair_now + seconds * SECOND_NS;
	while (client && pair_now < end) {
		advance();
		pair_pump();
		if (!server)
			server = pair_accept();
		if (server)
			got += pair_take(server);
		if (pair_is_open(client))
			while (pair_send(client, data, CHUNK))
				;
		if (trace && pair_now > traced + 10000000) {
			pair_trace(client);
			traced = pair_now;
		}
	}
	snprintf(name, sizeof(name), "bulk, %g Mbit/s, %g ms, loss %g %%", path.mbit, path.delay_ms,
		 path.loss * 100);
	row("virtual", name, (double)got * 8e-6 / seconds, "Mbit/s");
}

static bool take_option(const char *name, const char *value)
{
	if (strcmp(name, "--seconds") == 0)
		round_seconds = strtod(value, NULL);
	else if (strcmp(name, "--rounds") == 0)
		rounds = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(name, "--only") == 0)
		only = value;
	else if (strcmp(name, "--loss") == 0)
		path.loss = strtod(value, NULL);
	else if (strcmp(name, "--mbit") == 0)
		path.mbit = strtod(value, NULL);
	else if (strcmp(name, "--delay") == 0)
		path.delay_ms = strtod(value, NULL);
	else if (strcmp(name, "--queue") == 0)
		path.queue = (uint32_t)strtoul(value, NULL, 10);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2)
		if (i + 1 == argc || !take_option(argv[i], argv[i + 1]))
			fail("an unknown option");
	if (rounds == 0 || rounds > ROUNDS_MAX)
		fail("too many rounds");
	if (wants("memory") || wants("bulk") || wants("requests") || wants("connections"))
		bench_memory_link(false);
	if (wants("gso") && pair_has_gso)
		bench_memory_link(true);
	if (wants("idle"))
		bench_idle(10000);
	if (wants("virtual"))
		bench_virtual(120, false);
	if (only && wants("trace"))
		bench_virtual(30, true);
	return 0;
}
