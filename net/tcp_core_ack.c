/* SPDX-License-Identifier: ISC */
/* What an acknowledgement says: of our data, of the network, of the peer's window. */
#include "net/tcp_core_parts.h"

uint64_t tcp_echo_ns(const struct tcp_connection *c, const struct tcp_options *options,
		     uint64_t now)
{
	uint32_t age;

	if (!tcp_has(c, TCP_FLAG_TIMESTAMPS) || !(options->present & TCP_HAS_TIMESTAMPS))
		return 0;
	age = tcp_timestamp(c->timestamp_offset, now) - options->ts_echo;
	if (age > INT32_MAX || age > now / TCP_TIMESTAMP_NS)
		return 0;
	return (now / TCP_TIMESTAMP_NS - age + 1) * TCP_TIMESTAMP_NS;
}

static uint32_t window_of(const struct tcp_connection *c, const struct tcp_segment *segment)
{
	return segment->flags & TCP_SYN ? segment->window
					: (uint32_t)segment->window << c->scale_send;
}

/* RFC 9293, 3.10.7.4: only by segments that are no older than the last that did it. */
static void update_window(struct tcp_connection *c, const struct tcp_segment *segment)
{
	if (tcp_before(segment->acknowledgement, c->snd_una) ||
	    tcp_before(segment->sequence, c->snd_wl1) ||
	    (segment->sequence == c->snd_wl1 && tcp_before(segment->acknowledgement, c->snd_wl2)))
		return;
	c->snd_wnd = window_of(c, segment);
	c->snd_wl1 = segment->sequence;
	c->snd_wl2 = segment->acknowledgement;
	c->snd_wnd_max = max32(c->snd_wnd_max, c->snd_wnd);
}

/*
 * The peer answers probes: it is there, and may keep its window closed for ever, but not what
 * nobody but us waits for any more (RFC 6429).
 */
static void probing_answered(struct tcp_connection *c, uint64_t now)
{
	if (!tcp_has(c, TCP_FLAG_PROBING))
		return;
	if (c->snd_wnd || !tcp_is_orphan(c))
		c->progress_ms = tcp_ms(now);
	c->probes = 0;
	if (c->snd_wnd == 0)
		return;
	c->flags &= ~(uint32_t)TCP_FLAG_PROBING;
	c->backoff = 0;
	tcp_timer_stop(c, TCP_TIMER_AGAIN);
}

static void hear_congestion(struct tcp_connection *c, uint32_t outstanding, uint64_t now)
{
	enum tcp_cubic_ecn said =
		tcp_cubic_on_ecn(&c->flight->cubic, outstanding, c->snd_una, c->snd_nxt, now);

	if (said != TCP_CUBIC_ECN_SEEN)
		c->flags |= TCP_FLAG_CWR;
	if (said == TCP_CUBIC_ECN_FLOOR)
		tcp_pacing_hold(&c->flight->pacing, now + tcp_rto_now(c));
}

/* `outstanding`: SND.NXT - SND.UNA before the acknowledgement (RFC 5681, 3.1; RFC 9438). */
static void tell_cubic(struct tcp_connection *c, const struct tcp_recovery_result *result,
		       uint32_t outstanding, bool ece, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	const struct tcp_recovery *recovery = &flight->recovery;
	struct tcp_cubic_ack ack = {
		.now_ns = now,
		.rtt_ns = result->rtt_ns,
		.srtt_ns = recovery->rto.srtt_ns,
		.delivered = result->delivered,
		.in_flight = outstanding,
		.una = c->snd_una,
		.nxt = c->snd_nxt,
		.app_limited = flight->app_limited,
		.recovering = ece || recovery->state == TCP_RECOVERY_FAST,
	};

	if (result->events & TCP_RECOVERY_SPURIOUS && !flight->probe_repair)
		tcp_cubic_on_undo(&flight->cubic);
	if (result->events & (TCP_RECOVERY_ENTERED | TCP_RECOVERY_PROBE_REPAIRED)) {
		tcp_loss_event(c, result, outstanding, now);
	} else if (result->lost && flight->probe_repair) {
		/* More than what was too large: congestion after all. */
		tcp_loss_event(c, result, outstanding, now);
		flight->recovery.prr.ssthresh = flight->cubic.ssthresh;
	} else if (result->lost) {
		(void)!tcp_mtu_probe_lost(c, now);
	}
	if (result->acked)
		tcp_cubic_on_ack(&flight->cubic, &ack);
}

/* Bytes that were acknowledged go, and there may be room for others. */
static void free_sent(struct tcp_connection *c, uint32_t acked, uint64_t now)
{
	uint32_t room;

	tcp_buffer_release(&c->sending, &c->stack->config.memory, min32(acked, c->sending.bytes),
			   true);
	c->snd_una += acked;
	if (tcp_before(c->snd_sml, c->snd_una))
		c->snd_sml = c->snd_una;
	c->progress_ms = tcp_ms(now);
	c->flags &= ~(uint32_t)TCP_FLAG_UNREACHABLE;
	c->backoff = 0;
	tcp_send_tune(c);
	room = tcp_send_room(c);
	if (tcp_has(c, TCP_FLAG_WANTS_ROOM) && room >= c->sending.limit / 3) {
		c->flags &= ~(uint32_t)TCP_FLAG_WANTS_ROOM;
		tcp_raise(c, TCP_EVENT_WRITABLE);
	}
}

/* For F-RTO: will new data leave if it is let? Nagle and silly windows may hold small ones. */
static bool may_send_new(const struct tcp_connection *c)
{
	uint32_t unsent = tcp_unsent(c), out = tcp_outstanding(c);
	uint32_t bytes = min32(unsent, c->snd_wnd > out ? c->snd_wnd - out : 0);

	return bytes >= c->mss ||
	       (bytes && bytes == unsent && tcp_has(c, TCP_FLAG_NO_DELAY | TCP_FLAG_FIN_QUEUED));
}

static void flight_input(struct tcp_connection *c, const struct tcp_segment *segment,
			 const struct tcp_options *options, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	bool ece = segment->flags & TCP_ECE && tcp_has(c, TCP_FLAG_ECN);
	uint32_t outstanding = tcp_outstanding(c);
	struct tcp_recovery_ack ack = {
		.ack = segment->acknowledgement,
		.blocks = options->sacks,
		.count = tcp_has(c, TCP_FLAG_SACK) ? options->sack_count : 0,
		.is_bare = segment->bytes == 0 && !(segment->flags & (TCP_SYN | TCP_FIN)) &&
			   window_of(c, segment) == c->snd_wnd,
		.may_send_new = may_send_new(c),
		.echo_ns = tcp_echo_ns(c, options, now),
		.now_ns = now,
	};
	struct tcp_recovery_result result = { 0 };

	tcp_recovery_on_ack(&flight->recovery, &ack, &result);
	if (result.acked) {
		free_sent(c, result.acked, now);
		tcp_mtu_acked(c, now);
	}
	if (ece)
		hear_congestion(c, outstanding, now);
	tell_cubic(c, &result, outstanding, ece, now);
	flight->skip_lost = false;
	flight->extra = 0;
	if (result.events & TCP_RECOVERY_SEND_NEW) {
		flight->skip_lost = true;
		flight->extra = 2u * c->mss;
	}
	if (result.events & TCP_RECOVERY_IS_REAL)
		tcp_cubic_on_rto_late(&flight->cubic);
	tcp_window_now(c, &result);
	if (flight->recovery.rto.srtt_ns)
		tcp_flight_sample(c, flight->recovery.rto.srtt_ns);
	tcp_pace(c);
}

void tcp_ack_input(struct tcp_connection *c, const struct tcp_segment *segment,
		   const struct tcp_options *options, uint64_t now)
{
	if (c->flight)
		flight_input(c, segment, options, now);
	update_window(c, segment);
	probing_answered(c, now);
}
