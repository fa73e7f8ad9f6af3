/* SPDX-License-Identifier: ISC */
#include "net/flow_tcp.h"

#define WINDOW_SCALE_MAX 14u /* RFC 7323, 2.3 */

/* Is sequence number a before b? (RFC 9293, 3.4) */
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
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

/* What this packet tells of its sender. */
static void side_follow(struct flow *flow, unsigned int d, const struct packet *packet,
			const struct packet_info *info)
{
	struct flow_side *side = &flow->side[d];
	uint8_t *flags = &flow->side_flags[d];
	uint32_t end = info->tcp_sequence + sequence_length(info);
	uint32_t window = info->tcp_window;

	if (info->tcp_flags & TCP_SYN) {
		*flags &= (uint8_t)~FLOW_SIDE_SCALE;
		if (window_scale(packet, info, &flow->side_scale[d]))
			*flags |= FLOW_SIDE_SCALE;
	} else if (flow->side_flags[0] & flow->side_flags[1] & FLOW_SIDE_SCALE) {
		window <<= flow->side_scale[d]; /* both offered it, and never in a SYN */
	}
	if (!(*flags & FLOW_SIDE_SEEN) || before(side->end, end))
		side->end = end;
	*flags |= FLOW_SIDE_SEEN;
	if (info->tcp_flags & TCP_FIN)
		*flags |= FLOW_SIDE_FIN;
	if (window > side->window)
		side->window = window;
	if (!(info->tcp_flags & TCP_ACK))
		return;
	if (!(*flags & FLOW_SIDE_ACKED) || before(side->ack, info->tcp_acknowledgement))
		side->ack = info->tcp_acknowledgement;
	*flags |= FLOW_SIDE_ACKED;
}

/* Would the other end take this reset for real? (RFC 9293, 3.10.7; RFC 5961, 3) */
static bool reset_is_believed(const struct flow *flow, unsigned int d,
			      const struct packet_info *info)
{
	const struct flow_side *receiver = &flow->side[!d];

	if (flow->side_flags[!d] & FLOW_SIDE_ACKED) {
		uint32_t ahead = info->tcp_sequence - receiver->ack;

		/* Exactly what the receiver expects, as far as can be seen from here. */
		return ahead == 0 ||
		       (ahead <= receiver->window && info->tcp_sequence == flow->side[d].end);
	}
	/* It has only sent a SYN: the reset must acknowledge that. */
	if (flow->side_flags[!d] & FLOW_SIDE_SEEN)
		return (info->tcp_flags & TCP_ACK) && info->tcp_acknowledgement == receiver->end;
	/* It has sent nothing yet: the one who began gives up. */
	return info->tcp_sequence == flow->side[d].end;
}

static bool fin_is_acked(const struct flow *flow, unsigned int d)
{
	return (flow->side_flags[d] & FLOW_SIDE_FIN) && (flow->side_flags[!d] & FLOW_SIDE_ACKED) &&
	       !before(flow->side[!d].ack, flow->side[d].end);
}

/* The state after the packet, whose sides have been followed. */
static enum flow_state next_state(const struct flow *flow, unsigned int d, uint8_t flags)
{
	uint8_t fins = (flow->side_flags[0] | flow->side_flags[1]) & FLOW_SIDE_FIN;

	switch (flow->state) {
	case FLOW_TCP_SYN_SENT:
		/* A SYN of the other end too: it answers, or opens at the same time. */
		if (d == FLOW_REPLY && flags & TCP_SYN)
			return FLOW_TCP_SYN_RECEIVED;
		return FLOW_TCP_SYN_SENT;
	case FLOW_TCP_SYN_RECEIVED:
		if (d == FLOW_ORIGINAL && flags & TCP_ACK &&
		    !before(flow->side[FLOW_ORIGINAL].ack, flow->side[FLOW_REPLY].end))
			return fins ? FLOW_TCP_FIN_WAIT : FLOW_TCP_ESTABLISHED;
		return FLOW_TCP_SYN_RECEIVED;
	case FLOW_TCP_ESTABLISHED:
		return fins ? FLOW_TCP_FIN_WAIT : FLOW_TCP_ESTABLISHED;
	case FLOW_TCP_FIN_WAIT:
		if (fin_is_acked(flow, FLOW_ORIGINAL) && fin_is_acked(flow, FLOW_REPLY))
			return FLOW_TCP_CLOSED;
		return FLOW_TCP_FIN_WAIT;
	default:
		return flow->state;
	}
}

static void move_to(struct flow *flow, enum flow_state state, uint64_t now_ns)
{
	if (state == flow->state)
		flow_refresh(flow, now_ns);
	else
		flow_set_state(flow, state, now_ns);
}

bool flow_tcp_track(struct flow *flow, enum flow_direction direction, const struct packet *packet,
		    const struct packet_info *info, uint64_t now_ns)
{
	unsigned int d = direction;

	if (info->tcp_flags & TCP_RST) {
		/* One that is not believed goes on to its receiver, who judges for himself. */
		if (reset_is_believed(flow, d, info))
			flow_set_state(flow, FLOW_TCP_CLOSED, now_ns);
		return true;
	}
	/* Nobody opens backwards what is open already. */
	if (d == FLOW_REPLY && (info->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
	    flow->state != FLOW_TCP_SYN_SENT && flow->state != FLOW_TCP_SYN_RECEIVED)
		return false;
	if (flow->state == FLOW_TCP_CLOSED)
		return true; /* the last acknowledgements; they do not keep it alive */
	side_follow(flow, d, packet, info);
	move_to(flow, next_state(flow, d, info->tcp_flags), now_ns);
	return true;
}
