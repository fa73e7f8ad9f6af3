/* SPDX-License-Identifier: ISC */
/* Whether a scoreboard is as it should be; for tests, which have it looked at all the time. */
#include "net/tcp_scoreboard.h"

static uint32_t length_of(const struct tcp_range *range)
{
	return range->end - range->begin;
}

static bool is_in_flight(const struct tcp_range *range)
{
	return !(range->flags & (TCP_RANGE_SACKED | TCP_RANGE_LOST));
}

/* Are two neighbours ranges of their own that should be one? */
static bool should_be_one(const struct tcp_range *range, const struct tcp_range *next)
{
	const uint8_t kept = TCP_RANGE_SACKED | TCP_RANGE_LOST | TCP_RANGE_RETRANSMITTED;

	return (range->flags & next->flags & TCP_RANGE_SACKED) ||
	       ((range->flags & TCP_RANGE_LOST) && (range->flags & kept) == (next->flags & kept));
}

static bool tree_is_valid(const struct tcp_scoreboard *board)
{
	const struct tcp_range *ranges = board->ranges;

	if (board->root != TCP_RANGE_NONE && ranges[board->root].parent != TCP_RANGE_NONE)
		return false;
	for (uint16_t i = board->first; i != TCP_RANGE_NONE; i = ranges[i].next) {
		uint16_t left = ranges[i].left, right = ranges[i].right;
		int l = left == TCP_RANGE_NONE ? 0 : ranges[left].height;
		int r = right == TCP_RANGE_NONE ? 0 : ranges[right].height;
		bool lost = ranges[i].flags & TCP_RANGE_LOST;

		if (left != TCP_RANGE_NONE) {
			lost |= !!(ranges[left].flags & TCP_RANGE_LOST_BELOW);
			if (ranges[left].parent != i)
				return false;
		}
		if (right != TCP_RANGE_NONE) {
			lost |= !!(ranges[right].flags & TCP_RANGE_LOST_BELOW);
			if (ranges[right].parent != i)
				return false;
		}
		if (l - r > 1 || r - l > 1 || ranges[i].height != (l > r ? l : r) + 1 ||
		    lost != !!(ranges[i].flags & TCP_RANGE_LOST_BELOW) ||
		    tcp_scoreboard_find(board, ranges[i].begin) != i ||
		    tcp_scoreboard_find(board, ranges[i].end - 1) != i)
			return false;
	}
	return true;
}

/* How many ranges the list by time has, in order; more than there are if it is broken. */
static uint32_t time_count(const struct tcp_scoreboard *board)
{
	uint16_t earlier = TCP_RANGE_NONE;
	uint32_t count = 0;

	for (uint16_t i = board->oldest; i != TCP_RANGE_NONE; i = board->ranges[i].later) {
		if (!is_in_flight(&board->ranges[i]) || board->ranges[i].earlier != earlier ||
		    ++count > board->used)
			return UINT32_MAX;
		if (earlier != TCP_RANGE_NONE &&
		    board->ranges[earlier].sent_ns > board->ranges[i].sent_ns)
			return UINT32_MAX;
		earlier = i;
	}
	return board->newest == earlier ? count : UINT32_MAX;
}

bool tcp_scoreboard_is_valid(const struct tcp_scoreboard *board)
{
	uint32_t at = board->una, sacked = 0, lost = 0, flying = 0, count = 0, sacked_ranges = 0;
	uint16_t prev = TCP_RANGE_NONE;

	for (uint16_t i = board->first; i != TCP_RANGE_NONE; i = board->ranges[i].next) {
		const struct tcp_range *range = &board->ranges[i];

		if (range->begin != at || !length_of(range) || range->prev != prev ||
		    ++count > board->used)
			return false;
		if (is_in_flight(range))
			flying++;
		else if (range->next != TCP_RANGE_NONE &&
			 should_be_one(range, &board->ranges[range->next]))
			return false;
		if (range->flags & TCP_RANGE_SACKED) {
			sacked += length_of(range);
			sacked_ranges++;
			if (range->flags & TCP_RANGE_LOST)
				return false;
		} else if (range->flags & TCP_RANGE_LOST) {
			lost += length_of(range);
		}
		at = range->end;
		prev = i;
	}
	return at == board->nxt && prev == board->last && count == board->used &&
	       count <= board->capacity && sacked == board->sacked && lost == board->lost &&
	       sacked_ranges == board->sacked_ranges && flying == time_count(board) &&
	       tree_is_valid(board);
}
