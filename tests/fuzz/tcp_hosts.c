/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/tcp_hosts.h"

#include <inttypes.h>

#include "net/tcp_core_parts.h"

#define PORT 80u
#define STEPS_MAX 20000u /* of time in one go, and one for each millisecond: more is a loop */
#define BLOCKS 600u
#define SETTLE_NS (200 * HOSTS_MS)
#define SETTLE_MAX_NS (60 * HOSTS_S)
#define SETTLE_ROUNDS 2000u

struct hosts hosts;

/* ---- bytes ---- */

/* Byte `at` of what is sent by `host` in the connection `name`. */
static uint8_t byte_of(unsigned int host, uint32_t name, uint64_t at)
{
	return (uint8_t)((at * 2654435761u >> 11) + name * 31 + host * 101);
}

/* ---- memory ---- */

static void *take(void *context)
{
	(void)context;
	return malloc(TCP_BLOCK_BYTES);
}

static void give(void *context, void *block)
{
	(void)context;
	free(block);
}

static void *copy_of(const void *from, size_t bytes)
{
	uint8_t *copy = malloc(bytes + 1);

	fuzz_assert(copy);
	if (bytes)
		memcpy(copy + 1, from, bytes);
	return copy + 1;
}

static void segment_free(struct hosts_segment *flying)
{
	for (unsigned int i = 0; i < flying->segment.piece_count; i++)
		free((uint8_t *)(uintptr_t)flying->segment.pieces[i].data - 1);
	free((uint8_t *)(uintptr_t)flying->segment.options - 1);
	free(flying);
}

/* ---- the wire ---- */

struct tcp_key hosts_key(unsigned int host, uint16_t port)
{
	struct tcp_key key = { .version = port & 1 ? 6 : 4 };

	key.own[0] = key.peer[0] = 10;
	key.own[3] = (uint8_t)(1 + host);
	key.peer[3] = (uint8_t)(2 - host);
	key.own_port = be16_of(host ? PORT : port);
	key.peer_port = be16_of(host ? port : PORT);
	return key;
}

static struct tcp_key turned(const struct tcp_key *key)
{
	struct tcp_key other = *key;

	memcpy(other.own, key->peer, sizeof(other.own));
	memcpy(other.peer, key->own, sizeof(other.peer));
	other.own_port = key->peer_port;
	other.peer_port = key->own_port;
	return other;
}

/* False: the wire is full, and the segment lost. */
static bool wire_add(struct hosts_segment *flying)
{
	if (hosts.on_wire == HOSTS_WIRE) {
		segment_free(flying);
		return false;
	}
	hosts.wire[hosts.on_wire++] = flying;
	return true;
}

static struct hosts_segment *wire_take(unsigned int n)
{
	struct hosts_segment *flying = hosts.wire[n];

	hosts.on_wire--;
	memmove(&hosts.wire[n], &hosts.wire[n + 1], (hosts.on_wire - n) * sizeof(hosts.wire[0]));
	return flying;
}

/* What leaves, for whoever looks into a finding with TCP_FUZZ_TRACE set. */
static void trace(unsigned int from, const struct tcp_segment *segment)
{
	static int is_on = -1;

	if (is_on < 0)
		is_on = getenv("TCP_FUZZ_TRACE") != NULL;
	if (is_on)
		fprintf(stderr,
			"%" PRIu64 ".%06" PRIu64 " host %u port %u flags %#x %u+%u ack %u win %u\n",
			hosts.now / HOSTS_S, hosts.now % HOSTS_S / 1000, from,
			be16_get(from ? segment->key.own_port : segment->key.peer_port),
			segment->flags, segment->sequence, segment->bytes, segment->acknowledgement,
			segment->window);
}

/* The bytes [offset, offset + bytes) of a transmission, in two pieces where it has two. */
static void fly(unsigned int from, const struct tcp_transmission *t, uint32_t offset,
		uint32_t bytes, uint8_t flags)
{
	struct hosts_segment *flying = calloc(1, sizeof(*flying));
	struct tcp_segment *segment;
	uint32_t skip = offset, left = bytes;

	fuzz_assert(flying);
	flying->at = hosts.now + hosts.delay;
	flying->to = !from;
	segment = &flying->segment;
	*segment = (struct tcp_segment){ .key = turned(&t->key),
					 .sequence = t->sequence + offset,
					 .acknowledgement = t->acknowledgement,
					 .window = t->window,
					 .flags = flags,
					 .ecn = t->ecn,
					 .option_bytes = t->option_bytes,
					 .options = copy_of(t->options, t->option_bytes),
					 .bytes = bytes };
	for (unsigned int i = 0; i < t->piece_count && left; i++) {
		uint32_t part = t->pieces[i].bytes;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		part = min32(part - skip, left);
		segment->pieces[segment->piece_count++] =
			(struct tcp_piece){ copy_of(t->pieces[i].data + skip, part), part };
		skip = 0;
		left -= part;
	}
	fuzz_assert(left == 0);
	trace(from, segment);
	(void)wire_add(flying);
}

static bool sends(void *context, const struct tcp_transmission *t)
{
	struct hosts_host *host = context;
	uint32_t offset = 0, step = t->gso_size ? t->gso_size : t->bytes;

	fuzz_assert(t->option_bytes <= TCP_OPTIONS_MAX && t->option_bytes % 4 == 0);
	fuzz_assert(t->piece_count <= TCP_PIECES_MAX);
	fuzz_assert(t->bytes <= TCP_GSO_MAX && (!t->gso_size || t->gso_size < t->bytes));
	fuzz_assert(t->option_bytes + (t->gso_size ? t->gso_size : t->bytes) +
			    (t->key.version == 6 ? 60 : 40) <=
		    host->stack.config.mtu);
	if (host->is_busy)
		return false;
	host->sent++;
	host->empty += t->bytes == 0;
	host->bytes += t->bytes;
	do {
		uint32_t bytes = min32(t->bytes - offset, step);
		uint8_t flags = t->flags;

		if (offset + bytes < t->bytes)
			flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (offset)
			flags &= (uint8_t)~TCP_CWR;
		fly(host == &hosts.host[1], t, offset, bytes, flags);
		offset += bytes;
	} while (offset < t->bytes);
	return true;
}

/* ---- what must hold ---- */

static void check_connection(struct hosts_host *host, unsigned int i, uint32_t *spans,
			     uint64_t *windows)
{
	struct tcp_connection *c = &host->connections[i];
	uint32_t right = tcp_window_right(&c->window);

	if (!(c->flags & TCP_FLAG_LIVE) || c->end.state == TCP_CLOSED ||
	    c->end.state == TCP_SYN_SENT) {
		host->window[i].irs = 0;
		return;
	}
	*spans += c->reassembly.count;
	*windows += c->window.limit;
	fuzz_assert(tcp_reassembly_is_valid(&c->reassembly));
	fuzz_assert(tcp_outstanding(c) <= TCP_BUFFER_MAX + 1);
	fuzz_assert(c->mss >= TCP_MSS_MIN - TCP_TIMESTAMP_BYTES);
	if (!tcp_has(c, TCP_FLAG_FIN_RECEIVED)) {
		fuzz_assert(c->rcv_nxt == c->reassembly.next);
		fuzz_assert(!tcp_after(c->rcv_nxt, right));
	}
	if (host->window[i].irs == c->irs)
		fuzz_assert(!tcp_before(right, host->window[i].right));
	host->window[i].irs = c->irs;
	host->window[i].right = right;
	if (c->flight) {
		fuzz_assert(tcp_cubic_window(&c->flight->cubic) >= TCP_CUBIC_MSS_MIN);
		fuzz_assert(tcp_recovery_pipe(&c->flight->recovery) <= tcp_outstanding(c));
	}
}

void hosts_check(unsigned int h)
{
	struct hosts_host *host = &hosts.host[h];
	uint64_t windows = 0;
	uint32_t spans = 0;

	fuzz_assert(tcp_stack_is_valid(&host->stack));
	fuzz_assert(host->stack.time_wait_used <= HOSTS_WAITS);
	for (unsigned int i = 0; i < HOSTS_CONNECTIONS; i++)
		check_connection(host, i, &spans, &windows);
	fuzz_assert(spans + host->stack.spans.free_count == HOSTS_SPANS);
	fuzz_assert(windows == host->stack.windows.used);
}

/* ---- segments in ---- */

/* What a segment may set off: what is buffered, once, and little beside it. */
static void give_segment(unsigned int h, const struct tcp_segment *segment)
{
	struct hosts_host *host = &hosts.host[h];
	struct tcp_end *end = tcp_find(&host->stack, &segment->key);
	uint32_t buffered = 0;

	if (end && end->state != TCP_TIME_WAIT)
		buffered = container_of(end, struct tcp_connection, end)->sending.bytes;
	host->sent = host->empty = 0;
	host->bytes = 0;
	tcp_input(&host->stack, segment, NULL, hosts.now);
	fuzz_assert(host->bytes <= buffered);
	fuzz_assert(host->empty <= 3);
	hosts_check(h);
}

void hosts_arrive(unsigned int n)
{
	struct hosts_segment *flying;

	if (!hosts.on_wire)
		return;
	flying = wire_take(n % hosts.on_wire);
	give_segment(flying->to, &flying->segment);
	segment_free(flying);
}

void hosts_lose(unsigned int n)
{
	if (hosts.on_wire)
		segment_free(wire_take(n % hosts.on_wire));
}

static struct hosts_segment *twin_of(const struct hosts_segment *flying)
{
	struct hosts_segment *twin = malloc(sizeof(*twin));
	struct tcp_segment *segment;

	fuzz_assert(twin);
	*twin = *flying;
	segment = &twin->segment;
	segment->options = copy_of(segment->options, segment->option_bytes);
	for (unsigned int i = 0; i < segment->piece_count; i++)
		segment->pieces[i].data =
			copy_of(segment->pieces[i].data, segment->pieces[i].bytes);
	return twin;
}

struct hosts_segment *hosts_again(unsigned int n)
{
	struct hosts_segment *twin;

	if (!hosts.on_wire)
		return NULL;
	/* A cookie is good for a while: what comes so late may open a connection once more. */
	if (hosts.host[1].listener.cookies)
		hosts.has_lied = true;
	twin = twin_of(hosts.wire[n % hosts.on_wire]);
	return wire_add(twin) ? twin : NULL;
}

struct hosts_segment *hosts_forge(unsigned int to, uint32_t bytes, uint8_t option_bytes)
{
	static const uint8_t any[65536];
	struct hosts_segment *flying = calloc(1, sizeof(*flying));

	fuzz_assert(flying);
	flying->at = hosts.now;
	flying->to = to;
	flying->segment.options = copy_of(any, option_bytes);
	flying->segment.option_bytes = option_bytes;
	flying->segment.bytes = bytes;
	if (bytes) {
		flying->segment.piece_count = 1;
		flying->segment.pieces[0] = (struct tcp_piece){ copy_of(any, bytes), bytes };
	}
	return wire_add(flying) ? flying : NULL;
}

void hosts_merge(unsigned int n)
{
	struct hosts_segment *first, *second;
	struct tcp_segment *a, *b;

	if (hosts.on_wire < 2)
		return;
	n %= hosts.on_wire - 1;
	first = hosts.wire[n];
	second = hosts.wire[n + 1];
	a = &first->segment;
	b = &second->segment;
	if (first->to != second->to || !tcp_key_equal(&a->key, &b->key) || !a->bytes || !b->bytes ||
	    a->sequence + a->bytes != b->sequence || (a->flags | b->flags) & (TCP_SYN | TCP_RST) ||
	    a->flags & TCP_FIN || a->piece_count + b->piece_count > TCP_PIECES_MAX)
		return;
	second = wire_take(n + 1);
	for (unsigned int i = 0; i < b->piece_count; i++)
		a->pieces[a->piece_count++] = b->pieces[i];
	a->bytes += b->bytes;
	a->flags |= b->flags;
	a->segments = (uint16_t)((a->segments ? a->segments : 1) + (b->segments ? b->segments : 1));
	b->piece_count = 0; /* they are the other's now */
	segment_free(second);
}

/* ---- time ---- */

static uint64_t next_time(uint64_t end)
{
	uint64_t next = end;

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t timer = tcp_next_ns(&hosts.host[i].stack);

		next = timer < next ? timer : next;
	}
	for (unsigned int i = 0; i < hosts.on_wire; i++)
		next = hosts.wire[i]->at < next ? hosts.wire[i]->at : next;
	return next;
}

static void deliver_due(void)
{
	for (unsigned int i = 0; i < hosts.on_wire;)
		if (hosts.wire[i]->at <= hosts.now) {
			struct hosts_segment *flying = wire_take(i);

			give_segment(flying->to, &flying->segment);
			segment_free(flying);
		} else {
			i++;
		}
}

void hosts_run(uint64_t ns)
{
	uint64_t end = hosts.now + ns;

	for (unsigned int step = 0;; step++) {
		uint64_t next = next_time(end);

		fuzz_assert(step < STEPS_MAX + ns / HOSTS_MS);
		if (next > hosts.now)
			hosts.now = next;
		deliver_due();
		for (unsigned int i = 0; i < 2; i++) {
			(void)tcp_run(&hosts.host[i].stack, hosts.now, 100);
			hosts_check(i);
		}
		if (hosts.now >= end)
			return;
		if (next_time(end) <= hosts.now)
			hosts.now++; /* the wheel's time is coarser */
	}
}

/* ---- applications ---- */

static struct hosts_stream *stream_for(struct tcp_connection *c, unsigned int host)
{
	for (unsigned int i = 0; i < HOSTS_STREAMS; i++) {
		struct hosts_stream *stream = &hosts.streams[i];

		if (stream->connection)
			continue;
		*stream = (struct hosts_stream){
			.connection = c,
			.host = host,
			.name = be16_get(host ? c->end.key.peer_port : c->end.key.own_port),
		};
		return stream;
	}
	fuzz_assert(!"there are as many streams as connections");
	return NULL;
}

struct hosts_stream *hosts_stream(unsigned int first)
{
	for (unsigned int i = 0; i < HOSTS_STREAMS; i++) {
		struct hosts_stream *stream = &hosts.streams[(first + i) % HOSTS_STREAMS];

		if (stream->connection)
			return stream;
	}
	return NULL;
}

void hosts_connect(unsigned int host, uint16_t port)
{
	struct tcp_key key = hosts_key(host, port);
	struct tcp_connection *c;
	int error;

	c = tcp_connect(&hosts.host[host].stack, &key, NULL, NULL, hosts.now, &error);
	fuzz_assert(!c == !!error);
	if (c)
		(void)stream_for(c, host);
	hosts_check(host);
}

void hosts_accept(unsigned int host)
{
	struct tcp_connection *c;

	if (!hosts.host[host].listens)
		return;
	c = tcp_accept(&hosts.host[host].listener, NULL);
	if (c)
		(void)stream_for(c, host);
	hosts_check(host);
}

void hosts_send(struct hosts_stream *stream, uint32_t bytes)
{
	static uint8_t data[65536];
	int taken;

	for (uint32_t i = 0; i < bytes; i++)
		data[i] = byte_of(stream->host, stream->name, stream->sent + i);
	taken = tcp_send(stream->connection, data, bytes, hosts.now);
	fuzz_assert(taken <= (int)bytes);
	if (taken > 0)
		stream->sent += (uint32_t)taken;
	hosts_check(stream->host);
}

static void verify(struct hosts_stream *stream, const uint8_t *data, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes && !hosts.is_forged; i++)
		fuzz_assert(data[i] == byte_of(!stream->host, stream->name, stream->received + i));
	stream->received += bytes;
}

void hosts_receive(struct hosts_stream *stream, uint32_t bytes, bool in_place)
{
	static uint8_t data[65536];
	struct tcp_piece pieces[4];
	uint32_t had = tcp_receivable(stream->connection), there;
	int got;

	if (in_place) {
		got = tcp_peek(stream->connection, pieces, 4, &there);
		fuzz_assert(got <= 4 && there <= had);
		for (int i = 0; i < got; i++)
			verify(stream, pieces[i].data, pieces[i].bytes);
		if (got > 0)
			tcp_consume(stream->connection, there, hosts.now);
	} else {
		got = tcp_receive(stream->connection, data, bytes, hosts.now);
		fuzz_assert(got <= (int)bytes);
		fuzz_assert(got == (int)min32(had, bytes) || (!had && got <= 0));
		if (got > 0)
			verify(stream, data, (uint32_t)got);
	}
	if (got == 0 && bytes)
		stream->has_ended = true;
	hosts_check(stream->host);
}

void hosts_drop(struct hosts_stream *stream, bool abort)
{
	struct tcp_connection *c = stream->connection;

	stream->connection = NULL;
	if (abort)
		tcp_abort(c, hosts.now);
	else
		tcp_close(c, hosts.now);
	hosts_check(stream->host);
}

/* ---- the beginning and the end ---- */

static void host_begin(unsigned int i, struct script *script)
{
	static const uint16_t mtus[] = { 1500, 9000, 1280, 576, 160, 68 + 60 };
	static const uint32_t gso[] = { 0, 65160, 3000, 20000 };
	static const uint32_t limits[] = { 1u << 20, 4096, 65536,  2000,
					   20000,    3000, 100000, 1u << 18 };
	struct hosts_host *host = &hosts.host[i];
	uint8_t seed[RANDOM_SEED_BYTES] = { (uint8_t)(i + 1) }, how = script_u8(script);
	uint8_t sizes = script_u8(script);
	struct tcp_config config = {
		.send = sends,
		.context = host,
		.random = &host->random,
		.memory = { .take = take,
			    .give = give,
			    .limit = how & 128 ? 2u + (sizes >> 6) * 6 : BLOCKS },
		.connections = host->connections,
		.connection_count = HOSTS_CONNECTIONS,
		.time_waits = host->waits,
		.time_wait_count = HOSTS_WAITS,
		.buckets = host->buckets,
		.bucket_count = 8,
		.spans = host->spans,
		.span_count = HOSTS_SPANS,
		.mtu = mtus[how % 8 < 6 ? how % 8 : 0],
		.gso_bytes = gso[how >> 3 & 3],
		.send_bytes = limits[sizes & 7],
		.receive_bytes = limits[sizes >> 3 & 7],
		.options = { .keepalive_idle_s = 5, .keepalive_interval_s = 2 },
	};

	random_init(&host->random, seed);
	fuzz_assert(tcp_stack_init(&host->stack, &config, hosts.now) == 0);
	host->listener = (struct tcp_listener){ .port = PORT,
						.backlog = how & 32 ? 1 : 4,
						.cookies = how & 64 };
	if (i == 1) {
		fuzz_assert(tcp_listen(&host->stack, &host->listener) == 0);
		host->listens = true;
	}
}

void hosts_begin(struct script *script)
{
	memset(&hosts, 0, sizeof(hosts));
	hosts.now = 5000 * HOSTS_S;
	hosts.delay = (uint64_t)script_u8(script) * HOSTS_MS / 2;
	host_begin(0, script);
	host_begin(1, script);
}

/* Everybody reads what there is, and closes after the other has. */
static void serve_all(void)
{
	hosts_accept(1);
	for (unsigned int i = 0; i < HOSTS_STREAMS; i++) {
		struct hosts_stream *stream = &hosts.streams[i];

		if (!stream->connection)
			continue;
		while (tcp_receivable(stream->connection))
			hosts_receive(stream, 65536, false);
		hosts_receive(stream, 1, false);
		tcp_shutdown(stream->connection, hosts.now);
	}
}

static bool is_over(void)
{
	for (unsigned int i = 0; i < HOSTS_STREAMS; i++) {
		const struct tcp_connection *c = hosts.streams[i].connection;

		if (c && c->end.state != TCP_CLOSED)
			return false;
	}
	return hosts.on_wire == 0 && hosts.host[1].listener.half_open == 0 &&
	       hosts.host[1].listener.waiting == 0;
}

static uint64_t received(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < HOSTS_STREAMS; i++)
		sum += hosts.streams[i].received;
	return sum;
}

/* What is not over, for whoever looks into a finding. */
static void show(void)
{
	for (unsigned int i = 0; i < HOSTS_STREAMS; i++) {
		const struct hosts_stream *stream = &hosts.streams[i];
		const struct tcp_connection *c = stream->connection;

		if (c)
			fprintf(stderr,
				"left: host %u name %u state %u error %d flags %#x out %u queued "
				"%u "
				"window %u sent %" PRIu64 " received %" PRIu64 "\n",
				stream->host, stream->name, c->end.state, c->error, c->flags,
				tcp_outstanding(c), c->sending.bytes, c->snd_wnd, stream->sent,
				stream->received);
	}
}

/* With a link that works, and applications that read, all ends well. */
static void settle(void)
{
	uint64_t wait = SETTLE_NS, before = 0;

	for (unsigned int i = 0; i < 2; i++) {
		hosts.host[i].is_busy = false;
		hosts.host[i].stack.config.memory.limit = BLOCKS;
	}
	/* Longer while nothing moves: timers have backed off. */
	for (unsigned int round = 0; round < SETTLE_ROUNDS && !is_over(); round++) {
		serve_all();
		hosts_run(wait);
		wait = received() == before ? wait + wait / 8 : SETTLE_NS;
		wait = wait < SETTLE_MAX_NS ? wait : SETTLE_MAX_NS;
		before = received();
	}
	serve_all();
	if (!is_over())
		show();
	fuzz_assert(is_over());
	for (unsigned int i = 0; i < HOSTS_STREAMS; i++)
		for (unsigned int k = 0; k < HOSTS_STREAMS; k++) {
			const struct hosts_stream *a = &hosts.streams[i], *b = &hosts.streams[k];

			if (a->connection && b->connection && a->host == 0 && b->host == 1 &&
			    a->name == b->name && !tcp_error(a->connection) &&
			    !tcp_error(b->connection) && a->connection->irs == b->connection->iss) {
				fuzz_assert(a->sent == b->received && b->sent == a->received);
				fuzz_assert(a->has_ended && b->has_ended);
			}
		}
}

void hosts_end(void)
{
	if (!hosts.has_lied && !hosts.is_forged)
		settle();
	for (unsigned int i = 0; i < HOSTS_STREAMS; i++)
		if (hosts.streams[i].connection)
			hosts_drop(&hosts.streams[i], true);
	while (hosts.on_wire)
		hosts_lose(0);
	for (unsigned int i = 0; i < 2; i++) {
		struct hosts_host *host = &hosts.host[i];

		if (host->listens)
			tcp_unlisten(&host->stack, &host->listener, hosts.now);
		for (unsigned int n = 0; n < HOSTS_CONNECTIONS; n++)
			if (host->connections[n].flags & TCP_FLAG_LIVE)
				tcp_abort(&host->connections[n], hosts.now);
		(void)tcp_run(&host->stack, hosts.now + 1000 * HOSTS_S, 1000);
		hosts_check(i);
		fuzz_assert(host->stack.config.memory.used == 0);
		fuzz_assert(host->stack.connection_used == 0);
		fuzz_assert(host->stack.time_wait_used == 0);
	}
	while (hosts.on_wire)
		hosts_lose(0);
}
