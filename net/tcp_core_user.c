/* SPDX-License-Identifier: ISC */
/* What the application calls (RFC 9293, 3.10.1 to 3.10.6). */
#include "net/tcp_core_parts.h"

uint32_t tcp_send_room(const struct tcp_connection *c)
{
	if (!tcp_is_synchronized(c) || tcp_has(c, TCP_FLAG_FIN_QUEUED) ||
	    c->sending.bytes >= c->sending.limit)
		return 0;
	return c->sending.limit - c->sending.bytes;
}

uint32_t tcp_receivable(const struct tcp_connection *c)
{
	return c->receiving.bytes;
}

int tcp_error(const struct tcp_connection *c)
{
	return c->error;
}

/* 0, or why no more will ever be sent. */
static int send_error(const struct tcp_connection *c)
{
	if (c->end.state == TCP_CLOSED)
		return c->error ? c->error : -EPIPE;
	return tcp_has(c, TCP_FLAG_FIN_QUEUED) ? -EPIPE : 0;
}

int tcp_reserve(struct tcp_connection *c, struct tcp_room *rooms, unsigned int max, uint32_t *bytes)
{
	uint32_t wanted = *bytes;
	int error = send_error(c);
	unsigned int count;

	if (error)
		return error;
	*bytes = min32(wanted, tcp_send_room(c));
	count = tcp_buffer_reserve(&c->sending, &c->stack->config.memory, c->sending.bytes, bytes,
				   rooms, max);
	if (*bytes < wanted && count < max)
		c->flags |= TCP_FLAG_WANTS_ROOM;
	return (int)count;
}

void tcp_commit(struct tcp_connection *c, uint32_t bytes, uint64_t now)
{
	c->stack->now = now;
	bytes = min32(bytes, tcp_send_room(c));
	bytes = tcp_buffer_reserved(&c->sending, c->sending.bytes, bytes);
	tcp_buffer_extend(&c->sending, bytes);
	if (bytes)
		tcp_output(c, now);
	else if (!c->sending.bytes)
		tcp_buffer_free(&c->sending, &c->stack->config.memory);
}

int tcp_send(struct tcp_connection *c, const void *data, uint32_t bytes, uint64_t now)
{
	int error = send_error(c);
	uint32_t taken;

	if (error)
		return error;
	c->stack->now = now;
	taken = min32(bytes, tcp_send_room(c));
	taken = tcp_buffer_write(&c->sending, &c->stack->config.memory, c->sending.bytes, data,
				 taken);
	tcp_buffer_extend(&c->sending, taken);
	if (taken < bytes)
		c->flags |= TCP_FLAG_WANTS_ROOM;
	if (taken)
		tcp_output(c, now);
	return (int)taken;
}

int tcp_peek(const struct tcp_connection *c, struct tcp_piece *pieces, unsigned int max,
	     uint32_t *bytes)
{
	*bytes = c->receiving.bytes;
	if (*bytes)
		return (int)tcp_buffer_pieces(&c->receiving, 0, bytes, pieces, max);
	if (c->error)
		return c->error;
	return tcp_has(c, TCP_FLAG_FIN_RECEIVED) ? 0 : -EAGAIN;
}

void tcp_consume(struct tcp_connection *c, uint32_t bytes, uint64_t now)
{
	bool open = c->end.state != TCP_CLOSED;

	bytes = min32(bytes, c->receiving.bytes);
	c->stack->now = now;
	tcp_buffer_release(&c->receiving, &c->stack->config.memory, bytes,
			   !open || tcp_reassembly_is_empty(&c->reassembly));
	if (!open)
		return;
	tcp_window_read(&c->window, bytes, c->srtt_us * UINT64_C(1000), now);
	if (tcp_may_receive(c) &&
	    tcp_window_wants_update(&c->window, c->rcv_nxt, c->receiving.bytes))
		tcp_send_ack(c, now);
}

int tcp_receive(struct tcp_connection *c, void *to, uint32_t bytes, uint64_t now)
{
	uint32_t part = min32(bytes, c->receiving.bytes);

	if (part == 0 && bytes) {
		struct tcp_piece piece;

		return tcp_peek(c, &piece, 1, &part);
	}
	tcp_buffer_read(&c->receiving, 0, to, part);
	tcp_consume(c, part, now);
	return (int)part;
}

/* FIN behind what is queued, in the states that have not sent one. */
static void queue_fin(struct tcp_connection *c, uint64_t now)
{
	if (c->end.state == TCP_ESTABLISHED)
		c->end.state = TCP_FIN_WAIT_1;
	else if (c->end.state == TCP_CLOSE_WAIT)
		c->end.state = TCP_LAST_ACK;
	else
		return;
	c->flags |= TCP_FLAG_FIN_QUEUED;
	tcp_output(c, now);
}

void tcp_shutdown(struct tcp_connection *c, uint64_t now)
{
	c->stack->now = now;
	queue_fin(c, now);
}

void tcp_forget(struct tcp_connection *c, int error, uint64_t now)
{
	c->stack->now = now;
	if (c->end.state != TCP_CLOSED)
		tcp_connection_end(c, error);
}

void tcp_abort(struct tcp_connection *c, uint64_t now)
{
	c->stack->now = now;
	c->flags &= ~(uint32_t)TCP_FLAG_OWNED;
	list_remove(&c->event_link);
	if (c->end.state == TCP_CLOSED) {
		tcp_connection_release(c);
		return;
	}
	/* RFC 9293, 3.10.5: SYN-SENT, CLOSING and LAST-ACK just end. */
	if (c->end.state != TCP_SYN_SENT && c->end.state != TCP_CLOSING &&
	    c->end.state != TCP_LAST_ACK)
		tcp_send_reset(c, now);
	tcp_connection_end(c, -ECONNABORTED);
}

void tcp_close(struct tcp_connection *c, uint64_t now)
{
	bool unread = c->receiving.bytes;

	if (c->end.state == TCP_CLOSED || c->end.state == TCP_SYN_SENT ||
	    c->end.state == TCP_SYN_RECEIVED || (unread && tcp_is_synchronized(c))) {
		tcp_abort(c, now);
		return;
	}
	c->stack->now = now;
	c->flags &= ~(uint32_t)TCP_FLAG_OWNED;
	list_remove(&c->event_link);
	c->context = NULL;
	list_push_back(&c->stack->orphans, &c->link);
	if (c->end.state == TCP_FIN_WAIT_2)
		c->progress_ms = tcp_ms(now);
	queue_fin(c, now);
	if (c->end.state != TCP_CLOSED)
		tcp_life_set(c, now);
}
