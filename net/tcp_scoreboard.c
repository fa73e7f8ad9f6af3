/* SPDX-License-Identifier: ISC */
/*
 * A range is in exactly one of four states: free, in flight (then also in the list by time),
 * lost, or SACKed. Lost neighbours with like histories are one range, SACKed ones always.
 *
 * The last few ranges of the array are kept for what must go on: SACK blocks may not split the
 * last two, which retransmissions split, nor new data take the last four.
 */
#include <errno.h>
#include <string.h>

#include "net/tcp_core_segment.h"
#include "net/tcp_range_tree.h"
#include "net/tcp_scoreboard.h"

#define KEPT_FOR_RETRANSMISSION 2u
#define KEPT_FOR_SACK 4u

static uint32_t length_of(const struct tcp_range *range)
{
	return range->end - range->begin;
}

static bool is_in_flight(const struct tcp_range *range)
{
	return !(range->flags & (TCP_RANGE_SACKED | TCP_RANGE_LOST));
}

static uint32_t spare(const struct tcp_scoreboard *board)
{
	return (uint32_t)(board->capacity - board->used);
}

void tcp_scoreboard_init(struct tcp_scoreboard *board, struct tcp_range *ranges, uint16_t capacity,
			 uint32_t una)
{
	*board = (struct tcp_scoreboard){
		.ranges = ranges,
		.una = una,
		.nxt = una,
		.capacity = capacity,
		.free = TCP_RANGE_NONE,
		.first = TCP_RANGE_NONE,
		.last = TCP_RANGE_NONE,
		.root = TCP_RANGE_NONE,
		.oldest = TCP_RANGE_NONE,
		.newest = TCP_RANGE_NONE,
	};
}

void tcp_scoreboard_move(struct tcp_scoreboard *board, struct tcp_range *ranges, uint16_t capacity)
{
	if (!board->used) {
		board->free = TCP_RANGE_NONE;
		board->fresh = 0;
	} else {
		memcpy(ranges, board->ranges, board->fresh * sizeof(*ranges));
	}
	board->ranges = ranges;
	board->capacity = capacity;
}

/* ---- ranges and their lists ---- */

static uint16_t take(struct tcp_scoreboard *board)
{
	uint16_t i = board->free;

	if (i != TCP_RANGE_NONE)
		board->free = board->ranges[i].next;
	else
		i = board->fresh++;
	board->used++;
	return i;
}

/* The newest in flight. */
static void time_append(struct tcp_scoreboard *board, uint16_t i)
{
	struct tcp_range *range = &board->ranges[i];

	range->later = TCP_RANGE_NONE;
	range->earlier = board->newest;
	if (board->newest != TCP_RANGE_NONE)
		board->ranges[board->newest].later = i;
	else
		board->oldest = i;
	board->newest = i;
}

static void time_remove(struct tcp_scoreboard *board, uint16_t i)
{
	const struct tcp_range *range = &board->ranges[i];

	if (range->earlier != TCP_RANGE_NONE)
		board->ranges[range->earlier].later = range->later;
	else
		board->oldest = range->later;
	if (range->later != TCP_RANGE_NONE)
		board->ranges[range->later].earlier = range->earlier;
	else
		board->newest = range->earlier;
}

static void time_insert_after(struct tcp_scoreboard *board, uint16_t i, uint16_t earlier)
{
	struct tcp_range *range = &board->ranges[i];

	range->earlier = earlier;
	range->later = board->ranges[earlier].later;
	if (range->later != TCP_RANGE_NONE)
		board->ranges[range->later].earlier = i;
	else
		board->newest = i;
	board->ranges[earlier].later = i;
}

/* Links a range whose bounds and flags are set behind `prev`, by sequence. */
static void insert_after(struct tcp_scoreboard *board, uint16_t i, uint16_t prev)
{
	struct tcp_range *ranges = board->ranges;
	uint16_t next = prev == TCP_RANGE_NONE ? board->first : ranges[prev].next;

	ranges[i].prev = prev;
	ranges[i].next = next;
	if (prev != TCP_RANGE_NONE)
		ranges[prev].next = i;
	else
		board->first = i;
	if (next != TCP_RANGE_NONE)
		ranges[next].prev = i;
	else
		board->last = i;
	tcp_range_tree_insert(ranges, &board->root, i);
}

/* Gives a range back that is in no state any more. */
static void give_back(struct tcp_scoreboard *board, uint16_t i)
{
	struct tcp_range *ranges = board->ranges;
	uint16_t prev = ranges[i].prev, next = ranges[i].next;

	tcp_range_tree_remove(ranges, &board->root, i);
	if (prev != TCP_RANGE_NONE)
		ranges[prev].next = next;
	else
		board->first = next;
	if (next != TCP_RANGE_NONE)
		ranges[next].prev = prev;
	else
		board->last = prev;
	ranges[i].next = board->free;
	board->free = i;
	board->used--;
}

/* Makes a range of what begins at `at` within range i, not SACKed; one is spare. Returns it. */
static uint16_t split(struct tcp_scoreboard *board, uint16_t i, uint32_t at)
{
	uint16_t rest = take(board);
	struct tcp_range *front = &board->ranges[i], *back = &board->ranges[rest];

	*back = (struct tcp_range){ .begin = at,
				    .end = front->end,
				    .sent_ns = front->sent_ns,
				    .flags = front->flags & (uint8_t)~TCP_RANGE_LOST_BELOW };
	front->end = at;
	if (front->flags & TCP_RANGE_MERGED)
		front->flags |= TCP_RANGE_UNTIMED;
	insert_after(board, rest, i);
	if (is_in_flight(front))
		time_insert_after(board, rest, i);
	return rest;
}

/* May i and the next one be one range, neither being in flight? */
static bool is_like_next(const struct tcp_scoreboard *board, uint16_t i)
{
	const uint8_t kept = TCP_RANGE_SACKED | TCP_RANGE_LOST | TCP_RANGE_RETRANSMITTED;
	const struct tcp_range *range = &board->ranges[i], *next;

	if (range->next == TCP_RANGE_NONE)
		return false;
	next = &board->ranges[range->next];
	if (range->flags & next->flags & TCP_RANGE_SACKED)
		return true;
	return (range->flags & TCP_RANGE_LOST) && (range->flags & kept) == (next->flags & kept);
}

static void join_next(struct tcp_scoreboard *board, uint16_t i)
{
	struct tcp_range *range = &board->ranges[i];
	const struct tcp_range *next = &board->ranges[range->next];

	if (range->sent_ns != next->sent_ns)
		range->flags |= TCP_RANGE_UNTIMED;
	range->end = next->end;
	range->flags |= next->flags & (TCP_RANGE_RETRANSMITTED | TCP_RANGE_UNTIMED);
	if (range->flags & TCP_RANGE_SACKED)
		board->sacked_ranges--;
	give_back(board, range->next);
}

/* Joins a range that is now SACKed or lost with neighbours like it; returns what holds it. */
static uint16_t join(struct tcp_scoreboard *board, uint16_t i)
{
	uint16_t prev = board->ranges[i].prev;

	if (is_like_next(board, i))
		join_next(board, i);
	if (prev == TCP_RANGE_NONE || !is_like_next(board, prev))
		return i;
	join_next(board, prev);
	return prev;
}

/* ---- sending ---- */

/* The time of what leaves now: after all that left before. */
static uint64_t stamp(struct tcp_scoreboard *board, uint64_t now_ns)
{
	board->stamp_ns = now_ns > board->stamp_ns ? now_ns : board->stamp_ns + 1;
	board->moment_ns = now_ns;
	return board->stamp_ns;
}

/* Does new data that leaves now continue what left last, in the same moment? */
static bool continues_last(const struct tcp_scoreboard *board, uint64_t now_ns)
{
	const struct tcp_range *last;

	if (board->last == TCP_RANGE_NONE)
		return false;
	last = &board->ranges[board->last];
	return board->newest == board->last && board->moment_ns == now_ns &&
	       !(last->flags & (TCP_RANGE_RETRANSMITTED | TCP_RANGE_UNTIMED));
}

/* With no ranges left: the last one takes new data on, if nothing else is known of it. */
static bool may_merge_last(const struct tcp_scoreboard *board)
{
	const struct tcp_range *last;

	if (board->last == TCP_RANGE_NONE)
		return false;
	last = &board->ranges[board->last];
	return is_in_flight(last) && !(last->flags & TCP_RANGE_RETRANSMITTED);
}

bool tcp_scoreboard_has_room(const struct tcp_scoreboard *board, uint32_t bytes)
{
	if (bytes > TCP_SCOREBOARD_BYTES_MAX - (board->nxt - board->una))
		return false;
	return spare(board) > KEPT_FOR_SACK || may_merge_last(board);
}

int tcp_scoreboard_on_send(struct tcp_scoreboard *board, uint32_t bytes, uint64_t now_ns)
{
	uint32_t begin = board->nxt;
	struct tcp_range *last;
	uint16_t i;

	if (!bytes)
		return 0;
	if (!tcp_scoreboard_has_room(board, bytes))
		return -ENOBUFS;
	board->nxt += bytes;
	if (continues_last(board, now_ns)) {
		board->ranges[board->last].end = board->nxt;
		return 0;
	}
	if (spare(board) <= KEPT_FOR_SACK) {
		last = &board->ranges[board->last];
		last->end = board->nxt;
		last->sent_ns = stamp(board, now_ns);
		last->flags = (uint8_t)((last->flags & ~TCP_RANGE_UNTIMED) | TCP_RANGE_MERGED);
		time_remove(board, board->last);
		time_append(board, board->last);
		return 0;
	}
	i = take(board);
	board->ranges[i] = (struct tcp_range){ .begin = begin,
					       .end = board->nxt,
					       .sent_ns = stamp(board, now_ns) };
	insert_after(board, i, board->last);
	time_append(board, i);
	return 0;
}

/*
 * The range before i, if that is in flight again and i's beginning, sent now, may join it: with
 * the same time it always may, with another only when there is nothing else to put it in.
 */
static bool may_join_previous(const struct tcp_scoreboard *board, uint16_t i, uint64_t now_ns,
			      bool is_forced)
{
	uint16_t prev = board->ranges[i].prev;
	const struct tcp_range *range;

	if (prev == TCP_RANGE_NONE)
		return false;
	range = &board->ranges[prev];
	return is_in_flight(range) && (range->flags & TCP_RANGE_RETRANSMITTED) &&
	       (is_forced || (board->moment_ns == now_ns && board->newest == prev &&
			      !(range->flags & TCP_RANGE_UNTIMED)));
}

/* The first `bytes` of range i, sent now, become part of the one before it. */
static void join_previous(struct tcp_scoreboard *board, uint16_t i, uint32_t bytes, uint64_t now_ns)
{
	struct tcp_range *range = &board->ranges[i];
	uint16_t prev = range->prev;

	if (range->flags & TCP_RANGE_LOST)
		board->lost -= bytes;
	range->begin += bytes;
	board->ranges[prev].end += bytes;
	if (board->newest != prev || board->moment_ns != now_ns) {
		board->ranges[prev].sent_ns = stamp(board, now_ns);
		board->ranges[prev].flags =
			(uint8_t)((board->ranges[prev].flags & ~TCP_RANGE_UNTIMED) |
				  TCP_RANGE_MERGED);
		time_remove(board, prev);
		time_append(board, prev);
	}
	if (length_of(range))
		return;
	if (is_in_flight(range))
		time_remove(board, i);
	give_back(board, i);
}

int tcp_scoreboard_on_retransmit(struct tcp_scoreboard *board, uint32_t begin, uint32_t bytes,
				 uint64_t now_ns)
{
	uint16_t i = tcp_scoreboard_find(board, begin);
	struct tcp_range *range;

	if (i == TCP_RANGE_NONE || !bytes)
		return -EINVAL;
	range = &board->ranges[i];
	if (bytes > range->end - begin || (range->flags & TCP_RANGE_SACKED))
		return -EINVAL;
	if (begin == range->begin &&
	    may_join_previous(board, i, now_ns, bytes < length_of(range) && !spare(board))) {
		join_previous(board, i, bytes, now_ns);
		return 0;
	}
	if (begin != range->begin && spare(board))
		i = split(board, i, begin);
	range = &board->ranges[i];
	if (begin + bytes != range->end && begin == range->begin && spare(board))
		split(board, i, begin + bytes);
	if (is_in_flight(range)) {
		time_remove(board, i);
	} else {
		board->lost -= length_of(range);
		range->flags &= (uint8_t)~TCP_RANGE_LOST;
		tcp_range_tree_touch(board->ranges, i);
	}
	range->sent_ns = stamp(board, now_ns);
	range->flags &= (uint8_t) ~(TCP_RANGE_UNTIMED | TCP_RANGE_MERGED);
	range->flags |= TCP_RANGE_RETRANSMITTED;
	time_append(board, i);
	return 0;
}

uint16_t tcp_scoreboard_lowest_lost(const struct tcp_scoreboard *board)
{
	return tcp_range_tree_lowest_lost(board->ranges, board->root);
}

uint16_t tcp_scoreboard_find(const struct tcp_scoreboard *board, uint32_t sequence)
{
	return tcp_range_tree_find(board->ranges, board->root, board->una, sequence);
}

/* ---- what arrives ---- */

void tcp_delivery_begin(struct tcp_delivery *delivery, uint64_t retransmitted_until_ns)
{
	*delivery = (struct tcp_delivery){ .retransmitted_until_ns = retransmitted_until_ns };
}

static void note_time(struct tcp_delivery *delivery, uint64_t sent_ns, bool is_sack)
{
	uint64_t *oldest = is_sack ? &delivery->original_sacked_ns : &delivery->original_acked_ns;

	if (!*oldest || sent_ns < *oldest)
		*oldest = sent_ns;
	if (sent_ns > delivery->original_last_ns)
		delivery->original_last_ns = sent_ns;
}

/* The first bytes of a range, up to `end`, have arrived. */
static void note_arrival(const struct tcp_range *range, uint32_t end, struct tcp_delivery *delivery,
			 bool is_sack)
{
	bool is_original = !(range->flags & TCP_RANGE_RETRANSMITTED);
	bool is_timed = !(range->flags & TCP_RANGE_UNTIMED) &&
			(!(range->flags & TCP_RANGE_MERGED) || end == range->end);
	uint32_t bytes = end - range->begin;

	if (!delivery->delivered || tcp_before(delivery->highest_end, end))
		delivery->highest_end = end;
	delivery->delivered += bytes;
	if (is_original) {
		delivery->originals += bytes;
		if (!delivery->has_original || tcp_before(end, delivery->original_lowest_end))
			delivery->original_lowest_end = end;
		delivery->has_original = true;
	}
	if (!is_timed)
		return;
	if (is_original)
		note_time(delivery, range->sent_ns, is_sack);
	else if (range->sent_ns > delivery->retransmitted_until_ns)
		return;
	if (!delivery->has_newest || range->sent_ns > delivery->newest_ns ||
	    (range->sent_ns == delivery->newest_ns && tcp_before(delivery->newest_end, end))) {
		delivery->has_newest = true;
		delivery->newest_ns = range->sent_ns;
		delivery->newest_end = end;
	}
}

/* The cumulative acknowledgement covers the first range up to `end`. */
static void acknowledge_first(struct tcp_scoreboard *board, uint32_t end,
			      struct tcp_delivery *delivery)
{
	uint16_t i = board->first;
	struct tcp_range *range = &board->ranges[i];
	uint32_t bytes = end - range->begin;

	if (range->flags & TCP_RANGE_RETRANSMITTED)
		delivery->acked_retransmitted = true;
	if (range->flags & TCP_RANGE_SACKED)
		board->sacked -= bytes;
	else
		note_arrival(range, end, delivery, false);
	if (range->flags & TCP_RANGE_LOST)
		board->lost -= bytes;
	if (end != range->end) {
		range->begin = end;
		return;
	}
	if (range->flags & TCP_RANGE_SACKED)
		board->sacked_ranges--;
	else if (is_in_flight(range))
		time_remove(board, i);
	give_back(board, i);
}

void tcp_scoreboard_on_ack(struct tcp_scoreboard *board, uint32_t ack,
			   struct tcp_delivery *delivery)
{
	if (ack - board->una > board->nxt - board->una)
		return;
	delivery->acked += ack - board->una;
	/* What the first range is measured by is its own begin; una moves with it for the tree. */
	while (tcp_before(board->una, ack)) {
		uint32_t end = board->ranges[board->first].end;

		if (tcp_before(ack, end))
			end = ack;
		acknowledge_first(board, end, delivery);
		board->una = end;
	}
}

/* ---- SACK ---- */

/* All of a range in flight or lost has arrived; returns the range that holds it now. */
static uint16_t sack_range(struct tcp_scoreboard *board, uint16_t i, struct tcp_delivery *delivery)
{
	struct tcp_range *range = &board->ranges[i];
	uint32_t bytes = length_of(range);

	note_arrival(range, range->end, delivery, true);
	delivery->sacked += bytes;
	if (is_in_flight(range)) {
		time_remove(board, i);
	} else {
		board->lost -= bytes;
		range->flags &= (uint8_t)~TCP_RANGE_LOST;
		tcp_range_tree_touch(board->ranges, i);
	}
	board->sacked += bytes;
	board->sacked_ranges++;
	range->flags |= TCP_RANGE_SACKED;
	return join(board, i);
}

/*
 * Cuts range i so that what lies within [begin, end) is a range of its own, and returns that;
 * TCP_RANGE_NONE if there are no ranges for it, and then all is as before.
 */
static uint16_t cut(struct tcp_scoreboard *board, uint16_t i, uint32_t begin, uint32_t end)
{
	bool cuts_front = tcp_before(board->ranges[i].begin, begin);
	bool cuts_back = tcp_before(end, board->ranges[i].end);

	if (spare(board) < KEPT_FOR_RETRANSMISSION + (cuts_front ? 1u : 0u) + (cuts_back ? 1u : 0u))
		return cuts_front || cuts_back ? TCP_RANGE_NONE : i;
	if (cuts_front)
		i = split(board, i, begin);
	if (cuts_back)
		split(board, i, end);
	return i;
}

/* [begin, end), within what is outstanding, has arrived. False: not all of it could be noted. */
static bool sack_block(struct tcp_scoreboard *board, uint32_t begin, uint32_t end,
		       struct tcp_delivery *delivery)
{
	uint16_t i = tcp_scoreboard_find(board, begin), next;
	bool is_noted = true;

	for (; i != TCP_RANGE_NONE && tcp_before(board->ranges[i].begin, end); i = next) {
		next = board->ranges[i].next;
		if (board->ranges[i].flags & TCP_RANGE_SACKED)
			continue;
		i = cut(board, i, begin, end);
		if (i == TCP_RANGE_NONE)
			is_noted = false;
		else
			next = board->ranges[sack_range(board, i, delivery)].next;
	}
	return is_noted;
}

/*
 * Could a receiver that acknowledges `ack` say it of what was sent? Distances from there, so that
 * no block is too far away to be seen as such.
 */
static bool is_possible(const struct tcp_scoreboard *board, const struct tcp_sack_block *block,
			uint32_t ack)
{
	uint32_t begin = block->begin - ack, end = block->end - ack, sent = board->nxt - ack;

	return begin < end && end <= sent && sent <= INT32_MAX;
}

/*
 * Is the first block a D-SACK: below the acknowledgement of its own segment, or within the second
 * block? (RFC 2883, 4)
 */
static bool is_dsack(const struct tcp_scoreboard *board, const struct tcp_sack_block *blocks,
		     unsigned int count, uint32_t ack)
{
	uint32_t begin = ack - blocks[0].begin, end = ack - blocks[0].end;

	if (end < begin && begin <= TCP_SCOREBOARD_BYTES_MAX)
		return true;
	return count > 1 && is_possible(board, &blocks[0], ack) &&
	       is_possible(board, &blocks[1], ack) &&
	       blocks[0].begin - ack >= blocks[1].begin - ack &&
	       blocks[0].end - ack <= blocks[1].end - ack;
}

void tcp_scoreboard_on_sack(struct tcp_scoreboard *board, uint32_t ack,
			    const struct tcp_sack_block *blocks, unsigned int count,
			    struct tcp_delivery *delivery)
{
	unsigned int k = 0;

	if (count > TCP_SACK_BLOCKS_MAX)
		count = TCP_SACK_BLOCKS_MAX;
	if (count && is_dsack(board, blocks, count, ack)) {
		delivery->has_dsack = true;
		delivery->dsack_begin = blocks[0].begin;
		delivery->dsack_end = blocks[0].end;
		k = 1;
	}
	for (; k < count; k++) {
		uint32_t begin = blocks[k].begin, end = blocks[k].end;

		if (!is_possible(board, &blocks[k], ack)) {
			board->sacks_invalid++;
			continue;
		}
		/* A segment that was overtaken by a later acknowledgement: the rest still holds. */
		if (tcp_before(begin, board->una))
			begin = board->una;
		if (tcp_before(begin, end) && !sack_block(board, begin, end, delivery))
			board->sacks_refused++;
	}
}

/* ---- marks ---- */

void tcp_scoreboard_mark_lost(struct tcp_scoreboard *board, uint16_t index)
{
	struct tcp_range *range = &board->ranges[index];

	if (!is_in_flight(range))
		return;
	time_remove(board, index);
	board->lost += length_of(range);
	range->flags |= TCP_RANGE_LOST;
	tcp_range_tree_touch(board->ranges, index);
	join(board, index);
}

uint32_t tcp_scoreboard_mark_first_lost(struct tcp_scoreboard *board, uint32_t bytes)
{
	uint16_t i = board->first;
	uint32_t lost = board->lost;

	if (i == TCP_RANGE_NONE || !bytes || !is_in_flight(&board->ranges[i]))
		return 0;
	if (bytes < length_of(&board->ranges[i]) && spare(board))
		split(board, i, board->una + bytes);
	tcp_scoreboard_mark_lost(board, i);
	return board->lost - lost;
}

/*
 * They go behind all others by time, for there is no telling where they belong: so nothing
 * finds them lost again before something sent from now on has arrived.
 */
void tcp_scoreboard_unmark_lost(struct tcp_scoreboard *board)
{
	uint16_t i;

	while ((i = tcp_scoreboard_lowest_lost(board)) != TCP_RANGE_NONE) {
		struct tcp_range *range = &board->ranges[i];

		board->lost -= length_of(range);
		range->flags = (uint8_t)((range->flags & ~TCP_RANGE_LOST) | TCP_RANGE_UNTIMED);
		range->sent_ns = stamp(board, board->moment_ns);
		tcp_range_tree_touch(board->ranges, i);
		time_append(board, i);
	}
}

void tcp_scoreboard_forget_sacks(struct tcp_scoreboard *board)
{
	for (uint16_t i = board->first; i != TCP_RANGE_NONE; i = board->ranges[i].next) {
		struct tcp_range *range = &board->ranges[i];

		if (!(range->flags & TCP_RANGE_SACKED))
			continue;
		board->sacked -= length_of(range);
		board->sacked_ranges--;
		board->lost += length_of(range);
		/* It may have arrived and will again: no time of it is certain. */
		range->flags = (uint8_t)((range->flags & ~TCP_RANGE_SACKED) | TCP_RANGE_LOST |
					 TCP_RANGE_RETRANSMITTED | TCP_RANGE_UNTIMED);
		tcp_range_tree_touch(board->ranges, i);
		i = join(board, i);
	}
}
