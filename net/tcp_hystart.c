/* SPDX-License-Identifier: ISC */
/* Rounds, the search for longer round trips, conservative slow start: RFC 9406, 4.2. */
#include "net/tcp_hystart.h"

#include <stdbool.h>

#include "net/tcp_core_segment.h"

void tcp_hystart_init(struct tcp_hystart *hystart, uint32_t nxt)
{
	*hystart = (struct tcp_hystart){
		.window_end = nxt,
		.last_rtt_us = TCP_HYSTART_RTT_NONE,
		.rtt_us = TCP_HYSTART_RTT_NONE,
		.baseline_us = TCP_HYSTART_RTT_NONE,
		.phase = TCP_HYSTART_SLOW_START,
	};
}

static void count_sample(struct tcp_hystart *hystart, uint64_t rtt_ns)
{
	uint64_t rtt_us = rtt_ns / 1000;

	if (rtt_us >= TCP_HYSTART_RTT_NONE)
		rtt_us = TCP_HYSTART_RTT_NONE - 1;
	if (rtt_us < hystart->rtt_us)
		hystart->rtt_us = (uint32_t)rtt_us;
	if (hystart->samples < UINT8_MAX)
		hystart->samples++;
}

/* By how much a round trip must have grown to say something. */
static uint32_t threshold_us(uint32_t last_rtt_us)
{
	uint32_t threshold = last_rtt_us / TCP_HYSTART_MIN_RTT_DIVISOR;

	if (threshold > TCP_HYSTART_MAX_RTT_THRESH_US)
		return TCP_HYSTART_MAX_RTT_THRESH_US;
	if (threshold < TCP_HYSTART_MIN_RTT_THRESH_US)
		return TCP_HYSTART_MIN_RTT_THRESH_US;
	return threshold;
}

static bool has_grown(const struct tcp_hystart *hystart)
{
	uint32_t last = hystart->last_rtt_us;

	return last != TCP_HYSTART_RTT_NONE &&
	       hystart->rtt_us >= (uint64_t)last + threshold_us(last);
}

/* After a sample, with enough of them in this round. */
static void judge(struct tcp_hystart *hystart)
{
	if (hystart->phase == TCP_HYSTART_CONSERVATIVE && hystart->rtt_us < hystart->baseline_us) {
		hystart->phase = TCP_HYSTART_SLOW_START; /* a false alarm */
		hystart->baseline_us = TCP_HYSTART_RTT_NONE;
		return;
	}
	if (hystart->phase == TCP_HYSTART_SLOW_START && has_grown(hystart)) {
		hystart->phase = TCP_HYSTART_CONSERVATIVE;
		hystart->baseline_us = hystart->rtt_us;
		hystart->css_rounds = 0;
	}
}

/* The part of a round in which CSS began counts as one of its rounds. */
static void end_round(struct tcp_hystart *hystart, uint32_t nxt)
{
	if (hystart->phase == TCP_HYSTART_CONSERVATIVE &&
	    ++hystart->css_rounds >= TCP_HYSTART_CSS_ROUNDS)
		hystart->phase = TCP_HYSTART_DONE;
	hystart->window_end = nxt;
	hystart->last_rtt_us = hystart->rtt_us;
	hystart->rtt_us = TCP_HYSTART_RTT_NONE;
	hystart->samples = 0;
}

enum tcp_hystart_phase tcp_hystart_on_ack(struct tcp_hystart *hystart, uint32_t una, uint32_t nxt,
					  uint64_t rtt_ns)
{
	if (hystart->phase == TCP_HYSTART_DONE)
		return TCP_HYSTART_DONE;
	if (rtt_ns) {
		count_sample(hystart, rtt_ns);
		if (hystart->samples >= TCP_HYSTART_RTT_SAMPLES)
			judge(hystart);
	}
	if (!tcp_before(una, hystart->window_end))
		end_round(hystart, nxt);
	return hystart->phase;
}
