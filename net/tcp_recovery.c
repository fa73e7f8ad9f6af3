/* SPDX-License-Identifier: ISC */
/*
 * For each ACK, in this order: what it delivers; what that says of times, reordering and
 * probes; whether the recovery under way was for nothing, or is over; what is lost now; and
 * whether that begins a recovery. Then the timers are set anew.
 */
#include "net/tcp_recovery.h"

#include <errno.h>
#include <stddef.h>

#include "lib/minmax.h"
#include "net/tcp_core_segment.h"

static void add_up(uint32_t *to, uint32_t bytes)
{
	*to = *to + bytes < bytes ? UINT32_MAX : *to + bytes;
}

static void take_off(uint32_t *from, uint32_t bytes)
{
	*from = *from > bytes ? *from - bytes : 0;
}

/* Times of sending may be ahead of the clock by some nanoseconds. */
static uint64_t since(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 1;
}

static uint32_t outstanding(const struct tcp_recovery *r)
{
	return r->board.nxt - r->board.una;
}

void tcp_recovery_init(struct tcp_recovery *r, const struct tcp_recovery_options *options)
{
	*r = (struct tcp_recovery){ .has_sack = options->has_sack };
	tcp_scoreboard_init(&r->board, options->ranges, options->capacity, options->una);
	tcp_rack_init(&r->rack, options->una);
	tcp_rto_init(&r->rto, options->rto_min_ns, options->rto_max_ns);
	tcp_recovery_set_mss(r, options->mss);
}

void tcp_recovery_set_sack(struct tcp_recovery *r, bool has_sack)
{
	r->has_sack = has_sack;
}

void tcp_recovery_set_mss(struct tcp_recovery *r, uint32_t mss)
{
	r->mss = mss ? min32(mss, UINT16_MAX) : 1;
}

uint32_t tcp_recovery_pipe(const struct tcp_recovery *r)
{
	uint32_t pipe = tcp_scoreboard_pipe(&r->board);

	return pipe - min32(pipe, r->dup_bytes);
}

/* Nothing has happened yet. */
static struct tcp_recovery_result result_of(const struct tcp_recovery *r)
{
	return (struct tcp_recovery_result){ .pipe_before = tcp_recovery_pipe(r),
					     .flight_before = outstanding(r) };
}

/* ---- timers ---- */

static void arm_rto(struct tcp_recovery *r, uint64_t now_ns)
{
	r->rto_at_ns = outstanding(r) ? now_ns + tcp_rto_timeout_ns(&r->rto) : 0;
}

/* When to probe (RFC 8985, 7.2): only if all goes well. */
static void arm_probe(struct tcp_recovery *r, uint64_t now_ns)
{
	uint64_t left_ns;

	r->probe_at_ns = 0;
	if (!r->has_sack || r->state != TCP_RECOVERY_OPEN || r->tlp.is_out || !outstanding(r) ||
	    r->board.sacked || r->board.lost)
		return;
	left_ns = r->rto_at_ns > now_ns ? r->rto_at_ns - now_ns : 0;
	r->probe_at_ns =
		now_ns + tcp_tlp_timeout_ns(r->rto.srtt_ns, outstanding(r) <= r->mss, left_ns);
}

uint64_t tcp_recovery_deadline(const struct tcp_recovery *r)
{
	uint64_t deadline = r->rto_at_ns;

	if (r->probe_at_ns && (!deadline || r->probe_at_ns < deadline))
		deadline = r->probe_at_ns;
	if (r->reorder_at_ns && (!deadline || r->reorder_at_ns < deadline))
		deadline = r->reorder_at_ns;
	return deadline;
}

/* ---- sending ---- */

static int on_retransmit(struct tcp_recovery *r, uint32_t begin, uint32_t bytes, uint64_t now_ns)
{
	bool is_first = begin == r->board.una;
	int error = tcp_scoreboard_on_retransmit(&r->board, begin, bytes, now_ns);

	if (error)
		return error;
	add_up(&r->dsack_credit, bytes);
	if (r->state == TCP_RECOVERY_OPEN) {
		r->probe_bytes = bytes;
		return 0;
	}
	add_up(&r->undo_bytes, bytes);
	if (!r->retransmit_ns) {
		r->retransmit_ns = now_ns;
		r->resent_begin = begin;
	}
	if (tcp_before(r->resent_end, begin + bytes))
		r->resent_end = begin + bytes;
	/* The more careful way of RFC 6675, 6: a long recovery is no silence. */
	if (r->state == TCP_RECOVERY_FAST || is_first)
		arm_rto(r, now_ns);
	return 0;
}

int tcp_recovery_on_send(struct tcp_recovery *r, uint32_t begin, uint32_t bytes, uint64_t now_ns)
{
	bool is_new = begin == r->board.nxt;
	int error = is_new ? tcp_scoreboard_on_send(&r->board, bytes, now_ns)
			   : on_retransmit(r, begin, bytes, now_ns);

	if (error)
		return error;
	if (r->state == TCP_RECOVERY_FAST)
		tcp_prr_on_send(&r->prr, bytes);
	if (!r->rto_at_ns)
		arm_rto(r, now_ns);
	if (is_new)
		arm_probe(r, now_ns);
	return 0;
}

bool tcp_recovery_next(const struct tcp_recovery *r, uint32_t max_bytes, uint32_t *begin,
		       uint32_t *bytes)
{
	uint16_t i = tcp_scoreboard_lowest_lost(&r->board);

	if (i == TCP_RANGE_NONE || !max_bytes || r->frto.step == TCP_FRTO_SECOND)
		return false;
	*begin = r->board.ranges[i].begin;
	*bytes = min32(r->board.ranges[i].end - *begin, max_bytes);
	if (r->frto.step != TCP_FRTO_FIRST)
		return true;
	/* One segment, until it is known what the timeout was (RFC 5682, 2.1 step 1). */
	*bytes = min32(*bytes, r->mss);
	return *begin == r->board.una;
}

bool tcp_recovery_probe(const struct tcp_recovery *r, uint32_t *begin, uint32_t *bytes)
{
	const struct tcp_range *last;

	if (r->board.last == TCP_RANGE_NONE)
		return false;
	last = &r->board.ranges[r->board.last];
	if (last->flags & TCP_RANGE_SACKED)
		return false;
	*bytes = min32(last->end - last->begin, r->mss);
	*begin = last->end - *bytes;
	return true;
}

void tcp_recovery_on_probe(struct tcp_recovery *r, bool is_retransmit)
{
	r->probes++;
	r->probe_at_ns = 0;
	r->has_probed = true;
	tcp_tlp_on_probe(&r->tlp, r->board.nxt, is_retransmit);
}

/* ---- recoveries ---- */

static void begin_recovery(struct tcp_recovery *r, enum tcp_recovery_state state)
{
	r->state = (uint8_t)state;
	r->recover = r->board.nxt;
	r->has_recover = true;
	r->may_undo = true;
	/* A probe's duplicate may still be reported, and says nothing of this recovery. */
	r->undo_bytes = r->tlp.is_out && r->tlp.is_retransmit ? r->probe_bytes : 0;
	r->retransmit_ns = 0;
	r->resent_end = r->board.una;
	r->undo_begin = r->board.una;
	r->tlp.is_out = false;
}

static void enter_fast(struct tcp_recovery *r, uint32_t delivered,
		       struct tcp_recovery_result *result)
{
	begin_recovery(r, TCP_RECOVERY_FAST);
	/* RecoverFS (RFC 9937, 6): what had arrived before this ACK is not counted again. */
	r->flight = outstanding(r) - r->board.sacked + delivered;
	if (r->dup_bytes > r->mss)
		take_off(&r->flight, r->dup_bytes - r->mss);
	result->events |= TCP_RECOVERY_ENTERED;
}

static void leave(struct tcp_recovery *r, struct tcp_recovery_result *result)
{
	result->was_fast = r->state == TCP_RECOVERY_FAST;
	result->events |= TCP_RECOVERY_EXITED;
	r->state = TCP_RECOVERY_OPEN;
	r->frto.step = TCP_FRTO_OFF;
	r->dup_bytes = 0;
	r->dup_acks = 0;
	/* One that a D-SACK ends does not count as one without (RFC 8985, 6.2 step 4). */
	if (!(result->events & TCP_RECOVERY_DSACK))
		tcp_rack_on_recovery_end(&r->rack);
}

/* The recovery was for nothing. */
static void undo(struct tcp_recovery *r, struct tcp_recovery_result *result)
{
	r->spurious++;
	r->may_undo = false;
	result->events |= TCP_RECOVERY_SPURIOUS;
	if (r->state == TCP_RECOVERY_OPEN)
		return;
	tcp_scoreboard_unmark_lost(&r->board);
	tcp_rto_end_backoff(&r->rto);
	leave(r, result);
}

/* ---- what an ACK says ---- */

static void take_samples(struct tcp_recovery *r, const struct tcp_recovery_ack *ack,
			 const struct tcp_delivery *delivery, uint32_t flight)
{
	/* One for every other segment of the flight (RFC 7323, appendix G). */
	uint32_t segments = (flight + 2 * r->mss - 1) / (2 * r->mss);
	uint64_t rtt_ns = 0;

	/* Karn: what was sent again gives no sample, but by a timestamp (RFC 7323, 4.1). */
	if (delivery->original_acked_ns && !delivery->acked_retransmitted)
		rtt_ns = since(ack->now_ns, delivery->original_acked_ns);
	else if (delivery->original_sacked_ns)
		rtt_ns = since(ack->now_ns, delivery->original_sacked_ns);
	else if (delivery->acked && ack->echo_ns)
		rtt_ns = since(ack->now_ns, ack->echo_ns);
	if (rtt_ns) {
		tcp_rto_on_sample(&r->rto, rtt_ns, segments);
		r->has_probed = false;
	}
	if (delivery->original_last_ns)
		tcp_rack_on_sample(&r->rack, since(ack->now_ns, delivery->original_last_ns),
				   ack->now_ns);
}

/* Does a D-SACK fit what was sent again? Others tell of the network, or of a liar. */
static bool judge_dsack(struct tcp_recovery *r, const struct tcp_delivery *delivery,
			struct tcp_recovery_result *result)
{
	uint32_t bytes = delivery->dsack_end - delivery->dsack_begin;

	if (!delivery->has_dsack)
		return false;
	if (bytes > r->dsack_credit) {
		r->dsacks_unsound++;
		return false;
	}
	r->dsacks++;
	r->dsack_credit -= bytes;
	if (r->tlp.is_out && delivery->dsack_end == r->tlp.end)
		r->probe_bytes = 0;
	result->events |= TCP_RECOVERY_DSACK;
	return true;
}

/* Everything that was sent again in the last recovery has arrived twice (RFC 3708, 2). */
static bool is_undone_by_dsack(struct tcp_recovery *r, const struct tcp_delivery *delivery)
{
	if (!r->may_undo || !r->undo_bytes || tcp_before(delivery->dsack_begin, r->undo_begin) ||
	    tcp_before(r->recover, delivery->dsack_end))
		return false;
	take_off(&r->undo_bytes, delivery->dsack_end - delivery->dsack_begin);
	return !r->undo_bytes && r->retransmit_ns;
}

/* What was sent again is acknowledged by a segment older than that (RFC 3522, 3.2). */
static bool is_undone_by_timestamp(const struct tcp_recovery *r, const struct tcp_recovery_ack *ack,
				   const struct tcp_delivery *delivery)
{
	return r->state != TCP_RECOVERY_OPEN && r->may_undo && r->retransmit_ns && ack->echo_ns &&
	       delivery->acked_retransmitted && tcp_before(r->resent_begin, r->board.una) &&
	       ack->echo_ns < r->retransmit_ns;
}

/*
 * All that counted as lost has arrived before any of it was sent again (pacing, or a link
 * without room): neither a D-SACK nor a timestamp will ever say so.
 */
static bool is_undone_by_arrival(const struct tcp_recovery *r)
{
	return r->state == TCP_RECOVERY_FAST && r->may_undo && !r->retransmit_ns && !r->board.lost;
}

static void follow_frto(struct tcp_recovery *r, const struct tcp_recovery_ack *ack,
			const struct tcp_delivery *delivery, struct tcp_recovery_result *result)
{
	const struct tcp_frto_ack told = {
		.una = r->board.una,
		.advances = delivery->acked,
		.is_duplicate = result->is_duplicate,
		.delivers_old = delivery->has_original &&
				!tcp_before(r->frto.recover, delivery->original_lowest_end),
		.covers_new =
			delivery->delivered && tcp_before(r->frto.recover, delivery->highest_end),
		.may_send_new = ack->may_send_new,
		.has_sack = r->has_sack,
		.covers_resent = !tcp_before(r->board.una, r->resent_end),
	};

	bool is_second = r->frto.step == TCP_FRTO_SECOND;

	switch (tcp_frto_on_ack(&r->frto, &told)) {
	case TCP_FRTO_REAL:
		result->events |= is_second ? TCP_RECOVERY_IS_REAL : 0;
		break;
	case TCP_FRTO_SPURIOUS:
		undo(r, result);
		break;
	case TCP_FRTO_SEND_NEW:
		result->events |= TCP_RECOVERY_SEND_NEW;
		break;
	default:
		break;
	}
}

static void judge_spurious(struct tcp_recovery *r, const struct tcp_recovery_ack *ack,
			   const struct tcp_delivery *delivery, bool is_dsack_sound,
			   struct tcp_recovery_result *result)
{
	if ((is_dsack_sound && is_undone_by_dsack(r, delivery)) ||
	    is_undone_by_timestamp(r, ack, delivery) || is_undone_by_arrival(r))
		undo(r, result);
	else if (r->state == TCP_RECOVERY_LOSS)
		follow_frto(r, ack, delivery, result);
}

/* ---- without SACK: NewReno (RFC 6582) ---- */

/* Counts duplicates, each for a segment that has left the network. Returns what arrived. */
static uint32_t count_duplicates(struct tcp_recovery *r, const struct tcp_delivery *delivery,
				 bool is_duplicate)
{
	uint32_t bytes;

	if (is_duplicate && r->state != TCP_RECOVERY_LOSS) {
		bytes = min32(r->mss, tcp_recovery_pipe(r));
		r->dup_bytes += bytes;
		if (r->dup_acks < UINT16_MAX)
			r->dup_acks++;
		return bytes;
	}
	if (!delivery->acked)
		return 0;
	/* All but the one segment that was missing had been counted by the duplicates. */
	bytes = delivery->acked > r->mss ? min32(delivery->acked - r->mss, r->dup_bytes) : 0;
	r->dup_bytes -= bytes;
	if (r->state != TCP_RECOVERY_FAST)
		r->dup_bytes = r->dup_acks = 0;
	return delivery->delivered > bytes ? delivery->delivered - bytes : 0;
}

/* 3.2: the third duplicate, and each partial acknowledgement, say that the first is lost. */
static void detect_loss_newreno(struct tcp_recovery *r, const struct tcp_delivery *delivery,
				struct tcp_recovery_result *result)
{
	bool is_partial = r->state == TCP_RECOVERY_FAST && delivery->acked;
	bool is_third = r->state == TCP_RECOVERY_OPEN && r->dup_acks == TCP_RACK_DUP_THRESH &&
			result->is_duplicate &&
			(!r->has_recover || tcp_before(r->recover, r->board.una));

	if (is_partial || is_third)
		result->lost += tcp_scoreboard_mark_first_lost(&r->board, r->mss);
}

/* ---- both ---- */

static void detect_loss(struct tcp_recovery *r, uint64_t now_ns, struct tcp_recovery_result *result)
{
	uint64_t window = tcp_rack_reordering_window(
		&r->rack, &r->board, r->state != TCP_RECOVERY_OPEN, r->rto.srtt_ns, r->mss);

	r->reorder_at_ns = tcp_rack_detect_loss(&r->rack, &r->board, window, now_ns, &result->lost);
}

static bool is_duplicate(const struct tcp_recovery *r, const struct tcp_recovery_ack *ack,
			 const struct tcp_delivery *delivery)
{
	if (delivery->acked || ack->ack != r->board.una || !outstanding(r))
		return false;
	return r->has_sack ? delivery->sacked > 0 : ack->is_bare;
}

static void on_delivery(struct tcp_recovery *r, const struct tcp_recovery_ack *ack,
			const struct tcp_delivery *delivery, uint32_t flight,
			struct tcp_recovery_result *result)
{
	bool is_dsack_sound = judge_dsack(r, delivery, result);
	bool is_plain = ack->is_bare && !ack->count && !delivery->acked && ack->ack == r->board.una;

	take_samples(r, ack, delivery, flight);
	if (delivery->original_last_ns)
		result->rtt_ns = since(ack->now_ns, delivery->original_last_ns);
	if (r->has_sack) {
		tcp_rack_on_delivery(&r->rack, &r->board, delivery, is_dsack_sound, ack->now_ns);
		if (tcp_tlp_on_ack(&r->tlp, ack->ack, delivery, is_plain))
			result->events |= TCP_RECOVERY_PROBE_REPAIRED;
	} else {
		result->delivered = count_duplicates(r, delivery, result->is_duplicate);
	}
	judge_spurious(r, ack, delivery, is_dsack_sound, result);
}

static void set_timers(struct tcp_recovery *r, const struct tcp_delivery *delivery, uint64_t now_ns)
{
	if (!outstanding(r)) {
		r->rto_at_ns = r->probe_at_ns = r->reorder_at_ns = 0;
		return;
	}
	if (delivery->acked)
		arm_rto(r, now_ns);
	if (delivery->acked || r->board.sacked || r->state != TCP_RECOVERY_OPEN)
		arm_probe(r, now_ns);
}

void tcp_recovery_on_ack(struct tcp_recovery *r, const struct tcp_recovery_ack *ack,
			 struct tcp_recovery_result *result)
{
	uint32_t flight = outstanding(r);
	struct tcp_delivery delivery;

	*result = result_of(r);
	tcp_delivery_begin(&delivery,
			   tcp_rack_retransmitted_until(&r->rack, ack->now_ns, ack->echo_ns));
	tcp_scoreboard_on_ack(&r->board, ack->ack, &delivery);
	if (r->has_sack && ack->blocks)
		tcp_scoreboard_on_sack(&r->board, ack->ack, ack->blocks, ack->count, &delivery);
	result->acked = delivery.acked;
	result->delivered = delivery.delivered;
	result->is_duplicate = is_duplicate(r, ack, &delivery);
	if (delivery.acked)
		r->is_timeout_pending = false;
	on_delivery(r, ack, &delivery, flight, result);

	if (r->state != TCP_RECOVERY_OPEN && !tcp_before(r->board.una, r->recover))
		leave(r, result);
	if (r->has_sack)
		detect_loss(r, ack->now_ns, result);
	else
		detect_loss_newreno(r, &delivery, result);
	if (r->state == TCP_RECOVERY_OPEN && r->board.lost)
		enter_fast(r, result->delivered, result);
	set_timers(r, &delivery, ack->now_ns);
	/* `recover` must not fall 2^31 behind: when it is passed it says no more. */
	if (r->state == TCP_RECOVERY_OPEN && r->has_recover &&
	    r->board.una - r->recover > TCP_SCOREBOARD_BYTES_MAX)
		r->has_recover = r->may_undo = false;
}

uint32_t tcp_recovery_window(struct tcp_recovery *r, const struct tcp_recovery_result *result,
			     uint32_t cwnd, uint32_t ssthresh)
{
	bool is_safe = result->acked && !result->lost;

	if (result->events & TCP_RECOVERY_ENTERED)
		tcp_prr_begin(&r->prr, r->flight, ssthresh);
	if (r->state == TCP_RECOVERY_FAST) {
		/* What says nothing of the network leaves it as it is (RFC 9937, 6). */
		if (!result->delivered && !result->lost && !(result->events & TCP_RECOVERY_ENTERED))
			return r->prr.window;
		return tcp_prr_on_ack(&r->prr, result->delivered, tcp_recovery_pipe(r), is_safe,
				      r->mss);
	}
	if (result->was_fast && !(result->events & TCP_RECOVERY_SPURIOUS))
		return ssthresh;
	return cwnd;
}

/* ---- timers that are due ---- */

static void on_reorder_timer(struct tcp_recovery *r, uint64_t now_ns,
			     struct tcp_recovery_result *result)
{
	detect_loss(r, now_ns, result);
	if (r->state != TCP_RECOVERY_OPEN || !r->board.lost)
		return;
	enter_fast(r, 0, result);
	r->probe_at_ns = 0;
}

/* RFC 6298, 5.4 to 5.6; RFC 8985, 6.3; RFC 5682, 2.1 step 1. */
static void on_timeout(struct tcp_recovery *r, uint64_t now_ns, struct tcp_recovery_result *result)
{
	/* With SACK also in a fast recovery: RecoveryPoint is not below SND.UNA (RFC 5682, 3.1). */
	bool is_again =
		r->state == TCP_RECOVERY_LOSS || (r->state == TCP_RECOVERY_FAST && r->has_sack);
	uint64_t window =
		tcp_rack_reordering_window(&r->rack, &r->board, true, r->rto.srtt_ns, r->mss);
	uint32_t undo_bytes = r->undo_bytes;
	uint32_t resent_begin = r->resent_begin;
	uint64_t retransmit_ns = r->retransmit_ns;

	r->timeouts++;
	result->events |= TCP_RECOVERY_TIMEOUT;
	if (r->is_timeout_pending)
		result->events |= TCP_RECOVERY_IS_REPEATED;
	if (tcp_scoreboard_is_reneged(&r->board)) {
		tcp_scoreboard_forget_sacks(&r->board);
		result->events |= TCP_RECOVERY_RENEGED;
	}
	result->lost += tcp_rack_mark_losses_on_rto(&r->rack, &r->board, window, r->mss, now_ns);
	begin_recovery(r, TCP_RECOVERY_LOSS);
	if (r->is_timeout_pending) {
		/* Still the same: what would undo the first timeout undoes this one. */
		r->undo_bytes = undo_bytes;
		r->retransmit_ns = retransmit_ns;
		r->resent_begin = resent_begin;
	}
	tcp_frto_begin(&r->frto, r->board.nxt, is_again);
	r->is_timeout_pending = true;
	r->dup_bytes = r->dup_acks = 0;
	r->probe_at_ns = r->reorder_at_ns = 0;
	tcp_rto_on_expiry(&r->rto);
	arm_rto(r, now_ns);
}

static bool is_due(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns && at_ns <= now_ns;
}

void tcp_recovery_on_timer(struct tcp_recovery *r, uint64_t now_ns,
			   struct tcp_recovery_result *result)
{
	*result = result_of(r);
	if (is_due(r->reorder_at_ns, now_ns))
		on_reorder_timer(r, now_ns, result);
	if (is_due(r->probe_at_ns, now_ns)) {
		/* The timeout counts from the probe, sent or not (RFC 8985, 7.3). */
		r->probe_at_ns = 0;
		if (r->rto.srtt_ns && !r->has_probed)
			result->events |= TCP_RECOVERY_SEND_PROBE;
		arm_rto(r, now_ns);
	}
	if (is_due(r->rto_at_ns, now_ns))
		on_timeout(r, now_ns, result);
}
