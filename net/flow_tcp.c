/* SPDX-License-Identifier: ISC */
/*
 * For a segment from one end, with what both have said before:
 *
 *   it begins no later than the other's largest window has reached,
 *   it ends no earlier than one such window before what has been sent,
 *   it acknowledges no more than the other has sent,
 *   and no less than what it has acknowledged by its own largest window (RFC 5961, 5.2).
 *
 * Retransmissions, keep-alives (one before the end), probes of a closed window (at its
 * edge), reordered segments and segments of 64 KiB are all within these. What an end
 * has sent counts from when it passes here, and it passes here before the other end
 * sees it, so neither can answer what is not known.
 */
#include "net/flow_tcp.h"

#define WINDOW_SCALE_MAX 14u /* RFC 7323, 2.3 */
/* Acknowledgements may be late by this much where windows are small: 64 KiB and a bit. */
#define ACK_SLACK 66000u

/* What the tracking finds of a packet. */
enum finding {
	FINDING_PASS,	    /* it is the connection's: follow it */
	FINDING_PASS_ALONE, /* let its receiver judge; it says nothing about the connection */
	FINDING_CLOSE,	    /* pass it; the connection has ended */
	FINDING_CLOSE_DROP, /* drop it; the connection has ended */
	FINDING_WINDOW,	    /* drop it: outside */
	FINDING_STATE,	    /* drop it: impossible */
};

/* A segment, as the tracking sees it. */
struct segment {
	const struct packet *packet;
	const struct packet_info *info;
	unsigned int d;	 /* direction that it goes */
	uint32_t length; /* in sequence numbers */
	uint32_t end;
	uint8_t flags;
};

/* Is sequence number a before b? (RFC 9293, 3.4) */
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Is a in [low, high]? */
static bool between(uint32_t a, uint32_t low, uint32_t high)
{
	return a - low <= high - low;
}

static bool has(const struct flow *flow, unsigned int d, enum flow_side_flags flag)
{
	return flow->side_flags[d] & flag;
}

static uint32_t sequence_length(const struct packet_info *info)
{
	return info->payload_length + (info->tcp_flags & TCP_SYN ? 1u : 0u) +
	       (info->tcp_flags & TCP_FIN ? 1u : 0u);
}

/* The window scale option of a SYN, if it has one. The options lie in the head. */
static bool window_scale(const struct packet *packet, const struct packet_info *info,
			 uint8_t *scale)
{
	uint32_t end = (uint32_t)packet->l3_offset + info->header_length;
	uint32_t at = packet->l4_offset + (uint32_t)sizeof(struct tcp_header);

	while (at < end && packet->data[at] != TCP_OPTION_END) {
		uint32_t bytes;

		if (packet->data[at] == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= end)
			return false;
		bytes = packet->data[at + 1];
		if (bytes < 2 || bytes > end - at)
			return false;
		if (packet->data[at] == TCP_OPTION_WINDOW_SCALE && bytes == 3) {
			uint8_t shift = packet->data[at + 2];

			*scale = shift < WINDOW_SCALE_MAX ? shift : WINDOW_SCALE_MAX;
			return true;
		}
		at += bytes;
	}
	return false;
}

/* ---- what an end has said ---- */

static uint32_t window_of(const struct flow *flow, const struct segment *segment)
{
	uint32_t window = segment->info->tcp_window;

	/* Both must have offered it, and in a SYN it never counts. */
	if (!(segment->flags & TCP_SYN) && has(flow, 0, FLOW_SIDE_SCALE) &&
	    has(flow, 1, FLOW_SIDE_SCALE))
		window <<= flow->side_scale[segment->d];
	return window;
}

/* A SYN: all that its sender has said before is void. */
static void side_begin(struct flow *flow, const struct segment *segment)
{
	struct flow_side *side = &flow->side[segment->d];
	struct flow_side *other = &flow->side[!segment->d];
	uint8_t scale = 0;

	flow->side_flags[segment->d] = FLOW_SIDE_SEEN;
	if (window_scale(segment->packet, segment->info, &scale))
		flow->side_flags[segment->d] |= FLOW_SIDE_SCALE;
	flow->side_scale[segment->d] = scale;
	side->end = segment->end;
	side->max_end = segment->end;
	if (has(flow, !segment->d, FLOW_SIDE_SEEN))
		side->max_end = segment->info->tcp_sequence + 1 + other->window;
	side->window = window_of(flow, segment);
	/* The SYN must be acknowledged exactly; data in it (RFC 7413) need not be. */
	if (!has(flow, !segment->d, FLOW_SIDE_ACKED))
		other->ack = segment->info->tcp_sequence + 1;
}

static void side_follow(struct flow *flow, const struct segment *segment)
{
	struct flow_side *side = &flow->side[segment->d];
	struct flow_side *other = &flow->side[!segment->d];
	uint32_t window = window_of(flow, segment);
	uint32_t acknowledgement = segment->info->tcp_acknowledgement;

	if (before(side->end, segment->end))
		side->end = segment->end;
	if (segment->flags & TCP_FIN)
		flow->side_flags[segment->d] |= FLOW_SIDE_FIN;
	if (side->window < window)
		side->window = window;
	if (!(segment->flags & TCP_ACK))
		return;
	if (!has(flow, segment->d, FLOW_SIDE_ACKED) || before(side->ack, acknowledgement))
		side->ack = acknowledgement;
	flow->side_flags[segment->d] |= FLOW_SIDE_ACKED;
	if (before(other->max_end, acknowledgement + window))
		other->max_end = acknowledgement + window;
}

/* ---- what may pass ---- */

/* A segment of direction d that ends before sequence number `end`. */
static always_inline bool is_in_window(const struct flow *flow, unsigned int d,
				       const struct packet_info *info, uint32_t end)
{
	const struct flow_side *side = &flow->side[d];
	const struct flow_side *other = &flow->side[!d];
	uint32_t slack = side->window > ACK_SLACK ? side->window : ACK_SLACK;
	uint32_t lowest = has(flow, d, FLOW_SIDE_ACKED) ? side->ack - slack : side->ack;

	/* A FIN, or the probe of a closed window, may lie one beyond; and what follows it. */
	return !before(side->max_end + 1, info->tcp_sequence) &&
	       !before(end, side->end - other->window - 1) &&
	       between(info->tcp_acknowledgement, lowest, other->end);
}

static bool segment_is_in_window(const struct flow *flow, const struct segment *segment)
{
	return is_in_window(flow, segment->d, segment->info, segment->end);
}

/* Does it acknowledge the other's SYN, before anything else was sent? */
static bool acknowledges_syn(const struct flow *flow, const struct segment *segment)
{
	return (segment->flags & TCP_ACK) &&
	       between(segment->info->tcp_acknowledgement, flow->side[segment->d].ack,
		       flow->side[!segment->d].end);
}

static enum finding judge_reset(const struct flow *flow, const struct segment *segment)
{
	const struct flow_side *sender = &flow->side[segment->d];
	const struct flow_side *receiver = &flow->side[!segment->d];
	uint32_t sequence = segment->info->tcp_sequence;

	/* It has sent nothing: who began gives up, or refuses an answer to something older. */
	if (!has(flow, !segment->d, FLOW_SIDE_SEEN))
		return sequence == sender->end || sequence == receiver->ack ? FINDING_CLOSE
									    : FINDING_PASS_ALONE;
	/* It has only sent a SYN: the reset must acknowledge that, or follow the sender's. */
	if (!has(flow, !segment->d, FLOW_SIDE_ACKED))
		return acknowledges_syn(flow, segment) || (has(flow, segment->d, FLOW_SIDE_SEEN) &&
							   sequence == sender->end)
			       ? FINDING_CLOSE
			       : FINDING_WINDOW;
	/* Exactly what the receiver expects, as far as can be seen from here. */
	if (sequence == receiver->ack)
		return FINDING_CLOSE;
	/* Its SYN for another connection is refused: the old one is no more. */
	if (segment->d == FLOW_REPLY && has(flow, FLOW_ORIGINAL, FLOW_SIDE_RESYN))
		return FINDING_CLOSE;
	if (!between(sequence, receiver->ack, sender->max_end))
		return FINDING_WINDOW;
	/*
	 * After all that has been sent; the acknowledgement is on its way. Anything else
	 * in the window is challenged by the receiver (RFC 5961, 3.2), and a sender that
	 * means it answers that exactly.
	 */
	return sequence == sender->end ? FINDING_CLOSE : FINDING_PASS_ALONE;
}

/* A SYN without ACK. */
static enum finding judge_syn(struct flow *flow, const struct segment *segment)
{
	const struct flow_side *sender = &flow->side[segment->d];
	const struct flow_side *receiver = &flow->side[!segment->d];
	bool is_same =
		has(flow, segment->d, FLOW_SIDE_SEEN) &&
		segment->info->tcp_sequence + 1 + segment->info->payload_length == sender->end;

	switch (flow->state) {
	case FLOW_TCP_SYN_SENT: /* the first, once more, another try, or both at once */
		if (!is_same)
			side_begin(flow, segment);
		return FINDING_PASS;
	case FLOW_TCP_SYN_RECEIVED:
		/* Another try of who began is for the other end to challenge. */
		if (is_same || segment->d == FLOW_ORIGINAL)
			return FINDING_PASS_ALONE;
		return FINDING_STATE;
	case FLOW_TCP_ESTABLISHED:
	case FLOW_TCP_CLOSING:
		/*
		 * Nobody opens backwards what is open. Who began may have lost its memory:
		 * the other end challenges its SYN and so learns of it. In the window some
		 * would reset the connection for it, so there it may not be.
		 */
		if (segment->d == FLOW_REPLY || between(segment->info->tcp_sequence, receiver->ack,
							receiver->ack + receiver->window))
			return FINDING_STATE;
		/* One from before may be its first SYN, late; a new one lies ahead (RFC 6528). */
		if (before(receiver->ack, segment->info->tcp_sequence))
			flow->side_flags[segment->d] |= FLOW_SIDE_RESYN;
		return FINDING_PASS_ALONE;
	default:
		return FINDING_STATE;
	}
}

/* SYN and ACK. */
static enum finding judge_syn_ack(struct flow *flow, const struct segment *segment)
{
	if (flow->state == FLOW_TCP_SYN_SENT) {
		if (segment->d != FLOW_REPLY || !acknowledges_syn(flow, segment))
			return FINDING_WINDOW;
		side_begin(flow, segment);
		return FINDING_PASS;
	}
	if (segment_is_in_window(flow, segment))
		return FINDING_PASS;
	/* Stateless answers to a repeated SYN may begin elsewhere (RFC 4987, 3.6). */
	if (flow->state == FLOW_TCP_SYN_RECEIVED && segment->d == FLOW_REPLY &&
	    acknowledges_syn(flow, segment)) {
		side_begin(flow, segment);
		return FINDING_PASS;
	}
	/*
	 * Both ends are in a new connection between these ports, and only here is the old
	 * one known. Who began will repeat its SYN, and that is judged as a new flow.
	 */
	if (segment->d == FLOW_REPLY && has(flow, FLOW_ORIGINAL, FLOW_SIDE_RESYN))
		return FINDING_CLOSE_DROP;
	return FINDING_WINDOW;
}

static enum finding judge(struct flow *flow, const struct segment *segment)
{
	switch (segment->flags & (TCP_SYN | TCP_RST | TCP_FIN | TCP_ACK)) {
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		return judge_reset(flow, segment);
	case TCP_SYN:
		return judge_syn(flow, segment);
	case TCP_SYN | TCP_ACK:
		return judge_syn_ack(flow, segment);
	case TCP_ACK:
	case TCP_ACK | TCP_FIN:
		break;
	default:
		return FINDING_STATE;
	}
	if (has(flow, 0, FLOW_SIDE_SEEN) && has(flow, 1, FLOW_SIDE_SEEN))
		return segment_is_in_window(flow, segment) ? FINDING_PASS : FINDING_WINDOW;
	/*
	 * Not answered yet, or refused: an end that is still in an older connection
	 * challenges the SYN, and the opener's reset to that clears the way (RFC 9293, 3.5.1).
	 */
	return segment->d == FLOW_REPLY && !segment->length && flow->state == FLOW_TCP_SYN_SENT
		       ? FINDING_PASS_ALONE
		       : FINDING_WINDOW;
}

/* ---- states ---- */

static bool fin_is_acked(const struct flow *flow, unsigned int d)
{
	return has(flow, d, FLOW_SIDE_FIN) && has(flow, !d, FLOW_SIDE_ACKED) &&
	       !before(flow->side[!d].ack, flow->side[d].end);
}

static enum flow_state closing_state(const struct flow *flow)
{
	bool both = has(flow, 0, FLOW_SIDE_FIN) && has(flow, 1, FLOW_SIDE_FIN);

	if (both)
		return fin_is_acked(flow, 0) && fin_is_acked(flow, 1) ? FLOW_TCP_CLOSED
								      : FLOW_TCP_FIN_WAIT;
	if (has(flow, 0, FLOW_SIDE_FIN) || has(flow, 1, FLOW_SIDE_FIN))
		return FLOW_TCP_CLOSING;
	return FLOW_TCP_ESTABLISHED;
}

/* The state after the packet, whose sides have been followed. */
static enum flow_state next_state(const struct flow *flow, const struct segment *segment)
{
	switch (flow->state) {
	case FLOW_TCP_SYN_SENT:
		/* A SYN of the other end too: it answers, or opens at the same time. */
		if (segment->d == FLOW_REPLY && segment->flags & TCP_SYN)
			return FLOW_TCP_SYN_RECEIVED;
		return FLOW_TCP_SYN_SENT;
	case FLOW_TCP_SYN_RECEIVED:
		if (has(flow, FLOW_ORIGINAL, FLOW_SIDE_ACKED))
			return closing_state(flow);
		return FLOW_TCP_SYN_RECEIVED;
	case FLOW_TCP_ESTABLISHED:
	case FLOW_TCP_CLOSING:
	case FLOW_TCP_FIN_WAIT:
		return closing_state(flow);
	default:
		return flow->state;
	}
}

/* A packet that belongs to the connection has passed. */
static void follow(struct flow *flow, const struct segment *segment, uint64_t now_ns)
{
	enum flow_state state;
	bool doubted;

	if (flow->state == FLOW_TCP_CLOSED)
		return; /* the last acknowledgements; they do not keep it alive */
	side_follow(flow, segment);
	state = next_state(flow, segment);
	doubted = (flow->side_flags[0] | flow->side_flags[1]) & FLOW_SIDE_RESET;
	flow->side_flags[0] &= (uint8_t)~FLOW_SIDE_RESET;
	flow->side_flags[1] &= (uint8_t)~FLOW_SIDE_RESET;
	flow->side_flags[segment->d] &= (uint8_t)~FLOW_SIDE_RESYN;
	if (unlikely(state != flow->state || doubted))
		flow_set_state(flow, state, now_ns);
	else
		flow_refresh(flow, now_ns);
}

/*
 * A reset that its receiver may have believed, and may not: if it did there will be no
 * more packets, so the flow is given no longer than a closed one (RFC 7857, 2.2).
 */
static void doubt(struct flow *flow, unsigned int d, uint64_t now_ns)
{
	uint32_t idle = flow_table_of(flow)->idle[FLOW_TCP_CLOSED];
	uint32_t deadline = (uint32_t)(now_ns >> WHEEL_TICK_SHIFT) + idle;

	if (flow->idle <= idle || !before(deadline, flow->deadline))
		return;
	flow->side_flags[d] |= FLOW_SIDE_RESET;
	flow->idle = idle;
	flow->deadline = deadline;
}

/* Has the end sent and acknowledged, and nothing that is not of an open connection? */
static bool is_open(uint8_t side_flags)
{
	return (side_flags & ~FLOW_SIDE_SCALE) == (FLOW_SIDE_SEEN | FLOW_SIDE_ACKED);
}

/*
 * Nearly all segments: of an open connection, in the window, and nothing but data or an
 * acknowledgement. What judge() and follow() would do with them, and no more. False: it is
 * for these to say.
 */
static always_inline bool track_open(struct flow *flow, unsigned int d,
				     const struct packet_info *info, uint64_t now_ns)
{
	struct flow_side *side = &flow->side[d], *other = &flow->side[!d];
	uint32_t end = info->tcp_sequence + info->payload_length, window = info->tcp_window;
	uint32_t acknowledgement = info->tcp_acknowledgement;

	if ((info->tcp_flags & (TCP_SYN | TCP_RST | TCP_FIN | TCP_ACK)) != TCP_ACK ||
	    flow->state != FLOW_TCP_ESTABLISHED || !is_open(flow->side_flags[0]) ||
	    !is_open(flow->side_flags[1]) || !is_in_window(flow, d, info, end))
		return false;
	if (flow->side_flags[0] & flow->side_flags[1] & FLOW_SIDE_SCALE)
		window <<= flow->side_scale[d];
	if (before(side->end, end))
		side->end = end;
	if (side->window < window)
		side->window = window;
	if (before(side->ack, acknowledgement))
		side->ack = acknowledgement;
	if (before(other->max_end, acknowledgement + window))
		other->max_end = acknowledgement + window;
	flow_refresh(flow, now_ns);
	return true;
}

static bool track_any(struct flow *flow, const struct segment *segment, uint64_t now_ns,
		      enum drop_reason *reason)
{
	switch (judge(flow, segment)) {
	case FINDING_PASS:
		follow(flow, segment, now_ns);
		return true;
	case FINDING_PASS_ALONE:
		if (segment->flags & TCP_RST)
			doubt(flow, segment->d, now_ns);
		return true;
	case FINDING_CLOSE:
		if (flow->state != FLOW_TCP_CLOSED)
			flow_set_state(flow, FLOW_TCP_CLOSED, now_ns);
		return true;
	case FINDING_CLOSE_DROP:
		flow_set_state(flow, FLOW_TCP_CLOSED, now_ns);
		break;
	case FINDING_WINDOW:
		break;
	case FINDING_STATE:
		*reason = DROP_FLOW_STATE;
		return false;
	}
	*reason = DROP_TCP_WINDOW;
	return false;
}

/* Apart from the short path, so that that has no stack to lay out. */
static __attribute__((noinline)) bool track_segment(struct flow *flow, unsigned int d,
						    const struct packet *packet,
						    const struct packet_info *info, uint64_t now_ns,
						    enum drop_reason *reason)
{
	uint32_t length = sequence_length(info);
	const struct segment segment = {
		.packet = packet,
		.info = info,
		.d = d,
		.length = length,
		.end = info->tcp_sequence + length,
		.flags = info->tcp_flags,
	};

	return track_any(flow, &segment, now_ns, reason);
}

bool flow_tcp_track(struct flow *flow, enum flow_direction direction, const struct packet *packet,
		    const struct packet_info *info, uint64_t now_ns, enum drop_reason *reason)
{
	return likely(track_open(flow, direction, info, now_ns)) ||
	       track_segment(flow, direction, packet, info, now_ns, reason);
}
