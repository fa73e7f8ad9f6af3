/* SPDX-License-Identifier: ISC */
#include "tests/net/test_tcp.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS 4096u

/* A segment on the wire, with its bytes. */
struct flying {
	struct list link;
	uint64_t at;
	unsigned int to;
	struct tcp_segment segment;
	uint8_t options[TCP_OPTIONS_MAX];
	uint8_t data[];
};

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

static struct tcp_key turned(const struct tcp_key *key)
{
	struct tcp_key other = *key;

	memcpy(other.own, key->peer, sizeof(other.own));
	memcpy(other.peer, key->own, sizeof(other.peer));
	other.own_port = key->peer_port;
	other.peer_port = key->own_port;
	return other;
}

static void log_sent(struct lab_host *host, const struct tcp_segment *segment)
{
	struct lab_sent *sent = &host->log[host->sent++ % LAB_LOG];

	*sent = (struct lab_sent){ .at = host->lab->now,
				   .sequence = segment->sequence,
				   .acknowledgement = segment->acknowledgement,
				   .bytes = segment->bytes,
				   .window = segment->window,
				   .flags = segment->flags,
				   .ecn = segment->ecn,
				   .option_bytes = segment->option_bytes };
	memcpy(sent->options, segment->options, segment->option_bytes);
}

/* On the wire in order of arrival. */
static void put(struct lab *lab, struct flying *flying)
{
	struct list *at = lab->wire.prev;

	while (at != &lab->wire && list_entry(at, struct flying, link)->at > flying->at)
		at = at->prev;
	list_push_front(at, &flying->link);
}

/* Puts one segment on the wire. */
static void fly(struct lab_host *host, const struct tcp_transmission *t, uint32_t offset,
		uint32_t bytes, uint8_t flags)
{
	struct lab *lab = host->lab;
	unsigned int from = host == &lab->host[1];
	struct flying *flying = calloc(1, sizeof(*flying) + bytes);
	uint32_t skip = offset, done = 0;

	flying->to = !from;
	memcpy(flying->options, t->options, t->option_bytes);
	for (unsigned int i = 0; i < t->piece_count && done < bytes; i++) {
		uint32_t part = t->pieces[i].bytes;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		part -= skip;
		if (part > bytes - done)
			part = bytes - done;
		memcpy(flying->data + done, t->pieces[i].data + skip, part);
		done += part;
		skip = 0;
	}
	ck_assert_uint_eq(done, bytes);
	flying->segment = (struct tcp_segment){
		.key = turned(&t->key),
		.sequence = t->sequence + offset,
		.acknowledgement = t->acknowledgement,
		.window = t->window,
		.flags = flags,
		.ecn = t->ecn,
		.option_bytes = t->option_bytes,
		.options = flying->options,
		.bytes = bytes,
		.piece_count = bytes ? 1 : 0,
		.pieces = { { flying->data, bytes } },
	};
	log_sent(host, &flying->segment);
	if (host->cut_off || (lab->filter && !lab->filter(lab, from, &flying->segment))) {
		free(flying);
		return;
	}
	flying->at = lab->now + lab->delay;
	put(lab, flying);
	lab->in_flight++;
}

static bool sends(void *context, const struct tcp_transmission *t)
{
	struct lab_host *host = context;
	uint32_t offset = 0, step = t->gso_size ? t->gso_size : t->bytes;

	if (host->busy)
		return false;
	ck_assert_uint_le(t->option_bytes, TCP_OPTIONS_MAX);
	do {
		uint32_t bytes = t->bytes - offset < step ? t->bytes - offset : step;
		uint8_t flags = t->flags;

		if (offset + bytes < t->bytes)
			flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (offset)
			flags &= (uint8_t)~TCP_CWR;
		fly(host, t, offset, bytes, flags);
		offset += bytes;
	} while (offset < t->bytes);
	return true;
}

static void host_begin(struct lab *lab, unsigned int i, void (*change)(struct tcp_config *))
{
	struct lab_host *host = &lab->host[i];
	uint8_t seed[RANDOM_SEED_BYTES] = { (uint8_t)(i + 1) };
	struct tcp_config config = {
		.send = sends,
		.context = host,
		.random = &host->random,
		.memory = { .take = take, .give = give, .limit = BLOCKS },
		.connections = host->connections,
		.connection_count = LAB_CONNECTIONS,
		.time_waits = host->waits,
		.time_wait_count = LAB_WAITS,
		.buckets = host->buckets,
		.bucket_count = LAB_BUCKETS,
		.spans = host->spans,
		.span_count = LAB_SPANS,
		.gso_bytes = 32768,
	};

	host->lab = lab;
	random_init(&host->random, seed);
	if (change)
		change(&config);
	ck_assert_int_eq(tcp_stack_init(&host->stack, &config, lab->now), 0);
}

struct lab *lab_begin(void (*change)(struct tcp_config *config))
{
	struct lab *lab = calloc(1, sizeof(*lab));

	lab->now = 1000 * LAB_S;
	lab->delay = 10 * LAB_MS;
	lab->random = unit_seed() | 1;
	list_init(&lab->wire);
	host_begin(lab, 0, change);
	host_begin(lab, 1, change);
	return lab;
}

void lab_end(struct lab *lab)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct tcp_stack *stack = &lab->host[i].stack;

		ck_assert(tcp_stack_is_valid(stack));
		for (unsigned int c = 0; c < LAB_CONNECTIONS; c++) {
			struct tcp_connection *connection = &lab->host[i].connections[c];

			if (connection->flags & TCP_FLAG_LIVE)
				tcp_abort(connection, lab->now);
		}
		ck_assert_uint_eq(stack->config.memory.used, 0);
		ck_assert_uint_eq(stack->connection_used, 0);
		ck_assert_uint_eq(stack->spans.free_count, LAB_SPANS);
		ck_assert_uint_eq(stack->windows.used, 0);
	}
	list_for_each_safe(link, spare, &lab->wire)
		free(list_entry(link, struct flying, link));
	free(lab);
}

static void deliver(struct lab *lab, struct flying *flying)
{
	list_remove(&flying->link);
	lab->in_flight--;
	tcp_input(&lab->host[flying->to].stack, &flying->segment, NULL, lab->now);
	free(flying);
}

void lab_run(struct lab *lab, uint64_t ns)
{
	uint64_t end = lab->now + ns;

	for (;;) {
		uint64_t next = end;

		for (unsigned int i = 0; i < 2; i++) {
			uint64_t timer = tcp_next_ns(&lab->host[i].stack);

			next = timer < next ? timer : next;
		}
		if (!list_is_empty(&lab->wire)) {
			struct flying *first = list_entry(lab->wire.next, struct flying, link);

			next = first->at < next ? first->at : next;
		}
		if (next > lab->now)
			lab->now = next;
		while (!list_is_empty(&lab->wire) &&
		       list_entry(lab->wire.next, struct flying, link)->at <= lab->now)
			deliver(lab, list_entry(lab->wire.next, struct flying, link));
		for (unsigned int i = 0; i < 2; i++)
			tcp_run(&lab->host[i].stack, lab->now, 1000);
		if (lab->now >= end)
			break;
		if (next <= lab->now && tcp_next_ns(&lab->host[0].stack) <= lab->now)
			lab->now++; /* the wheel's time is coarser */
	}
	ck_assert(tcp_stack_is_valid(&lab->host[0].stack));
	ck_assert(tcp_stack_is_valid(&lab->host[1].stack));
}

struct tcp_key lab_key(unsigned int host, uint8_t version, uint16_t client, uint16_t server)
{
	struct tcp_key key = { .version = version,
			       .own_port = be16_of(client),
			       .peer_port = be16_of(server) };

	if (version == 4) {
		memcpy(key.own, (uint8_t[]){ 10, 0, 0, 1 }, 4);
		memcpy(key.peer, (uint8_t[]){ 10, 0, 0, 2 }, 4);
	} else {
		memcpy(key.own, (uint8_t[]){ 0xfd, [15] = 1 }, 16);
		memcpy(key.peer, (uint8_t[]){ 0xfd, [15] = 2 }, 16);
	}
	return host ? turned(&key) : key;
}

void lab_listen(struct lab *lab, uint16_t backlog, bool cookies)
{
	lab->host[1].listener =
		(struct tcp_listener){ .port = 80, .backlog = backlog, .cookies = cookies };
	ck_assert_int_eq(tcp_listen(&lab->host[1].stack, &lab->host[1].listener), 0);
}

struct tcp_connection *lab_connect(struct lab *lab, uint16_t port)
{
	struct tcp_key key = lab_key(0, 4, port, 80);
	struct tcp_connection *c;
	int error;

	c = tcp_connect(&lab->host[0].stack, &key, NULL, NULL, lab->now, &error);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(error, 0);
	return c;
}

void lab_pair(struct lab *lab, uint16_t port, struct tcp_connection **client,
	      struct tcp_connection **server)
{
	if (!lab->host[1].listener.port)
		lab_listen(lab, 8, false);
	*client = lab_connect(lab, port);
	lab_run(lab, 4 * lab->delay + LAB_MS);
	*server = tcp_accept(&lab->host[1].listener, NULL);
	ck_assert_ptr_nonnull(*server);
	ck_assert_uint_eq((*client)->end.state, TCP_ESTABLISHED);
	ck_assert_uint_eq((*server)->end.state, TCP_ESTABLISHED);
}

static void inject(struct lab *lab, unsigned int to, struct tcp_segment *segment)
{
	tcp_input(&lab->host[to].stack, segment, NULL, lab->now);
	ck_assert(tcp_stack_is_valid(&lab->host[to].stack));
}

void lab_inject(struct lab *lab, unsigned int to, uint16_t port, uint32_t sequence,
		uint32_t acknowledgement, uint8_t flags, uint16_t window, const void *data,
		uint32_t bytes)
{
	struct tcp_segment segment = { .key = lab_key(to, 4, port, 80),
				       .sequence = sequence,
				       .acknowledgement = acknowledgement,
				       .flags = flags,
				       .window = window,
				       .options = data,
				       .bytes = bytes,
				       .piece_count = bytes ? 1 : 0,
				       .pieces = { { data, bytes } } };

	inject(lab, to, &segment);
}

void lab_inject_options(struct lab *lab, unsigned int to, uint16_t port, uint32_t sequence,
			uint32_t acknowledgement, uint8_t flags, uint16_t window,
			const uint8_t *options, uint8_t option_bytes)
{
	struct tcp_segment segment = { .key = lab_key(to, 4, port, 80),
				       .sequence = sequence,
				       .acknowledgement = acknowledgement,
				       .flags = flags,
				       .window = window,
				       .options = options,
				       .option_bytes = option_bytes };

	inject(lab, to, &segment);
}

const struct lab_sent *lab_last(const struct lab *lab, unsigned int host, unsigned int n)
{
	const struct lab_host *h = &lab->host[host];

	ck_assert_uint_gt(h->sent, n);
	return &h->log[(h->sent - 1 - n) % LAB_LOG];
}
