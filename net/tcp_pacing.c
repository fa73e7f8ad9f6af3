/* SPDX-License-Identifier: ISC */
/*
 * A rate of bytes and the time at which the next ones may leave. That time may lie in the
 * past, by what a sender that was late may send more at once.
 */
#include "net/tcp_pacing.h"

#define NS_PER_SECOND 1000000000ull
#define CWND_MAX (1u << 30) /* so that cwnd x 2 x 1e9 stays below 2^61 */
#define MSS_MAX 65535u

static uint32_t clamp_mss(uint32_t mss)
{
	if (mss == 0)
		return 1;
	return mss < MSS_MAX ? mss : MSS_MAX;
}

/* Whole segments: what leaves in a millisecond, within what a GSO packet can hold. */
static uint32_t quantum_of(uint64_t rate, uint32_t mss)
{
	uint64_t bytes = rate / (NS_PER_SECOND / TCP_PACING_QUANTUM_NS);

	if (rate == 0 || bytes > TCP_PACING_QUANTUM_MAX)
		bytes = TCP_PACING_QUANTUM_MAX;
	if (bytes < TCP_PACING_QUANTUM_SEGMENTS * (uint64_t)mss)
		bytes = TCP_PACING_QUANTUM_SEGMENTS * (uint64_t)mss;
	if (bytes > TCP_PACING_QUANTUM_MAX)
		bytes = TCP_PACING_QUANTUM_MAX;
	if (bytes < mss)
		return mss;
	return (uint32_t)bytes / mss * mss;
}

/* How long `bytes` take, rounded up; at most 2^32 s. */
static uint64_t duration_ns(const struct tcp_pacing *pacing, uint32_t bytes)
{
	return (bytes * NS_PER_SECOND + pacing->rate - 1) / pacing->rate;
}

void tcp_pacing_init(struct tcp_pacing *pacing, uint32_t mss)
{
	*pacing = (struct tcp_pacing){ .quantum = quantum_of(0, clamp_mss(mss)) };
}

void tcp_pacing_set(struct tcp_pacing *pacing, uint32_t cwnd, uint32_t mss, uint64_t srtt_ns,
		    bool slow_start)
{
	uint64_t percent =
		slow_start ? TCP_PACING_SLOW_START_PERCENT : TCP_PACING_AVOIDANCE_PERCENT;
	uint64_t rate = 0;

	if (cwnd > CWND_MAX)
		cwnd = CWND_MAX;
	if (srtt_ns) {
		rate = cwnd * percent / 100 * NS_PER_SECOND / srtt_ns;
		if (rate == 0)
			rate = 1;
	}
	if (pacing->most && (!rate || rate > pacing->most))
		rate = pacing->most;
	pacing->rate = rate;
	pacing->quantum = quantum_of(rate, clamp_mss(mss));
}

void tcp_pacing_on_send(struct tcp_pacing *pacing, uint32_t bytes, uint64_t now_ns)
{
	uint64_t credit_ns, from, duration;

	if (pacing->rate == 0)
		return;
	/* A sender that is late may catch up by so much, not more. */
	credit_ns = duration_ns(pacing, pacing->quantum);
	if (credit_ns < TCP_PACING_LATE_NS)
		credit_ns = TCP_PACING_LATE_NS;
	from = now_ns > credit_ns ? now_ns - credit_ns : 0;
	if (from < pacing->next_ns)
		from = pacing->next_ns;
	duration = duration_ns(pacing, bytes);
	pacing->next_ns = from > UINT64_MAX - duration ? UINT64_MAX : from + duration;
}
