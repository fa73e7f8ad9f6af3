/* SPDX-License-Identifier: ISC */
/* How connections begin: listeners, SYNs from either side or both, cookies. */
#include <string.h>

#include "net/tcp_core_parts.h"

/* ---- listeners ---- */

static bool listener_matches(const struct tcp_listener *listener, const struct tcp_key *key)
{
	return be16_get(key->own_port) == listener->port && key->zone == listener->zone &&
	       (listener->own.version == 0 ||
		(listener->own.version == key->version &&
		 memcmp(listener->own.bytes, key->own, sizeof(key->own)) == 0));
}

struct tcp_listener *tcp_listener_of(const struct tcp_stack *stack, const struct tcp_key *key)
{
	struct tcp_listener *found = NULL;

	list_for_each(link, &stack->listeners) {
		struct tcp_listener *listener = list_entry(link, struct tcp_listener, link);

		if (listener_matches(listener, key) && (!found || listener->own.version))
			found = listener;
	}
	return found;
}

int tcp_listen(struct tcp_stack *stack, struct tcp_listener *listener)
{
	if (!listener->port || !listener->backlog)
		return -EINVAL;
	list_for_each(link, &stack->listeners) {
		const struct tcp_listener *other = list_entry(link, struct tcp_listener, link);

		if (other->port == listener->port && other->zone == listener->zone &&
		    ip_address_equal(&other->own, &listener->own))
			return -EADDRINUSE;
	}
	listener->half_open = 0;
	listener->waiting = 0;
	list_init(&listener->half_open_list);
	list_init(&listener->ready);
	list_push_back(&stack->listeners, &listener->link);
	return 0;
}

void tcp_listener_forget(struct tcp_connection *c)
{
	if (!tcp_is_unaccepted(c))
		return;
	if (tcp_has(c, TCP_FLAG_WAITING))
		c->listener->waiting--;
	else
		c->listener->half_open--;
	c->flags &= ~(uint32_t)(TCP_FLAG_WAITING | TCP_FLAG_UNACCEPTED);
	list_remove(&c->link);
	c->context = NULL;
}

static void abandon(struct list *queue, uint64_t now)
{
	list_for_each_safe(link, spare, queue) {
		struct tcp_connection *c = list_entry(link, struct tcp_connection, link);

		tcp_send_reset(c, now);
		tcp_connection_end(c, -ECONNABORTED);
	}
}

void tcp_unlisten(struct tcp_stack *stack, struct tcp_listener *listener, uint64_t now)
{
	stack->now = now;
	abandon(&listener->half_open_list, now);
	abandon(&listener->ready, now);
	list_remove(&listener->link);
}

struct tcp_connection *tcp_accept(struct tcp_listener *listener, void *context)
{
	struct tcp_connection *c;

	if (list_is_empty(&listener->ready))
		return NULL;
	c = list_entry(listener->ready.next, struct tcp_connection, link);
	tcp_listener_forget(c);
	c->context = context;
	c->flags |= TCP_FLAG_OWNED;
	if (c->receiving.bytes || tcp_has(c, TCP_FLAG_FIN_RECEIVED))
		tcp_raise(c, TCP_EVENT_READABLE);
	return c;
}

/* ---- what SYNs agree on ---- */

/*
 * What the application wants, from the beginning. Until the window begins, its fields hold
 * what it is to begin with.
 */
static void want(struct tcp_connection *c, const struct tcp_options_set *options)
{
	const struct tcp_config *config = &c->stack->config;
	const struct tcp_options_set none = { 0 };

	if (!options)
		options = &none;
	c->keepalive_idle_s = options->keepalive_idle_s;
	c->keepalive_interval_s = options->keepalive_interval_s;
	c->keepalive_count = options->keepalive_count;
	c->user_timeout_ms = options->user_timeout_ms;
	c->pacing = options->pacing;
	c->window.mss = tcp_mss_offered(c->stack, &c->end.key, options, c->route);
	c->window.max = config->receive_bytes;
	if (options->receive_bytes)
		c->window.max = min32(options->receive_bytes, c->window.max);
	if (options->keepalive || config->options.keepalive)
		c->flags |= TCP_FLAG_KEEPALIVE;
	if (options->no_delay || config->options.no_delay)
		c->flags |= TCP_FLAG_NO_DELAY;
	tcp_set_send_bytes(c, options->send_bytes);
}

static void agree(struct tcp_connection *c, const struct tcp_options *peer, uint64_t now)
{
	uint8_t present = peer->present;

	if (!(present & TCP_HAS_SCALE))
		c->flags &= ~(uint32_t)TCP_FLAG_SCALE;
	if (!(present & TCP_HAS_TIMESTAMPS))
		c->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
	if (!(present & TCP_HAS_SACK_PERMITTED))
		c->flags &= ~(uint32_t)TCP_FLAG_SACK;
	c->scale_send = tcp_has(c, TCP_FLAG_SCALE) ? peer->scale : 0;
	c->mss = tcp_options_mss(peer, c->end.key.version, c->window.mss);
	if (tcp_has(c, TCP_FLAG_TIMESTAMPS)) {
		c->mss -= TCP_TIMESTAMP_BYTES;
		c->timestamp_recent = peer->ts_value;
		c->timestamp_recent_s = (uint32_t)(now / TCP_SECOND_NS);
	}
	tcp_mtu_begin(c, now);
}

/* The peer's SYN has been at `irs`, with what was agreed on. */
static void receive_from(struct tcp_connection *c, uint32_t irs)
{
	uint32_t most = c->window.max;
	uint8_t scale = tcp_has(c, TCP_FLAG_SCALE) ? tcp_window_scale(most) : 0;

	c->irs = irs;
	c->rcv_nxt = irs + 1;
	c->acknowledged = c->rcv_nxt;
	tcp_reassembly_init(&c->reassembly, &c->stack->spans, TCP_SPANS_FOR_ONE, c->rcv_nxt);
	tcp_window_init(&c->window, &c->stack->windows, min32(TCP_BUFFER_FIRST, most), most, scale,
			c->window.mss, c->rcv_nxt);
}

/* The peer's window as a SYN has it: never scaled (RFC 7323, 2.2). */
static void first_window(struct tcp_connection *c, const struct tcp_segment *segment)
{
	c->snd_wnd = segment->window;
	c->snd_wnd_max = segment->window;
	c->snd_wl1 = segment->sequence;
	c->snd_wl2 = segment->acknowledgement;
}

static void send_from(struct tcp_connection *c, uint32_t iss)
{
	c->iss = iss;
	c->snd_una = iss;
	c->snd_nxt = iss + 1;
	c->snd_sml = iss;
	c->timestamp_offset = tcp_isn_timestamp_offset(&c->stack->isn, &c->end.key);
}

/* Sends its SYN, and again until it is answered. */
static void say_syn(struct tcp_connection *c, uint64_t now)
{
	uint64_t wait = TCP_RTO_INITIAL_NS << c->backoff;

	c->syn_us = (uint32_t)(now / 1000);
	if (!tcp_transmit_syn(c, now))
		wait = TCP_SEND_AGAIN_NS;
	tcp_timer_set(c, TCP_TIMER_AGAIN, now + wait);
}

void tcp_open_again(struct tcp_connection *c, uint64_t now)
{
	if (c->backoff >= (tcp_has(c, TCP_FLAG_PASSIVE) ? TCP_OPEN_RETRIES : TCP_CONNECT_RETRIES)) {
		tcp_connection_end(c, tcp_timeout_error(c));
		return;
	}
	c->backoff++;
	c->stack->stats.retransmissions++;
	say_syn(c, now);
}

#define OFFERED (TCP_FLAG_SCALE | TCP_FLAG_TIMESTAMPS | TCP_FLAG_SACK)

struct tcp_connection *tcp_connect(struct tcp_stack *stack, const struct tcp_key *key, void *route,
				   void *context, uint64_t now, int *error)
{
	return tcp_connect_with(stack, key, NULL, route, context, now, error);
}

struct tcp_connection *tcp_connect_with(struct tcp_stack *stack, const struct tcp_key *key,
					const struct tcp_options_set *options, void *route,
					void *context, uint64_t now, int *error)
{
	struct tcp_end *other = tcp_find(stack, key);
	struct tcp_connection *c;

	stack->now = now;
	*error = 0;
	if (other) {
		*error = -EADDRINUSE;
		return NULL;
	}
	c = tcp_connection_make(stack, key, route, now);
	if (!c) {
		*error = -ENOBUFS;
		return NULL;
	}
	c->context = context;
	c->flags |= TCP_FLAG_OWNED | TCP_FLAG_ECN | OFFERED;
	c->end.state = TCP_SYN_SENT;
	want(c, options);
	send_from(c, tcp_isn_make(&stack->isn, key, now));
	say_syn(c, now);
	return c;
}

bool tcp_established(struct tcp_connection *c, uint64_t now)
{
	struct tcp_listener *listener = tcp_is_unaccepted(c) ? c->listener : NULL;
	uint32_t rtt_us = (uint32_t)(now / 1000) - c->syn_us;

	if (listener && listener->waiting >= listener->backlog) {
		c->stack->stats.backlog_full++;
		return false;
	}
	if (listener) {
		listener->half_open--;
		listener->waiting++;
		list_remove(&c->link);
		list_push_back(&listener->ready, &c->link);
		c->flags |= TCP_FLAG_WAITING;
	}
	c->end.state = TCP_ESTABLISHED;
	c->snd_una = c->iss + 1;
	c->srtt_us = 0;
	c->flags &= ~(uint32_t)TCP_FLAG_UNREACHABLE;
	if (c->backoff)
		c->flags |= TCP_FLAG_SYN_LOST;
	else if (!tcp_has(c, TCP_FLAG_COOKIE))
		tcp_flight_sample(c, rtt_us * UINT64_C(1000));
	c->backoff = 0;
	c->heard_ms = tcp_ms(now);
	c->progress_ms = tcp_ms(now);
	tcp_timer_stop(c, TCP_TIMER_AGAIN);
	tcp_raise(c, TCP_EVENT_CONNECTED | TCP_EVENT_WRITABLE);
	tcp_life_set(c, now);
	return true;
}

/* ---- LISTEN (RFC 9293, 3.10.7.2) ---- */

static void send_cookie(struct tcp_stack *stack, const struct tcp_listener *listener,
			const struct tcp_segment *segment, const struct tcp_options *peer,
			void *route, uint64_t now)
{
	uint32_t most = min32(tcp_or(listener->options.receive_bytes, UINT32_MAX),
			      stack->config.receive_bytes);
	struct tcp_transmission t = { .key = segment->key, .route = route };
	struct tcp_options options = { .present = TCP_HAS_MSS };
	uint32_t timestamp =
		tcp_timestamp(tcp_isn_timestamp_offset(&stack->isn, &segment->key), now);
	bool ecn = (segment->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);

	t.sequence = tcp_cookie_make(&stack->cookies, &segment->key, segment->sequence, peer, ecn,
				     &timestamp, now);
	t.acknowledgement = segment->sequence + 1;
	t.flags = TCP_SYN | TCP_ACK;
	t.window = (uint16_t)min32(TCP_BUFFER_FIRST, most);
	options.mss = tcp_mss_offered(stack, &segment->key, &listener->options, route);
	if (peer->present & TCP_HAS_TIMESTAMPS) {
		/* Without them a cookie has no room for the rest. */
		options.present |= TCP_HAS_TIMESTAMPS;
		options.present |= peer->present & (TCP_HAS_SCALE | TCP_HAS_SACK_PERMITTED);
		options.scale = tcp_window_scale(most);
		options.ts_value = timestamp;
		options.ts_echo = peer->ts_value;
		if (ecn)
			t.flags |= TCP_ECE;
	}
	t.option_bytes = (uint8_t)tcp_options_write(&options, t.options);
	if (stack->config.send(stack->config.context, &t)) {
		stack->stats.segments_out++;
		stack->stats.cookies_sent++;
	}
}

static struct tcp_connection *make_passive(struct tcp_stack *stack, struct tcp_listener *listener,
					   const struct tcp_segment *segment,
					   const struct tcp_options *peer, void *route, bool ecn,
					   uint64_t now)
{
	struct tcp_connection *c = tcp_connection_make(stack, &segment->key, route, now);

	if (!c)
		return NULL;
	c->flags |= TCP_FLAG_PASSIVE | TCP_FLAG_UNACCEPTED | OFFERED | (ecn ? TCP_FLAG_ECN : 0u);
	c->end.state = TCP_SYN_RECEIVED;
	c->listener = listener;
	list_push_back(&listener->half_open_list, &c->link);
	listener->half_open++;
	want(c, &listener->options);
	agree(c, peer, now);
	return c;
}

/* An ACK to no connection: the answer to a cookie? */
static void cookie_input(struct tcp_stack *stack, struct tcp_listener *listener,
			 const struct tcp_segment *segment, const struct tcp_options *options,
			 void *route, uint64_t now)
{
	uint32_t iss = segment->acknowledgement - 1, irs = segment->sequence - 1;
	struct tcp_connection *c;
	struct tcp_options syn;
	bool ecn;

	if (!listener->cookies || segment->flags & TCP_SYN ||
	    !tcp_cookie_check(&stack->cookies, &segment->key, irs, iss, options, now, &syn, &ecn)) {
		tcp_refuse(stack, segment, route, now);
		return;
	}
	if (listener->waiting >= listener->backlog) {
		stack->stats.backlog_full++;
		return;
	}
	c = make_passive(stack, listener, segment, &syn, route, ecn, now);
	if (!c)
		return;
	stack->stats.cookies_taken++;
	c->flags |= TCP_FLAG_COOKIE;
	receive_from(c, irs);
	(void)tcp_window_offer(&c->window, c->rcv_nxt, 0, true); /* with the cookie */
	send_from(c, iss);
	first_window(c, segment);
	/* What it says besides is looked at now, as if the SYN had been kept. */
	tcp_input(stack, segment, route, now);
}

void tcp_listen_input(struct tcp_stack *stack, struct tcp_listener *listener,
		      const struct tcp_segment *segment, const struct tcp_options *options,
		      void *route, uint64_t now)
{
	const uint8_t ecn = TCP_ECE | TCP_CWR;
	struct tcp_connection *c;

	if (segment->flags & TCP_RST)
		return;
	if (segment->flags & TCP_ACK) {
		cookie_input(stack, listener, segment, options, route, now);
		return;
	}
	if ((segment->flags & (TCP_SYN | TCP_FIN)) != TCP_SYN)
		return;
	if (listener->waiting >= listener->backlog) {
		stack->stats.backlog_full++;
		return;
	}
	if (listener->half_open >= listener->backlog || !tcp_connection_has_room(stack)) {
		if (listener->cookies) {
			send_cookie(stack, listener, segment, options, route, now);
			return;
		}
		stack->stats.backlog_full++;
		if (listener->half_open)
			tcp_connection_end(list_entry(listener->half_open_list.next,
						      struct tcp_connection, link),
					   -ECONNABORTED);
	}
	c = make_passive(stack, listener, segment, options, route, (segment->flags & ecn) == ecn,
			 now);
	if (!c)
		return;
	receive_from(c, segment->sequence);
	send_from(c, tcp_isn_make(&stack->isn, &segment->key, now));
	first_window(c, segment);
	say_syn(c, now);
}

/* ---- SYN-SENT (RFC 9293, 3.10.7.3) ---- */

static void answer_in_syn_sent(struct tcp_connection *c, const struct tcp_segment *segment,
			       uint64_t now)
{
	struct tcp_segment rest = *segment;

	if (!tcp_established(c, now))
		return;
	c->flags |= TCP_FLAG_ACK_NOW;
	rest.sequence++;
	rest.flags &= (uint8_t)~TCP_SYN;
	if (rest.bytes || rest.flags & TCP_FIN)
		tcp_payload_input(c, &rest, 0, now);
	if (c->end.state != TCP_CLOSED)
		tcp_output(c, now);
}

void tcp_syn_sent_input(struct tcp_connection *c, const struct tcp_segment *segment,
			const struct tcp_options *options, uint64_t now)
{
	bool answers = segment->flags & TCP_ACK;

	if (answers && segment->acknowledgement != c->snd_nxt) {
		tcp_refuse(c->stack, segment, c->route, now);
		return;
	}
	if (segment->flags & TCP_RST) {
		if (answers) {
			c->stack->stats.resets_in++;
			tcp_connection_end(c, -ECONNREFUSED);
		}
		return;
	}
	if (!(segment->flags & TCP_SYN))
		return;
	if ((segment->flags & (TCP_ECE | TCP_CWR)) != (answers ? TCP_ECE : TCP_ECE | TCP_CWR))
		c->flags &= ~(uint32_t)TCP_FLAG_ECN;
	agree(c, options, now);
	receive_from(c, segment->sequence);
	(void)tcp_window_offer(&c->window, c->rcv_nxt, 0, true); /* with our SYN */
	first_window(c, segment);
	if (answers) {
		answer_in_syn_sent(c, segment, now);
		return;
	}
	/* Both have begun at once. */
	c->end.state = TCP_SYN_RECEIVED;
	c->backoff = 0;
	c->progress_ms = tcp_ms(now);
	say_syn(c, now);
}
