/* SPDX-License-Identifier: ISC */
/*
 * One connection's loss recovery, driven by scenes: what leaves, what is acknowledged, which
 * timer is next. Offsets are from the first sequence number.
 */
#pragma once

#include <string.h>

#include "net/tcp_recovery.h"
#include "tests/host/unit.h"

#define START 0xffffe000u
#define MSS 1000u
#define MS UINT64_C(1000000)
#define RTT (20 * MS)

static struct tcp_range ranges[128];
static struct tcp_recovery r;
static struct tcp_recovery_result result;
static uint64_t now_ns, echo_ns;
static uint32_t cwnd, ssthresh;
static bool may_send_new;

static inline void begin(bool has_sack)
{
	const struct tcp_recovery_options options = {
		.ranges = ranges, .capacity = 128, .una = START, .mss = MSS, .has_sack = has_sack
	};

	now_ns = 1000 * MS;
	echo_ns = 0;
	may_send_new = true;
	cwnd = 10 * MSS;
	ssthresh = UINT32_MAX;
	memset(&result, 0, sizeof(result));
	tcp_recovery_init(&r, &options);
}

static inline void after(uint64_t ns)
{
	now_ns += ns;
}

/* New segments, 1 us apart. */
static inline void send(unsigned int segments)
{
	for (; segments; segments--, after(1000))
		ck_assert_int_eq(tcp_recovery_on_send(&r, r.board.nxt, MSS, now_ns), 0);
}

/* What the congestion control would do: halve, and one segment after a timeout. */
static inline void answer(void)
{
	if (result.events & TCP_RECOVERY_SPURIOUS)
		cwnd = ssthresh = 10 * MSS;
	if (result.events & TCP_RECOVERY_ENTERED)
		ssthresh = cwnd / 2;
	if (result.events & TCP_RECOVERY_TIMEOUT) {
		ssthresh = result.events & TCP_RECOVERY_IS_REPEATED ? ssthresh : cwnd / 2;
		cwnd = MSS;
	}
	cwnd = tcp_recovery_window(&r, &result, cwnd, ssthresh);
	ck_assert(tcp_scoreboard_is_valid(&r.board));
}

static inline void ack_with(uint32_t offset, unsigned int count, const uint32_t *edges)
{
	struct tcp_sack_block blocks[4];
	const struct tcp_recovery_ack ack = { .ack = START + offset,
					      .blocks = blocks,
					      .count = (uint8_t)count,
					      .is_bare = true,
					      .may_send_new = may_send_new,
					      .echo_ns = echo_ns,
					      .now_ns = now_ns };

	for (unsigned int k = 0; k < count; k++)
		blocks[k] =
			(struct tcp_sack_block){ START + edges[2 * k], START + edges[2 * k + 1] };
	tcp_recovery_on_ack(&r, &ack, &result);
	answer();
}

static inline void ack(uint32_t offset)
{
	ack_with(offset, 0, NULL);
}

#define SACK(offset, ...)                                   \
	do {                                                \
		const uint32_t edges[] = { __VA_ARGS__ };   \
		ack_with(offset, sizeof(edges) / 8, edges); \
	} while (0)

/* The timer that is next. */
static inline void timer(void)
{
	ck_assert_uint_ne(tcp_recovery_deadline(&r), 0);
	ck_assert_uint_ge(tcp_recovery_deadline(&r), now_ns);
	now_ns = tcp_recovery_deadline(&r);
	tcp_recovery_on_timer(&r, now_ns, &result);
	answer();
}

/* Sends what is lost again while the window allows; returns how many bytes. */
static inline uint32_t retransmit(void)
{
	uint32_t at, bytes, sum = 0;

	while (tcp_recovery_pipe(&r) < cwnd && tcp_recovery_next(&r, MSS, &at, &bytes)) {
		ck_assert_int_eq(tcp_recovery_on_send(&r, at, bytes, now_ns), 0);
		sum += bytes;
	}
	return sum;
}

static inline bool has(uint32_t events)
{
	return (result.events & events) == events;
}

/* A first segment to know the round-trip time by; offsets go on from 1000. */
static inline void warm_up(bool has_sack)
{
	begin(has_sack);
	send(1);
	after(RTT);
	ack(1000);
	ck_assert_uint_ge(r.rto.srtt_ns, RTT);
}

/* A timeout: the probe before it, if there is one, is new data or cannot be sent. */
static inline void time_out(void)
{
	do
		timer();
	while (!has(TCP_RECOVERY_TIMEOUT));
}

/* The timer that is next is the probe's; it sends the last segment again. */
static inline void probe(void)
{
	uint32_t at, bytes;

	timer();
	ck_assert(has(TCP_RECOVERY_SEND_PROBE));
	ck_assert(tcp_recovery_probe(&r, &at, &bytes));
	ck_assert_int_eq(tcp_recovery_on_send(&r, at, bytes, now_ns), 0);
	tcp_recovery_on_probe(&r, true);
	after(RTT);
}
