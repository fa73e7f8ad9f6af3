/* SPDX-License-Identifier: ISC */
/*
 * What a connection has of recovery and congestion control, and only while it needs it: a
 * block with the records of what is under way. A connection that has sent nothing for a while
 * would begin with the initial window anyway (RFC 2861); of the rest the round trip is kept.
 */
#include "net/tcp_core_parts.h"

static void *take(struct tcp_memory *memory)
{
	void *block;

	if (memory->used >= memory->limit)
		return NULL;
	block = memory->take(memory->context);
	if (block)
		memory->used++;
	return block;
}

struct tcp_flight *tcp_flight_get(struct tcp_connection *c, uint64_t now)
{
	struct tcp_flight *flight = c->flight;

	if (flight)
		return flight;
	flight = take(&c->stack->config.memory);
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
	else
		tcp_rto_on_syn_lost(&flight->recovery.rto);
	tcp_cubic_init(&flight->cubic, c->mss, true, now);
	tcp_cubic_begin(&flight->cubic, c->mss, c->srtt_us == 0, c->snd_nxt, now);
	tcp_pacing_init(&flight->pacing, c->mss);
	flight->window = tcp_cubic_window(&flight->cubic);
	flight->extra = 0;
	flight->skip_lost = false;
	flight->app_limited = true;
	tcp_pacing_set(&flight->pacing, flight->window, c->mss, c->srtt_us * UINT64_C(1000), true);
	c->flight = flight;
	return flight;
}

void tcp_flight_release(struct tcp_connection *c)
{
	struct tcp_memory *memory = &c->stack->config.memory;

	if (!c->flight)
		return;
	memory->give(memory->context, c->flight);
	memory->used--;
	c->flight = NULL;
}

void tcp_flight_sample(struct tcp_connection *c, uint64_t rtt_ns)
{
	c->srtt_us = (uint32_t)tcp_max(1, (uint32_t)tcp_min(rtt_ns / 1000 > UINT32_MAX
								    ? UINT32_MAX
								    : (uint32_t)(rtt_ns / 1000),
							    60000000u));
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
