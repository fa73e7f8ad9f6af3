/* SPDX-License-Identifier: ISC */
/* One congestion control in the middle of a connection, driven ACK by ACK. */
#pragma once

#include <math.h>

#include "net/tcp_cubic.h"
#include "tests/host/unit.h"
#include "tests/net/cubic_model.h"

#define MS 1000000ull
#define SECOND 1000000000ull
#define MSS 1000u

static struct tcp_cubic cubic;
static uint64_t now, rtt;
static uint32_t una, nxt;

static inline void begin(bool paced)
{
	now = 5 * SECOND;
	rtt = 100 * MS;
	una = 0xfffff000; /* the numbers end on the way */
	nxt = una;
	tcp_cubic_init(&cubic, MSS, paced, now);
	tcp_cubic_begin(&cubic, MSS, false, nxt, now);
}

/* The ACK of a full window's part, at `now`. */
static inline struct tcp_cubic_ack ack_of(uint32_t bytes)
{
	una += bytes;
	nxt = una + cubic.cwnd;
	return (struct tcp_cubic_ack){
		.now_ns = now,
		.srtt_ns = rtt,
		.delivered = bytes,
		.in_flight = cubic.cwnd,
		.una = una,
		.nxt = nxt,
	};
}

static inline void acknowledge(uint32_t bytes)
{
	struct tcp_cubic_ack ack = ack_of(bytes);

	tcp_cubic_on_ack(&cubic, &ack);
}

/* One round: every segment of the window is acknowledged, at even times. */
static inline void round_trip(void)
{
	uint32_t segments = cubic.cwnd / MSS;

	for (uint32_t i = 0; i < segments; i++) {
		now += rtt / segments;
		acknowledge(MSS);
	}
}

static inline bool lose(void)
{
	return tcp_cubic_on_loss(&cubic, cubic.cwnd, una, nxt, now);
}

static inline void recover(void)
{
	struct tcp_cubic_ack ack = ack_of(0);

	ack.una = una = cubic.recover;
	ack.nxt = nxt = una + cubic.cwnd;
	ack.recovering = true;
	tcp_cubic_on_ack(&cubic, &ack);
}

/* Slow start to `segments`, a loss there and recovery: congestion avoidance at 0.7. */
static inline void lose_at(uint32_t segments)
{
	begin(true);
	acknowledge(segments * MSS - cubic.cwnd);
	ck_assert_uint_eq(cubic.cwnd, segments * MSS);
	ck_assert(lose());
	recover();
	ck_assert_uint_eq(cubic.cwnd, segments * MSS / 10 * 7);
	ck_assert(!tcp_cubic_in_slow_start(&cubic));
}

static inline void expect_near(double value, double wanted, double part)
{
	ck_assert_double_le(fabs(value - wanted), fabs(wanted) * part);
}

/* ACKs in a round of HyStart++ that does not end, with their round trips. */
static inline void samples(unsigned int count, uint32_t bytes, uint64_t sample)
{
	for (unsigned int i = 0; i < count; i++) {
		struct tcp_cubic_ack ack = ack_of(bytes);

		ack.rtt_ns = sample;
		ack.una = cubic.hystart.window_end - 1;
		tcp_cubic_on_ack(&cubic, &ack);
	}
}

static inline void end_hystart_round(void)
{
	struct tcp_cubic_ack ack = ack_of(0);

	una = ack.una = cubic.hystart.window_end;
	tcp_cubic_on_ack(&cubic, &ack);
}
