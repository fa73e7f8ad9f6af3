/* SPDX-License-Identifier: ISC */
/*
 * The other end of configs/vchan, for dom0: the real libxenvchan against ours.
 *
 *	vchan_peer serve|join DOMID WHAT
 *
 * As client of the guest's server (join) or as server for its client (serve):
 *
 *	sizes	echoes of 1 byte to 16 MiB, and sums of what was sent and received
 *	flood	both sides write 16 MiB at once
 *	noise	two seconds of events, and an echo
 *	speed	how fast bytes go up and down, without a look at them
 *	read, written, live, orders, grants
 *		nonsense in that field (orders and grants before the guest comes)
 *
 * Says what it saw; the status is 0 when that was right.
 */
#define _GNU_SOURCE
#include <libxenvchan.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#define MIB (1u << 20)
#define WAIT_S 20
#define RING 65536u

enum order { ECHO = 1, SINK, SOURCE, FLOOD };

struct request {
	uint32_t order;
	uint32_t checked;
	uint64_t bytes;
};

static struct libxenvchan *chan;
static bool is_server;
static int guest;
static uint8_t sent[MIB], got[MIB];

static void die(const char *what)
{
	printf("WRONG: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* ---- the connection ---- */

static void path_of(char *path, size_t size, const char *leaf)
{
	if (is_server)
		snprintf(path, size, "/local/domain/0/data/vchan/%d/2%s", guest, leaf);
	else
		snprintf(path, size, "/local/domain/%d/data/vchan/0/1%s", guest, leaf);
}

static void join(void)
{
	char path[128];
	double end = now() + WAIT_S;

	path_of(path, sizeof(path), "");
	while (!(chan = libxenvchan_client_init(NULL, guest, path))) {
		if (now() > end)
			die("no server came");
		usleep(10000);
	}
}

static void serve(void)
{
	char path[128];
	double end = now() + WAIT_S;

	path_of(path, sizeof(path), "");
	chan = libxenvchan_server_init(NULL, guest, path, RING, RING);
	if (!chan)
		die("no server can be made");
	while (libxenvchan_is_open(chan) == 2) {
		if (now() > end)
			die("no client came");
		usleep(10000);
	}
}

static void open_it(void)
{
	if (is_server)
		serve();
	else
		join();
	chan->blocking = 1;
}

/* ---- moving bytes ---- */

static void put(const void *from, size_t size)
{
	if (libxenvchan_send(chan, from, size) != (int)size)
		die("cannot send");
}

static void get(void *to, size_t size)
{
	if (libxenvchan_recv(chan, to, size) != (int)size)
		die("cannot receive");
}

static void ask(enum order order, bool checked, uint64_t bytes)
{
	struct request request = { order, checked, bytes };

	put(&request, sizeof(request));
}

static uint64_t sum(uint64_t sum, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3ull;
	return sum;
}

static void check_place(const uint8_t *bytes, uint64_t at, size_t count)
{
	for (size_t i = 0; i < count; i++, at++)
		if (bytes[i] != (uint8_t)(at * 167 + (at >> 8) * 13))
			die("a byte that the guest did not send");
}

/* Writes and reads at once, as each is possible; the library is not for threads. */
struct both {
	uint64_t out, in; /* bytes to go */
	uint64_t out_done, in_done;
	uint64_t out_sum;
	bool compare; /* what comes is what was sent */
	bool checked;
};

static bool both_write(struct both *both)
{
	uint64_t left = both->out - both->out_done;
	size_t at = both->out_done % MIB;
	int count;

	if (left > MIB - at)
		left = MIB - at;
	if (!left)
		return false;
	count = libxenvchan_write(chan, sent + at, left);
	if (count < 0)
		die("cannot write");
	if (both->checked)
		both->out_sum = sum(both->out_sum, sent + at, (size_t)count);
	both->out_done += (uint64_t)count;
	return count > 0;
}

static bool both_read(struct both *both)
{
	uint64_t left = both->in - both->in_done;
	size_t at = both->in_done % MIB;
	int count;

	if (left > MIB - at)
		left = MIB - at;
	if (!left)
		return false;
	count = libxenvchan_read(chan, got + at, left);
	if (count < 0)
		die("cannot read");
	if (both->checked && both->compare && memcmp(got + at, sent + at, (size_t)count) != 0)
		die("another byte came back");
	if (both->checked && !both->compare)
		check_place(got + at, both->in_done, (size_t)count);
	both->in_done += (uint64_t)count;
	return count > 0;
}

static void both_run(struct both *both)
{
	both->out_sum = 0xcbf29ce484222325ull;
	chan->blocking = 0;
	while (both->out_done < both->out || both->in_done < both->in) {
		bool moved = both_write(both);

		moved |= both_read(both);
		if (!moved && libxenvchan_wait(chan) < 0)
			die("cannot wait");
	}
	chan->blocking = 1;
}

static void echo(uint64_t bytes)
{
	struct both both = { .out = bytes, .in = bytes, .compare = true, .checked = true };

	ask(ECHO, true, bytes);
	both_run(&both);
}

static void sum_must(uint64_t right)
{
	uint64_t theirs;

	get(&theirs, sizeof(theirs));
	if (theirs != right)
		die("the guest received something else");
}

static void transfer(enum order order, bool checked, uint64_t bytes)
{
	struct both both = { .out = order == SOURCE ? 0 : bytes,
			     .in = order == SINK ? 0 : bytes,
			     .checked = checked };

	ask(order, checked, bytes);
	both_run(&both);
	if (order != SOURCE)
		sum_must(both.out_sum);
}

/* ---- what is tried ---- */

static void try_sizes(void)
{
	static const uint64_t sizes[] = { 1,	  2,	  3,	    15,	     16,
					  17,	  1023,	  1024,	    4095,    4096,
					  4097,	  65535,  65536,    65537,   100000,
					  131072, 500009, 1u << 20, 3000017, 16u << 20 };
	uint64_t bytes = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		echo(sizes[i]);
		bytes += sizes[i];
	}
	for (uint32_t i = 0; i < 200; i++) {
		echo(1 + (uint64_t)rand() % 3000);
		transfer(SINK, true, 1 + (uint64_t)rand() % 3000);
		transfer(SOURCE, true, 1 + (uint64_t)rand() % 3000);
	}
	transfer(SINK, true, 4 * MIB);
	transfer(SOURCE, true, 4 * MIB);
	printf("echoed %llu bytes\n", (unsigned long long)bytes);
}

static void try_speed(void)
{
	static const enum order orders[] = { SINK, SOURCE, FLOOD };
	static const char *const names[] = { "to the guest", "from the guest", "both ways, each" };
	const uint64_t bytes = 64 * MIB;

	for (int i = 0; i < 3; i++) {
		double began = now();

		transfer(orders[i], false, bytes);
		printf("%s: %.0f MB/s\n", names[i], (double)bytes / 1e6 / (now() - began));
	}
}

static void ended_must(void)
{
	double end = now() + 10;

	while (libxenvchan_is_open(chan)) {
		if (now() > end)
			die("the guest has not ended");
		usleep(20000);
	}
	printf("the guest ended it\n");
}

static struct ring_shared *shared(bool writes)
{
	return writes ? chan->write.shr : chan->read.shr;
}

static void nonsense(const char *what)
{
	echo(1000);
	if (strcmp(what, "written") == 0)
		shared(true)->prod += 0x12345678;
	else if (strcmp(what, "read") == 0)
		shared(false)->cons += 0x12345678;
	else if (strcmp(what, "live") == 0)
		*(is_server ? &chan->ring->srv_live : &chan->ring->cli_live) = 0;
	else
		die("no such nonsense");
	xenevtchn_notify(chan->event, chan->event_port);
	ended_must();
}

/* Events without end: the guest goes on answering all the same. */
static void try_noise(void)
{
	double end = now() + 2;
	uint32_t count = 0;

	for (; now() < end; count++)
		xenevtchn_notify(chan->event, chan->event_port);
	printf("%u events\n", count);
	echo(100000);
}

/* A server whose page is wrong before its nodes are where the guest looks. */
static void offer_wrong(const char *what)
{
	static const char *const keys[] = { "ring-ref", "event-channel" };
	struct xs_permissions rights[2] = { { 0, XS_PERM_NONE },
					    { (unsigned int)guest, XS_PERM_READ } };
	struct xs_handle *xs = xs_open(0);
	char from[128], to[128];

	path_of(from, sizeof(from), "-aside");
	chan = libxenvchan_server_init(NULL, guest, from, RING, RING);
	if (!chan || !xs)
		die("no server can be made");
	if (strcmp(what, "orders") == 0)
		chan->ring->left_order = 77;
	else
		chan->ring->grants[17] = 0x7fffff;
	for (int i = 0; i < 2; i++) {
		unsigned int length;
		char key[160];
		char *value;

		snprintf(key, sizeof(key), "%s/%s", from, keys[i]);
		value = xs_read(xs, XBT_NULL, key, &length);
		path_of(to, sizeof(to), i ? "/event-channel" : "/ring-ref");
		if (!value || !xs_write(xs, XBT_NULL, to, value, length) ||
		    !xs_set_permissions(xs, XBT_NULL, to, rights, 2))
			die("cannot write to xenstore");
		free(value);
	}
	sleep(3);
	if (libxenvchan_is_open(chan) != 2)
		die("the guest came");
	path_of(to, sizeof(to), "");
	xs_rm(xs, XBT_NULL, to);
	xs_rm(xs, XBT_NULL, from);
	xs_close(xs);
	printf("the guest did not come\n");
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: vchan_peer serve|join DOMID WHAT");
	alarm(100);
	setvbuf(stdout, NULL, _IOLBF, 0);
	is_server = strcmp(argv[1], "serve") == 0;
	guest = atoi(argv[2]);
	for (size_t i = 0; i < MIB; i++)
		sent[i] = (uint8_t)rand();
	if (strcmp(argv[3], "orders") == 0 || strcmp(argv[3], "grants") == 0) {
		offer_wrong(argv[3]);
	} else {
		open_it();
		if (strcmp(argv[3], "sizes") == 0)
			try_sizes();
		else if (strcmp(argv[3], "flood") == 0)
			transfer(FLOOD, true, 16 * MIB);
		else if (strcmp(argv[3], "speed") == 0)
			try_speed();
		else if (strcmp(argv[3], "noise") == 0)
			try_noise();
		else
			nonsense(argv[3]);
	}
	libxenvchan_close(chan);
	printf("right\n");
	return 0;
}
