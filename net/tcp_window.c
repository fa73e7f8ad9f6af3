/* SPDX-License-Identifier: ISC */
#include "net/tcp_window.h"

#include "lib/minmax.h"
#include "net/tcp_core_segment.h"

#define FIELD_MAX 65535u
#define GROW_SEGMENTS 16u /* more than twice what was read, so that small windows grow fast */

static uint32_t unit_of(const struct tcp_window *window)
{
	return 1u << window->scale;
}

/* What a step of the right edge is worth (RFC 9293, 3.8.6.2.2, with Fr = 1/2). */
static uint32_t step_of(const struct tcp_window *window)
{
	return min32(window->limit / 2, window->mss);
}

/* Bytes that can be taken behind RCV.NXT. */
static uint32_t room_of(const struct tcp_window *window, uint32_t queued)
{
	return window->limit > queued ? window->limit - queued : 0;
}

/* Bytes behind `next` that the peer has been told it may send. */
static uint32_t promised_of(const struct tcp_window *window, uint32_t next)
{
	return tcp_after(window->right, next) ? window->right - next : 0;
}

uint8_t tcp_window_scale(uint32_t max)
{
	uint8_t scale = 0;

	while (scale < TCP_SCALE_MAX && FIELD_MAX << scale < max)
		scale++;
	return scale;
}

void tcp_window_init(struct tcp_window *window, struct tcp_window_budget *budget, uint32_t initial,
		     uint32_t max, uint8_t scale, uint16_t mss, uint32_t next)
{
	uint64_t left = budget->total > budget->used ? budget->total - budget->used : 0;
	uint32_t least = max32(mss, 1u << scale); /* less could never be told of */

	*window =
		(struct tcp_window){ .budget = budget, .right = next, .mss = mss, .scale = scale };
	window->max = max32(min32(max, FIELD_MAX << scale), least);
	window->limit = min32(initial, window->max);
	if (window->limit > left)
		window->limit = (uint32_t)left;
	window->limit = max32(window->limit, least);
	window->min = window->limit;
	budget->used += window->limit;
}

void tcp_window_release(struct tcp_window *window)
{
	window->budget->used -= window->limit;
	window->limit = 0;
}

uint16_t tcp_window_offer(struct tcp_window *window, uint32_t next, uint32_t queued, bool syn)
{
	uint32_t unit = syn ? 1 : unit_of(window), promised = promised_of(window, next);
	uint32_t room = room_of(window, queued), field = promised / unit;

	/* By what can be said: of less than a unit the peer does not know. */
	if (room / unit > field && (room / unit - field) * unit >= step_of(window))
		field = room / unit;
	else if (promised % unit && (field + 1) * unit <= room)
		field++;
	field = min32(field, FIELD_MAX);
	if (tcp_after(next + field * unit, window->right))
		window->right = next + field * unit;
	return (uint16_t)field;
}

bool tcp_window_wants_update(const struct tcp_window *window, uint32_t next, uint32_t queued)
{
	uint32_t unit = unit_of(window), said = promised_of(window, next) / unit * unit;
	uint32_t can = min32(room_of(window, queued) / unit, FIELD_MAX) * unit;
	uint32_t gain = can > said ? can - said : 0;

	if (!gain)
		return false;
	if (said < step_of(window))
		return gain >= step_of(window);
	if (gain >= window->limit / 2)
		return true;
	return gain >= 2u * window->mss &&
	       (gain >= window->limit / 4 || said <= window->limit / 8 ||
		window->limit <= 8u * window->mss);
}

void tcp_window_received(struct tcp_window *window, uint32_t next, uint64_t echo_ns,
			 uint64_t now_ns)
{
	uint64_t sample = echo_ns ? echo_ns : now_ns - window->mark_ns;

	if (window->mark_ns && tcp_before(next, window->mark))
		return;
	if (window->mark_ns && (!window->rtt_ns || sample < window->rtt_ns))
		window->rtt_ns = sample;
	else if (window->mark_ns) /* a window may take longer than a round trip, never less */
		window->rtt_ns += (sample - window->rtt_ns) / 8;
	window->mark = window->right;
	window->mark_ns = now_ns;
}

/* A quarter of the budget is for windows that begin. */
static void grow(struct tcp_window *window, uint64_t wanted)
{
	struct tcp_window_budget *budget = window->budget;
	uint64_t available = budget->total - budget->total / 4;
	uint64_t more;

	if (wanted > window->max)
		wanted = window->max;
	if (wanted <= window->limit || available <= budget->used)
		return;
	more = wanted - window->limit;
	if (more > available - budget->used)
		more = available - budget->used;
	window->limit += (uint32_t)more;
	budget->used += more;
}

void tcp_window_read(struct tcp_window *window, uint32_t bytes, uint64_t rtt_ns, uint64_t now_ns)
{
	uint64_t rounds;

	if (window->rtt_ns)
		rtt_ns = window->rtt_ns;
	window->round_read =
		bytes < UINT32_MAX - window->round_read ? window->round_read + bytes : UINT32_MAX;
	if (!window->round_ns) {
		window->round_ns = now_ns;
		return;
	}
	if (!rtt_ns || now_ns - window->round_ns < rtt_ns)
		return;
	rounds = (now_ns - window->round_ns) / rtt_ns;
	grow(window, 2 * (window->round_read / rounds) + (uint64_t)GROW_SEGMENTS * window->mss);
	window->round_read = 0;
	window->round_ns = now_ns;
}

void tcp_window_set_max(struct tcp_window *window, uint32_t max, uint32_t next, uint32_t queued)
{
	uint32_t needed = max32(promised_of(window, next) + queued, window->mss);

	/* A unit of the scale that was agreed on is the least that can be told. */
	max = max32(min32(max, FIELD_MAX << window->scale), max32(window->mss, unit_of(window)));
	window->max = max;
	needed = max32(needed, max);
	window->min = min32(window->min, max);
	if (needed >= window->limit)
		return;
	window->budget->used -= window->limit - needed;
	window->limit = needed;
}

uint32_t tcp_window_trim(struct tcp_window *window, uint32_t next, uint32_t queued)
{
	uint32_t needed = max32(promised_of(window, next) + queued, window->min), freed;

	if (needed >= window->limit)
		return 0;
	freed = window->limit - needed;
	window->limit = needed;
	window->budget->used -= freed;
	return freed;
}
