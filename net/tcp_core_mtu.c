/* SPDX-License-Identifier: ISC */
/*
 * How large a segment may be: what routers say (RFC 1191, RFC 8201), believed with care (RFC
 * 5927), and what is found out by trying (RFC 4821).
 *
 *	mss <= mss_high <= mss_max
 *
 * `mss` is used now, nothing between it and `mss_high` is known, and what is larger than that
 * did not get through, or a router has said so. Segments between the two are tried one at a time,
 * each with data that would have been sent anyway. After ten minutes all is tried anew.
 */
#include <string.h>

#include "net/tcp_core_parts.h"
#include "net/tcp_mss.h"

#define LEAST_MTU4 576u	 /* what each host takes; a path with less is not to be believed in */
#define LEAST_MTU6 1280u /* RFC 8201, 4 */
#define BASE_MSS4 1024u	 /* RFC 4821, 7.2 */
#define AGAIN_S 600u	 /* RFC 1191, 6.3; RFC 8201, 5.3 */
#define WORTH 16u	 /* bytes: what is less is not looked for */
#define TRIES 2u	 /* a segment may be lost for other reasons */
#define BEHIND 4u	 /* segments that must follow for the loss of one to be seen */

/* ---- what is known of a way ---- */

static uint64_t hash_of(const struct tcp_stack *stack, const struct tcp_key *key)
{
	return siphash13(&stack->table_key, key->peer, sizeof(key->peer));
}

static void learn(struct tcp_stack *stack, const struct tcp_key *key, uint16_t mtu, uint64_t now)
{
	uint64_t hash = hash_of(stack, key);

	stack->paths[hash % TCP_PATHS] = (struct tcp_path){
		.tag = (uint32_t)(hash >> 32),
		.learnt_s = (uint32_t)(now / TCP_SECOND_NS),
		.mtu = mtu,
		.version = key->version,
	};
}

/* 0: nothing. */
static uint16_t known(const struct tcp_stack *stack, const struct tcp_key *key, uint64_t now)
{
	uint64_t hash = hash_of(stack, key);
	const struct tcp_path *path = &stack->paths[hash % TCP_PATHS];

	if (path->tag != (uint32_t)(hash >> 32) || path->version != key->version ||
	    (uint32_t)(now / TCP_SECOND_NS) - path->learnt_s >= AGAIN_S)
		return 0;
	return path->mtu;
}

static uint16_t mss_of(const struct tcp_connection *c, uint16_t mtu)
{
	uint16_t mss = tcp_mss_of_mtu(c->end.key.version, mtu);

	return tcp_has(c, TCP_FLAG_TIMESTAMPS) ? (uint16_t)(mss - TCP_TIMESTAMP_BYTES) : mss;
}

uint16_t tcp_mtu_now(const struct tcp_connection *c)
{
	uint16_t headers = (uint16_t)(UINT16_MAX - mss_of(c, UINT16_MAX));

	return (uint16_t)(c->mss + headers);
}

void tcp_mtu_begin(struct tcp_connection *c, uint64_t now)
{
	uint16_t mtu = known(c->stack, &c->end.key, now);

	c->mss_max = c->mss;
	if (mtu && mss_of(c, mtu) < c->mss)
		c->mss = mss_of(c, mtu);
	c->mss_high = c->mss;
	c->mss_acked = 0;
	c->mss_since_s = (uint32_t)(now / TCP_SECOND_NS);
}

void tcp_mss_change(struct tcp_connection *c, uint16_t mss)
{
	c->mss = mss;
	c->mss_high = (uint16_t)max32(min32(c->mss_high, c->mss_max), mss);
	if (!c->flight)
		return;
	c->flight->has_full = false;
	tcp_recovery_set_mss(&c->flight->recovery, mss);
	tcp_cubic_set_mss(&c->flight->cubic, mss);
	tcp_pace(c);
}

/* Nothing larger than it is gets through, for now. */
static void search_is_over(struct tcp_connection *c, uint64_t now)
{
	c->mss_high = c->mss;
	c->mss_since_s = (uint32_t)(now / TCP_SECOND_NS);
	if (c->mss < c->mss_max || known(c->stack, &c->end.key, now))
		learn(c->stack, &c->end.key, tcp_mtu_now(c), now);
}

/* ---- trying (RFC 4821, 7) ---- */

static void begin_search(struct tcp_connection *c)
{
	c->mss_high = c->mss_max;
	c->flight->probe_fails = 0;
	c->flight->probe_halves = false;
}

uint32_t tcp_mtu_probe_bytes(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	const struct tcp_recovery *recovery = &flight->recovery;
	uint32_t age = (uint32_t)(now / TCP_SECOND_NS) - c->mss_since_s, bytes, all, pipe;

	if (c->mss >= c->mss_max || flight->probe_mss || !tcp_has(c, TCP_FLAG_SACK))
		return 0;
	if (recovery->state != TCP_RECOVERY_OPEN || recovery->board.sacked || recovery->board.lost)
		return 0;
	if (c->mss == c->mss_high && age >= AGAIN_S)
		begin_search(c);
	if (c->mss == c->mss_high)
		return 0;
	/* Most ways take the largest, or nothing near it. */
	bytes = flight->probe_halves ? (c->mss + c->mss_high + 1u) / 2 : c->mss_high;
	all = bytes + BEHIND * c->mss;
	pipe = tcp_recovery_pipe(recovery);
	if (tcp_unsent(c) < all || flight->window < pipe + bytes || flight->window < all ||
	    c->snd_wnd < tcp_outstanding(c) + all)
		return 0;
	return bytes;
}

void tcp_mtu_probe_sent(struct tcp_connection *c, uint32_t begin, uint32_t bytes)
{
	c->flight->probe_begin = begin;
	c->flight->probe_mss = (uint16_t)bytes;
	c->stack->stats.mtu_probes++;
}

static void probe_failed(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	uint16_t bytes = flight->probe_mss;

	flight->probe_mss = 0;
	if (++flight->probe_fails < TRIES || bytes <= c->mss)
		return;
	flight->probe_fails = 0;
	flight->probe_halves = true;
	c->mss_high = (uint16_t)max32(c->mss, min32(c->mss_high, bytes - 1u));
	if (c->mss_high < c->mss + WORTH)
		search_is_over(c, now);
}

static void probe_arrived(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	uint16_t bytes = flight->probe_mss;

	flight->probe_mss = 0;
	flight->probe_fails = 0;
	if (bytes <= c->mss)
		return;
	tcp_mss_change(c, (uint16_t)min32(bytes, c->mss_max));
	c->mss_acked = c->mss;
	if (c->mss_high < c->mss + WORTH || c->mss == c->mss_max)
		search_is_over(c, now);
}

static bool is_lost(const struct tcp_flight *flight, uint32_t sequence)
{
	uint16_t i = tcp_scoreboard_find(&flight->recovery.board, sequence);

	return i != TCP_RANGE_NONE && flight->recovery.board.ranges[i].flags & TCP_RANGE_LOST;
}

bool tcp_mtu_probe_lost(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	bool alone = flight->recovery.board.lost <= flight->probe_mss;

	if (!flight->probe_mss || !is_lost(flight, flight->probe_begin))
		return false;
	probe_failed(c, now);
	return alone;
}

/* ---- what acknowledgements and time-outs say ---- */

void tcp_mtu_sent(struct tcp_connection *c, uint32_t bytes)
{
	if (bytes < c->mss)
		return;
	c->flight->has_full = true;
	c->flight->full_end = c->snd_nxt;
}

void tcp_mtu_acked(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;

	if (flight->has_full && !tcp_before(c->snd_una, flight->full_end)) {
		flight->has_full = false;
		c->mss_acked = (uint16_t)max32(c->mss_acked, c->mss);
	}
	/* It did get through, whatever was said of it. */
	if (flight->said_mss && tcp_after(c->snd_una, flight->said_sequence))
		flight->said_mss = 0;
	if (flight->probe_mss && !tcp_before(c->snd_una, flight->probe_begin + flight->probe_mss))
		probe_arrived(c, now);
}

/* The segments that are smaller than `mss`, to fall back to; 0: none is. */
static uint16_t base_below(const struct tcp_connection *c)
{
	uint16_t least = mss_of(c, c->end.key.version == 6 ? LEAST_MTU6 : LEAST_MTU4);

	if (c->end.key.version == 4 && c->mss > BASE_MSS4)
		return BASE_MSS4;
	return c->mss > least ? least : 0;
}

static bool full_segment_is_first(const struct tcp_connection *c)
{
	const struct tcp_scoreboard *board = &c->flight->recovery.board;

	return board->first != TCP_RANGE_NONE &&
	       board->ranges[board->first].end - board->ranges[board->first].begin >= c->mss;
}

static void believe(struct tcp_connection *c, uint16_t mss, uint64_t now)
{
	tcp_mss_change(c, mss);
	c->flight->said_mss = 0;
	c->flight->probe_mss = 0;
	c->mss_acked = (uint16_t)min32(c->mss_acked, mss);
	search_is_over(c, now);
}

void tcp_mtu_timed_out(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	uint16_t base;

	if (flight->probe_mss)
		probe_failed(c, now);
	if (flight->said_mss && flight->said_mss < c->mss) {
		believe(c, flight->said_mss, now);
		return;
	}
	base = base_below(c);
	if (c->backoff < 2 || c->backoff % 2 || !base || !full_segment_is_first(c))
		return;
	/* Perhaps nothing gets through at all: then the first try finds what was. */
	tcp_mss_change(c, base);
	c->mss_acked = 0;
	flight->probe_halves = false;
	c->stack->stats.mtu_black_holes++;
}

/* ---- what routers say ---- */

/* Of routers that do not say how much they take (RFC 1191, 7.1). */
static uint16_t plateau_below(uint16_t mtu)
{
	static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006 };

	for (unsigned int i = 0; i < ARRAY_SIZE(plateaus); i++)
		if (plateaus[i] < mtu)
			return plateaus[i];
	return LEAST_MTU4;
}

/* What was sent in segments that are too large leaves again, in smaller ones. */
static void send_anew(struct tcp_connection *c, uint32_t sequence, uint64_t now)
{
	struct tcp_scoreboard *board = &c->flight->recovery.board;
	uint16_t i;

	/* Ranges that are marked become one with their neighbours. */
	while ((i = tcp_scoreboard_find(board, sequence)) != TCP_RANGE_NONE) {
		const struct tcp_range *range = &board->ranges[i];

		sequence = range->end;
		if (!(range->flags & (TCP_RANGE_SACKED | TCP_RANGE_LOST)) &&
		    range->end - range->begin > c->mss)
			tcp_scoreboard_mark_lost(board, i);
	}
	c->flight->resized = true;
	tcp_output(c, now);
}

static void too_big(struct tcp_connection *c, uint32_t sequence, uint16_t mtu, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	bool is_probe = flight->probe_mss && sequence - flight->probe_begin < flight->probe_mss;
	uint16_t mss;

	if (c->end.key.version == 6 && mtu < LEAST_MTU6)
		return; /* RFC 8201, 4 */
	if (c->end.key.version == 4 && mtu < 68)
		mtu = plateau_below(tcp_mtu_now(c)); /* RFC 1191, 5 */
	mss = mss_of(c, (uint16_t)max32(mtu, LEAST_MTU4));
	if (is_probe && mss < flight->probe_mss) {
		c->mss_high = (uint16_t)max32(mss, c->mss);
		flight->probe_mss = 0;
		flight->probe_fails = 0;
		if (c->mss_high < c->mss + WORTH)
			search_is_over(c, now);
	}
	if (mss < c->mss_acked) {
		/* So large ones do get through, or did: it counts if this one does not. */
		flight->said_mss = mss;
		flight->said_sequence = sequence;
		return;
	}
	if (mss < c->mss)
		believe(c, mss, now);
	else if (!is_probe)
		return; /* nothing new, and what was sent since then is small enough */
	send_anew(c, sequence, now);
}

bool tcp_input_problem(struct tcp_stack *stack, const struct tcp_key *key, uint32_t sequence,
		       enum tcp_problem problem, uint16_t mtu, uint64_t now)
{
	struct tcp_end *end = tcp_find(stack, key);
	struct tcp_connection *c;

	if (!end || end->state == TCP_TIME_WAIT)
		return false;
	c = container_of(end, struct tcp_connection, end);
	if (!tcp_between(sequence, c->snd_una, c->snd_nxt) || sequence == c->snd_nxt)
		return false;
	stack->now = now;
	if (problem == TCP_PROBLEM_HARD && end->state == TCP_SYN_SENT)
		tcp_connection_end(c, -EHOSTUNREACH);
	else if (problem == TCP_PROBLEM_TOO_BIG && c->flight)
		too_big(c, sequence, mtu, now);
	else if (problem == TCP_PROBLEM_SOFT || problem == TCP_PROBLEM_HARD)
		c->flags |= TCP_FLAG_UNREACHABLE;
	return true;
}
