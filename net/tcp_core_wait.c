/* SPDX-License-Identifier: ISC */
/*
 * TIME-WAIT (RFC 9293, 3.6.1): a connection that is over, but whose last segments may still
 * be on their way. All entries last equally long, so a list is always in order.
 */
#include "net/tcp_core_parts.h"

enum wait_flags { WAIT_TIMESTAMPS = 1 << 0 };

static struct tcp_time_wait *oldest(struct tcp_stack *stack)
{
	return list_entry(stack->time_waits.next, struct tcp_time_wait, link);
}

static void remove_wait(struct tcp_stack *stack, struct tcp_time_wait *wait)
{
	tcp_end_remove(stack, &wait->end);
	list_remove(&wait->link);
	list_push_front(&stack->free_waits, &wait->link);
	stack->time_wait_used--;
}

/* From now on once more (RFC 9293, 3.10.7.4, eighth: FIN). */
static void restart(struct tcp_stack *stack, struct tcp_time_wait *wait, uint64_t now)
{
	list_remove(&wait->link);
	wait->until_ns = now + stack->config.time_wait_ms * TCP_MS_NS;
	list_push_back(&stack->time_waits, &wait->link);
}

void tcp_wait_begin(struct tcp_connection *c, uint64_t now)
{
	struct tcp_stack *stack = c->stack;
	struct tcp_time_wait *wait;

	if (list_is_empty(&stack->free_waits)) {
		stack->stats.time_wait_evicted++;
		remove_wait(stack, oldest(stack));
	}
	wait = list_entry(list_pop_front(&stack->free_waits), struct tcp_time_wait, link);
	*wait = (struct tcp_time_wait){
		.end = { .key = c->end.key, .state = TCP_TIME_WAIT },
		.flags = tcp_has(c, TCP_FLAG_TIMESTAMPS) ? WAIT_TIMESTAMPS : 0,
		.scale = c->window.scale,
		.next_send = c->snd_nxt,
		.next_receive = c->rcv_nxt,
		.timestamp_recent = c->timestamp_recent,
		.timestamp_offset = c->timestamp_offset,
		.window = tcp_window_offer(&c->window, c->rcv_nxt, c->receiving.bytes, false),
		.route = c->route,
	};
	list_init(&wait->link);
	restart(stack, wait, now);
	stack->time_wait_used++;
	/* The last acknowledgement must leave before the connection goes. */
	if (tcp_has(c, TCP_FLAG_ACK_NOW))
		tcp_send_ack(c, now);
	tcp_connection_end(c, 0);
	tcp_end_insert(stack, &wait->end);
}

static void answer(struct tcp_stack *stack, struct tcp_time_wait *wait, uint64_t now)
{
	struct tcp_options options = { 0 };
	struct tcp_transmission t = {
		.key = wait->end.key,
		.sequence = wait->next_send,
		.acknowledgement = wait->next_receive,
		.flags = TCP_ACK,
		.window = wait->window,
		.route = wait->route,
	};

	if (wait->answered_ns && now - wait->answered_ns < TCP_CHALLENGE_GAP_NS)
		return;
	wait->answered_ns = now;
	if (wait->flags & WAIT_TIMESTAMPS) {
		options.present = TCP_HAS_TIMESTAMPS;
		options.ts_value = tcp_timestamp(wait->timestamp_offset, now);
		options.ts_echo = wait->timestamp_recent;
	}
	t.option_bytes = (uint8_t)tcp_options_write(&options, t.options);
	if (stack->config.send(stack->config.context, &t))
		stack->stats.segments_out++;
}

/* RFC 9293, 3.10.7.4, first, and fifth: what is in the window and acknowledges nothing. */
static bool says_nothing(const struct tcp_time_wait *wait, const struct tcp_segment *segment)
{
	uint32_t window = (uint32_t)wait->window << wait->scale;
	uint32_t from = segment->sequence - wait->next_receive;
	uint32_t length = tcp_segment_length(segment);

	if (segment->flags & (TCP_ACK | TCP_SYN))
		return false;
	return length ? from < window || from + length - 1 < window : from <= window;
}

bool tcp_wait_input(struct tcp_stack *stack, struct tcp_time_wait *wait,
		    const struct tcp_segment *segment, const struct tcp_options *options,
		    uint64_t now)
{
	bool has = options->present & TCP_HAS_TIMESTAMPS;
	bool had = wait->flags & WAIT_TIMESTAMPS;

	if (segment->flags & TCP_RST)
		return true; /* RFC 1337 */
	if (says_nothing(wait, segment))
		return true;
	if ((segment->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		if (tcp_paws_reopens(segment->sequence, wait->next_receive, has, options->ts_value,
				     had, wait->timestamp_recent)) {
			remove_wait(stack, wait);
			return false;
		}
		answer(stack, wait, now);
		return true;
	}
	if (tcp_segment_length(segment) == 0 && segment->sequence == wait->next_receive)
		return true; /* an acknowledgement, as it should be */
	if (segment->flags & TCP_FIN && !(segment->flags & TCP_SYN) &&
	    segment->sequence + tcp_segment_length(segment) == wait->next_receive)
		restart(stack, wait, now);
	answer(stack, wait, now);
	return true;
}

uint32_t tcp_wait_run(struct tcp_stack *stack, uint64_t now, uint32_t budget)
{
	uint32_t ran = 0;

	while (ran < budget && !list_is_empty(&stack->time_waits) &&
	       oldest(stack)->until_ns <= now) {
		remove_wait(stack, oldest(stack));
		ran++;
	}
	return ran;
}
