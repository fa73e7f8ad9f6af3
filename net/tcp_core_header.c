/* SPDX-License-Identifier: ISC */
/* What leaves: headers and options of each kind of segment. */
#include "net/tcp_core_parts.h"
#include "net/tcp_mss.h"

uint16_t tcp_mss_offered(const struct tcp_stack *stack, const struct tcp_key *key,
			 const struct tcp_options_set *options, void *route)
{
	const struct tcp_config *config = &stack->config;
	uint16_t mtu = config->mtu_to ? config->mtu_to(config->context, key, route) : 0;
	uint16_t mss = tcp_mss_of_mtu(key->version, mtu ? mtu : config->mtu);
	uint16_t wanted = options && options->mss ? options->mss : config->options.mss;

	return wanted && wanted < mss ? wanted : mss;
}

static void begin(const struct tcp_connection *c, struct tcp_transmission *t)
{
	t->key = c->end.key;
	t->route = c->route;
	t->acknowledgement = c->rcv_nxt;
	t->flags = TCP_ACK;
	t->ecn = TCP_ECN_NONE;
	t->window = 0;
	t->gso_size = 0;
	t->bytes = 0;
	t->piece_count = 0;
	t->option_bytes = 0;
}

static void put_timestamps(const struct tcp_connection *c, struct tcp_options *options,
			   uint64_t now)
{
	if (!tcp_has(c, TCP_FLAG_TIMESTAMPS))
		return;
	options->present |= TCP_HAS_TIMESTAMPS;
	options->ts_value = tcp_timestamp(c->timestamp_offset, now);
	options->ts_echo = c->timestamp_recent;
}

/* An acknowledgement of all that has come is on its way. */
static void answered(struct tcp_connection *c)
{
	c->acknowledged = c->rcv_nxt;
	c->unanswered = 0;
	c->flags &= ~(uint32_t)TCP_FLAG_ACK_NOW;
	tcp_timer_stop(c, TCP_TIMER_ACK);
}

static bool send(struct tcp_stack *stack, const struct tcp_transmission *t)
{
	if (!stack->config.send(stack->config.context, t))
		return false;
	stack->stats.segments_out += t->gso_size ? (t->bytes + t->gso_size - 1) / t->gso_size : 1;
	stack->stats.bytes_out += t->bytes;
	return true;
}

/* With a segment of data, as far as they make it no larger than a full one. */
static void put_sacks(struct tcp_connection *c, struct tcp_options *options, uint32_t bytes)
{
	unsigned int max = tcp_options_sack_room(options);

	if (!tcp_has(c, TCP_FLAG_SACK))
		return;
	if (bytes) {
		uint32_t room = c->mss > bytes ? c->mss - bytes : 0;

		max = min32(max, room < 12 ? 0 : (room - 4) / 8);
	}
	options->sack_count = (uint8_t)tcp_reassembly_sacks(&c->reassembly, options->sacks, max);
}

bool tcp_transmit(struct tcp_connection *c, uint32_t sequence, uint32_t bytes, uint8_t flags,
		  uint16_t gso_size, uint64_t now)
{
	struct tcp_options options = { 0 };
	struct tcp_transmission t;
	bool fresh = bytes && sequence == c->snd_nxt;

	begin(c, &t);
	put_timestamps(c, &options, now);
	put_sacks(c, &options, gso_size ? UINT32_MAX : bytes);
	t.option_bytes = (uint8_t)tcp_options_write(&options, t.options);
	t.sequence = sequence;
	t.flags |= flags;
	t.bytes = bytes;
	t.gso_size = gso_size;
	if (bytes)
		t.piece_count = (uint8_t)tcp_buffer_pieces(&c->sending, sequence - c->snd_una,
							   &t.bytes, t.pieces, TCP_PIECES_MAX);
	if (t.bytes != bytes)
		panic("tcp_transmit: %u bytes in %u pieces", bytes, t.piece_count);
	if (tcp_has(c, TCP_FLAG_ECE))
		t.flags |= TCP_ECE;
	if (fresh && tcp_has(c, TCP_FLAG_ECN)) {
		t.ecn = TCP_ECN_ECT0; /* nothing that is sent again (RFC 3168, 6.1.5) */
		if (tcp_has(c, TCP_FLAG_CWR))
			t.flags |= TCP_CWR;
	}
	t.window = tcp_window_offer(&c->window, c->rcv_nxt, c->receiving.bytes, false);
	if (!send(c->stack, &t))
		return false;
	if (t.flags & TCP_CWR)
		c->flags &= ~(uint32_t)TCP_FLAG_CWR;
	answered(c);
	return true;
}

void tcp_send_ack(struct tcp_connection *c, uint64_t now)
{
	if (!tcp_transmit(c, c->snd_nxt, 0, 0, 0, now))
		tcp_timer_set(c, TCP_TIMER_ACK, now + TCP_SEND_AGAIN_NS);
}

bool tcp_transmit_syn(struct tcp_connection *c, uint64_t now)
{
	bool answer = c->end.state == TCP_SYN_RECEIVED;
	uint32_t most = c->window.max;
	struct tcp_options options = { .present = TCP_HAS_MSS };
	struct tcp_transmission t;

	begin(c, &t);
	t.sequence = c->iss;
	t.flags = answer ? TCP_SYN | TCP_ACK : TCP_SYN;
	if (!answer)
		t.acknowledgement = 0;
	options.mss = c->window.mss;
	if (tcp_has(c, TCP_FLAG_SCALE)) {
		options.present |= TCP_HAS_SCALE;
		options.scale = answer ? c->window.scale : tcp_window_scale(most);
	}
	if (tcp_has(c, TCP_FLAG_SACK))
		options.present |= TCP_HAS_SACK_PERMITTED;
	put_timestamps(c, &options, now);
	/* Some networks swallow SYNs that ask for it; and who has sent one without must not use it
	 * (RFC 3168, 6.1.1.1). */
	if (c->backoff >= 2)
		c->flags &= ~(uint32_t)TCP_FLAG_ECN;
	if (tcp_has(c, TCP_FLAG_ECN))
		t.flags |= answer ? TCP_ECE : TCP_ECE | TCP_CWR;
	t.option_bytes = (uint8_t)tcp_options_write(&options, t.options);
	t.window = answer ? tcp_window_offer(&c->window, c->rcv_nxt, 0, true)
			  : (uint16_t)min32(TCP_BUFFER_FIRST, most);
	if (!send(c->stack, &t))
		return false;
	if (answer)
		answered(c);
	return true;
}

bool tcp_challenge_allowed(struct tcp_stack *stack, uint64_t now)
{
	if (bucket_take(&stack->challenge, now)) {
		stack->stats.challenges++;
		return true;
	}
	stack->stats.challenges_withheld++;
	return false;
}

void tcp_send_challenge(struct tcp_connection *c, uint64_t now)
{
	if (c->challenged_ms && tcp_since(c->challenged_ms, now) < TCP_CHALLENGE_GAP_NS) {
		c->stack->stats.challenges_withheld++;
		return;
	}
	if (!tcp_challenge_allowed(c->stack, now))
		return;
	c->challenged_ms = tcp_ms(now) ? tcp_ms(now) : 1;
	tcp_send_ack(c, now);
}

void tcp_send_reset(struct tcp_connection *c, uint64_t now)
{
	struct tcp_options options = { 0 };
	struct tcp_transmission t;

	begin(c, &t);
	put_timestamps(c, &options, now);
	t.option_bytes = (uint8_t)tcp_options_write(&options, t.options);
	t.sequence = c->snd_nxt;
	t.flags = TCP_RST | TCP_ACK;
	if (send(c->stack, &t))
		c->stack->stats.resets_out++;
}

void tcp_refuse(struct tcp_stack *stack, const struct tcp_segment *segment, void *route,
		uint64_t now)
{
	struct tcp_transmission t = { .key = segment->key, .route = route };

	if (segment->flags & TCP_RST || !bucket_take(&stack->reset, now))
		return;
	if (segment->flags & TCP_ACK) {
		t.sequence = segment->acknowledgement;
		t.flags = TCP_RST;
	} else {
		t.acknowledgement = segment->sequence + tcp_segment_length(segment);
		t.flags = TCP_RST | TCP_ACK;
	}
	if (send(stack, &t))
		stack->stats.resets_out++;
}
