/* SPDX-License-Identifier: ISC */
/*
 * What a connection has of recovery and congestion control, and only while it needs it: a
 * block with the records of what is under way. A connection that has sent nothing for a while
 * would begin with the initial window anyway (RFC 2861); of the rest the round trip is kept.
 */
#include "net/tcp_core_parts.h"

struct tcp_flight *tcp_flight_get(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;

	if (flight)
		return flight;
	flight = tcp_memory_take(&c->stack->config.memory);
	if (!flight) {
		c->stack->stats.no_buffer_memory++;
		return NULL;
	}
	tcp_recovery_init(&flight->recovery, &(struct tcp_recovery_options){
						     .ranges = flight->ranges,
						     .capacity = TCP_FLIGHT_RANGES,
						     .una = c->snd_una,
						     .mss = c->mss,
						     .has_sack = tcp_has(c, TCP_FLAG_SACK),
					     });
	if (c->srtt_us)
		tcp_rto_on_sample(&flight->recovery.rto, c->srtt_us * UINT64_C(1000), 1);
	else if (tcp_has(c, TCP_FLAG_SYN_LOST))
		tcp_rto_on_syn_lost(&flight->recovery.rto);
	tcp_cubic_init(&flight->cubic, c->mss, true, now);
	tcp_cubic_begin(&flight->cubic, c->mss, tcp_has(c, TCP_FLAG_SYN_LOST), c->snd_nxt, now);
	tcp_pacing_init(&flight->pacing, c->mss);
	flight->window = tcp_cubic_window(&flight->cubic);
	flight->extra = 0;
	flight->skip_lost = false;
	flight->app_limited = true;
	flight->probe_mss = 0;
	flight->probe_fails = 0;
	flight->probe_halves = false;
	flight->probe_repair = false;
	flight->has_full = false;
	flight->resized = false;
	flight->said_mss = 0;
	c->flags &= ~(uint32_t)TCP_FLAG_SYN_LOST;
	c->flight = flight;
	tcp_pace(c);
	return flight;
}

void tcp_pace(struct tcp_connection *c)
{
	struct tcp_flight *flight = c->flight;

	if (!flight)
		return;
	tcp_pacing_limit(&flight->pacing, tcp_or(c->pacing, c->stack->config.options.pacing));
	tcp_pacing_set(&flight->pacing, flight->window, c->mss, c->srtt_us * UINT64_C(1000),
		       tcp_cubic_in_slow_start(&flight->cubic));
}

void tcp_loss_event(struct tcp_connection *c, const struct tcp_recovery_result *result,
		    uint32_t outstanding, uint64_t now)
{
	struct tcp_flight *flight = c->flight;
	bool is_resized = flight->resized && !result->lost;

	flight->resized = false;
	flight->probe_repair = tcp_mtu_probe_lost(c, now) || is_resized;
	/* Who speaks ECN is told of it, too (RFC 3168, 6.1.2). */
	if (!flight->probe_repair &&
	    tcp_cubic_on_loss(&flight->cubic, outstanding, c->snd_una, c->snd_nxt, now))
		c->flags |= TCP_FLAG_CWR;
}

void tcp_window_now(struct tcp_connection *c, const struct tcp_recovery_result *result)
{
	struct tcp_flight *flight = c->flight;
	uint32_t cwnd = tcp_cubic_window(&flight->cubic);

	flight->window = tcp_recovery_window(&flight->recovery, result, cwnd,
					     flight->probe_repair ? cwnd : flight->cubic.ssthresh);
	if (flight->recovery.state == TCP_RECOVERY_OPEN)
		flight->probe_repair = false;
}

/*
 * The send buffer holds twice what may be under way, so that the next round trip's bytes wait
 * while this one's are acknowledged; but when memory is short it does not grow, and never
 * may one have more than half of what is free: so some is left for others however many there are.
 */
void tcp_send_tune(struct tcp_connection *c)
{
	const struct tcp_memory *memory = &c->stack->config.memory;
	uint32_t most = tcp_or(c->send_max, c->stack->config.send_bytes);
	uint32_t first = min32(TCP_BUFFER_FIRST, most), wanted = first;
	uint64_t share = (uint64_t)(memory->limit - memory->used) * TCP_BLOCK_BYTES / 2;

	if (c->flight)
		wanted = min32(max32(first, 2 * c->flight->window), most);
	wanted = max32(wanted, min32(c->sending.limit, most));
	share += c->sending.bytes;
	if (wanted > first && wanted > share)
		wanted = max32(first, (uint32_t)share);
	c->sending.limit = min32(wanted, TCP_BUFFER_MAX);
}

void tcp_flight_release(struct tcp_connection *c)
{
	struct tcp_memory *memory = &c->stack->config.memory;

	if (!c->flight)
		return;
	tcp_memory_give(memory, c->flight);
	c->flight = NULL;
}

void tcp_flight_sample(struct tcp_connection *c, uint64_t rtt_ns)
{
	c->srtt_us = max32(1, (uint32_t)min64(rtt_ns / 1000, 60000000u));
}

uint64_t tcp_rto_now(const struct tcp_connection *c)
{
	uint64_t rto = TCP_RTO_INITIAL_NS;

	if (c->flight)
		return tcp_rto_timeout_ns(&c->flight->recovery.rto);
	if (c->srtt_us)
		rto = c->srtt_us * UINT64_C(3000);
	return rto < TCP_RTO_MIN_NS ? TCP_RTO_MIN_NS : rto;
}
