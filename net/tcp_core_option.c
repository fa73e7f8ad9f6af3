/* SPDX-License-Identifier: ISC */
/* What the application wants of a connection, and how the connection does. */
#include "net/tcp_core_parts.h"

void tcp_set_no_delay(struct tcp_connection *c, bool no_delay, uint64_t now)
{
	c->stack->now = now;
	c->flags &= ~(uint32_t)TCP_FLAG_NO_DELAY;
	if (!no_delay)
		return;
	c->flags |= TCP_FLAG_NO_DELAY;
	tcp_output(c, now);
}

/* Silence counts from now. */
static void begin_silence(struct tcp_connection *c, uint64_t now)
{
	c->stack->now = now;
	c->heard_ms = tcp_ms(now);
	c->probes = 0;
	if (tcp_is_synchronized(c))
		tcp_life_set(c, now);
}

void tcp_set_keepalive(struct tcp_connection *c, bool on, uint64_t now)
{
	c->flags &= ~(uint32_t)TCP_FLAG_KEEPALIVE;
	if (on)
		c->flags |= TCP_FLAG_KEEPALIVE;
	begin_silence(c, now);
}

void tcp_set_keepalive_idle(struct tcp_connection *c, uint16_t seconds, uint64_t now)
{
	c->keepalive_idle_s = seconds;
	begin_silence(c, now);
}

void tcp_set_keepalive_interval(struct tcp_connection *c, uint16_t seconds, uint64_t now)
{
	c->keepalive_interval_s = seconds;
	begin_silence(c, now);
}

void tcp_set_keepalive_count(struct tcp_connection *c, uint8_t count)
{
	c->keepalive_count = count;
}

void tcp_set_user_timeout(struct tcp_connection *c, uint32_t ms)
{
	c->user_timeout_ms = ms;
}

void tcp_set_send_bytes(struct tcp_connection *c, uint32_t bytes)
{
	c->send_max = min32(bytes, c->stack->config.send_bytes);
	tcp_send_tune(c);
}

void tcp_set_receive_bytes(struct tcp_connection *c, uint32_t bytes)
{
	uint32_t most = c->stack->config.receive_bytes;

	if (bytes)
		most = min32(bytes, most);
	if (c->window.budget)
		tcp_window_set_max(&c->window, most, c->rcv_nxt, c->receiving.bytes);
	else
		c->window.max = most;
}

void tcp_set_mss(struct tcp_connection *c, uint16_t mss)
{
	uint16_t options = tcp_has(c, TCP_FLAG_TIMESTAMPS) ? TCP_TIMESTAMP_BYTES : 0;

	mss = (uint16_t)max32(mss, TCP_MSS_MIN);
	if (!tcp_is_synchronized(c)) {
		/* It counts when the SYNs have been seen. */
		c->window.mss = (uint16_t)min32(c->window.mss, mss);
		return;
	}
	c->mss_max = (uint16_t)min32(c->mss_max, mss - options);
	if (c->mss > c->mss_max)
		tcp_mss_change(c, c->mss_max);
}

void tcp_set_pacing(struct tcp_connection *c, uint32_t bytes_a_second)
{
	c->pacing = bytes_a_second;
	tcp_pace(c);
}

void tcp_get_info(const struct tcp_connection *c, struct tcp_info *info)
{
	bool open = c->end.state != TCP_CLOSED;

	*info = (struct tcp_info){
		.state = c->end.state,
		.retransmissions = c->retransmissions,
		.mss = c->mss,
		.send_window = c->snd_wnd,
		.unacknowledged = open ? tcp_outstanding(c) : 0,
		.send_most = c->sending.limit,
		.receive_most = c->window.limit,
	};
	if (open && c->mss)
		info->path_mtu = tcp_mtu_now(c);
	if (tcp_is_synchronized(c)) {
		info->rtt_us = c->srtt_us;
		info->unsent = tcp_unsent(c);
		if (tcp_after(c->window.right, c->rcv_nxt))
			info->receive_window = c->window.right - c->rcv_nxt;
	}
	if (!c->flight)
		return;
	info->congestion_window = c->flight->window;
	info->slow_start_threshold = c->flight->cubic.ssthresh;
}
