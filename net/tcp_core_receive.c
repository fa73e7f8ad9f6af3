/* SPDX-License-Identifier: ISC */
/*
 * Payload and FIN: where they go, what the application is told, and when they are
 * acknowledged (RFC 9293, 3.8.6.3; RFC 5681, 4.2).
 */
#include "net/tcp_core_parts.h"

/* So much of the beginning is answered at once: the peer's window grows by what it hears. */
#define QUICK_BYTES 16384u

struct arriving {
	struct tcp_connection *c;
	const struct tcp_segment *segment;
	uint32_t base; /* RCV.NXT before it, which lies at receiving.bytes */
};

/* Bytes [offset, offset + bytes) of the segment to the place `at` of the buffer. */
static uint32_t write_pieces(struct tcp_connection *c, const struct tcp_segment *segment,
			     uint32_t at, uint32_t offset, uint32_t bytes)
{
	uint32_t done = 0;

	for (unsigned int i = 0; i < segment->piece_count && done < bytes; i++) {
		const struct tcp_piece *piece = &segment->pieces[i];
		uint32_t part, wrote;

		if (offset >= piece->bytes) {
			offset -= piece->bytes;
			continue;
		}
		part = min32(piece->bytes - offset, bytes - done);
		wrote = tcp_buffer_write(&c->receiving, &c->stack->config.memory, at + done,
					 piece->data + offset, part);
		done += wrote;
		offset = 0;
		if (wrote < part) {
			c->stack->stats.no_buffer_memory++;
			break;
		}
	}
	return done;
}

static uint32_t write(void *context, uint32_t sequence, uint32_t offset, uint32_t bytes)
{
	const struct arriving *arriving = context;
	struct tcp_connection *c = arriving->c;
	uint32_t at = sequence - arriving->base + c->receiving.bytes;

	if (at >= c->receiving.limit)
		return 0;
	return write_pieces(c, arriving->segment, at, offset,
			    min32(bytes, c->receiving.limit - at));
}

/* An acknowledgement at once for every second full segment, else within TCP_ACK_DELAY_NS. */
static void owe_ack(struct tcp_connection *c, uint32_t bytes, bool at_once, uint64_t now)
{
	c->unanswered += bytes;
	if (at_once || c->unanswered >= 2u * c->mss_receive ||
	    (c->unanswered >= c->mss_receive && c->rcv_nxt - c->irs <= QUICK_BYTES))
		c->flags |= TCP_FLAG_ACK_NOW;
	else if (!c->deadline[TCP_TIMER_ACK])
		tcp_timer_set(c, TCP_TIMER_ACK, now + TCP_ACK_DELAY_NS);
}

/* Of the largest segments that come. */
static void measure(struct tcp_connection *c, const struct tcp_segment *segment)
{
	uint32_t bytes =
		segment->segments > 1 ? segment->bytes / segment->segments : segment->bytes;

	bytes = min32(bytes, c->window.mss);
	if (bytes > c->mss_receive)
		c->mss_receive = (uint16_t)bytes;
}

/* RFC 3168, 6.1.3 */
static void look_at_ecn(struct tcp_connection *c, const struct tcp_segment *segment)
{
	if (!tcp_has(c, TCP_FLAG_ECN))
		return;
	if (segment->flags & TCP_CWR)
		c->flags &= ~(uint32_t)TCP_FLAG_ECE;
	if (segment->ecn == TCP_ECN_CE)
		c->flags |= TCP_FLAG_ECE | TCP_FLAG_ACK_NOW;
}

static void bytes_input(struct tcp_connection *c, const struct tcp_segment *segment,
			uint64_t echo_ns, uint64_t now)
{
	struct arriving arriving = { c, segment, c->reassembly.next };
	/* To the end of a tick: one of now says nothing. */
	uint64_t echo_age_ns = echo_ns && now > echo_ns ? now - echo_ns : 0;
	struct tcp_arrival arrival;

	arrival = tcp_reassembly_add(&c->reassembly, segment->sequence, segment->bytes,
				     tcp_window_right(&c->window), write, &arriving);
	measure(c, segment);
	look_at_ecn(c, segment);
	if (arrival.advanced) {
		tcp_buffer_extend(&c->receiving, arrival.advanced);
		c->rcv_nxt = c->reassembly.next;
		tcp_window_received(&c->window, c->rcv_nxt, echo_age_ns, now);
		tcp_raise(c, TCP_EVENT_READABLE);
	}
	owe_ack(c, segment->bytes, arrival.ack_now, now);
}

/* 3.10.7.4, eighth: the peer's FIN, all before which has come. */
static void fin_input(struct tcp_connection *c, uint64_t now)
{
	c->rcv_nxt++;
	c->flags |= TCP_FLAG_FIN_RECEIVED | TCP_FLAG_ACK_NOW;
	tcp_raise(c, TCP_EVENT_READABLE);
	switch (c->end.state) {
	case TCP_ESTABLISHED:
		c->end.state = TCP_CLOSE_WAIT;
		break;
	case TCP_FIN_WAIT_1:
		c->end.state = TCP_CLOSING;
		break;
	case TCP_FIN_WAIT_2:
		tcp_wait_begin(c, now);
		break;
	default:
		break;
	}
}

void tcp_payload_input(struct tcp_connection *c, const struct tcp_segment *segment,
		       uint64_t echo_ns, uint64_t now)
{
	uint32_t end = segment->sequence + segment->bytes;

	if (!tcp_may_receive(c)) {
		/* There is nothing behind a FIN; this one may come again. */
		c->flags |= TCP_FLAG_ACK_NOW;
		return;
	}
	if (segment->bytes)
		bytes_input(c, segment, echo_ns, now);
	if (segment->flags & TCP_FIN && !tcp_has(c, TCP_FLAG_FIN_SEEN) &&
	    !tcp_after(end, tcp_window_right(&c->window))) {
		c->flags |= TCP_FLAG_FIN_SEEN;
		c->peer_fin = end;
	}
	/* One that data has come behind is none, whoever sent it. */
	if (tcp_has(c, TCP_FLAG_FIN_SEEN) && tcp_before(c->peer_fin, c->rcv_nxt))
		c->flags &= ~(uint32_t)TCP_FLAG_FIN_SEEN;
	if (tcp_has(c, TCP_FLAG_FIN_SEEN) && c->rcv_nxt == c->peer_fin)
		fin_input(c, now);
}
