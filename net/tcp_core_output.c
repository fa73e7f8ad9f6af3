/* SPDX-License-Identifier: ISC */
/*
 * What may leave now: first what was lost, then what is new, as far as the peer's window, the
 * congestion window, the pacing, Nagle and the silly window rule let it (RFC 9293, 3.8.6.2.1).
 */
#include "net/tcp_core_parts.h"

#define ORPHAN_SHORT 16u /* so much sooner an orphan ends where memory is short */

/* Why sending stopped. */
enum stop {
	STOP_EMPTY,  /* nothing is left */
	STOP_PEER,   /* the peer's window, or it is not worth a segment yet */
	STOP_WINDOW, /* the congestion window */
	STOP_PACE,
	STOP_LINK, /* the link or the memory had no room */
};

/* Payload bytes that one transmission may have: whole segments. */
static uint32_t burst_bytes(const struct tcp_connection *c)
{
	uint32_t most = max32(c->stack->config.gso_bytes, c->mss);
	uint32_t quantum = tcp_pacing_quantum(&c->flight->pacing);

	if (quantum)
		most = min32(most, max32(quantum, c->mss));
	return most - most % c->mss;
}

static bool must_wait(struct tcp_connection *c, uint64_t now)
{
	if (!tcp_pacing_delay(&c->flight->pacing, now))
		return false;
	tcp_timer_set(c, TCP_TIMER_PACE, tcp_pacing_next(&c->flight->pacing));
	return true;
}

static enum stop try_later(struct tcp_connection *c, uint64_t now)
{
	tcp_timer_set(c, TCP_TIMER_PACE, now + TCP_SEND_AGAIN_NS);
	return STOP_LINK;
}

/* [begin, begin + length) of the sequence numbers, new or again; false: no room in the link. */
static bool send_range(struct tcp_connection *c, uint32_t begin, uint32_t length, bool fin,
		       uint64_t now)
{
	uint32_t bytes = length - (fin ? 1 : 0);
	uint16_t gso = bytes > c->mss ? c->mss : 0;
	uint8_t flags = fin ? TCP_FIN : 0;

	if (begin + bytes == c->snd_una + c->sending.bytes && bytes)
		flags |= TCP_PSH;
	if (!tcp_transmit(c, begin, bytes, flags, gso, now))
		return false;
	tcp_pacing_on_send(&c->flight->pacing, length, now);
	return true;
}

static bool send_again(struct tcp_connection *c, uint32_t begin, uint32_t length, uint64_t now)
{
	bool fin = tcp_has(c, TCP_FLAG_FIN_SENT) && begin + length == c->snd_nxt;

	if (!send_range(c, begin, length, fin, now))
		return false;
	c->stack->stats.retransmissions++;
	c->retransmissions += length / c->mss + (length % c->mss ? 1 : 0);
	return tcp_recovery_on_send(&c->flight->recovery, begin, length, now) == 0;
}

static enum stop send_lost(struct tcp_connection *c, uint64_t now)
{
	struct tcp_recovery *recovery = &c->flight->recovery;
	uint32_t begin, length;

	if (c->flight->skip_lost)
		return STOP_EMPTY;
	while (tcp_recovery_next(recovery, burst_bytes(c), &begin, &length)) {
		if (tcp_recovery_pipe(recovery) >= c->flight->window)
			return STOP_WINDOW;
		if (must_wait(c, now))
			return STOP_PACE;
		if (!send_again(c, begin, length, now))
			return try_later(c, now);
	}
	return STOP_EMPTY;
}

/* What the peer's window has left. */
static uint32_t peer_room(const struct tcp_connection *c)
{
	uint32_t out = tcp_outstanding(c);

	return c->snd_wnd > out ? c->snd_wnd - out : 0;
}

static uint32_t congestion_room(const struct tcp_flight *flight)
{
	uint32_t pipe = tcp_recovery_pipe(&flight->recovery);
	uint32_t room = flight->window > pipe ? flight->window - pipe : 0;

	return max32(room, flight->extra);
}

/* May a segment leave that is not full, and ends what there is to send? (Nagle, Minshall) */
static bool may_send_small(const struct tcp_connection *c)
{
	return tcp_has(c, TCP_FLAG_NO_DELAY | TCP_FLAG_FIN_QUEUED | TCP_FLAG_PUSH_SMALL) ||
	       !tcp_after(c->snd_sml, c->snd_una);
}

/*
 * How many of the `limit` bytes that windows allow are worth sending now, out of `unsent`:
 * whole segments, and a small one only at the end of what there is, or when the peer's
 * window will not be much larger (RFC 9293, 3.8.6.2.1).
 */
static uint32_t worth_sending(const struct tcp_connection *c, uint32_t unsent, uint32_t limit)
{
	uint32_t bytes = min32(unsent, limit);
	uint32_t small = bytes % c->mss;

	if (small == 0)
		return bytes;
	if (bytes == unsent && may_send_small(c))
		return bytes;
	if (bytes > small)
		return bytes - small;
	if (bytes < unsent && limit == peer_room(c) &&
	    (bytes >= c->snd_wnd_max / 2 || tcp_has(c, TCP_FLAG_PUSH_SMALL)))
		return bytes;
	return 0;
}

static void sent_new(struct tcp_connection *c, uint32_t bytes, bool fin, uint64_t now)
{
	uint32_t length = bytes + (fin ? 1 : 0);

	if (tcp_outstanding(c) == 0)
		c->progress_ms = tcp_ms(now);
	if (tcp_recovery_on_send(&c->flight->recovery, c->snd_nxt, length, now))
		panic("tcp_output: %u bytes were not to be sent", length);
	c->snd_nxt += length;
	if (fin)
		c->flags |= TCP_FLAG_FIN_SENT;
	if (bytes % c->mss)
		c->snd_sml = c->snd_nxt;
	tcp_mtu_sent(c, bytes);
	c->flags &= ~(uint32_t)TCP_FLAG_PUSH_SMALL;
	c->flight->extra -= min32(c->flight->extra, bytes);
}

/* One transmission of new data, and FIN when it is the last. */
static enum stop send_new_once(struct tcp_connection *c, bool probe, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	uint32_t unsent = tcp_unsent(c), room = congestion_room(flight);
	bool fin = tcp_has(c, TCP_FLAG_FIN_QUEUED) && !tcp_has(c, TCP_FLAG_FIN_SENT);
	uint32_t peer = peer_room(c), bytes;

	if (!unsent && !fin)
		return STOP_EMPTY;
	if (probe)
		room = max32(room, c->mss);
	if (room < min32(max32(unsent, 1), c->mss))
		return STOP_WINDOW;
	bytes = worth_sending(c, unsent, min32(min32(peer, room), burst_bytes(c)));
	fin = fin && bytes == unsent && peer > bytes;
	if (bytes == 0 && !fin)
		return STOP_PEER;
	if (!probe && must_wait(c, now))
		return STOP_PACE;
	if (!tcp_scoreboard_has_room(&flight->recovery.board, bytes + (fin ? 1 : 0)))
		return STOP_WINDOW;
	if (!send_range(c, c->snd_nxt, bytes + (fin ? 1 : 0), fin, now))
		return try_later(c, now);
	sent_new(c, bytes, fin, now);
	return fin ? STOP_EMPTY : STOP_WINDOW;
}

/* A segment larger than those that are known to get through, with what would leave anyway. */
static void send_larger(struct tcp_connection *c, uint64_t now)
{
	uint32_t bytes = tcp_mtu_probe_bytes(c, now), begin = c->snd_nxt;

	if (!bytes || tcp_pacing_delay(&c->flight->pacing, now) ||
	    !tcp_scoreboard_has_room(&c->flight->recovery.board, bytes) ||
	    !tcp_transmit(c, begin, bytes, 0, 0, now))
		return;
	tcp_pacing_on_send(&c->flight->pacing, bytes, now);
	sent_new(c, bytes, false, now);
	tcp_mtu_probe_sent(c, begin, bytes);
}

static enum stop send_new(struct tcp_connection *c, uint64_t now)
{
	uint32_t before;
	enum stop stop;

	if (tcp_outstanding(c) == 0) {
		tcp_cubic_on_send(&c->flight->cubic, tcp_rto_now(c), now);
		c->flight->window = tcp_cubic_window(&c->flight->cubic);
	}
	send_larger(c, now);
	do {
		before = c->snd_nxt;
		stop = send_new_once(c, false, now);
	} while (c->snd_nxt != before && !tcp_has(c, TCP_FLAG_FIN_SENT));
	c->flight->app_limited = stop == STOP_EMPTY || stop == STOP_PEER;
	return stop;
}

static bool has_something(const struct tcp_connection *c)
{
	return tcp_unsent(c) || (tcp_has(c, TCP_FLAG_FIN_QUEUED) && !tcp_has(c, TCP_FLAG_FIN_SENT));
}

/* When nothing is under way that could be acknowledged, because of the peer's window. */
static void watch_window(struct tcp_connection *c, uint64_t now)
{
	uint64_t wait;

	if (tcp_outstanding(c) || !has_something(c)) {
		tcp_timer_stop(c, TCP_TIMER_AGAIN);
		return;
	}
	if (c->deadline[TCP_TIMER_AGAIN])
		return;
	if (!tcp_has(c, TCP_FLAG_PROBING) && c->snd_wnd == 0) {
		c->flags |= TCP_FLAG_PROBING;
		c->progress_ms = tcp_ms(now);
		c->backoff = 0;
	}
	wait = tcp_rto_now(c) << min32(c->backoff, 16);
	if (wait > TCP_PROBE_MAX_NS)
		wait = TCP_PROBE_MAX_NS;
	tcp_timer_set(c, TCP_TIMER_AGAIN, now + wait);
}

/* What nobody but us waits for takes no memory from others for long. */
static uint32_t user_timeout(const struct tcp_connection *c)
{
	uint32_t limit = tcp_or(c->user_timeout_ms, c->stack->config.options.user_timeout_ms);
	uint32_t orphan = c->stack->config.orphan_ms;

	if (!tcp_is_orphan(c))
		return limit;
	return min32(limit, tcp_memory_is_short(c->stack) ? orphan / ORPHAN_SHORT : orphan);
}

/* When what is under way has not moved for too long. */
static uint64_t user_deadline(const struct tcp_connection *c, uint64_t now)
{
	uint32_t limit = user_timeout(c), age = tcp_ms(now) - c->progress_ms;

	return now + (age < limit ? (limit - age) * TCP_MS_NS : TCP_MS_NS);
}

static void set_timers(struct tcp_connection *c, enum stop stop, uint64_t now)
{
	uint64_t deadline = c->flight ? tcp_recovery_deadline(&c->flight->recovery) : 0;

	if (deadline && tcp_outstanding(c) && user_deadline(c, now) < deadline)
		deadline = user_deadline(c, now);

	if (deadline && (tcp_outstanding(c) || deadline > now))
		tcp_timer_set(c, TCP_TIMER_RECOVERY, deadline);
	else
		tcp_timer_stop(c, TCP_TIMER_RECOVERY);
	if (stop == STOP_PEER || stop == STOP_EMPTY)
		watch_window(c, now);
	if (c->flight && !tcp_outstanding(c) && !has_something(c))
		tcp_life_set(c, now);
}

void tcp_output(struct tcp_connection *c, uint64_t now)
{
	enum stop stop = STOP_EMPTY;

	if (!tcp_is_synchronized(c))
		return;
	/* What came out of order is told at once, and in a segment that has room for it. */
	if (tcp_has(c, TCP_FLAG_ACK_NOW) && !tcp_reassembly_is_empty(&c->reassembly))
		tcp_send_ack(c, now);
	if (tcp_may_send(c) && (has_something(c) || tcp_outstanding(c))) {
		if (!tcp_flight_get(c, now)) {
			tcp_timer_set(c, TCP_TIMER_PACE, now + 20 * TCP_MS_NS);
		} else {
			stop = send_lost(c, now);
			if (stop == STOP_EMPTY)
				stop = send_new(c, now);
			set_timers(c, stop, now);
		}
	} else if (c->flight) {
		set_timers(c, stop, now);
	}
	if (tcp_has(c, TCP_FLAG_ACK_NOW))
		tcp_send_ack(c, now);
}

/* ---- timers ---- */

static void send_probe(struct tcp_connection *c, uint64_t now)
{
	struct tcp_recovery *recovery = &c->flight->recovery;
	uint32_t nxt = c->snd_nxt, begin, length;

	(void)send_new_once(c, true, now);
	if (c->snd_nxt != nxt) {
		tcp_recovery_on_probe(recovery, false);
		return;
	}
	if (!tcp_recovery_probe(recovery, &begin, &length))
		return;
	if (length > c->mss) {
		begin += length - c->mss;
		length = c->mss;
	}
	if (send_again(c, begin, length, now))
		tcp_recovery_on_probe(recovery, true);
}

static bool has_timed_out(struct tcp_connection *c, uint64_t now)
{
	if (tcp_since(c->progress_ms, now) < user_timeout(c) * TCP_MS_NS)
		return false;
	tcp_send_reset(c, now);
	tcp_connection_end(c, tcp_timeout_error(c));
	return true;
}

void tcp_recovery_due(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	struct tcp_recovery_result result = { 0 };

	if (!flight || (tcp_outstanding(c) && has_timed_out(c, now)))
		return;
	tcp_recovery_on_timer(&flight->recovery, now, &result);
	if (result.events & TCP_RECOVERY_TIMEOUT) {
		c->stack->stats.timeouts++;
		if (c->backoff < UINT8_MAX)
			c->backoff++;
		c->flags |= TCP_FLAG_CWR; /* RFC 3168, 6.1.2 */
		tcp_cubic_on_rto(&flight->cubic, tcp_outstanding(c),
				 result.events & TCP_RECOVERY_IS_REPEATED, c->snd_nxt, now);
		flight->window = tcp_cubic_window(&flight->cubic);
		flight->skip_lost = false;
		flight->probe_repair = false;
		tcp_mtu_timed_out(c, now);
	} else if (result.lost) {
		if (result.events & TCP_RECOVERY_ENTERED)
			tcp_loss_event(c, &result, tcp_outstanding(c), now);
		tcp_window_now(c, &result);
	}
	if (result.events & TCP_RECOVERY_SEND_PROBE)
		send_probe(c, now);
	tcp_output(c, now);
}

void tcp_window_due(struct tcp_connection *c, uint64_t now)
{
	if (has_timed_out(c, now))
		return;
	if (c->snd_wnd) {
		c->flags |= TCP_FLAG_PUSH_SMALL;
	} else {
		if (c->probes < UINT8_MAX)
			c->probes++;
		if (c->backoff < UINT8_MAX)
			c->backoff++;
		/* Not acceptable, so it must be answered (RFC 9293, 3.8.6.1). */
		if (!tcp_transmit(c, c->snd_nxt - 1, 0, 0, 0, now))
			c->backoff--;
	}
	tcp_output(c, now);
}
