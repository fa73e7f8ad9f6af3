/* SPDX-License-Identifier: ISC */
/* What a connection's timers do when they are due. */
#include "net/tcp_core_parts.h"

/* When it was, or soon after. */
static uint64_t when(uint32_t then_ms, uint64_t now)
{
	uint64_t age = tcp_since(then_ms, now);

	return now > age ? now - age : 0;
}

/* When silence is to be broken; 0: never. */
static uint64_t keepalive_at(const struct tcp_connection *c, uint64_t now)
{
	const struct tcp_options_set *options = &c->stack->config.options;
	uint32_t wait;

	if (!tcp_has(c, TCP_FLAG_KEEPALIVE) || !tcp_is_synchronized(c) || tcp_outstanding(c))
		return 0;
	wait = c->probes ? tcp_or(c->keepalive_interval_s, options->keepalive_interval_s)
			 : tcp_or(c->keepalive_idle_s, options->keepalive_idle_s);
	return when(c->heard_ms, now) + wait * TCP_SECOND_NS;
}

static uint64_t orphan_at(const struct tcp_connection *c, uint64_t now)
{
	if (c->end.state != TCP_FIN_WAIT_2 || tcp_has(c, TCP_FLAG_OWNED))
		return 0;
	return when(c->progress_ms, now) + c->stack->config.fin_wait_2_ms * TCP_MS_NS;
}

/* When the flight is given back; at once when memory is short. */
static uint64_t flight_at(const struct tcp_connection *c, uint64_t now)
{
	uint64_t heard = when(c->heard_ms, now), progress = when(c->progress_ms, now);
	uint64_t last = heard > progress ? heard : progress;

	if (!c->flight || tcp_outstanding(c) || tcp_unsent(c))
		return 0;
	return tcp_memory_is_short(c->stack) ? last : last + TCP_FLIGHT_IDLE_NS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

void tcp_life_set(struct tcp_connection *c, uint64_t now)
{
	uint64_t at = earlier(earlier(keepalive_at(c, now), orphan_at(c, now)), flight_at(c, now));

	if (at)
		tcp_timer_set(c, TCP_TIMER_LIFE, at > now ? at : now + 1);
	else
		tcp_timer_stop(c, TCP_TIMER_LIFE);
}

/* RFC 9293, 3.8.4: a segment of an old number, which must be answered. */
static bool keepalive_due(struct tcp_connection *c, uint64_t now)
{
	if (c->probes >= tcp_or(c->keepalive_count, c->stack->config.options.keepalive_count)) {
		tcp_send_reset(c, now);
		tcp_connection_end(c, -ETIMEDOUT);
		return false;
	}
	c->probes++;
	c->heard_ms = tcp_ms(now); /* the interval counts from here */
	(void)!tcp_transmit(c, c->snd_nxt - 1, 0, 0, 0, now);
	return true;
}

static void life_due(struct tcp_connection *c, uint64_t now)
{
	uint64_t flight = flight_at(c, now), orphan = orphan_at(c, now);
	uint64_t keepalive = keepalive_at(c, now);

	if (orphan && orphan <= now) {
		tcp_connection_end(c, 0);
		return;
	}
	if (flight && flight <= now)
		tcp_flight_release(c);
	if (keepalive && keepalive <= now && !keepalive_due(c, now))
		return;
	tcp_life_set(c, now);
}

static void due(struct tcp_connection *c, enum tcp_timer timer, uint64_t now)
{
	switch (timer) {
	case TCP_TIMER_AGAIN:
		if (tcp_is_synchronized(c))
			tcp_window_due(c, now);
		else
			tcp_open_again(c, now);
		break;
	case TCP_TIMER_RECOVERY:
		tcp_recovery_due(c, now);
		break;
	case TCP_TIMER_ACK:
		c->flags |= TCP_FLAG_ACK_NOW;
		tcp_output(c, now);
		break;
	case TCP_TIMER_PACE:
		tcp_output(c, now);
		break;
	default:
		life_due(c, now);
		break;
	}
}

/* One may end the connection, or set others. */
void tcp_timers_due(struct tcp_connection *c, uint64_t now)
{
	int32_t next = INT32_MAX;

	for (unsigned int i = 0; i < TCP_TIMER_COUNT; i++) {
		if (!c->deadline[i] || tcp_ticks_until(c->deadline[i], now) > 0)
			continue;
		c->deadline[i] = 0;
		due(c, (enum tcp_timer)i, now);
		if (c->end.state == TCP_CLOSED)
			return;
	}
	for (unsigned int i = 0; i < TCP_TIMER_COUNT; i++)
		if (c->deadline[i] && tcp_ticks_until(c->deadline[i], now) < next)
			next = tcp_ticks_until(c->deadline[i], now);
	if (next != INT32_MAX)
		wheel_start(&c->stack->wheel, &c->timer,
			    ((now >> TCP_TICK_SHIFT) + (uint64_t)(int64_t)next)
				    << WHEEL_TICK_SHIFT);
}
