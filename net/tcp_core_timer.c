/* SPDX-License-Identifier: ISC */
/* What a connection's timers do when they are due. */
#include "net/tcp_core_parts.h"

static uint64_t seconds(const struct tcp_connection *c, uint16_t configured)
{
	(void)c;
	return configured * TCP_SECOND_NS;
}

/* When silence is to be broken; 0: never. */
static uint64_t keepalive_at(const struct tcp_connection *c)
{
	const struct tcp_options_set *options = &c->stack->config.options;

	if (!tcp_has(c, TCP_FLAG_KEEPALIVE) || !tcp_is_synchronized(c) || tcp_outstanding(c))
		return 0;
	return c->heard_ns + seconds(c, options->keepalive_idle_s) +
	       c->probes * seconds(c, options->keepalive_interval_s);
}

static uint64_t orphan_at(const struct tcp_connection *c)
{
	if (c->end.state != TCP_FIN_WAIT_2 || tcp_has(c, TCP_FLAG_OWNED))
		return 0;
	return c->progress_ns + c->stack->config.fin_wait_2_ms * TCP_MS_NS;
}

/* When the flight is given back; at once when memory is short. */
static uint64_t flight_at(const struct tcp_connection *c)
{
	const struct tcp_memory *memory = &c->stack->config.memory;
	uint64_t last = c->heard_ns > c->progress_ns ? c->heard_ns : c->progress_ns;

	if (!c->flight || tcp_outstanding(c) || tcp_unsent(c))
		return 0;
	return memory->used > memory->limit / 4 * 3 ? last : last + TCP_FLIGHT_IDLE_NS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

void tcp_life_set(struct tcp_connection *c, uint64_t now)
{
	uint64_t at = earlier(earlier(keepalive_at(c), orphan_at(c)), flight_at(c));

	if (at)
		tcp_timer_set(c, TCP_TIMER_LIFE, at > now ? at : now + 1);
	else
		tcp_timer_stop(c, TCP_TIMER_LIFE);
}

/* RFC 9293, 3.8.4: a segment of an old number, which must be answered. */
static bool keepalive_due(struct tcp_connection *c, uint64_t now)
{
	if (c->probes >= c->stack->config.options.keepalive_count) {
		tcp_send_reset(c, now);
		tcp_connection_end(c, -ETIMEDOUT);
		return false;
	}
	c->probes++;
	(void)!tcp_transmit(c, c->snd_nxt - 1, 0, 0, 0, now);
	return true;
}

static void life_due(struct tcp_connection *c, uint64_t now)
{
	uint64_t flight = flight_at(c), orphan = orphan_at(c), keepalive = keepalive_at(c);

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
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < TCP_TIMER_COUNT; i++) {
		if (!c->deadline[i] || c->deadline[i] > now)
			continue;
		c->deadline[i] = 0;
		due(c, (enum tcp_timer)i, now);
		if (c->end.state == TCP_CLOSED)
			return;
	}
	for (unsigned int i = 0; i < TCP_TIMER_COUNT; i++)
		if (c->deadline[i] && c->deadline[i] < next)
			next = c->deadline[i];
	if (next != UINT64_MAX)
		wheel_start(&c->stack->wheel, &c->timer, next << TCP_WHEEL_SHIFT);
}
