/* SPDX-License-Identifier: ISC */
/*
 * CUBIC's curve in integers:
 *
 *   W(t) = W_max + C mss (t - K)^3		C = 2/5, t and K in 2^-20 s
 *
 * The cube of a difference below 2^30 (17 minutes, where every window is at its limit) times
 * 2 mss is below 2^107: a product of 128 bits, shifted, never divided. K is the largest number
 * for which the curve at its begin is not below the window that it begins with.
 *
 * Growth is counted in bytes x bytes and its remainder carried, so that windows grow exactly
 * as in the RFC's real numbers however small the ACKs are.
 */
#include "net/tcp_cubic.h"

#include "lib/minmax.h"
#include "net/tcp_core_segment.h"

#define K_BITS 30u
#define T_MAX_NS (1ull << 41) /* 37 minutes: beyond the curve's end, whatever K is */
#define RTO_MIN_NS 1000000u
#define INITIAL_SEGMENTS 10u /* RFC 6928, 2 */
#define INITIAL_BYTES 14600u
#define STRETCH_SEGMENTS 2u /* L of RFC 3465, 2.2 */

/* alpha = 3 (1 - beta) / (1 + beta) = 9/17 with beta = 7/10 (RFC 9438, 4.3). */
#define ALPHA_DIVIDEND 9u
#define ALPHA_DIVISOR 17u

_Static_assert(sizeof(struct tcp_cubic) <= 96, "there is one in each flight");

typedef unsigned __int128 product; /* of a window and the cube of a time */

/* ---- the curve ---- */

/* Nanoseconds in 2^-20 s. */
static uint64_t ticks(uint64_t ns)
{
	return (ns < T_MAX_NS ? ns : T_MAX_NS) * 2048 / 1953125;
}

/* mss * time^3 * 2 * 2^60, of which C's 2 is a part and its 1/5 is not. */
static product cube(uint32_t mss, uint64_t time)
{
	return (product)(time * time) * time * (2 * mss);
}

/* K = cbrt((W_max - cwnd_epoch) / C) (RFC 9438, 4.2): bit by bit, exact to 2^-20 s. */
static uint32_t find_k(uint32_t mss, uint32_t w_max, uint32_t cwnd)
{
	product rise = (product)(w_max - cwnd) * 5 << 60;
	uint32_t k = 0;

	for (uint32_t bit = 1u << (K_BITS - 1); bit; bit >>= 1) {
		if (cube(mss, k | bit) <= rise)
			k |= bit;
	}
	return k;
}

/* W_cubic(t) (RFC 9438, 4.2), t in ticks. */
static uint32_t curve(const struct tcp_cubic *cubic, uint64_t t)
{
	bool rising = t >= cubic->epoch.k;
	uint64_t distance = rising ? t - cubic->epoch.k : cubic->epoch.k - t;
	uint64_t height;

	if (distance >> K_BITS)
		distance = (1u << K_BITS) - 1;
	height = (uint64_t)(cube(cubic->mss, distance) >> 60) / 5;
	if (!rising)
		return height < cubic->w_max ? cubic->w_max - (uint32_t)height : 0;
	if (height >= TCP_CUBIC_WINDOW_MAX - cubic->w_max)
		return TCP_CUBIC_WINDOW_MAX;
	return cubic->w_max + (uint32_t)height;
}

/* A stage of congestion avoidance begins (RFC 9438, 4.2, 4.8, 4.10). */
static void epoch_begin(struct tcp_cubic *cubic, uint64_t now_ns)
{
	cubic->in_epoch = true;
	cubic->epoch.begun_ns = now_ns;
	cubic->epoch.w_est = cubic->cwnd;
	cubic->w_est_carry = 0;
	if (cubic->cwnd >= cubic->w_max) {
		cubic->w_max = cubic->cwnd;
		cubic->epoch.k = 0;
		return;
	}
	cubic->epoch.k = find_k(cubic->mss, cubic->w_max, cubic->cwnd);
}

/* Time that was not used to send does not count (RFC 9438, 5.8). */
static void epoch_shift(struct tcp_cubic *cubic, uint64_t ns)
{
	if (cubic->in_epoch)
		cubic->epoch.begun_ns += ns;
	if (cubic->has_undo && cubic->undo_in_epoch)
		cubic->undo_epoch.begun_ns += ns;
}

/* Steps to `now_ns`, and gives how long it was; a clock that steps back stands still. */
static uint64_t elapse(struct tcp_cubic *cubic, uint64_t now_ns)
{
	uint64_t elapsed = now_ns > cubic->updated_ns ? now_ns - cubic->updated_ns : 0;

	cubic->updated_ns += elapsed;
	return elapsed;
}

/* ---- the window's beginnings ---- */

/* The clock of `used`. */
static uint32_t used_clock(uint64_t ns)
{
	return (uint32_t)(ns >> 30);
}

static uint32_t clamp_mss(uint32_t mss)
{
	return min32(max32(mss, TCP_CUBIC_MSS_MIN), TCP_CUBIC_MSS_MAX);
}

uint32_t tcp_cubic_initial_window(uint32_t mss)
{
	mss = clamp_mss(mss);
	return min32(INITIAL_SEGMENTS * mss, max32(2 * mss, INITIAL_BYTES));
}

void tcp_cubic_init(struct tcp_cubic *cubic, uint32_t mss, bool paced, uint64_t now_ns)
{
	*cubic = (struct tcp_cubic){
		.cwnd = tcp_cubic_initial_window(mss),
		.ssthresh = TCP_CUBIC_SSTHRESH_NONE,
		.mss = (uint16_t)clamp_mss(mss),
		.updated_ns = now_ns,
		.used = used_clock(now_ns),
		.paced = paced,
	};
	tcp_hystart_init(&cubic->hystart, 0);
}

void tcp_cubic_begin(struct tcp_cubic *cubic, uint32_t mss, bool syn_lost, uint32_t nxt,
		     uint64_t now_ns)
{
	tcp_cubic_init(cubic, mss, cubic->paced, now_ns);
	if (syn_lost)
		cubic->cwnd = cubic->mss;
	tcp_hystart_init(&cubic->hystart, nxt);
}

void tcp_cubic_set_mss(struct tcp_cubic *cubic, uint32_t mss)
{
	mss = clamp_mss(mss);
	if (mss == cubic->mss)
		return;
	cubic->mss = (uint16_t)mss;
	cubic->cwnd = max32(cubic->cwnd, mss);
	cubic->ssthresh = max32(cubic->ssthresh, 2 * mss);
	cubic->in_epoch = false; /* K was for the other segments */
}

/* ---- unused windows ---- */

/* The window was too large for what it was used for; some of it can be had back quickly. */
static void decay(struct tcp_cubic *cubic, uint32_t halvings)
{
	uint32_t floor = min32(cubic->cwnd, tcp_cubic_initial_window(cubic->mss));

	cubic->ssthresh = max32(cubic->ssthresh, cubic->cwnd / 4 * 3);
	cubic->cwnd = max32(floor, cubic->cwnd >> min32(halvings, 31));
	cubic->cwnd_carry = 0;
	cubic->in_epoch = false;
	cubic->used = used_clock(cubic->updated_ns);
}

void tcp_cubic_on_send(struct tcp_cubic *cubic, uint64_t rto_ns, uint64_t now_ns)
{
	uint64_t idle_ns = elapse(cubic, now_ns);
	uint64_t halvings = idle_ns / (rto_ns > RTO_MIN_NS ? rto_ns : RTO_MIN_NS);

	epoch_shift(cubic, idle_ns);
	if (halvings)
		decay(cubic, halvings < 31 ? (uint32_t)halvings : 31);
}

/*
 * Is the window larger than what is sent, so that an ACK says nothing about it? In slow
 * start not before half of it is unused: it is ahead of the application by a round.
 */
static bool is_unused(const struct tcp_cubic *cubic, const struct tcp_cubic_ack *ack)
{
	if (!ack->app_limited)
		return false;
	return !tcp_cubic_in_slow_start(cubic) || ack->in_flight <= cubic->cwnd / 2;
}

/* ---- growth ---- */

static void grow(struct tcp_cubic *cubic, uint32_t bytes)
{
	cubic->cwnd = bytes < TCP_CUBIC_WINDOW_MAX - cubic->cwnd ? cubic->cwnd + bytes
								 : TCP_CUBIC_WINDOW_MAX;
}

/* How much of an ACK counts in slow start (RFC 3465, 2.2 and 2.3; RFC 9406, 4.2). */
static uint32_t slow_start_limit(const struct tcp_cubic *cubic)
{
	if (cubic->after_rto)
		return cubic->mss;
	if (cubic->paced)
		return UINT32_MAX;
	if (cubic->ssthresh == TCP_CUBIC_SSTHRESH_NONE)
		return TCP_HYSTART_BURST_SEGMENTS * cubic->mss;
	return STRETCH_SEGMENTS * cubic->mss;
}

/* Gives what is left of the ACK for congestion avoidance. */
static uint32_t grow_slow_start(struct tcp_cubic *cubic, uint32_t delivered,
				enum tcp_hystart_phase phase)
{
	uint32_t bytes = min32(delivered, slow_start_limit(cubic));
	uint32_t room = cubic->ssthresh - cubic->cwnd;

	if (phase == TCP_HYSTART_CONSERVATIVE)
		bytes /= TCP_HYSTART_CSS_GROWTH_DIVISOR;
	if (bytes <= room) {
		grow(cubic, bytes);
		return 0;
	}
	grow(cubic, room);
	return bytes - room;
}

/* The first slow start: is it at its end without a loss (RFC 9406, 4.2; RFC 9438, 4.10)? */
static enum tcp_hystart_phase follow_hystart(struct tcp_cubic *cubic,
					     const struct tcp_cubic_ack *ack)
{
	enum tcp_hystart_phase phase;

	if (cubic->ssthresh != TCP_CUBIC_SSTHRESH_NONE)
		return TCP_HYSTART_SLOW_START;
	phase = tcp_hystart_on_ack(&cubic->hystart, ack->una, ack->nxt, ack->rtt_ns);
	if (phase == TCP_HYSTART_DONE) {
		cubic->ssthresh = max32(cubic->cwnd, 2 * cubic->mss);
		cubic->cwnd_prior = cubic->cwnd;
		cubic->w_max = 0;
		cubic->in_epoch = false;
	}
	return phase;
}

/* W_est += alpha segments_acked / cwnd (RFC 9438, 4.3). */
static void grow_reno(struct tcp_cubic *cubic, uint32_t delivered)
{
	uint32_t alpha = cubic->epoch.w_est < cubic->cwnd_prior ? ALPHA_DIVIDEND : ALPHA_DIVISOR;
	uint64_t gained = (uint64_t)delivered * cubic->mss * alpha / ALPHA_DIVISOR;
	uint64_t bytes = (gained + cubic->w_est_carry) / cubic->cwnd;

	cubic->w_est_carry = (uint32_t)((gained + cubic->w_est_carry) % cubic->cwnd);
	if (bytes >= TCP_CUBIC_WINDOW_MAX - cubic->epoch.w_est)
		cubic->epoch.w_est = TCP_CUBIC_WINDOW_MAX;
	else
		cubic->epoch.w_est += (uint32_t)bytes;
}

/* cwnd += (target - cwnd) / cwnd for each segment (RFC 9438, 4.4 and 4.5). */
static void grow_cubic(struct tcp_cubic *cubic, uint32_t delivered, uint32_t target)
{
	uint32_t highest = cubic->cwnd + cubic->cwnd / 2;
	uint64_t gained;

	target = min32(max32(target, cubic->cwnd), highest);
	gained = (uint64_t)delivered * (target - cubic->cwnd) + cubic->cwnd_carry;
	cubic->cwnd_carry = (uint32_t)(gained % cubic->cwnd);
	gained /= cubic->cwnd;
	/* An ACK of more than a window does not carry it past where it is going. */
	grow(cubic, gained < target - cubic->cwnd ? (uint32_t)gained : target - cubic->cwnd);
}

static void grow_avoidance(struct tcp_cubic *cubic, uint32_t delivered, uint64_t srtt_ns)
{
	uint64_t t;

	if (!cubic->in_epoch)
		epoch_begin(cubic, cubic->updated_ns);
	t = ticks(cubic->updated_ns - cubic->epoch.begun_ns);
	grow_reno(cubic, delivered);
	if (curve(cubic, t) < cubic->epoch.w_est) {
		cubic->cwnd = max32(cubic->cwnd, cubic->epoch.w_est);
		return;
	}
	grow_cubic(cubic, delivered, curve(cubic, t + ticks(srtt_ns)));
}

void tcp_cubic_on_ack(struct tcp_cubic *cubic, const struct tcp_cubic_ack *ack)
{
	uint64_t elapsed = elapse(cubic, ack->now_ns);
	uint32_t delivered = ack->delivered;
	enum tcp_hystart_phase phase;

	if (cubic->has_recover && !tcp_before(ack->una, cubic->recover)) {
		cubic->has_recover = false;
		cubic->after_rto = false;
	}
	phase = follow_hystart(cubic, ack);
	if (is_unused(cubic, ack)) {
		epoch_shift(cubic, elapsed);
		if (used_clock(cubic->updated_ns) - cubic->used > used_clock(TCP_CUBIC_UNUSED_NS))
			decay(cubic, 1);
		return;
	}
	cubic->used = used_clock(cubic->updated_ns);
	if (ack->recovering)
		return;
	if (tcp_cubic_in_slow_start(cubic))
		delivered = grow_slow_start(cubic, delivered, phase);
	if (delivered && !tcp_cubic_in_slow_start(cubic))
		grow_avoidance(cubic, delivered, ack->srtt_ns);
}

/* ---- reductions ---- */

/* Has the window been reduced for the data that this ACK is about? */
static bool is_answered(const struct tcp_cubic *cubic, uint32_t una)
{
	return cubic->has_recover && tcp_before(una, cubic->recover);
}

static void save_undo(struct tcp_cubic *cubic)
{
	cubic->has_undo = true;
	cubic->undo_in_epoch = cubic->in_epoch;
	cubic->undo_epoch = cubic->epoch;
	cubic->undo_ssthresh = cubic->ssthresh;
	cubic->undo_cwnd_prior = cubic->cwnd_prior;
	cubic->undo_w_max = cubic->w_max;
}

/* Fast convergence (RFC 9438, 4.7): who had more before leaves room, (1 + beta) / 2 = 17/20. */
static uint32_t next_w_max(const struct tcp_cubic *cubic)
{
	if (cubic->cwnd < cubic->w_max)
		return (uint32_t)((uint64_t)cubic->cwnd * 17 / 20);
	return cubic->cwnd;
}

/* Gives beta x flight_size. What limited transmit has added does not count (RFC 5681, 3.1). */
static uint32_t reduce(struct tcp_cubic *cubic, uint32_t in_flight, uint32_t nxt)
{
	uint32_t flight = min32(in_flight, cubic->cwnd);
	uint32_t reduced = (uint32_t)((uint64_t)flight * 7 / 10);

	cubic->w_max = next_w_max(cubic);
	cubic->cwnd_prior = cubic->cwnd;
	cubic->cwnd_carry = 0;
	cubic->ssthresh = max32(reduced, 2 * cubic->mss);
	cubic->in_epoch = false;
	cubic->has_recover = true;
	cubic->recover = nxt;
	return reduced;
}

bool tcp_cubic_on_loss(struct tcp_cubic *cubic, uint32_t in_flight, uint32_t una, uint32_t nxt,
		       uint64_t now_ns)
{
	elapse(cubic, now_ns);
	if (is_answered(cubic, una))
		return false;
	save_undo(cubic);
	reduce(cubic, in_flight, nxt);
	cubic->cwnd = cubic->ssthresh;
	return true;
}

void tcp_cubic_on_rto(struct tcp_cubic *cubic, uint32_t in_flight, bool again, uint32_t nxt,
		      uint64_t now_ns)
{
	elapse(cubic, now_ns);
	if (!again) {
		save_undo(cubic);
		reduce(cubic, in_flight, nxt);
	}
	cubic->w_max = 0;
	cubic->cwnd = cubic->mss;
	cubic->cwnd_carry = 0;
	cubic->in_epoch = false;
	cubic->after_rto = true;
	cubic->has_recover = true;
	cubic->recover = nxt;
}

enum tcp_cubic_ecn tcp_cubic_on_ecn(struct tcp_cubic *cubic, uint32_t in_flight, uint32_t una,
				    uint32_t nxt, uint64_t now_ns)
{
	bool at_floor = cubic->cwnd <= cubic->mss;

	elapse(cubic, now_ns);
	cubic->has_undo = false; /* the congestion was real */
	if (is_answered(cubic, una))
		return TCP_CUBIC_ECN_SEEN;
	cubic->cwnd = max32(reduce(cubic, in_flight, nxt), cubic->mss);
	return at_floor ? TCP_CUBIC_ECN_FLOOR : TCP_CUBIC_ECN_REDUCED;
}

bool tcp_cubic_on_undo(struct tcp_cubic *cubic)
{
	if (!cubic->has_undo)
		return false;
	cubic->has_undo = false;
	cubic->has_recover = false;
	cubic->after_rto = false;
	/* Too late: what has been found out since then counts for more (RFC 9438, 4.9.2). */
	if (cubic->cwnd >= cubic->cwnd_prior)
		return true;
	cubic->cwnd = cubic->cwnd_prior;
	cubic->ssthresh = max32(cubic->undo_ssthresh, 2 * cubic->mss);
	cubic->cwnd_prior = cubic->undo_cwnd_prior;
	cubic->w_max = cubic->undo_w_max;
	cubic->in_epoch = cubic->undo_in_epoch;
	cubic->epoch = cubic->undo_epoch;
	cubic->cwnd_carry = 0;
	cubic->w_est_carry = 0;
	if (cubic->ssthresh == TCP_CUBIC_SSTHRESH_NONE)
		tcp_hystart_init(&cubic->hystart, cubic->recover);
	return true;
}
