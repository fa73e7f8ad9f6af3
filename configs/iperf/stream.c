/* SPDX-License-Identifier: ISC */
#include "configs/iperf/stream.h"

#include <errno.h>
#include <string.h>

#include "configs/iperf/test.h"
#include "lib/byteorder.h"

/* Calls of the socket in one go; then others have their turn. */
#define SENDS_MOST 1024u
#define DATAGRAMS_MOST 64u
/* A rate is kept in steps of this, as iperf3 does. */
#define PACE_NS (IPERF_NS_PER_MS / 2)

static uint8_t payload[IPERF_PAYLOAD_BYTES];

void iperf_payload_make(struct random *random)
{
	random_bytes(random, payload, sizeof(payload));
}

/* ---- rate and limits ---- */

/* Whether the rate allows more now; if not, since when it will. */
static bool may_send(struct iperf_stream *stream, uint64_t now_ns)
{
	const struct iperf_test *test = stream->test;
	uint64_t since_ns = now_ns - test->begin_ns, due_ns;

	if (!test->settings.rate)
		return true;
	/* In what is omitted the rate holds on its own. */
	due_ns = (uint64_t)((unsigned __int128)stream->counts.bytes * 8 * IPERF_NS_PER_SECOND /
			    test->settings.rate);
	if (due_ns <= since_ns)
		return true;
	stream->due_ns = test->begin_ns + due_ns;
	if (stream->due_ns < now_ns + PACE_NS)
		stream->due_ns = now_ns + PACE_NS;
	return false;
}

static bool is_limited(const struct iperf_test *test)
{
	if (test->settings.bytes && !test->server)
		return test->sent_bytes >= test->settings.bytes;
	if (test->settings.blocks && !test->server)
		return test->blocks >= test->settings.blocks;
	return false;
}

static void count_sent(struct iperf_stream *stream, uint32_t bytes, uint64_t now_ns)
{
	stream->counts.bytes += bytes;
	stream->test->sent_bytes += bytes;
	stream->test->heard_ns = now_ns;
}

static void fail(struct iperf_stream *stream, int error)
{
	stream->ended = true;
	/* iperf3's server closes its streams as soon as it hears that the test is over. */
	if (error != -EPIPE && stream->test->running)
		stream->test->broken = true;
}

/* ---- TCP ---- */

static void send_tcp(struct iperf_stream *stream, uint64_t now_ns)
{
	struct iperf_test *test = stream->test;
	uint32_t budget = SENDS_MOST;

	while (budget--) {
		uint32_t wanted;
		int sent;

		if (!may_send(stream, now_ns) || is_limited(test))
			return;
		if (!stream->block_left)
			stream->block_left = test->settings.block_bytes;
		wanted = stream->block_left < sizeof(payload) ? stream->block_left
							      : (uint32_t)sizeof(payload);
		sent = socket_send(stream->socket, payload, wanted);
		stream->blocked = sent >= 0 ? (uint32_t)sent < wanted : sent == -EAGAIN;
		if (sent < 0 && sent != -EAGAIN)
			fail(stream, sent);
		if (sent > 0) {
			count_sent(stream, (uint32_t)sent, now_ns);
			stream->block_left -= (uint32_t)sent;
			test->blocks += stream->block_left == 0;
		}
		if (stream->blocked || stream->ended)
			return;
	}
	test->more = true;
}

static void receive_tcp(struct iperf_stream *stream, uint64_t now_ns)
{
	uint32_t bytes = socket_receivable(stream->socket);

	if (bytes) {
		socket_consume(stream->socket, bytes);
		stream->counts.bytes += bytes;
		stream->test->received_bytes += bytes;
		stream->test->heard_ns = now_ns;
	}
	if (socket_ready(stream->socket) & (SOCKET_PEER_DONE | SOCKET_OVER) &&
	    !socket_receivable(stream->socket))
		fail(stream, -ECONNRESET);
}

/* ---- UDP ---- */

void iperf_datagram_write(uint8_t *to, uint64_t now_ns, uint64_t number, bool counters64)
{
	be32 fields[4] = { be32_of((uint32_t)(now_ns / IPERF_NS_PER_SECOND)),
			   be32_of((uint32_t)(now_ns % IPERF_NS_PER_SECOND / 1000)),
			   be32_of((uint32_t)(counters64 ? number >> 32 : number)),
			   be32_of((uint32_t)number) };

	memcpy(to, fields, counters64 ? 16 : 12);
}

static void send_udp(struct iperf_stream *stream, uint64_t now_ns)
{
	struct iperf_test *test = stream->test;
	uint32_t budget = DATAGRAMS_MOST;

	while (budget--) {
		uint64_t number = stream->counts.packets + stream->omitted.packets + 1;
		int sent;

		if (!may_send(stream, now_ns) || is_limited(test))
			return;
		iperf_datagram_write(payload, now_ns, number, test->settings.counters64);
		sent = socket_send(stream->socket, payload, test->settings.block_bytes);
		stream->blocked = sent == -EAGAIN;
		if (stream->blocked) {
			/* No memory, or the neighbour is not known yet. */
			stream->due_ns = now_ns + PACE_NS;
			return;
		}
		if (sent < 0) {
			fail(stream, sent);
			return;
		}
		stream->counts.packets++;
		test->blocks++;
		count_sent(stream, (uint32_t)sent, now_ns);
	}
	test->more = true;
}

static void count_number(struct iperf_stream *stream, uint64_t number)
{
	struct iperf_counts *counts = &stream->counts;
	uint64_t highest = counts->packets + stream->omitted.packets;

	if (number > highest) {
		counts->errors += number - 1 - highest;
		counts->packets = number - stream->omitted.packets;
		return;
	}
	/* Late: it was counted as lost. */
	stream->out_of_order++;
	if (counts->errors)
		counts->errors--;
}

/* RFC 1889, A.8, and as there without a common clock. */
static void count_transit(struct iperf_stream *stream, int64_t transit_ns)
{
	uint64_t difference;

	if (!stream->first_seen)
		stream->transit_ns = transit_ns;
	stream->first_seen = true;
	difference = transit_ns > stream->transit_ns
			     ? (uint64_t)transit_ns - (uint64_t)stream->transit_ns
			     : (uint64_t)stream->transit_ns - (uint64_t)transit_ns;
	stream->transit_ns = transit_ns;
	if (difference > 60 * IPERF_NS_PER_SECOND)
		return; /* no header of ours */
	stream->counts.jitter_ns =
		stream->counts.jitter_ns - stream->counts.jitter_ns / 16 + difference / 16;
}

void iperf_datagram_count(struct iperf_stream *stream, const uint8_t *data, uint32_t bytes,
			  bool counters64, uint64_t now_ns)
{
	be32 fields[4] = { 0 };
	uint32_t header = counters64 ? 16 : 12;
	uint64_t sent_ns, number;

	stream->counts.bytes += bytes;
	stream->test->received_bytes += bytes;
	stream->test->heard_ns = now_ns;
	if (bytes < header)
		return;
	memcpy(fields, data, header);
	sent_ns = be32_get(fields[0]) * IPERF_NS_PER_SECOND + be32_get(fields[1]) * 1000ull;
	number = be32_get(fields[2]);
	if (counters64)
		number = number << 32 | be32_get(fields[3]);
	count_number(stream, number);
	count_transit(stream, (int64_t)(now_ns - sent_ns));
}

static bool receive_udp(struct iperf_stream *stream, uint64_t now_ns)
{
	static uint8_t data[65536];
	uint32_t budget = DATAGRAMS_MOST;

	while (budget--) {
		int got = socket_receive(stream->socket, data, sizeof(data));

		if (got == -EAGAIN)
			return false;
		/* What ICMP says of UDP ends nothing. */
		if (got > 4)
			iperf_datagram_count(stream, data, (uint32_t)got,
					     stream->test->settings.counters64, now_ns);
	}
	return true;
}

/* ---- both ---- */

bool iperf_stream_send(struct iperf_stream *stream, uint64_t now_ns)
{
	if (!stream->sends || !stream->socket || stream->ended)
		return false;
	if (stream->test->settings.udp)
		send_udp(stream, now_ns);
	else
		send_tcp(stream, now_ns);
	return !stream->ended;
}

bool iperf_stream_receive(struct iperf_stream *stream, uint64_t now_ns)
{
	if (!stream->socket || stream->ended || stream->sends)
		return false;
	if (stream->test->settings.udp)
		return receive_udp(stream, now_ns);
	receive_tcp(stream, now_ns);
	return false;
}

void iperf_stream_look(struct iperf_stream *stream)
{
	struct socket_tcp_info info;

	if (!stream->socket || stream->test->settings.udp || !stream->sends)
		return;
	socket_tcp_info(stream->socket, &info);
	if (info.retransmissions >= stream->omitted.retransmissions)
		stream->counts.retransmissions =
			info.retransmissions - stream->omitted.retransmissions;
}

void iperf_stream_omit(struct iperf_stream *stream)
{
	struct iperf_counts zero = { 0 };

	iperf_stream_look(stream);
	stream->omitted.bytes += stream->counts.bytes;
	stream->omitted.packets += stream->counts.packets;
	stream->omitted.retransmissions += stream->counts.retransmissions;
	stream->counts = stream->shown = zero;
}

void iperf_stream_close(struct iperf_stream *stream)
{
	if (stream->socket)
		socket_close(stream->socket);
	stream->socket = NULL;
}

void iperf_stream_end(struct iperf_stream *stream)
{
	if (stream->socket)
		socket_abort(stream->socket);
	stream->socket = NULL;
}
