/* SPDX-License-Identifier: ISC */
/*
 * A path between senders and receivers, in real time: senders are Linux behind one TUN device
 * and our own stack in this program; receivers are Linux behind another. All of them share the
 * path, so what the machine does to one it does to all.
 *
 * Usage: path NAMESPACE_A TUN_A NAMESPACE_B TUN_B SECONDS DELAY_MS RATE_MBIT QUEUE_BYTES LOSS
 *	FLOWS START_S
 *
 * RATE 0: none; LOSS of segments that carry data, by chance. FLOWS connections of ours begin
 * after START_S. Every 100 ms and for each flow that carries data a line of results:
 *
 *	time (s)	who (linux, ringwall)	port	bytes delivered since the beginning
 *
 * Bytes count once, by the highest sequence number that has passed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "net/wire.h"
#include "tests/bench_tcp/own_end.h"
#include "tests/bench_tcp/wire.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS_NS UINT64_C(1000000)
#define SAMPLE_NS (100 * MS_NS)
#define FRAMES 32768u
#define FRAME_BYTES 1500u
#define FLOWS_MAX 64u
#define SINK_PORT 5001u
#define OWN_PORT 20000u
#define CHUNK 262144u
#define LEAST_ROOM 16384u

extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard = 0x595e9fbd94fda766u;

struct frame {
	struct frame *next;
	uint32_t bytes;
	uint8_t data[FRAME_BYTES];
};

struct flow {
	uint32_t source; /* address, in network order */
	uint16_t port;
	uint32_t first, highest;
	uint64_t delivered;
};

static const uint8_t own_address[4] = { 10, 91, 2, 1 };
static const uint8_t sink_address[4] = { 10, 91, 3, 1 };
static struct frame *free_frames;
static struct wire forth, back;
static struct flow flows[FLOWS_MAX];
static uint32_t flow_count;
static struct own_pool pool;
static struct own_end own;
static struct tcp_connection *connections[FLOWS_MAX];
static uint8_t data[CHUNK];
static int senders, receivers;
static uint64_t now, begun;

static void fail(const char *what)
{
	fprintf(stderr, "path: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t wall(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

static struct frame *frame_take(void)
{
	struct frame *frame = free_frames;

	if (frame)
		free_frames = frame->next;
	return frame;
}

static void frame_give(struct frame *frame)
{
	frame->next = free_frames;
	free_frames = frame;
}

/* Attaches to a device that exists, in a name space of its own. */
static int tun_open(const char *namespace, const char *name)
{
	int home = open("/proc/self/ns/net", O_RDONLY), there, fd;
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	char path[256];

	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	there = open(path, O_RDONLY);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		fail(path);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		fail(name);
	if (setns(home, CLONE_NEWNET))
		fail("setns");
	close(home);
	close(there);
	return fd;
}

/* ---- flows ---- */

static const struct tcp_header *tcp_in(const struct frame *frame, uint32_t *payload)
{
	const struct ip4_header *ip = (const struct ip4_header *)frame->data;
	uint32_t ip_bytes = (ip->version_length & 15u) * 4u;
	const struct tcp_header *tcp = (const struct tcp_header *)(frame->data + ip_bytes);

	if (frame->bytes < ip_bytes + sizeof(*tcp) || ip->protocol != IP_PROTOCOL_TCP)
		return NULL;
	*payload = frame->bytes - ip_bytes - (uint32_t)(tcp->data_offset >> 4) * 4u;
	return tcp;
}

static void count_delivered(const struct frame *frame)
{
	uint32_t payload, source, sequence, i;
	const struct tcp_header *tcp = tcp_in(frame, &payload);
	uint16_t port;

	if (!tcp || !payload)
		return;
	memcpy(&source, frame->data + 12, sizeof(source));
	port = be16_get(tcp->source_port);
	sequence = be32_get(tcp->sequence);
	for (i = 0; i < flow_count; i++)
		if (flows[i].source == source && flows[i].port == port)
			break;
	if (i == FLOWS_MAX)
		return;
	if (i == flow_count) {
		flow_count++;
		flows[i] = (struct flow){ .source = source, .port = port, .highest = sequence };
	}
	if (!tcp_after(sequence + payload, flows[i].highest))
		return;
	flows[i].delivered += sequence + payload - flows[i].highest;
	flows[i].highest = sequence + payload;
}

static void report(void)
{
	for (uint32_t i = 0; i < flow_count; i++)
		printf("%.3f\t%s\t%u\t%llu\n", (double)(now - begun) * 1e-9,
		       memcmp(&flows[i].source, own_address, 4) == 0 ? "ringwall" : "linux",
		       flows[i].port, (unsigned long long)flows[i].delivered);
	fflush(stdout);
}

/* ---- the path ---- */

/* Only what carries data meets loss and the rate's queue, as netem at a sender's link would. */
static void enter(struct wire *wire, struct frame *frame)
{
	if (!wire_put(wire, frame, frame->bytes + 14u, now))
		frame_give(frame);
}

static void own_transmit(void *context, struct packet *packet)
{
	struct frame *frame = frame_take();

	(void)context;
	if (frame) {
		frame->bytes = packet->length - (uint32_t)sizeof(struct ethernet_header);
		memcpy(frame->data, packet->data + sizeof(struct ethernet_header), frame->bytes);
		enter(&forth, frame);
	}
	packet_free(packet);
}

static void own_receive(const struct frame *frame)
{
	struct packet *packet = packet_alloc_page(&pool.packets, IOPAGE_PRIVATE);
	uint8_t *to = packet ? packet_append(packet, frame->bytes + sizeof(struct ethernet_header))
			     : NULL;

	if (!to) {
		packet_free(packet);
		return;
	}
	memset(to, 0, sizeof(struct ethernet_header));
	ethernet_of(packet)->type = be16_of(ETHERTYPE_IP4);
	memcpy(to + sizeof(struct ethernet_header), frame->data, frame->bytes);
	own_end_input(&own, packet, now);
}

static void leave(int fd, struct frame *frame)
{
	if (write(fd, frame->data, frame->bytes) < 0 && errno != EAGAIN && errno != EIO)
		fail("write");
	frame_give(frame);
}

static uint32_t read_all(int fd, struct wire *wire)
{
	uint32_t count = 0;
	struct frame *frame;
	ssize_t bytes;

	while (count < 64 && (frame = frame_take())) {
		bytes = read(fd, frame->data, sizeof(frame->data));
		if (bytes <= 0) {
			frame_give(frame);
			break;
		}
		frame->bytes = (uint32_t)bytes;
		enter(wire, frame);
		count++;
	}
	return count;
}

static void deliver(void)
{
	struct frame *frame;

	while ((frame = wire_get(&forth, now))) {
		count_delivered(frame);
		leave(receivers, frame);
	}
	while ((frame = wire_get(&back, now))) {
		if (memcmp(frame->data + 16, own_address, 4) != 0) {
			leave(senders, frame);
			continue;
		}
		own_receive(frame);
		frame_give(frame);
	}
}

static void own_connect(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct tcp_key key = { .version = 4,
				       .own_port = be16_of((uint16_t)(OWN_PORT + i)),
				       .peer_port = be16_of(SINK_PORT) };
		int error;

		memcpy(key.own, own_address, 4);
		memcpy(key.peer, sink_address, 4);
		connections[i] = tcp_connect(&own.stack, &key, NULL, NULL, now, &error);
	}
}

static void own_run(uint32_t count)
{
	uint8_t events;

	tcp_packets_flush(&own.service);
	tcp_run(&own.stack, now, 256);
	while (tcp_next_event(&own.stack, &events))
		;
	for (uint32_t i = 0; i < count; i++)
		if (connections[i] && tcp_send_room(connections[i]) >= LEAST_ROOM)
			(void)!tcp_send(connections[i], data, CHUNK, now);
}

static void wait_for(uint64_t until)
{
	struct pollfd fds[] = { { .fd = senders, .events = POLLIN },
				{ .fd = receivers, .events = POLLIN } };
	uint64_t next = tcp_next_ns(&own.stack);
	struct timespec time;

	next = wire_next(&forth) < next ? wire_next(&forth) : next;
	next = wire_next(&back) < next ? wire_next(&back) : next;
	next = until < next ? until : next;
	if (next <= now)
		return;
	time.tv_sec = (time_t)((next - now) / SECOND_NS);
	time.tv_nsec = (long)((next - now) % SECOND_NS);
	ppoll(fds, 2, &time, NULL);
}

static void begin(char **argv)
{
	const struct own_end_options options = { .connections = FLOWS_MAX,
						 .time_waits = FLOWS_MAX,
						 .blocks = 65536,
						 .buffer_bytes = 2u << 20 };
	uint64_t delay = (uint64_t)(strtod(argv[6], NULL) * 1e6);
	uint64_t rate = (uint64_t)(strtod(argv[7], NULL) * 125000);

	senders = tun_open(argv[1], argv[2]);
	receivers = tun_open(argv[3], argv[4]);
	now = wall();
	begun = now;
	wire_init(&forth, delay, rate, strtoull(argv[8], NULL, 10), strtod(argv[9], NULL), now);
	wire_init(&back, 0, 0, 0, 0, 1);
	for (uint32_t i = 0; i < FRAMES; i++)
		frame_give(own_memory(sizeof(struct frame)));
	own_pool_begin(&pool, 8192, 4096);
	own.transmit = own_transmit;
	own_end_begin(&own, &pool, &options, now);
}

int main(int argc, char **argv)
{
	uint64_t end, start, sample;
	uint32_t count, running = 0;

	if (argc != 12) {
		fprintf(stderr, "usage: see the source\n");
		return 2;
	}
	begin(argv);
	end = begun + (uint64_t)(strtod(argv[5], NULL) * 1e9);
	count = (uint32_t)strtoul(argv[10], NULL, 10);
	start = begun + (uint64_t)(strtod(argv[11], NULL) * 1e9);
	sample = begun + SAMPLE_NS;
	if (count > FLOWS_MAX)
		return 2;
	for (now = wall(); now < end; now = wall()) {
		uint32_t came = read_all(senders, &forth) + read_all(receivers, &back);

		deliver();
		if (!running && now >= start && count) {
			own_connect(count);
			running = count;
		}
		own_run(running);
		if (now >= sample) {
			report();
			sample += SAMPLE_NS;
		}
		if (!came)
			wait_for(sample);
	}
	fprintf(stderr,
		"path: lost %llu, queue full %llu, ringwall sent again %llu, timeouts %llu\n",
		(unsigned long long)forth.lost, (unsigned long long)forth.overflowed,
		(unsigned long long)own.stack.stats.retransmissions,
		(unsigned long long)own.stack.stats.timeouts);
	return 0;
}
