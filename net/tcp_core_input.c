/* SPDX-License-Identifier: ISC */
/*
 * A segment comes: RFC 9293, 3.10.7.4, in its order, with RFC 5961 (blind attacks) and
 * RFC 7323 (timestamps).
 */
#include "net/tcp_core_parts.h"

enum verdict {
	GO_ON,
	DONE, /* nothing more is to be done with the segment; the connection may be gone */
};

/* RFC 9293, 3.10.7.4, first: what a receive window takes. */
static bool is_acceptable(const struct tcp_connection *c, const struct tcp_segment *segment)
{
	uint32_t length = tcp_segment_length(segment);
	uint32_t right = tcp_window_right(&c->window);
	uint32_t window = tcp_before(c->rcv_nxt, right) ? right - c->rcv_nxt : 0;
	uint32_t from = segment->sequence - c->rcv_nxt;

	/* At the right edge, too: there a peer is that has filled the window, and lost it. */
	if (length == 0 || segment->flags & TCP_RST)
		return from <= window;
	if (window == 0)
		return false;
	return from < window || from + length - 1 < window;
}

/*
 * An unacceptable segment is answered, unless it is a reset. To one that probes a closed window
 * or keeps alive that must not be rationed hard: they come with what has been acknowledged.
 */
static enum verdict refuse_outside(struct tcp_connection *c, const struct tcp_segment *segment,
				   uint64_t now)
{
	bool due = tcp_has(c, TCP_FLAG_ACK_NOW);

	c->stack->stats.out_of_window++;
	if (segment->flags & TCP_RST)
		return DONE;
	if (segment->bytes == 0 && !(segment->flags & (TCP_SYN | TCP_FIN)) &&
	    segment->sequence != c->rcv_nxt - 1) {
		tcp_send_challenge(c, now);
		return DONE;
	}
	if (segment->bytes)
		/* For D-SACK: it may have come before (RFC 2883). */
		tcp_payload_input(c, segment, 0, now);
	if (!tcp_challenge_allowed(c->stack, now)) {
		if (!due)
			c->flags &= ~(uint32_t)TCP_FLAG_ACK_NOW;
		return DONE;
	}
	tcp_send_ack(c, now);
	return DONE;
}

static enum verdict check_paws(struct tcp_connection *c, const struct tcp_segment *segment,
			       const struct tcp_options *options, uint64_t now)
{
	if (!tcp_has(c, TCP_FLAG_TIMESTAMPS))
		return GO_ON;
	switch (tcp_paws_judge(segment->flags, options->present & TCP_HAS_TIMESTAMPS,
			       options->ts_value, c->timestamp_recent,
			       c->timestamp_recent_s * TCP_SECOND_NS, now)) {
	case TCP_PAWS_OLD:
		c->stack->stats.paws_dropped++;
		tcp_send_challenge(c, now);
		return DONE;
	case TCP_PAWS_MISSING:
		c->stack->stats.paws_dropped++;
		return DONE;
	default:
		return GO_ON;
	}
}

/* Second: RST, only exactly where the next byte is due (RFC 5961, 3.2). */
static enum verdict check_reset(struct tcp_connection *c, const struct tcp_segment *segment,
				uint64_t now)
{
	int error = -ECONNRESET;

	if (!(segment->flags & TCP_RST))
		return GO_ON;
	if (segment->sequence != c->rcv_nxt) {
		tcp_send_challenge(c, now);
		return DONE;
	}
	c->stack->stats.resets_in++;
	if (c->end.state == TCP_SYN_RECEIVED && !tcp_has(c, TCP_FLAG_PASSIVE))
		error = -ECONNREFUSED;
	/* Everything had been said (RFC 9293: in CLOSING and LAST-ACK it is just closed). */
	if (c->end.state == TCP_CLOSING || c->end.state == TCP_LAST_ACK)
		error = 0;
	tcp_connection_end(c, error);
	return DONE;
}

/* Fourth: SYN. In its window it is an attack or of a peer that has started anew (RFC 5961, 4). */
static enum verdict check_syn(struct tcp_connection *c, const struct tcp_segment *segment,
			      uint64_t now)
{
	if (!(segment->flags & TCP_SYN))
		return GO_ON;
	if (c->end.state == TCP_SYN_RECEIVED && tcp_has(c, TCP_FLAG_PASSIVE)) {
		tcp_connection_end(c, -ECONNRESET); /* back to LISTEN */
		return DONE;
	}
	tcp_send_challenge(c, now);
	return DONE;
}

/* The SYN of a connection that is half open, once more. */
static enum verdict syn_again(struct tcp_connection *c, struct tcp_segment *segment, uint64_t now)
{
	if (c->end.state != TCP_SYN_RECEIVED || !(segment->flags & TCP_SYN) ||
	    segment->flags & (TCP_RST | TCP_FIN) || segment->sequence != c->irs)
		return GO_ON;
	if (segment->flags & TCP_ACK) {
		/* Both began at once, and this is the peer's half of it. */
		segment->flags &= (uint8_t)~TCP_SYN;
		segment->sequence++;
		return GO_ON;
	}
	if (tcp_challenge_allowed(c->stack, now))
		(void)tcp_transmit_syn(c, now);
	return DONE;
}

/* RFC 5961, 5.2 */
static bool is_in_range(const struct tcp_connection *c, uint32_t ack)
{
	return !tcp_after(ack, c->snd_nxt) && !tcp_before(ack, c->snd_una - c->snd_wnd_max);
}

/* Fifth: ACK. */
static enum verdict check_ack(struct tcp_connection *c, const struct tcp_segment *segment,
			      uint64_t now)
{
	uint32_t ack = segment->acknowledgement;

	if (!(segment->flags & TCP_ACK))
		return DONE;
	if (c->end.state == TCP_SYN_RECEIVED) {
		if (ack != c->snd_nxt) {
			tcp_refuse(c->stack, segment, c->route, now);
			return DONE;
		}
		if (!tcp_established(c, now))
			return DONE;
		c->snd_wnd = 0; /* what follows sets it */
		c->snd_wl1 = segment->sequence - 1;
		return GO_ON;
	}
	if (!is_in_range(c, ack)) {
		tcp_send_challenge(c, now);
		return DONE;
	}
	return GO_ON;
}

/* What the acknowledgement of our FIN ends (3.10.7.4, fifth). */
static enum verdict after_ack(struct tcp_connection *c, uint64_t now)
{
	bool all = tcp_has(c, TCP_FLAG_FIN_SENT) && c->snd_una == c->snd_nxt;

	if (!all)
		return GO_ON;
	switch (c->end.state) {
	case TCP_FIN_WAIT_1:
		c->end.state = TCP_FIN_WAIT_2;
		tcp_life_set(c, now);
		return GO_ON;
	case TCP_CLOSING:
		tcp_wait_begin(c, now);
		return DONE;
	case TCP_LAST_ACK:
		tcp_connection_end(c, 0);
		return DONE;
	default:
		return GO_ON;
	}
}

/* Data for a connection that nobody can read any more (RFC 9293, 3.10.4; RFC 1122, 4.2.2.13). */
static bool nobody_reads(const struct tcp_connection *c, const struct tcp_segment *segment)
{
	return !tcp_has(c, TCP_FLAG_OWNED) && !tcp_is_unaccepted(c) && segment->bytes &&
	       tcp_after(segment->sequence + segment->bytes, c->rcv_nxt);
}

static void synchronized_input(struct tcp_connection *c, const struct tcp_segment *segment,
			       const struct tcp_options *options, uint64_t now)
{
	if (!is_acceptable(c, segment)) {
		/* A closed window still takes acknowledgements (RFC 9293, 3.10.7.4). */
		if (segment->sequence == c->rcv_nxt && segment->flags & TCP_ACK &&
		    !(segment->flags & (TCP_RST | TCP_SYN)) && tcp_is_synchronized(c) &&
		    is_in_range(c, segment->acknowledgement)) {
			tcp_ack_input(c, segment, options, now);
			if (after_ack(c, now) == DONE)
				return;
		}
		refuse_outside(c, segment, now);
		tcp_output(c, now);
		return;
	}
	if (check_reset(c, segment, now) == DONE || check_syn(c, segment, now) == DONE)
		return;
	if (check_ack(c, segment, now) == DONE)
		return;
	c->heard_ms = tcp_ms(now);
	c->probes = tcp_has(c, TCP_FLAG_PROBING) ? c->probes : 0;
	if (options->present & TCP_HAS_TIMESTAMPS && tcp_has(c, TCP_FLAG_TIMESTAMPS) &&
	    tcp_paws_updates(segment->sequence, options->ts_value, c->acknowledged,
			     c->timestamp_recent, c->timestamp_recent_s * TCP_SECOND_NS, now)) {
		c->timestamp_recent = options->ts_value;
		c->timestamp_recent_s = (uint32_t)(now / TCP_SECOND_NS);
	}
	if (nobody_reads(c, segment)) {
		tcp_send_reset(c, now);
		tcp_connection_end(c, -ECONNRESET);
		return;
	}
	tcp_ack_input(c, segment, options, now);
	if (after_ack(c, now) == DONE)
		return;
	if (segment->bytes || segment->flags & TCP_FIN) {
		tcp_payload_input(c, segment, tcp_echo_ns(c, options, now), now);
		if (c->end.state == TCP_CLOSED)
			return; /* TIME-WAIT */
	}
	tcp_output(c, now);
}

/* SYN-RECEIVED first looks at SYNs, which may be changed for what follows. */
static void half_open_input(struct tcp_connection *c, const struct tcp_segment *segment,
			    const struct tcp_options *options, uint64_t now)
{
	struct tcp_segment own = *segment;

	if (syn_again(c, &own, now) == GO_ON)
		synchronized_input(c, &own, options, now);
}

static bool parse_options(const struct tcp_segment *segment, struct tcp_options *options)
{
	return tcp_options_parse(segment->options, segment->option_bytes, segment->flags,
				 options) == 0;
}

void tcp_input(struct tcp_stack *stack, const struct tcp_segment *segment, void *route,
	       uint64_t now)
{
	struct tcp_end *end = tcp_find(stack, &segment->key);
	struct tcp_listener *listener;
	struct tcp_options options;

	stack->recent = end;
	stack->now = now;
	stack->stats.segments_in += segment->segments > 1 ? segment->segments : 1;
	stack->stats.bytes_in += segment->bytes;
	/* What stands before a fault counts. */
	if (!parse_options(segment, &options))
		stack->stats.malformed++;
	if (end && end->state == TCP_TIME_WAIT) {
		struct tcp_time_wait *wait = container_of(end, struct tcp_time_wait, end);

		if (tcp_wait_input(stack, wait, segment, &options, now))
			return;
		end = NULL;
	}
	if (end) {
		struct tcp_connection *c = container_of(end, struct tcp_connection, end);

		if (end->state == TCP_SYN_SENT)
			tcp_syn_sent_input(c, segment, &options, now);
		else if (check_paws(c, segment, &options, now) == DONE)
			return;
		else if (end->state == TCP_SYN_RECEIVED)
			half_open_input(c, segment, &options, now);
		else
			synchronized_input(c, segment, &options, now);
		return;
	}
	listener = tcp_listener_of(stack, &segment->key);
	if (listener) {
		tcp_listen_input(stack, listener, segment, &options, route, now);
		return;
	}
	stack->stats.no_listener++;
	tcp_refuse(stack, segment, route, now);
}
